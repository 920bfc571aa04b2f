"""The browser's modules: unit tests under node, one schema from both sides, one catalogue, one bundle."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ptwalk.trace.timeline import Timeline
from ptwalk.views.esm import WEB
from ptwalk.views.stepper_page import catalogue, module, page
from ptwalk.views.text_run import sentences, text_run

TESTS = Path(__file__).resolve().parent.parent
RACE = TESTS / "browser" / "data" / "munmap_race.json"
FOLDER = WEB / "stepper"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@pytest.fixture(scope="module")
def race() -> Timeline:
    """The race of the design."""
    return Timeline.loads(RACE.read_text(encoding="utf-8"))


def _cases(race: Timeline) -> list[tuple[dict[str, Any], bool]]:
    """Timelines, good and damaged in one place each."""
    good = race.to_json()
    first = good["steps"][0]

    def with_step(**change: Any) -> dict[str, Any]:
        return good | {"steps": [first | change]}

    damaged = [
        good | {"schema": "other"}, good | {"version": 2}, good | {"title": 3}, good | {"cpus": []},
        good | {"cpus": "x"},
        good | {"levels": [{}]}, good | {"locks": [{"name": "x"}]}, good | {"sources": [{"name": "x"}]},
        good | {"base": []},
        good | {"base": {"f1": {}}}, good | {"base": {"f1": {"state": "lost"}}}, good | {"base": {"e1.2": 3}},
        good | {"base": {"l:x": {}}}, good | {"base": {"x:a": 1}}, good | {"base": {"c0.s.0": [1]}},
        good | {"base": {"c0.v.0.a": 1}}, good | {"base": {"c0.state": "away"}}, good | {"base": {"c0.irq": 1}},
        good | {"base": {"c0.rcu": -1}}, good | {"base": {"c0.tlb": {}}}, good | {"base": {"what": 1}},
        with_step(cpu=-1), with_step(kind=1), with_step(say="x"), with_step(say=[[1]]), with_step(set=[]),
        good | {"steps": {}},
    ]  # fmt: skip
    fine = [
        good,
        good | {"steps": []},
        good | {"verdict": None},
        with_step(set={"c0.v.1.*": None, "c0.v.1.a": "text"}),
    ]
    return [(case, True) for case in fine] + [(case, False) for case in damaged]


@needs_node
def test_modules_under_node(race: Timeline, tmp_path: Path) -> None:
    """The unit tests in `tests/browser/js` pass; they get the schema's cases from here."""
    paths = []
    for number, (timeline, good) in enumerate(_cases(race)):
        path = tmp_path / f"case{number}.json"
        path.write_text(json.dumps({"timeline": timeline, "good": good}), encoding="utf-8")
        paths.append(str(path))
    surroundings = os.environ | {
        "PTWALK_WEB": str(FOLDER),
        "PTWALK_RACE": str(RACE),
        "PTWALK_CASES": ":".join(paths),
    }
    done = subprocess.run(
        ["node", "--test", str(TESTS / "browser" / "js" / "stepper.test.mjs")],
        capture_output=True, text=True, env=surroundings, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_the_schema_file_says_the_same(race: Timeline) -> None:
    """The JSON schema draws the line where the browser draws it."""
    jsonschema = pytest.importorskip("jsonschema")
    import ptwalk.trace

    schema = json.loads((Path(ptwalk.trace.__path__[0]) / "timeline.schema.json").read_text(encoding="utf-8"))
    checker = jsonschema.Draft202012Validator(schema)
    wrong = [n for n, (timeline, good) in enumerate(_cases(race)) if checker.is_valid(timeline) is not good]
    assert not wrong


@needs_node
def test_packed_and_plain_are_the_same(race: Timeline) -> None:
    """What travels packed is, unpacked in the browser, what Python writes plainly."""
    program = (
        f"import {{ unpackTimeline }} from '{FOLDER}/packing.js'; import {{ readFileSync }} from 'node:fs';"
        f"console.log(JSON.stringify(unpackTimeline(JSON.parse(readFileSync('{RACE}', 'utf8')))));"
    )
    done = subprocess.run(
        ["node", "--input-type=module", "-e", program], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == race.to_json()


@needs_node
def test_python_and_browser_say_the_same_sentences(race: Timeline) -> None:
    """The run in words is the same text on both sides, from one catalogue."""
    program = (
        f"import {{ Run }} from '{FOLDER}/run.js'; import {{ unpackTimeline }} from '{FOLDER}/packing.js';"
        f"import {{ Words }} from '{FOLDER}/words.js';"
        "import { readFileSync } from 'node:fs';"
        f"const run = new Run(unpackTimeline(JSON.parse(readFileSync('{RACE}', 'utf8'))));"
        f"const words = new Words(JSON.parse(readFileSync('{FOLDER}/catalogue.en.json', 'utf8')));"
        "console.log(JSON.stringify(run.steps.map((s, i) => words.sentence(run, s, run.at(i + 1)))));"
    )
    done = subprocess.run(
        ["node", "--input-type=module", "-e", program], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == sentences(race)


def test_the_bundle_is_one_module() -> None:
    """Nothing is imported in the joined module, it has one default export, and no name is declared twice."""
    code = module()
    assert not re.search(r"^import ", code, re.MULTILINE) and code.count("export default") == 1
    names = re.findall(r"^(?:async )?(?:function|class|const|let) (\w+)", code, re.MULTILINE)
    assert len(names) == len(set(names)), sorted({name for name in names if names.count(name) > 1})


def test_modules_are_small_and_know_no_kernel() -> None:
    """No module is over 340 lines, and none names a function of the kernel."""
    for path in FOLDER.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("// "), f"{path.name} does not say what it is"
        assert text.count("\n") <= 340, path.name
        assert not re.search(r"mmap_lock|munmap|spin_lock|mmu_gather|khugepaged", text), path.name


def test_no_colour_outside_the_tokens() -> None:
    """The style sheet names tokens only; the shade behind a sheet is the one exception."""
    sheet = (FOLDER / "stepper.css").read_text(encoding="utf-8")
    assert re.findall(r"#[0-9a-f]{3,8}\b(?!\))", sheet) == ["#0006"]
    assert min(int(size) for size in re.findall(r"font:(?:\d+ )?(\d+)px", sheet)) >= 11


def test_the_page_asks_for_nothing(race: Timeline) -> None:
    """A saved page names no address to fetch, and no text in a run can end its script element."""
    evil = Timeline.loads(race.dumps().replace("munmap against DAMON v34", "</script><b>x"))
    text = page(evil)
    assert "</script><b>" not in text
    assert not re.search(r"""(?:src|href)=|@import|fetch\(|https?://(?!www\.w3\.org)""", text)


def test_text_fallback(race: Timeline) -> None:
    """In a terminal a run is a table with its violation marked."""
    lines = text_run(race).splitlines()
    assert lines[0].startswith("munmap against DAMON v34")
    assert any(line.startswith("✕ 17  CPU 0") for line in lines)
    assert max(map(len, lines)) <= 110
    assert json.loads(catalogue("xx"))["language"] == "en"
