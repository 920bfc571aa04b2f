"""Papers that loop, crash, lie, print for ever or are broken: each is told in words, and the rest is judged."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from ptwalk.checks.judge import judge_file
from ptwalk.checks.learner_process import judged as judge_in_words
from ptwalk.checks.mark import Mark, Marked
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.registry import exercises, solution_code
from ptwalk.checks.sandbox import Limits

from .papers import NAMES, STEM, Cells, cell, paper

SOON = 2.0
"""Seconds a cell gets here; solved cells need a tenth of one."""

linux = pytest.mark.skipif(sys.platform != "linux", reason="this wall stands on Linux only")


def judged(file: Path, **how: object) -> Marked:
    """The file judged, with little time for a cell."""
    return judge_file(file, seconds=SOON, limits=Limits(memory=1 << 30), **how)  # type: ignore[arg-type]


def states(marked: Marked) -> dict[str, str]:
    """The state of each exercise."""
    return {mark.exercise: mark.state for mark in marked.marks}


def mark(marked: Marked, name: str) -> Mark:
    """The mark of one exercise."""
    return next(mark for mark in marked.marks if mark.exercise == name)


def only(marked: Marked, name: str) -> str:
    """The words for one exercise, after making sure that all others passed."""
    assert not marked.unreadable
    others = {other: state for other, state in states(marked).items() if other != name}
    assert others == {other: "passed" for other in NAMES if other != name}, marked
    words = mark(marked, name).words
    assert words and "Traceback" not in words and "\n" not in words
    return words


def test_a_solved_notebook_passes(tmp_path: Path) -> None:
    """Every exercise, nothing to remark."""
    marked = judged(paper(tmp_path))
    assert states(marked) == dict.fromkeys(NAMES, "passed")
    assert marked.remarks == ()


def test_an_untouched_notebook_is_not_begun(tmp_path: Path) -> None:
    """No answer is judged that was never given."""
    marked = judged(paper(tmp_path, solved=()))
    assert states(marked) == dict.fromkeys(NAMES, "open")


def test_a_wrong_answer_hears_what_the_notebook_says(tmp_path: Path) -> None:
    """The same words, without the exercise's name."""
    marked = judged(paper(tmp_path, {"01.2": "def translate(read, root, va):\n    return None"}))
    assert mark(marked, "01.2").state == "not yet"
    assert "None" in only(marked, "01.2")


FOR_EVER = "import collections, itertools; collections.deque(itertools.repeat(0), 0)"
"""A loop inside one C call, where no signal is looked at."""

