"""The colours of the stepper: told apart by every kind of eye, readable on their grounds. Tokens in, matrix out."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from ptwalk.views.tokens import DARK, LIGHT

Triple = tuple[float, float, float]
FLOOR = 12.0
"""The least CIEDE2000 distance between two colours that mean different things."""

# Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB.
SIMULATIONS: dict[str, tuple[Triple, Triple, Triple]] = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def linear(colour: str) -> Triple:
    """Linear RGB of "#rrggbb"."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return r, g, b


def seen(colour: str, matrix: tuple[Triple, Triple, Triple]) -> Triple:
    """The colour as that eye sees it, linear RGB."""
    source = linear(colour)
    r, g, b = (min(1.0, max(0.0, sum(m * c for m, c in zip(row, source, strict=True)))) for row in matrix)
    return r, g, b


def lab(rgb: Triple) -> Triple:
    """CIE L*a*b* (D65) of linear RGB."""
    r, g, b = rgb
    x = (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047
    y = 0.2126729 * r + 0.7151522 * g + 0.0721750 * b
    z = (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def ciede2000(one: Triple, two: Triple) -> float:
    """The CIEDE2000 colour difference of two L*a*b* colours (Sharma, Wu, Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, two
    middle = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 0.5 * (1 - math.sqrt(middle**7 / (middle**7 + 25**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1 = math.degrees(math.atan2(b1, a1)) % 360 if c1 else 0.0
    h2 = math.degrees(math.atan2(b2, a2)) % 360 if c2 else 0.0
    dh = 0.0 if not c1 * c2 else (h2 - h1 + 180) % 360 - 180
    turn = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(dh / 2))
    lm, cm = (l1 + l2) / 2, (c1 + c2) / 2
    hm = (h1 + h2) if not c1 * c2 else (h1 + dh / 2) % 360
    t = (
        1
        - 0.17 * math.cos(math.radians(hm - 30))
        + 0.24 * math.cos(math.radians(2 * hm))
        + 0.32 * math.cos(math.radians(3 * hm + 6))
        - 0.20 * math.cos(math.radians(4 * hm - 63))
    )
    sl = 1 + 0.015 * (lm - 50) ** 2 / math.sqrt(20 + (lm - 50) ** 2)
    sc, sh = 1 + 0.045 * cm, 1 + 0.015 * cm * t
    rt = (
        -2
        * math.sqrt(cm**7 / (cm**7 + 25**7))
        * math.sin(math.radians(60 * math.exp(-(((hm - 275) / 25) ** 2))))
    )
    dl, dc, dhh = (l2 - l1) / sl, (c2 - c1) / sc, turn / sh
    return math.sqrt(dl * dl + dc * dc + dhh * dhh + rt * dc * dhh)


def contrast(one: str, two: str) -> float:
    """The WCAG contrast of two colours."""
    lights = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(one), linear(two))]
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_the_formula_is_the_published_one() -> None:
    """Pairs of Sharma's table 1."""
    for one, two, wanted in (
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ):
        assert ciede2000(one, two) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_hues_are_told_apart_by_every_eye(name: str, record_property: Any) -> None:
    """CPU 0, CPU 1, "false now" and ink differ by at least 12 for each kind of colour vision."""
    theme = LIGHT if name == "light" else DARK
    smallest = 1000.0, ""
    for eye, matrix in SIMULATIONS.items():
        for one, two in itertools.combinations(("path", "other", "bad", "ink"), 2):
            distance = ciede2000(lab(seen(theme[one], matrix)), lab(seen(theme[two], matrix)))
            smallest = min(smallest, (distance, f"{one} and {two}, {eye}"))
    record_property("compared", f"24 pairs, the nearest {smallest[0]:.1f} ({smallest[1]}), {name}")
    assert smallest[0] >= FLOOR, smallest


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_marks_have_contrast(theme: dict[str, str]) -> None:
    """Text at least 4.5, marks at least 3, on every ground they stand on."""
    text = [
        ("ink", "bg"),
        ("ink2", "bg"),
        ("ink", "panel"),
        ("ink2", "panel"),
        ("path", "bg"),
        ("other", "bg"),
        ("bad", "bg"),
    ]
    text += [(f"{hue}-on", hue) for hue in ("path", "other", "bad")]
    text += [(ink, f"{hue}-tint") for hue in ("path", "other", "bad") for ink in ("ink", "ink2")] + [
        ("bad", "bad-tint")
    ]
    weak = [(pair, contrast(theme[pair[0]], theme[pair[1]])) for pair in text]
    assert not [one for one in weak if one[1] < 4.5]
    assert contrast(theme["off"], theme["bg"]) >= 3
