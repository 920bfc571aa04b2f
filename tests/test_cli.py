"""The command line answers in pictures or JSON, and every mistake with one sentence and exit code 2."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ptwalk.cli import main
from ptwalk.commands.options import BadArgument, number
from ptwalk.commands.progress_bar import ProgressBar, line

X86 = "x86_64-4level-6.1"
ARM = "aarch64-4k-48bit-6.1"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Runs a command that must succeed and returns what it printed."""
    code = main(arguments)
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Runs a command that must be refused and returns its one sentence."""
    code = main(arguments)
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "Traceback" not in err
    return err


def test_walk(capsys: pytest.CaptureFixture[str]) -> None:
    """A walk of a shipped capture, by its name, as a picture in characters."""
    text = run(capsys, "walk", X86, "0x10000")
    assert "pgd        0  47-39  0x140a65000" in text
    assert "Reaches physical 0x1428d0000 in a 4 KiB page" in text


def test_walk_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The same as JSON, with the words of the record; several addresses make a list."""
    one = json.loads(run(capsys, "walk", X86, "0x10000", "--json"))
    assert one["physical"] == "0x1428d0000" and one["page_size"] == 4096 and one["fault"] is None
    assert [step["level"] for step in one["levels"]] == ["pgd", "pud", "pmd", "pte"]
    two = json.loads(run(capsys, "walk", X86, "0x10000", "0x0", "--json"))
    assert two[0] == one
    assert two[1]["physical"] is None and two[1]["fault"]["reason"] == "not present"


def test_walk_of_a_process_and_root(capsys: pytest.CaptureFixture[str]) -> None:
    """--process, --root and --format choose what is walked."""
    second = json.loads(run(capsys, "walk", X86, "0x400000", "--process", "2", "--json"))
    assert second["root"] == "0x1424d5000"
    given = json.loads(
        run(capsys, "walk", X86, "0x10000", "--root", "0x1424d5000", "--format", "x86-64-4level", "--json")
    )
    assert given["root"] == "0x1424d5000"
    kernel = json.loads(run(capsys, "walk", X86, "0x10000", "--process", "kernel", "--json"))
    assert kernel["root"] == "0x140a64000"


