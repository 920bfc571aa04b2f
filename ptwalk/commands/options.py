"""Arguments that several verbs share: addresses, a capture and which of its processes, where output goes.

Part of `cli`; reads text, opens captures, writes files; prints nothing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptwalk.commands.progress_bar import ProgressBar
from ptwalk.errors import PtwalkError

if TYPE_CHECKING:
    from ptwalk.capture import Capture


class BadArgument(PtwalkError):
    """An argument on the command line cannot be read; the text says how to write it."""


def number(text: str, what: str = "address") -> int:
    """A 64-bit number: 0x… or plain hexadecimal with a letter, 0b…, 0o… or decimal, `_` between digits.

    Raises `BadArgument` for anything else and for what does not fit into 64 bits.
    """
    stripped = text.strip()
    try:
        value = int(stripped, 0)
    except ValueError:
        try:
            value = int(stripped, 16)
        except ValueError:
            raise BadArgument(
                f"{text!r} is no {what}; write it in hexadecimal, such as 0x7f1234567000"
            ) from None
        if stripped.replace("_", "").isdecimal():
            # 007 is neither decimal nor surely hexadecimal: do not guess.
            raise BadArgument(f"{text!r} is no {what}: with leading zeros write 0x{stripped}") from None
    if not 0 <= value < 1 << 64:
        raise BadArgument(f"{text} is no {what}: it must lie between 0 and 0xffffffffffffffff")
    return value


def add_capture(parser: argparse.ArgumentParser) -> None:
    """Adds CORE and the options that say what to look at in it."""
    parser.add_argument(
        "core",
        metavar="CORE",
        help="a core file (.elf, .xz, .gz), a folder with memory.elf.xz and truth.json, or a shipped "
        "capture's name, such as x86_64-4level-6.1",
    )
    parser.add_argument(
        "--process",
        default="1",
        metavar="N",
        help="which process of the capture, counted from 1; or kernel (process 1 in kernel mode), or swapper",
    )
    parser.add_argument(
        "--root", metavar="ADDRESS", help="physical address of the root table, or CR3 or TTBR"
    )
    parser.add_argument("--format", metavar="NAME", help="format of the tables, such as x86-64-4level")


def open_capture(args: argparse.Namespace) -> Capture:
    """The capture that the arguments name, with a progress bar if opening it takes long."""
    from ptwalk import capture

    root = None if args.root is None else number(args.root, "root address")
    with ProgressBar(f"opening {Path(args.core).name}"):
        return capture.open_capture(args.core, process=_process(args.process), root=root, format=args.format)


def _process(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def add_output(parser: argparse.ArgumentParser) -> None:
    """Adds --json and --svg."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a picture")
    parser.add_argument("--svg", metavar="FILE", help="also write the picture as SVG to FILE")


def write_svg(path: str, content: str) -> None:
    """Writes an SVG file; raises `PtwalkError` if the file cannot be written."""
    try:
        Path(path).write_text(content + "\n", encoding="utf-8")
    except OSError as error:
        raise PtwalkError(
            f"cannot write {path}: {error.strerror}; give a file in a folder that exists"
        ) from None


def print_json(value: Any) -> None:
    """Prints a value as JSON, one key a line."""
    print(json.dumps(value, indent=2))