HOSTILE = {
    "endless loop": ("while True:\n    pass", "still running after 2 seconds, in line 1"),
    "stubborn loop": (
        "while True:\n    try:\n        pass\n    except BaseException:\n        pass",
        "still running",
    ),
    "loop in C": (FOR_EVER, "could not be stopped when its time was up"),
    "prints for ever": ("while True:\n    print('x' * 1000)", "printed more than 1 MB"),
    "prints past Python": ("import os\nwhile True:\n    os.write(1, b'x' * 9999)", "still running"),
    "sys.exit": ("import sys\nsys.exit(0)", "asked Python to end"),
    "os._exit": ("import os\nos._exit(0)", "ended the process by itself, with exit code 0"),
    "kills itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "by signal SIGKILL"),
    "crashes Python": ("import ctypes\nctypes.string_at(0)", "by signal SIGSEGV (a crash"),
    "not Python": ("def translate(:", "is no Python: invalid syntax, in its line 1"),
    "deep recursion": ("def f(): return f()\nf()", "raised RecursionError"),
    "waits for input": ("input()", "raised EOFError"),
    "an error of its own": ("translate = 1 / 0", "raised ZeroDivisionError: division by zero, in line 1"),
    "raises nonsense": ("raise BaseException('a\\nb')", "raised BaseException: a b"),
    "a NUL byte": ("x = '\x00'", "is no Python"),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.skipif(os.name != "posix", reason="signals have other names elsewhere")
def test_a_cell_that_goes_wrong_costs_only_itself(tmp_path: Path, kind: str) -> None:
    """Its exercise is stopped, in words; the four others pass."""
    source, words = HOSTILE[kind]
    marked = judged(paper(tmp_path, {"01.2": source}))
    said = only(marked, "01.2")
    assert words in said
    assert mark(marked, "01.2").state == "stopped"
    assert any("01-2-answer" in remark for remark in marked.remarks)


WHILE_JUDGED = {
    "ends the process": ("    import os; os._exit(3)", "ended the process by itself, with exit code 3"),
    "loops in C": (f"    {FOR_EVER}", "could not be stopped"),
    "loops": ("    while True: pass", "still running"),
    "prints for ever": ("    while True: print('x' * 9999)", ""),
    "closes everything": ("    import os; os.closerange(3, 999); os._exit(0)", "ended the process"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", WHILE_JUDGED)
@pytest.mark.skipif(os.name != "posix", reason="exit codes differ elsewhere")
def test_a_function_that_goes_wrong_while_it_is_judged(tmp_path: Path, kind: str) -> None:
    """The check names what happened, and the others pass."""
    body, words = WHILE_JUDGED[kind]
    marked = judged(paper(tmp_path, {"01.2": f"def translate(read, root, va):\n{body}"}))
    assert words in only(marked, "01.2")
    assert mark(marked, "01.2").state in ("stopped", "not yet")


@linux
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import os\nwhile True:\n    os.fork()", "raised BlockingIOError"),
        ("import subprocess\nsubprocess.run(['true'])", "raised BlockingIOError"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 9))", "raised PermissionError"),
        ("import os\nos.kill(os.getppid(), 9)", "raised PermissionError"),
        ("import os\nos.kill(-1, 9)", "raised PermissionError"),
        ("x = bytearray(1 << 40)", "more memory than there is"),
        ("x = []\nwhile True:\n    x.append(bytearray(1 << 26))", "more memory than there is"),
        ("import shutil\nshutil.rmtree(OUTSIDE)", "raised PermissionError"),
        ("import os\nos.chmod(OUTSIDE, 0)", "raised PermissionError"),
        ("open(OUTSIDE + '/precious', 'w')", "raised PermissionError"),
        ("open('big', 'wb').write(bytes(1 << 25))", "raised OSError: [Errno 27] File too large"),
    ],
)
def test_walls(tmp_path: Path, source: str, words: str) -> None:
    """Processes, network, signals, memory, files outside the scratch folder: refused, in words."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    file = paper(tmp_path / "in", {"01.2": f"OUTSIDE = {str(outside)!r}\n{source}"})
    before = file.read_bytes()
    marked = judged(file)
    assert words in only(marked, "01.2")
    assert (outside / "precious").read_text() == "kept"
    assert file.read_bytes() == before
    assert {"network", "processes", "memory"} <= set(marked.walls)


def test_deleting_ones_own_files_touches_only_a_copy(tmp_path: Path) -> None:
    """The scratch folder is the learner's to spoil."""
    source = "import os\nfor f in os.listdir('.'):\n    os.remove(f)\n"
    file = paper(tmp_path, {"01.2": source + solution_code(exercises()["01.2"])})
    assert states(judged(file)) == dict.fromkeys(NAMES, "passed")
    assert file.exists()


CHEATS = {
    "check replaced": "import ptwalk\nptwalk.check = lambda *a, **k: print('passed')",
    "compare replaced": "import ptwalk.checks.verbs as v\nv.compare = lambda *a: 'fine'",
    "the judge replaced": "import __main__, sys\nfor m in list(sys.modules.values()):\n"
    "    if hasattr(m, 'judged'): m.judged = lambda *a: ('passed', 'fine', ())",
    "the code inside": "import ptwalk.checks.verbs as v\nv.compare.__code__ = (lambda e, a, s: 'fine').__code__",
    "NotYet tamed": "from ptwalk.checks import NotYet\nNotYet.__init__ = lambda *a, **k: None",
    "builtins": "import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.callable = lambda f: False",
    "an exercise": "from ptwalk.checks.registry import exercises\nfor each in exercises().values():\n"
    "    object.__setattr__(each, 'check', lambda a, s: 'fine')",
    "a table": "from ptwalk.scenarios import CHANGERS\nCHANGERS.clear()",
    "a value": "import ptwalk.sanitizers as s\ns.ALL = ()",
    "a helper": "import ptwalk.checks.preflight as p\np.plain_function = lambda *a: (lambda *b: None)",
}


@pytest.mark.parametrize("kind", CHEATS)
def test_edited_checks_do_not_help(tmp_path: Path, kind: str) -> None:
    """What was changed is put back, the wrong answer stays wrong, and the change is named."""
    source = f"{CHEATS[kind]}\ndef translate(read, root, va):\n    return 0"
    marked = judged(paper(tmp_path, {"01.2": source}))
    assert mark(marked, "01.2").state == "not yet"
    only(marked, "01.2")
    assert any("was put back before anything was judged" in remark for remark in marked.remarks) or (
        kind in ("check replaced", "the judge replaced")
    )


