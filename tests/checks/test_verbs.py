"""start, problem, check, hint, solution and progress, on exercises made for the test."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ptwalk.checks import NotYet, registry, verbs
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import Words
from ptwalk.checks.preflight import Learner
from ptwalk.checks.verbs import check, hint, problem, progress, solution, start
from ptwalk.errors import PtwalkError


def ask(answer: object, seed: int) -> str:
    """The answer is seven, or a function that says so."""
    value = Learner(answer, "seven", ())() if callable(answer) or answer is None else answer
    if value != 7 * seed:
        raise NotYet(f"{value} is not right.")
    return "One number compared."


@pytest.fixture(autouse=True)
def one_exercise(monkeypatch: pytest.MonkeyPatch) -> None:
    """One exercise, 01.1, with a short time limit."""
    made = Exercise(
        "01.1",
        "Seven",
        "01_page_tables",
        "compute",
        1,
        1,
        ("a", "b", "c"),
        "it is",
        ask,
        lambda s: 7 * s,
        2.0,
    )
    monkeypatch.setattr(verbs, "_seeds", {})
    registry.exercises.cache_clear()
    monkeypatch.setattr(registry, "exercises", lambda: {"01.1": made})
    monkeypatch.setattr(verbs, "exercises", lambda: {"01.1": made})
    monkeypatch.setattr(verbs, "solution_code", lambda exercise: "return 7")


def said(answer: object) -> str:
    """What a failing check says."""
    with pytest.raises(NotYet) as caught:
        check("01.1", answer)
    return str(caught.value)


def test_a_right_answer_passes_and_says_what_was_compared() -> None:
    """The words name the exercise, the comparison and the reason."""
    assert repr(check("01.1", 7)) == "✓ 01.1 passed: Seven\nOne number compared.\nWhy it works: it is"


def test_a_wrong_answer_is_one_kind_line() -> None:
    """It begins with "Not yet", names the exercise, says what was seen and where help is."""
    assert said(8) == 'Not yet (01.1). 8 is not right. Stuck? ptwalk.hint("01.1")'


def test_a_notebook_shows_that_line_and_no_traceback() -> None:
    """IPython asks the error itself for its lines."""
    with pytest.raises(NotYet) as caught:
        check("01.1", 8)
    (shown,) = caught.value._render_traceback_()
    assert " ".join(shown.split()) == f"✗ {caught.value}"
    assert max(map(len, shown.splitlines())) <= 90
    assert isinstance(caught.value, AssertionError)


def test_a_notebook_shows_which_parts_hold() -> None:
    """Where parts are judged by themselves, each follows the one line."""
    parts = (("1 gives pages", True), ("2 clears", False), ("3 is safe", True))
    shown = NotYet("Sentence 2: no.", "11.3", parts)._render_traceback_()
    assert shown[1:] == ["  ✓ 1 gives pages", "  … 2 clears", "  ✓ 3 is safe"]


def test_an_answer_of_no_known_form_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a check stumbles over, the learner reads words and no traceback."""

    def stumbles(answer: object, seed: int) -> str:
        return answer["x"]  # type: ignore[index,no-any-return]

    odd = replace(verbs.exercise_named("01.1"), check=stumbles)
    monkeypatch.setattr(verbs, "exercise_named", lambda name: odd)
    assert "can't make sense of what you handed in. It came upon TypeError" in said(8)


def test_a_learners_error_is_said_in_words_with_its_line() -> None:
    """The line of the learner's own code is shown."""

    def seven() -> int:
        return [][3]  # here

    words = said(seven)
    assert "raised IndexError: list index out of range" in words
    assert "return [][3]  # here" in words


def test_a_loop_without_end_is_said_in_words_with_its_line() -> None:
    """The check ends by itself and names the line that was running."""

    def seven() -> int:
        while True:
            pass

    words = said(seven)
    assert "After 2 seconds your code was still running" in words
    assert "line" in words


def test_exit_and_deep_recursion_and_async_are_said_in_words() -> None:
    """None of them leaves the check as itself."""

    def leaves() -> int:
        raise SystemExit(0)

    def deep() -> int:
        return deep()

    async def later() -> int:
        return 7

    def lazily() -> Iterator[int]:
        yield 7

    assert "SystemExit" in said(leaves)
    assert "Python gave up" in said(deep)
    assert "async def" in said(later)
    assert "generator" in said(lazily)
    assert "Nothing was handed in" in said(None)


def test_what_a_function_prints_is_cut_short(capsys: pytest.CaptureFixture[str]) -> None:
    """A function that prints thousands of lines shows the first ten."""

    def seven() -> int:
        for line in range(5000):
            print("line", line)
        return 7

    check("01.1", seven)
    shown = capsys.readouterr().out
    assert "line 9\n" in shown and "line 10\n" not in shown
    assert "4990 more lines" in shown


def test_the_same_seed_is_the_same_problem() -> None:
    """Check belongs to the problem last drawn; a seed can be named as well."""
    assert problem("01.1") == 7
    assert problem("01.1", 3) == 21
    assert problem("01.1") == 21
    check("01.1", 21)
    check("01.1", 35, seed=5)
    with pytest.raises(PtwalkError, match='"new"'):
        problem("01.1", "other")


def test_a_new_problem_says_its_seed(capsys: pytest.CaptureFixture[str]) -> None:
    """So a neighbour can have the same one."""
    fresh = problem("01.1", "new")
    assert f'ptwalk.problem("01.1", seed={fresh // 7})' in capsys.readouterr().out  # type: ignore[operator]


def test_hints_come_one_after_the_other() -> None:
    """Three, then the third again; a level can be named."""
    assert [hint("01.1").text[0] for _ in range(4)] == ["a", "b", "c", "c"]
    assert hint("01.1", 1).text.startswith("a")
    with pytest.raises(PtwalkError, match="1, 2 or 3"):
        hint("01.1", 4)


def test_the_solution_comes_on_the_second_asking() -> None:
    """The first asking offers the hints."""
    assert "return 7" not in repr(solution("01.1"))
    assert "return 7" in repr(solution("01.1"))


def test_the_solution_comes_after_a_pass() -> None:
    """At once."""
    check("01.1", 7)
    assert "return 7" in repr(solution("01.1"))


def test_progress_counts_what_is_passed() -> None:
    """Tries and passes, self-assessed."""
    with pytest.raises(NotYet):
        check("01.1", 1)
    assert "… 01.1 Seven" in repr(progress())
    check("01.1", 7)
    assert repr(progress()).startswith("1 of 1 exercises passed (self-assessed)")
    assert "2 tries" in repr(progress())


def test_names_are_forgiving_and_unknown_ones_are_told() -> None:
    """1.1 is 01.1; anything else lists what there is."""
    check("1.1", 7)
    with pytest.raises(PtwalkError, match=r"Did you mean 01\.1"):
        check("01.9", 7)
    with pytest.raises(PtwalkError) as unknown:
        check("77.7", 7)
    assert unknown.value._render_traceback_() == [f"PtwalkError: {unknown.value}"]
    with pytest.raises(PtwalkError, match="named by text"):
        check(1.1, 7)  # type: ignore[arg-type]


def test_start_says_title_and_minutes(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, always the same."""
    start("01")
    assert (
        capsys.readouterr().out
        == "01 Page tables of a real process · about 35 minutes alone, 1 for the exercises\n"
    )
    with pytest.raises(PtwalkError, match="no notebook"):
        start("77")


def test_words_escape_what_they_show() -> None:
    """Code with angle brackets is shown, not interpreted."""
    assert "&lt;b&gt;" in Words("h", "<b>", "<b>")._repr_html_()
