"""Layouts: holes are filled, and cutting a word loses nothing."""

from ptwalk.arch.field import Part, complete, tile


def test_holes_become_ignored_fields() -> None:
    """A layout of two parts covers 64 bits."""
    layout = complete([Part("low", 3, 1, "three bits"), Part("top", 63, 63, ("off", "on"))], "nothing")
    fields = tile(0x8000_0000_0000_000A, layout)
    assert [(field.name, field.bits, field.value) for field in fields] == [
        ("top", "63", 1),
        ("ignored", "62:4", 0),
        ("low", "3:1", 5),
        ("ignored", "0", 0),
    ]
    assert [field.meaning for field in fields] == ["on", "nothing", "three bits", "nothing"]
    assert fields[0].raw + fields[2].raw == 0x8000_0000_0000_000A
    assert fields[2].to_json() == {"name": "low", "bits": "3:1", "value": "0x5", "meaning": "three bits"}