def test_an_answer_equal_to_everything_is_no_answer(tmp_path: Path) -> None:
    """An object with an __eq__ of its own passes nothing."""
    source = (
        "class Yes(int):\n    def __eq__(self, other): return True\n"
        "    __hash__ = int.__hash__\n    def __ne__(self, other): return False\n"
        "answer = dict.fromkeys(['prot_none', 'frame', 'swapped', 'type', 'offset'], Yes(0))"
    )
    assert mark(judged(paper(tmp_path, {"01.4": source})), "01.4").state != "passed"


def test_writing_verdicts_blindly_is_not_believed(tmp_path: Path) -> None:
    """Lines on every open descriptor, without the token, are no verdicts."""
    source = (
        "import os, json\nline = json.dumps({'at': 5, 'state': 'passed', 'words': '', 'parts': []}) + '\\n'\n"
        "for fd in range(64):\n    try: os.write(fd, line.encode())\n    except OSError: pass\n"
        "def translate(read, root, va): return 0"
    )
    marked = judged(paper(tmp_path, {"01.2": source}))
    assert mark(marked, "01.2").state == "not yet"
    only(marked, "01.2")


def test_changed_and_deleted_check_cells(tmp_path: Path) -> None:
    """The course's own take their places, and that is said."""

    def edit(cells: Cells) -> None:
        cell(cells, "01-2-check")["source"] = "print('✓ 01.2 passed')"
        cells.remove(cell(cells, "01-3-check"))

    marked = judged(paper(tmp_path, {"01.2": "def translate(read, root, va):\n    return 0"}, edit))
    only(marked, "01.2")
    assert "The check cell of 01.2 was changed; the course's own was used." in marked.remarks
    assert "The check cell of 01.3 is gone; the course's own was used." in marked.remarks


def test_deleted_cells_that_prepare_are_run_all_the_same(tmp_path: Path) -> None:
    """Without `import ptwalk` and the captured machine no answer could hold."""

    def edit(cells: Cells) -> None:
        for name in ("start", "open-capture", "01-1-problem"):
            cells.remove(cell(cells, name))

    marked = judged(paper(tmp_path, edit=edit))
    assert states(marked) == dict.fromkeys(NAMES, "passed")
    assert sum("is gone; the course's own was run" in remark for remark in marked.remarks) == 3


def test_missing_answers_are_named(tmp_path: Path) -> None:
    """An exercise without its cells is missing, one without the function is told which name is not there."""

    def edit(cells: Cells) -> None:
        cells.remove(cell(cells, "01-2-answer"))
        cells.remove(cell(cells, "01-2-check"))
        cells.remove(cell(cells, "01-3-answer"))

    marked = judged(paper(tmp_path, edit=edit))
    assert mark(marked, "01.2").state == "missing"
    assert mark(marked, "01.3").words.startswith("There is no 'state'")


def test_an_answer_in_another_cell_counts(tmp_path: Path) -> None:
    """Some people leave the cell that was meant for it empty."""

    def edit(cells: Cells) -> None:
        own = {
            "cell_type": "code",
            "id": "mine",
            "source": solution_code(exercises()["01.2"]),
            "metadata": {},
        }
        cells.insert([each["id"] for each in cells].index("01-2-check"), own)

    marked = judged(paper(tmp_path, solved=(), edit=edit))
    assert mark(marked, "01.2").state == "passed"


def test_lost_ids_and_old_formats_are_understood(tmp_path: Path) -> None:
    """A tool that renumbers cells, or knows no ids, does not cost the answers."""

    def edit(cells: Cells) -> None:
        for at, each in enumerate(cells):
            each["metadata"] = {}
            each["source"] = (
                each["source"].splitlines(True) if isinstance(each["source"], str) else each["source"]
            )
            if at % 2:
                each["id"] = f"x{at}"
            else:
                del each["id"]

    assert states(judged(paper(tmp_path, edit=edit))) == dict.fromkeys(NAMES, "passed")


def test_a_neighbours_problem_is_judged_with_its_own_seed(tmp_path: Path) -> None:
    """The seed drawn in the notebook goes with the answer."""

    def edit(cells: Cells) -> None:
        cell(cells, "01-4-problem")["source"] = 'six = ptwalk.problem("01.4", 7)'

    assert mark(judged(paper(tmp_path, edit=edit)), "01.4").state == "passed"


