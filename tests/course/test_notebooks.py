"""The notebooks as files: derived as they should be, clean, short, and kind as shipped."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from authoring import build, derive, percent
from ptwalk.checks import registry

ROOT = Path(__file__).resolve().parent.parent.parent

EXECUTED = sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("solutions/*.ipynb")])
EXERCISES = sorted(ROOT.glob("exercises/*.ipynb"))
LONGEST_CELL = 15

every_executed = pytest.mark.parametrize("path", EXECUTED, ids=lambda p: f"{p.parent.name}/{p.stem}")
every_exercise = pytest.mark.parametrize("path", EXERCISES, ids=lambda p: p.stem)
every_book = pytest.mark.parametrize("path", EXECUTED + EXERCISES, ids=lambda p: f"{p.parent.name}/{p.stem}")


def cells(path: Path) -> list[Any]:
    """The cells of a notebook."""
    return list(nbformat.read(path, as_version=4).cells)


def test_exercises_follow_from_solutions_byte_for_byte() -> None:
    """Nobody edits exercises/ by hand: each file is what its solution gives, and none is left over."""
    derived = dict(build.derived())
    for path, text in derived.items():
        assert path.read_text("utf-8") == text, f"{path.name}: run python -m authoring"
    assert {path for path in derived if path.parent.name == "exercises"} == set(EXERCISES)


def test_solutions_hold_the_markers_and_exercises_do_not() -> None:
    """The marker words are nbgrader's, in pairs; the exercise has the placeholder, and no error to raise."""
    for exercise in EXERCISES:
        solution = (ROOT / "solutions" / exercise.name).read_text("utf-8")
        text = exercise.read_text("utf-8")
        assert solution.count(derive.BEGIN) == solution.count(derive.END) > 0
        assert "BEGIN SOLUTION" not in text and "END SOLUTION" not in text
        assert text.count(derive.PLACEHOLDER) == solution.count(derive.BEGIN)
        assert "NotImplementedError" not in text


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("a\n### BEGIN SOLUTION\nb\n### END SOLUTION\nc", "a\n# Your code here.\nc"),
        ("def f():\n    ### BEGIN SOLUTION\n    1\n    ### END SOLUTION", "def f():\n    # Your code here.\n    ..."),
    ],
)  # fmt: skip
def test_the_placeholder_keeps_the_indent(source: str, wanted: str) -> None:
    """At the top a comment is enough; a function needs a body as well."""
    assert derive.without_solutions(source) == wanted


@pytest.mark.parametrize("source", ["### BEGIN SOLUTION", "### END SOLUTION"])
def test_a_marker_without_its_partner_is_refused(source: str) -> None:
    """A forgotten marker would give the solution away or eat the rest."""
    with pytest.raises(ValueError, match="without"):
        derive.without_solutions(source)


@every_book
def test_sources_on_disk_are_the_scripts(path: Path) -> None:
    """Each notebook has the cells of its script, in order, with the same ids and text."""
    if path.parent.name == "exercises":
        return
    script = ROOT / "authoring" / path.parent.name / f"{path.stem}.py"
    wanted = [(cell.name, cell.kind, cell.source) for cell in build.cells_of(script)]
    assert [(cell.id, cell.cell_type, cell.source) for cell in cells(path)] == wanted


def test_notebooks_link_to_their_neighbours() -> None:
    """The last cell of each lesson leads to the one before, the one after and the glossary, as the list has them."""
    stems = [book.stem for book in sorted(registry.NOTEBOOKS, key=lambda book: book.number)]
    assert len(set(stems)) == len(stems)
    for before, stem, after in zip([None, *stems], stems, [*stems[1:], None], strict=False):
        last = cells(ROOT / "notebooks" / f"{stem}.ipynb")[-1]
        found = re.findall(r"\]\((\d\d_\w+)\.ipynb\)", last.source)
        assert last.id == "navigation", stem
        assert found == [name for name in (before, after) if name], (
            f"{stem}: run python -m authoring --derive"
        )
        assert "docs/glossary.md" in last.source


@every_book
def test_notebooks_are_clean(path: Path) -> None:
    """No widget state, no timings, no model ids, no addresses of objects, no path of a machine; counts in order."""
    text = path.read_text("utf-8")
    book = json.loads(text)
    assert set(book["metadata"]) == {"kernelspec", "language_info"}
    assert book["metadata"]["kernelspec"]["name"] == "python3"
    assert "model_id" not in text and "widget-view" not in text
    assert not re.search(r" at 0x[0-9a-f]{8,}>", text)
    assert not re.search(r'"(image/png|image/svg\+xml)"', text), "a bare image has no text alternative"
    counts = [cell["execution_count"] for cell in book["cells"] if cell["cell_type"] == "code"]
    run = path.parent.name != "exercises"
    assert counts == (list(range(1, len(counts) + 1)) if run else [None] * len(counts))
    for cell in book["cells"]:
        assert set(cell["metadata"]) <= {"nbgrader", "tags", "jupyter", "slideshow"}


