"""The colours and type of every picture: the only place in Python where a colour is written.

Knows nothing of what is drawn. Three hues with one meaning each, all else is ink: `path` (blue, circle)
is where a CPU or the hardware goes, `other` (ochre, square) is a second CPU, `bad` (crimson, always with
a cross or a word) is where it fails. `on` is text on the solid hue, `tint` a ground beside it.
"""

from __future__ import annotations

LIGHT: dict[str, str] = {
    "bg": "#ffffff",
    "panel": "#f5f6f8",
    "line": "#c3cad2",
    "ink": "#1b1f24",
    "ink2": "#555e68",
    "off": "#8a929b",
    "path": "#0b57a4",
    "path-on": "#ffffff",
    "path-tint": "#e2edf9",
    "other": "#734700",
    "other-on": "#ffffff",
    "other-tint": "#faefd8",
    "bad": "#cc1650",
    "bad-on": "#ffffff",
    "bad-tint": "#fff0f4",
}

DARK: dict[str, str] = {
    "bg": "#14171b",
    "panel": "#1d2126",
    "line": "#444d57",
    "ink": "#e8ebef",
    "ink2": "#a5aeb8",
    "off": "#77808a",
    "path": "#76b7ff",
    "path-on": "#06182c",
    "path-tint": "#173049",
    "other": "#f7c34a",
    "other-on": "#241700",
    "other-tint": "#3b2f14",
    "bad": "#ff5a8c",
    "bad-on": "#2c0012",
    "bad-tint": "#471c2d",
}

SANS = (
    "var(--jp-ui-font-family, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', "
    "'Liberation Sans', Arial, sans-serif)"
)
MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"


def variables(theme: dict[str, str]) -> str:
    """The theme's colours as CSS custom properties, ground taken from JupyterLab where there is one.

    `ground` is our own, for where the text would not be readable on that.
    """
    ground = {**theme, "bg": f"var(--jp-layout-color1, {theme['bg']})", "ground": theme["bg"]}
    return "".join(f"--pt-{name}:{colour};" for name, colour in ground.items())


def css(selector: str) -> str:
    """CSS that gives `selector` the tokens: the page's own theme first, then the system's.

    JupyterLab says its theme on `body`, other pages on `html[data-theme]`; both win over the system.
    """
    light, dark = variables(LIGHT), variables(DARK)
    return (
        f"{selector}{{{light}--pt-sans:{SANS};--pt-mono:{MONO};color-scheme:light}}"
        f"@media (prefers-color-scheme:dark){{{selector}{{{dark}color-scheme:dark}}}}"
        f"html[data-theme=light] {selector},body[data-jp-theme-light=true] {selector}"
        f"{{{light}color-scheme:light}}"
        f"html[data-theme=dark] {selector},body[data-jp-theme-light=false] {selector}"
        f"{{{dark}color-scheme:dark}}"
    )
