"""The verbs on the command line: what they print, what they return, and mistakes in one line."""

import json

import pytest

from ptwalk.cli import main

NAME = "munmap-vs-damon-v34"


def run(capsys, *words):
    """(exit code, stdout, stderr) of one command."""
    code = main(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_explore_prints_the_report(capsys):
    """A bug: exit code 1, the report and the line to paste; safe: exit code 0."""
    code, out, _ = run(capsys, "explore", NAME)
    assert code == 1 and "use-after-free of a page-table lock" in out and "ptwalk replay" in out
    code, out, _ = run(capsys, "explore", "munmap-vs-damon-merged")
    assert code == 0 and out.startswith("safe: all 3 executions explored, standing for")


def test_explore_in_json(capsys):
    """The words of the issue: outcome, executions, schedule, switches, steps."""
    _, out, _ = run(capsys, "explore", NAME, "--json")
    value = json.loads(out)
    assert value["outcome"] == "bug" and value["switches"] == 2 and value["schedule"]


def test_options_reach_the_kernel(capsys):
    """--release, --arch, --axis, --engine, --all, --limit."""
    assert run(capsys, "explore", "munmap-vs-pagemap-hole", "--release", "6.1")[0] == 0
    assert run(capsys, "explore", "munmap-vs-rcu-walk", "--arch", "arm64")[0] == 0
    assert run(capsys, "explore", NAME, "--axis", "table_free=rcu", "--axis", "preemptible=false")[0] == 0
    assert "with a violation" in run(capsys, "explore", NAME, "--all")[1]
    code, out, _ = run(capsys, "explore", "mremap-vs-reclaim", "--limit", "3", "--engine", "states")
    assert code == 1 and out.startswith("incomplete")


def test_replay_runs_the_line(capsys):
    """The line that explore printed, by itself."""
    _, out, _ = run(capsys, "explore", NAME, "--json")
    schedule = json.loads(out)["schedule"]
    code, out, _ = run(capsys, "replay", NAME, schedule)
    assert code == 1 and "takes the ptl of frame" in out
    code, out, _ = run(capsys, "replay", NAME, schedule, "--json")
    value = json.loads(out)
    assert value["report"]["sanitizer"] == "lifetime" and value["steps"][0]["cpu"] == 0


def test_scenarios_and_matrix(capsys):
    """Tables, and JSON."""
    code, out, _ = run(capsys, "scenarios", "damon")
    assert code == 0 and NAME in out
    assert json.loads(run(capsys, "scenarios", "damon", "--json")[1])[0]["name"]
    words = ("matrix", "--walker", "read", "--changer", "munmap", "--release", "6.1")
    code, out, _ = run(capsys, *words)
    assert code == 0 and "safe" in out
    assert json.loads(run(capsys, *words, "--json")[1])[0]["outcome"] == "safe"
    assert run(capsys, *words, "--jobs", "2")[1] == out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("explore", "munmap-vs-damon-v35"), "did you mean"),
        (("explore", NAME, "--release", "0.1"), "there is no preset"),
        (("explore", NAME, "--axis", "flush"), "NAME=VALUE"),
        (("explore", NAME, "--axis", "flush=foam"), "flush cannot be 'foam'"),
        (("explore", NAME, "--limit", "0"), "positive"),
        (("explore", NAME, "--against", "munmap"), "a walker of yours"),
        (("explore", "nowhere.py:walk"), "there is no file"),
        (("replay", NAME, "0x0"), "no turn of a schedule"),
        (("replay", NAME, "7x3"), "CPU"),
        (("scenarios", "xyzzy"), "no scenario has 'xyzzy'"),
        (("matrix", "--walker", "ghost"), "there is no walker 'ghost'"),
        (("matrix", "--jobs", "0"), "positive"),
    ],
)
def test_mistakes_are_one_line(capsys, words, told):
    """Exit code 2, one sentence on stderr, no traceback."""
    code, out, err = run(capsys, *words)
    assert code == 2 and out == "" and told in err and err.count("\n") == 1


def test_a_file_that_does_not_run_is_told(capsys, tmp_path, monkeypatch):
    """Syntax errors, errors at import, a function that is not there: the line, in one sentence."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("async def walk(mm, addr:\n", encoding="utf-8")
    (tmp_path / "raises.py").write_text("x = 1\ny = x / 0\n", encoding="utf-8")
    (tmp_path / "two.py").write_text(
        "async def one(mm, addr): ...\nasync def two(mm, addr): ...\n", encoding="utf-8"
    )
    for what, told in (
        ("broken.py:walk", "broken.py, line 1"),
        ("raises.py:walk", "raises.py, line 2: running the file raised ZeroDivisionError"),
        ("two.py:three", "it has one, two"),
        ("two.py", "say which function"),
    ):
        code, _, err = run(capsys, "explore", what)
        assert code == 2 and told in err, err
