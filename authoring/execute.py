"""Run a notebook and take out of it all that would differ from run to run."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from authoring.derive import grading
from authoring.percent import Cell

SHUT = "shut"
"""Tag of a cell that answers a prediction: its output stays folded until the learner runs it."""

WIDGET = "application/vnd.jupyter.widget-view+json"
UNSTABLE = re.compile(r"<[^<>\n]* at 0x[0-9a-f]+>|" + re.escape(os.fspath(Path.cwd().anchor + "tmp")) + "/")


def notebook_from(cells: list[Cell]) -> nbformat.NotebookNode:
    """A notebook, not run yet, with the cells' names as their ids."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook.nbformat_minor = 5
    for cell in cells:
        make = nbformat.v4.new_markdown_cell if cell.kind == "markdown" else nbformat.v4.new_code_cell
        node = make(cell.source, id=cell.name)
        if cell.tags:
            node.metadata["tags"] = list(cell.tags)
        if SHUT in cell.tags:
            # JupyterLab keeps the output folded until the cell is run.
            node.metadata["jupyter"] = {"outputs_hidden": True}
        if grading(cell.name):
            node.metadata["nbgrader"] = grading(cell.name)
        notebook.cells.append(node)
    return notebook


def run(notebook: nbformat.NotebookNode, folder: Path, seconds: int = 120) -> nbformat.NotebookNode:
    """Run `notebook` in place with `folder` as its working folder, then normalise it."""
    metadata = dict(notebook.metadata)
    with tempfile.TemporaryDirectory() as scratch:
        environment = dict(
            os.environ, PTWALK_HOME=scratch, PYTHONHASHSEED="0", PYDEVD_DISABLE_FILE_VALIDATION="1"
        )
        client = NotebookClient(
            notebook,
            timeout=seconds,
            kernel_name="python3",
            resources={"metadata": {"path": os.fspath(folder)}},
            store_widget_state=False,
        )
        client.execute(env=environment)
    notebook.metadata = nbformat.from_dict(metadata)
    for count, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), 1):
        cell.execution_count = count
        cell.metadata.pop("execution", None)
        cell.outputs = _stable(cell.outputs, count, cell.id)
    return notebook


def _stable(outputs: list[nbformat.NotebookNode], count: int, name: str) -> list[nbformat.NotebookNode]:
    kept: list[nbformat.NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and kept and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
            continue
        if output.output_type == "execute_result":
            output.execution_count = count
        if "data" in output:
            # A widget's model lives only in the kernel that made it; what stays is its still picture.
            output.data.pop(WIDGET, None)
        if output.get("name") == "stderr":
            raise ValueError(f"cell {name} wrote to stderr: {output.text}")
        found = UNSTABLE.search(str(output.get("data", output.get("text", ""))))
        if found:
            raise ValueError(
                f"cell {name} shows {found[0]!r}, which differs from run to run; show something else"
            )
        kept.append(output)
    return kept
