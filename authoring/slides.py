"""Which cell begins a slide: read off the cells, so that no author has to mark anything.

A text with a heading begins a slide, any other text the next one below it, unless it is a short word on what was just
shown. A cell that answers a prediction waits for the next key. What only sets up, and the links at the end, are left
out. The marks are those of nbconvert and of JupyterLab's own slide panel.
"""

from __future__ import annotations

import re

import nbformat

from authoring import navigation

SHUT = "shut"
HEADING = re.compile(r"^##? ", re.MULTILINE)
CHOICE = re.compile(r"<details>.*?</details>", re.DOTALL)
SHORT = 300
"""Characters of a text that still fits below what it speaks of, answers that open apart."""


def kind(cell: nbformat.NotebookNode) -> str:
    """What a cell is in the slides: slide, subslide, fragment, skip, or "-" where it goes on with the one before."""
    source = str(cell.source).strip()
    if cell.id == navigation.NAME:
        return "skip"
    if cell.cell_type == "markdown":
        if HEADING.search(source):
            return "slide"
        asks = "**Predict" in source or "**Play" in source
        return "subslide" if asks or len(CHOICE.sub("", source)) > SHORT else "-"
    if source.splitlines()[-1:] and source.splitlines()[-1].startswith("ptwalk.start("):
        return "skip"
    return "fragment" if SHUT in cell.metadata.get("tags", ()) else "-"


def marked(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with every cell marked for the slides; nothing is run."""
    for cell in notebook.cells:
        cell.metadata["slideshow"] = {"slide_type": kind(cell)}
    return notebook
