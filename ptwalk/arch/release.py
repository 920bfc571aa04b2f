"""Kernel releases, as values that can be compared.

Room `arch`: knows integers only.  A release chooses among encodings of entries; it says nothing about
locks or protocols, which later rooms choose for themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ptwalk.errors import PtwalkError

_PATTERN = re.compile(r"\s*v?(\d+)\.(\d+)(?:\.(\d+))?")


class BadRelease(PtwalkError):
    """A kernel release was asked for in words that name none."""


@dataclass(frozen=True, order=True)
class Release:
    """A kernel release is its three numbers; what a distribution appends does not matter here.

    Note that Debian's `6.1.0-50-amd64` is stable release 6.1.176: the name hides the third number, and no
    encoding of an entry depends on it.
    """

    major: int
    minor: int
    patch: int = 0

    @classmethod
    def parse(cls, text: str | Release) -> Release:
        """Read a release from the text that `uname -r` prints, such as "6.1.0-50-amd64" or "v6.14-rc3".

        Raises `BadRelease` if the text does not start with two numbers.
        """
        if isinstance(text, Release):
            return text
        match = _PATTERN.match(text)
        if match is None:
            raise BadRelease(f"{text!r} is no kernel release; write it as in uname -r, for example '6.1'")
        major, minor, patch = match.groups()
        return cls(int(major), int(minor), int(patch or 0))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}" + (f".{self.patch}" if self.patch else "")
