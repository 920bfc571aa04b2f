"""Releases are read from what uname prints, and compare as numbers do."""

import pytest

from ptwalk.arch import BadRelease, Release
from ptwalk.errors import PtwalkError


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("6.1", (6, 1, 0)),
        ("6.1.0-50-amd64", (6, 1, 0)),
        ("v6.14-rc3", (6, 14, 0)),
        ("5.15.85", (5, 15, 85)),
        (" 7.1.5+", (7, 1, 5)),
    ],
)
def test_uname_texts_are_understood(text: str, numbers: tuple[int, int, int]) -> None:
    """A distribution's suffix does not matter."""
    release = Release.parse(text)
    assert (release.major, release.minor, release.patch) == numbers


def test_releases_compare_as_numbers() -> None:
    """6.10 comes after 6.9, which comparing texts would get wrong."""
    assert Release.parse("5.15") < Release.parse("6.1") < Release.parse("6.9") < Release.parse("6.10")
    assert str(Release.parse("6.1.0-50-arm64")) == "6.1" and str(Release.parse("5.15.85")) == "5.15.85"
    assert Release.parse(Release(6, 1)) == Release(6, 1)


@pytest.mark.parametrize("text", ["", "six", "6", "-6.1"])
def test_other_texts_are_refused_in_words(text: str) -> None:
    """The error says how to write a release."""
    with pytest.raises(BadRelease, match="uname -r") as caught:
        Release.parse(text)
    assert isinstance(caught.value, PtwalkError)