DAMAGED = {
    "broken off": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "a list": lambda text: "[1, 2]",
    "no cells": lambda text: '{"nbformat": 4}',
    "cells of nonsense": lambda text: '{"cells": [1, "x"]}',
    "nested without end": lambda text: "[" * 200_000,
    "a merge conflict": lambda text: text.replace('"cells"', '<<<<<<< HEAD\n"cells"', 1),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_notebooks_are_told_with_the_mend(tmp_path: Path, kind: str) -> None:
    """No marks, one sentence, and what to do."""
    file = paper(tmp_path)
    file.write_text(DAMAGED[kind](file.read_text("utf-8")), "utf-8")
    marked = judged(file)
    assert marked.marks == ()
    assert "is a damaged notebook" in marked.unreadable and "ptwalk reset" in marked.unreadable


def test_other_files_are_told(tmp_path: Path) -> None:
    """Bytes, another notebook, a file that is not there."""
    (tmp_path / "a.ipynb").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.ipynb").write_text('{"cells": []}')
    (tmp_path / "c.py").write_text("def f(:")
    said = [judge_file(tmp_path / name).unreadable for name in ("a.ipynb", "b.ipynb", "c.py", "d.ipynb")]
    for words, expected in zip(
        said, ["no text", "no exercise", "line 1: this is no Python", "cannot read"], strict=True
    ):
        assert expected in words


def test_a_plain_script_is_judged_by_what_it_defines(tmp_path: Path) -> None:
    """A .py file named after the notebook, in any editor; one bad line does not cost the rest."""
    file = tmp_path / "01_mine.py"
    file.write_text("import ptwalk\n1 / 0\n" + solution_code(exercises()["01.2"]))
    marked = judged(file)
    assert mark(marked, "01.2").state == "passed"
    assert (
        "The cell 'line 2' raised ZeroDivisionError: division by zero, in line 2 of that cell: 1 / 0."
        in marked.remarks
    )
    assert mark(marked, "01.3").state == "missing"


def test_a_script_may_call_check_itself(tmp_path: Path) -> None:
    """The call says which exercise it is; the file's name does not matter."""
    file = tmp_path / "mine.py"
    wrong = "def translate(read, root, va):\n    return 0\n"
    file.write_text(f"import ptwalk\n{wrong}ptwalk.check('1.2', translate)\nprint('not reached in Python')\n")
    assert mark(judged(file), "01.2").state == "not yet"


def test_files_beside_can_be_imported_but_shadow_nothing(tmp_path: Path) -> None:
    """A helper module of one's own works; one called json.py does no harm."""
    (tmp_path / "walking.py").write_text(solution_code(exercises()["01.2"]))
    (tmp_path / "json.py").write_text("raise ImportError('shadow')")
    marked = judged(paper(tmp_path, {"01.2": "from walking import translate"}))
    assert states(marked) == dict.fromkeys(NAMES, "passed")


def test_magics_await_and_display_do_not_stop_a_cell(tmp_path: Path) -> None:
    """What only a notebook knows is passed over."""
    source = "%matplotlib inline\n!ls\nimport asyncio\nawait asyncio.sleep(0)\ndisplay(1)\n"
    marked = judged(paper(tmp_path, {"01.2": source + solution_code(exercises()["01.2"])}))
    assert states(marked) == dict.fromkeys(NAMES, "passed")


def test_processor_time_is_limited(tmp_path: Path) -> None:
    """Even where the wall clock has room left."""
    file = paper(tmp_path, {"01.2": FOR_EVER})
    marked = judge_file(file, seconds=60, limits=Limits(cpu=3))
    assert "used more than 3 seconds of processor time" in mark(marked, "01.2").words


def test_parts_that_hold_are_credit() -> None:
    """A check that names parts gives the share of those that hold; none is no credit."""

    def two_of_three(exercise: object, answer: object, seed: int) -> str:
        raise NotYet("Two hold.", parts=(("a", True), ("b", True), ("c", False)))

    state, words, parts = judge_in_words(two_of_three, exercises()["01.2"], None, 1)
    assert (state, words) == ("partly", "Two hold.")
    assert Mark("01.2", state, words, parts).credit == pytest.approx(2 / 3)


def test_marks_survive_json(tmp_path: Path) -> None:
    """There and back, the same."""
    marked = judged(paper(tmp_path, {"01.2": "1/0"}))
    assert Marked.from_json(json.loads(json.dumps(marked.to_json()))) == marked


def test_nothing_is_written_into_the_record(tmp_path: Path, own_record: Path) -> None:
    """Judging is not the learner's own try."""
    judged(paper(tmp_path / STEM))
    assert not (own_record / "progress.json").exists()
