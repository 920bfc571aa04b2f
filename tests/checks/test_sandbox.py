"""The walls say what they are, and a system without them is told about, not glossed over."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from ptwalk.checks.sandbox import _NUMBERS, WALLS, Limits, program
from ptwalk.commands.verdicts import walls_said

TRY = """
import sys
from pathlib import Path
from ptwalk.checks.sandbox import Limits, put_up
{before}
print(",".join(put_up(Path(sys.argv[1]), Limits())))
{after}
"""


def walls(folder: Path, before: str = "", after: str = "") -> list[str]:
    """What a fresh process prints after it put up its walls."""
    code = TRY.format(before=before, after=after)
    ran = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    return [wall for wall in ran.stdout.strip().split(",") if wall]


def run_filter(code: bytes, architecture: int, number: int, argument: int) -> int:
    """What the kernel would do with one call: a classic BPF machine in twelve lines."""
    rows = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    data = {0: number, 4: architecture, 16: argument}
    at = accumulator = 0
    while True:
        operation, if_true, if_false, value = rows[at]
        at += 1
        if operation == 0x06:
            return value
        if operation == 0x20:
            accumulator = data[value]
            continue
        holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}
        at += if_true if holds[operation] else if_false


ALLOW, EPERM, EAGAIN, ENOSYS = 0x7FFF0000, 0x50001, 0x5000B, 0x50026


@pytest.mark.parametrize("machine", sorted(_NUMBERS))
def test_the_filter_says_what_it_should(machine: str) -> None:
    """Local sockets, threads and signals to oneself pass; all else of their kind does not."""
    numbers = _NUMBERS[machine]
    code = program(numbers, 77)

    def said(call: int, argument: int = 0) -> int:
        return run_filter(code, numbers.audit, call, argument)

    assert said(numbers.socket, 1) == ALLOW and said(numbers.socket, 2) == said(numbers.socket, 10) == EPERM
    assert said(numbers.clone, 0x10000) == ALLOW and said(numbers.clone, 17) == EAGAIN
    assert (
        said(numbers.kill, 77) == ALLOW and said(numbers.kill, 76) == said(numbers.kill, 2**32 - 1) == EPERM
    )
    assert said(numbers.tgkill, 77) == ALLOW and said(numbers.tgkill, 1) == EPERM
    assert said(435) == ENOSYS
    assert {said(call) for call in numbers.never} == {EPERM}
    assert said(1) == ALLOW or machine == "aarch64"
    assert said(0x40000000 | 41) == EPERM
    assert run_filter(code, 0x40000003, numbers.socket, 1) == EPERM


def test_what_stands_is_named_in_order(tmp_path: Path) -> None:
    """Only names that the page knows."""
    standing = walls(tmp_path)
    assert standing == [wall for wall in WALLS if wall in standing]


@pytest.mark.skipif(sys.platform != "linux", reason="these walls stand on Linux only")
def test_a_system_that_gives_little_is_not_praised(tmp_path: Path) -> None:
    """Where the calls are refused, the walls are not in the list."""
    refuse = (
        "import ctypes\nclass Nothing:\n    def __init__(self, *a, **k): pass\n"
        "    def __getattr__(self, name): return lambda *a: -1\nctypes.CDLL = Nothing"
    )
    fork = ["processes"] if os.geteuid() else []  # root is not held by the limit that is left
    assert walls(tmp_path, refuse) == ["memory", "cpu time", "file size", *fork]


def test_another_system_gets_what_it_has(tmp_path: Path) -> None:
    """No wall is claimed on a system that we know nothing of."""
    assert "network" not in walls(tmp_path, "sys.platform = 'plan9'")
    assert walls(tmp_path, "sys.platform = 'win32'") == []


def test_the_sentence_names_what_is_lacking() -> None:
    """Both halves, in plain words."""
    assert walls_said(WALLS).count("limit") == 1
    assert walls_said(("memory",)).endswith(
        "This system gives no limit on cpu time, file size, files outside, network, processes, signals."
    )


def test_limits_have_sane_defaults() -> None:
    """Room for Python and the explorer; not for a whole machine."""
    assert 1 << 30 <= Limits().memory <= 4 << 30
