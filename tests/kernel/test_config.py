"""Presets are sets of choices with sources, and a wrong name is told."""

import dataclasses

import pytest

from ptwalk.kernel.config import PRESETS, SOURCES, KernelConfig, UnknownAxis, UnknownPreset, axes, preset


def test_every_choice_has_its_source() -> None:
    """No axis or variant without a word on where it was read."""
    assert set(SOURCES) == {field.name for field in dataclasses.fields(KernelConfig)} - {"release"}


def test_every_preset_is_made_of_known_values() -> None:
    """`but` with a preset's own values changes nothing, so each value is one the axis has."""
    for config in PRESETS.values():
        assert config.but(**{name: getattr(config, name) for name in axes()}) == config


def test_arm64_flushes_by_broadcast_and_frees_by_rcu() -> None:
    """In every release."""
    for release in PRESETS:
        config = preset(release, "arm64")
        assert (config.flush, config.table_free) == ("broadcast", "rcu")


def test_wrong_names_are_told() -> None:
    """The text lists what there is."""
    with pytest.raises(UnknownPreset, match=r"5\.15\.0"):
        preset("4.19")
    with pytest.raises(UnknownAxis, match="split_ptlocks"):
        PRESETS["6.1"].but(split_locks=True)
    with pytest.raises(UnknownAxis, match="broadcast"):
        PRESETS["6.1"].but(flush="carrier pigeon")


@pytest.mark.parametrize(
    ("release", "known"),
    [("6.1.176", "6.1"), ("v6.6", "6.6"), ("5.15", "5.15.0"), ("5.15.90", "5.15.85"), ("6.14.0-rc3", "6.14")],
)
def test_a_stable_release_has_the_preset_of_its_series(release: str, known: str) -> None:
    """As uname prints it."""
    assert preset(release) == PRESETS[known]


@pytest.mark.parametrize(
    ("release", "words"),
    [
        ("6.12", "between 6.6 and 6.14: try both"),
        ("9.9", "nearest is 7.1"),
        ("mainline", "there is no preset"),
    ],
)
def test_other_releases_are_told_their_neighbours(release: str, words: str) -> None:
    """No preset is taken for another kernel's in silence."""
    with pytest.raises(UnknownPreset, match=words):
        preset(release)


@pytest.mark.parametrize(("uname", "arch"), [("x86_64", "x86-64"), ("aarch64", "arm64"), ("arm64", "arm64")])
def test_machines_by_the_name_that_uname_has(uname: str, arch: str) -> None:
    """Both spellings are one kernel."""
    assert preset("6.1", uname) == preset("6.1", arch)
