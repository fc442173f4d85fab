"""What happens to a notebook when JupyterLab saves it."""

from __future__ import annotations

from typing import Any

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def without_widget_views(model: dict[str, Any], **_: Any) -> None:
    """Leave widget views out: their kernel is gone when the notebook is opened again.

    JupyterLab would show "Error displaying widget" in their place; without them it shows the text
    that stands beside each of them.
    """
    if model.get("type") != "notebook" or not model.get("content"):
        return
    for cell in model["content"]["cells"]:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET_VIEW, None)
