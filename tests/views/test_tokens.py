"""The colours can be read: contrast on their grounds, and told apart under every kind of colour blindness."""

import math

import pytest

from ptwalk.views.tokens import DARK, LIGHT, css

THEMES = {"light": LIGHT, "dark": DARK}

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
BLINDNESS = {
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


def linear(colour: str) -> tuple[float, ...]:
    """The linear RGB of "#rrggbb"."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return tuple(p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    bright, dark = sorted(
        (sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear(c), strict=True)) for c in (one, other)),
        reverse=True,
    )
    return (bright + 0.05) / (dark + 0.05)


def lab(rgb: tuple[float, ...]) -> tuple[float, float, float]:
    """CIE L*a*b* of linear RGB under D65."""
    rows = (
        (0.4124564, 0.3575761, 0.1804375),
        (0.2126729, 0.7151522, 0.0721750),
        (0.0193339, 0.1191920, 0.9503041),
    )
    white = (0.95047, 1.0, 1.08883)
    x, y, z = (
        (lambda t: t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116)(
            max(sum(a * b for a, b in zip(row, rgb, strict=True)), 0) / w
        )
        for row, w in zip(rows, white, strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def difference(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """CIEDE2000, the difference that an eye sees between two colours."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean_c = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 0.5 * (1 - math.sqrt(mean_c**7 / (mean_c**7 + 25**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = math.degrees(math.atan2(b1, a1)) % 360, math.degrees(math.atan2(b2, a2)) % 360
    dh = (h2 - h1 + 180) % 360 - 180
    hue = (h1 + dh / 2) % 360
    dhue = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(dh / 2))
    ml, mc = (l1 + l2) / 2, (c1 + c2) / 2
    t = (
        1
        - 0.17 * math.cos(math.radians(hue - 30))
        + 0.24 * math.cos(math.radians(2 * hue))
        + 0.32 * math.cos(math.radians(3 * hue + 6))
        - 0.20 * math.cos(math.radians(4 * hue - 63))
    )
    sl = 1 + 0.015 * (ml - 50) ** 2 / math.sqrt(20 + (ml - 50) ** 2)
    sc, sh = 1 + 0.045 * mc, 1 + 0.015 * mc * t
    rt = (
        -math.sin(math.radians(60 * math.exp(-(((hue - 275) / 25) ** 2))))
        * 2
        * math.sqrt(mc**7 / (mc**7 + 25**7))
    )
    light, chroma, tone = (l2 - l1) / sl, (c2 - c1) / sc, dhue / sh
    return math.sqrt(light**2 + chroma**2 + tone**2 + rt * chroma * tone)


@pytest.mark.parametrize("theme", THEMES)
def test_text_has_contrast(theme: str) -> None:
    """Text keeps 4.5 to 1 on every ground it stands on, marks 3 to 1."""
    tokens = THEMES[theme]
    grounds = ("bg", "panel", "path-tint")
    for ink in ("ink", "ink2", "path", "bad", "other"):
        for ground in grounds if ink in ("ink", "ink2") else ("bg",):
            assert contrast(tokens[ink], tokens[ground]) >= 4.5, (ink, ground)
    for hue in ("path", "other", "bad"):
        assert contrast(tokens[f"{hue}-on"], tokens[hue]) >= 4.5
    assert contrast(tokens["off"], tokens["bg"]) >= 3


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize("theme", THEMES)
def test_hues_are_told_apart(theme: str, kind: str) -> None:
    """The three hues and ink differ by at least 12 (CIEDE2000) for every eye; words and crosses do the rest."""
    tokens, matrix = THEMES[theme], BLINDNESS[kind]
    seen = {}
    for name in ("ink", "path", "other", "bad"):
        rgb = linear(tokens[name])
        turned = (sum(m * p for m, p in zip(row, rgb, strict=True)) for row in matrix)
        seen[name] = lab(tuple(min(max(value, 0), 1) for value in turned))
    names = list(seen)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            assert difference(seen[one], seen[other]) >= 12, (one, other)


def test_the_page_goes_before_the_system() -> None:
    """JupyterLab's theme, and a page's own, win over the system's: a light notebook stays light at night."""
    text = css(".x")
    system = text.index("prefers-color-scheme:dark")
    assert (
        system
        < text.index("body[data-jp-theme-light=true] .x")
        < text.index("body[data-jp-theme-light=false] .x")
    )
    assert set(LIGHT) == set(DARK)
