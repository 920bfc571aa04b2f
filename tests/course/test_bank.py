"""Every exercise against a bank of answers: right ones pass, each wrong one fails with words of its own."""

import importlib.util
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ptwalk.checks import NotYet, check, registry, verbs

BANK = Path(__file__).parent / "bank"
NAMES = sorted(registry.exercises())


def bank(name: str) -> ModuleType:
    """The answers to one exercise."""
    path = BANK / f"ex_{name.replace('.', '_')}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def labelled(kind: str) -> list[Any]:
    """Every answer of one kind in the bank, by exercise and label."""
    return [
        pytest.param(name, label, id=f"{name}-{label}")
        for name in NAMES
        for label in getattr(bank(name), kind)
    ]


def said(name: str, answer: object) -> str:
    """What check says to an answer that does not hold."""
    with pytest.raises(NotYet) as caught:
        check(name, answer)
    return str(caught.value)


@cache
def heard(name: str, label: str) -> str:
    """What check says to a wrong answer of the bank; several tests ask, one check answers."""
    make, _ = bank(name).WRONG[label]
    return said(name, make())


@pytest.mark.parametrize(("name", "label"), labelled("RIGHT"))
def test_right_answers_pass(name: str, label: str) -> None:
    """Different ways to be right all pass."""
    assert "passed" in check(name, bank(name).RIGHT[label]()).heading


@pytest.mark.slow
@pytest.mark.parametrize(("name", "label"), labelled("WRONG"))
def test_wrong_answers_are_named(name: str, label: str) -> None:
    """A known wrong answer gets the words made for it, in one line."""
    _, words = bank(name).WRONG[label]
    line = heard(name, label)
    assert words in line
    assert "\n" not in line
    assert line.startswith(f"Not yet ({name}). ")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_words_differ_from_answer_to_answer(name: str) -> None:
    """At least five wrong answers, two right ones; and no two wrong ones hear the same."""
    module = bank(name)
    assert len(module.RIGHT) >= 2
    lines = {label: heard(name, label) for label in module.WRONG}
    assert len(set(lines.values())) == len(lines) >= 5, lines


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_words_never_hold_the_answer(name: str) -> None:
    """What a failing check says is not found in the solution's own numbers (data exercises)."""
    exercise = registry.exercises()[name]
    if exercise.problem is None:
        return
    if hasattr(bank(name), "SECRETS"):
        for label in bank(name).WRONG:
            line = heard(name, label)
            assert not [secret for secret in bank(name).SECRETS() if secret in line], line
        return
    right = next(iter(bank(name).RIGHT.values()))()
    secrets = (right["frame"], right["offset"]) if isinstance(right, dict) else [part[1] for part in right]
    for label in bank(name).WRONG:
        line = heard(name, label)
        assert not [s for s in secrets if f"{s:#x} " in line or f" {s} " in line], line


@pytest.mark.parametrize("label", ["endless loop", "endless and stubborn"])
def test_an_endless_walker_is_stopped(label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A walker that never moves to the next table is told so."""
    short = replace(registry.exercises()["01.2"], seconds=0.2)
    monkeypatch.setattr(verbs, "exercise_named", lambda name: short)
    assert "still running" in said("01.2", bank("01.2").ENDLESS[label])


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in NAMES if registry.exercises()[n].problem])
def test_every_seed_gives_a_fair_problem(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The right way passes for many seeds, and the answer to one seed is wrong for another."""
    module = bank(name)
    first = next(iter(module.RIGHT.values()))()
    way = list(module.RIGHT.values())[1]
    for seed in range(2, 40):
        monkeypatch.setattr(module, "SEED", seed)
        check(name, way(), seed=seed)
        with pytest.raises(NotYet):
            check(name, first, seed=seed)


def test_every_exercise_is_complete() -> None:
    """Hints, reason, minutes and a notebook that exists in the list."""
    stems = {book.stem for book in registry.NOTEBOOKS}
    for name, exercise in registry.exercises().items():
        assert exercise.name == name and exercise.notebook in stems
        assert exercise.notebook.startswith(name[:2])
        assert len(set(exercise.hints)) == 3 and all(len(hint) > 20 for hint in exercise.hints)
        assert exercise.why and exercise.minutes > 0 and 1 <= exercise.difficulty <= 3
        assert registry.solution_code(exercise), f"{name}: build the notebooks to bring its solution here"
