"""The example notebook runs, and shows what is written in it.

`UPDATE_NOTEBOOK=1 pytest tests/test_notebook.py` writes its outputs anew.
"""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")

NOTEBOOK = Path(__file__).parents[3] / "examples" / "hiding.ipynb"


def run(notebook: Any) -> Any:
    """The notebook as it is written down after a run."""
    notebook = copy.deepcopy(notebook)
    place = {"metadata": {"path": str(NOTEBOOK.parent)}}
    # What is printed in two goes is one output.
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources=place, coalesce_streams=True
    )
    client.execute()
    for cell in notebook.cells:
        # When it was run.
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            # Tables have the picture, too.
            if "text/html" in output.get("data", {}):
                del output.data["image/png"]
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def shown(notebook: Any) -> list[Any]:
    """Of each cell, what it prints, and the kinds of what it shows."""
    cells = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            # Pictures' bytes may differ from one processor to another.
            cells.append((cell.id, output.get("text"), sorted(output.get("data", []))))
    return cells


def test_the_notebook_shows_what_is_written_in_it() -> None:
    written = nbformat.read(NOTEBOOK, as_version=4)
    found = run(written)
    if os.environ.get("UPDATE_NOTEBOOK"):
        nbformat.write(found, NOTEBOOK)
        return
    assert len(shown(found)) > 8
    assert shown(found) == shown(written)