def test_not_canonical(capsys: pytest.CaptureFixture[str]) -> None:
    """An address that no table serves is bad input: the record, a sentence, and exit code 2."""
    assert main(["walk", X86, "0x4000000000000", "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["fault"]["reason"] == "not canonical"
    assert err.startswith("ptwalk walk: 0x4000000000000 is no address of x86-64-4level")


def test_maps(capsys: pytest.CaptureFixture[str]) -> None:
    """The ranges one a line, the tables as a tree, the same ranges as JSON."""
    listed = run(capsys, "maps", X86, "--half", "user")
    assert "1 of 1 GiB" in listed.splitlines()[0]
    ranges = json.loads(run(capsys, "maps", X86, "--half", "user", "--json"))
    assert len([row for row in listed.splitlines() if row.startswith("0000")]) == len(ranges)
    assert set(ranges[0]) == {"start", "end", "physical", "page_size", "pages", "rights", "kind"}
    tree = run(capsys, "maps", ARM, "--tables", "--rows", "20")
    assert "pgd table 0x4445f000" in tree and "rows folded" in tree


def test_decode(capsys: pytest.CaptureFixture[str]) -> None:
    """An entry from its number alone, for a short architecture name and a full format name."""
    assert "no instruction may be fetched" in run(
        capsys, "decode", "--arch", "x86-64", "--level", "pte", "0x8000000140a65067"
    )
    args = (
        "decode",
        "--arch",
        "arm64-16k-47",
        "--level",
        "PMD",
        "--release",
        "6.19",
        "0x60000000000f41",
        "--json",
    )
    entry = json.loads(run(capsys, *args))
    assert entry["state"] == "leaf" and entry["level"] == "pmd" and entry["format"] == "arm64-16k-47"


@pytest.mark.parametrize("verb", ["walk", "maps", "decode"])
def test_svg(capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: str) -> None:
    """--svg writes the picture beside the text."""
    path = tmp_path / "picture.svg"
    rest = {
        "walk": (X86, "0x10000"),
        "maps": (X86,),
        "decode": ("--arch", "x86-64", "--level", "pte", "0x67"),
    }
    run(capsys, verb, *rest[verb], "--svg", str(path))
    assert path.read_text().startswith("<svg")
    message = refusal_of_svg(capsys, verb, *rest[verb])
    assert "cannot write" in message


def refusal_of_svg(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is said when the SVG cannot be written."""
    return refusal(capsys, *arguments, "--svg", "/nowhere/at/all.svg")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("walk", "no-such-core", "0x0"), "does not exist"),
        (("walk", X86, "hello"), "'hello' is no address; write it in hexadecimal"),
        (("walk", X86, "0x10000000000000000"), "must lie between"),
        (("walk", X86, "-5"), "must lie between"),
        (("walk", X86), "required: ADDRESS"),
        (("walk", X86, "0x0", "--process", "99"), "process"),
        (("walk", X86, "0x0", "--process", "nonsense"), "process"),
        (("walk", X86, "0x0", "--format", "vax"), "vax"),
        (("walk", X86, "0x0", "--root", "zz"), "is no root address"),
        (("walk", "/", "0x0"), "/"),
        (("walk", "/dev/null", "0x0"), "/dev/null"),
        (("walk", X86, "0x0", "0x1", "--svg", "x.svg"), "give one address"),
        (("maps", "no-such-core"), "does not exist"),
        (("decode", "--arch", "vax", "--level", "pte", "0x1"), "'vax' is no format"),
        (("decode", "--arch", "x86-64", "--level", "p4d", "0x1"), "folded away"),
        (("decode", "--arch", "x86-64", "--level", "pte", "--release", "new", "0x1"), "no kernel release"),
        (("decode", "--level", "pte", "0x1"), "--arch"),
        (("dance",), "dance"),
        ((), "VERB"),
    ],
)
def test_bad_input(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str) -> None:
    """One sentence on stderr that says what to do, nothing on stdout, exit code 2."""
    assert words in refusal(capsys, *arguments)


@pytest.mark.parametrize("verb", [(), ("walk",), ("maps",), ("decode",)])
def test_help(capsys: pytest.CaptureFixture[str], verb: tuple[str, ...]) -> None:
    """--help of the whole and of each verb, with an example."""
    assert main([*verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert "ptwalk" in out and ("Example" in out or not verb)


def test_numbers() -> None:
    """Numbers as people write them; nothing is guessed where it could mean two things."""
    assert number("0x7f12_3456_7000") == number("7f1234567000") == 0x7F1234567000
    assert number("4096") == 4096 and number("0b11") == 3
    with pytest.raises(BadArgument, match="leading zeros"):
        number("0077")


def test_a_closed_pipe_ends_quietly() -> None:
    """`ptwalk maps … | head -1`: no traceback and no complaint."""
    program = [sys.executable, "-m", "ptwalk.cli", "maps", X86]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) in (0, 1)


def test_a_pipe_nobody_reads() -> None:
    """The reader is gone before the first byte."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "ptwalk.cli", "maps", X86],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Always."""
        return True


def test_progress_bar_on_a_terminal_only() -> None:
    """A bar is drawn for long work and wiped away; a pipe sees nothing."""
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        with ProgressBar("reading", delay=0, stream=stream) as bar:
            bar.update(1, 2)
            while stream is terminal and "reading" not in terminal.getvalue():
                pass
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert pipe.getvalue() == ""


def test_progress_line() -> None:
    """A known part fills the bar; an unknown one runs to and fro."""
    assert line("reading", 2.0, 0.5) == "reading [############            ] 50%"
    assert line("reading", 2.0, 2.0).endswith("] 100%")
    assert line("reading", 0.0, None) == "reading [####                    ] 0 s"
    assert len({len(line("reading", second / 10, None)) for second in range(9)}) == 1
