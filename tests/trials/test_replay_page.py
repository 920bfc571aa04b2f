"""`ptwalk replay WHAT SCHEDULE --html FILE`: the run as a page that needs nothing else."""

from ptwalk.cli import main

LINE = ("replay", "munmap-vs-damon-v34", "0x5 1x28 0x1")


def test_the_run_becomes_a_page(capsys, tmp_path):
    """One file with the run, the words and the module in it; nothing in it is fetched from anywhere."""
    page = tmp_path / "race.html"
    code = main([*LINE, "--html", str(page)])
    text = page.read_text(encoding="utf-8")
    assert code == 1 and "needs no network" in capsys.readouterr().err
    assert '"scenario":"munmap-vs-damon-v34"' in text and "mountPage" in text
    assert "<link" not in text and " src=" not in text and "@import" not in text


def test_a_file_that_cannot_be_written_is_said(capsys, tmp_path):
    """No traceback: a sentence that says what to give instead."""
    code = main([*LINE, "--html", str(tmp_path / "nowhere" / "race.html")])
    assert code == 2 and "give another file after --html" in capsys.readouterr().err