@every_book
def test_cells_are_short(path: Path) -> None:
    """No code cell over fifteen lines, markers and solutions apart; it is read before it is run."""
    for cell in cells(path):
        if cell.cell_type == "code":
            lines = derive.without_solutions(cell.source).splitlines()
            assert len(lines) <= LONGEST_CELL, f"{path.name}: cell {cell.id} has {len(lines)} lines"


@every_executed
def test_outputs_have_no_error(path: Path) -> None:
    """What is committed ran through."""
    for cell in cells(path):
        for output in cell.get("outputs", []):
            assert output.output_type != "error" and output.get("name") != "stderr", cell.id


@every_book
def test_pictures_have_a_text_alternative(path: Path) -> None:
    """Every drawing in an output or a text says in words what it shows."""
    for cell in cells(path):
        pages = [cell.source] + [o.get("data", {}).get("text/html", "") for o in cell.get("outputs", [])]
        for page in pages:
            for tag in re.findall(r"<(?:img|svg)\b[^>]*>", page):
                assert re.search(r'\b(?:alt|aria-label)="[^"]{10,}"', tag) or 'aria-hidden="true"' in tag, (
                    tag[:80]
                )


@every_book
def test_links_lead_somewhere(path: Path) -> None:
    """Relative links of the text lead to files that exist."""
    for cell in cells(path):
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)#]+)\)", cell.source):
                assert "://" not in target, f"{target}: say where without a network"
                assert (path.parent / target).exists(), f"{path.name}: {target}"


@every_executed
def test_every_notebook_has_its_parts(path: Path) -> None:
    """A lesson opens with what one can do after it and its minutes, predicts, and closes with boxes and what next."""
    text = "\n".join(cell.source for cell in cells(path))
    wanted = ["ptwalk.start(", "minutes", "After"]
    if path.parent.name == "notebooks":
        wanted += ["**Predict.**", "**Play.**", "## In the real kernel", "## What this leaves out"]
    missing = [part for part in wanted if part not in text]
    assert not missing


@every_exercise
def test_exercises_match_the_registry(path: Path) -> None:
    """Each exercise has a heading, its difficulty and minutes, an answer cell and a check cell, in that order."""
    book = cells(path)
    ids = [cell.id for cell in book]
    text = "\n".join(cell.source for cell in book)
    mine = [exercise for exercise in registry.exercises().values() if exercise.notebook == path.stem]
    assert mine
    for exercise in mine:
        stem = exercise.name.replace(".", "-").removeprefix("0")
        number, which = exercise.name.split(".")
        assert (
            f"## {exercise.name} {exercise.title}\n\n{exercise.stars} · {exercise.minutes} minutes" in text
        ), stem
        answer, check = ids.index(f"{number}-{which}-answer"), ids.index(f"{number}-{which}-check")
        assert answer < check
        assert f'ptwalk.check("{exercise.name}"' in book[check].source
        assert f"| {exercise.name} {exercise.title} | {exercise.stars} | {exercise.minutes} |" in text


@pytest.mark.slow
def test_as_shipped_every_check_says_not_yet(tmp_path: Path) -> None:
    """In a real kernel: each check cell of exercises/ ends in one kind line, and every other cell runs."""
    from nbclient import NotebookClient

    for path in EXERCISES:
        book = nbformat.read(path, as_version=4)
        client = NotebookClient(
            book,
            timeout=120,
            kernel_name="python3",
            allow_errors=True,
            resources={"metadata": {"path": str(ROOT)}},
        )
        client.execute()
        for cell in book.cells:
            wrong = [o for o in cell.get("outputs", []) if o.output_type == "error"]
            if cell.id.endswith("-check"):
                assert [o.ename for o in wrong] == ["NotYet"], cell.id
                said, *parts = wrong[0].traceback
                assert said.startswith("✗ Not yet ("), said
                assert all(part.startswith("  … ") for part in parts), parts  # each part, open
            else:
                assert wrong == [], cell.id


@every_exercise
def test_solutions_still_parse_without_their_solutions(path: Path) -> None:
    """Every exercise cell is valid Python."""
    for cell in cells(path):
        if cell.cell_type == "code":
            ast.parse(cell.source)


@pytest.mark.slow
@pytest.mark.parametrize("stem", sorted({path.stem for path in EXECUTED}))
def test_two_runs_give_the_same_bytes(stem: str) -> None:
    """Running a script again gives the committed files, byte for byte."""
    for path, text in build.built([stem]):
        assert path.read_text("utf-8") == text, f"{path.name}: run python -m authoring"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", "no cells"),
        ("# %%\nx = 1\n", "write '# %% name'"),
        ("# %% one\nx\n# %% one\ny\n", "two cells are called one"),
        ("# %% [markdown] one\nplain\n", "put its text between"),
    ],
)
def test_a_script_that_is_wrong_is_told_so(tmp_path: Path, text: str, words: str) -> None:
    """The author reads what to do."""
    (tmp_path / "s.py").write_text(text)
    with pytest.raises(percent.ScriptError, match=re.escape(words)):
        percent.read_script(tmp_path / "s.py")
