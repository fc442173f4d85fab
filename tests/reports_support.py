"""Small notebooks to run as reports, and what a reader sees of a page."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any


def notebook_of(path: Path, *cells: str | tuple[str, str], parameters: str | None = "") -> Path:
    """A notebook file. A cell is code, with a tag as a pair; one that begins with # is prose."""
    made: list[dict[str, Any]] = []
    tagged = [] if parameters is None else [(parameters, "parameters")]
    for cell in [*tagged, *cells]:
        source, tag = cell if isinstance(cell, tuple) else (cell, "")
        metadata = {"tags": [tag]} if tag else {}
        common = {"id": f"c{len(made)}", "metadata": metadata, "source": source}
        if source.startswith("# "):
            made.append({"cell_type": "markdown", **common})
        else:
            code = {"cell_type": "code", "execution_count": None, "outputs": []}
            made.append(code | common)
    content = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def text_of(page: Path) -> str:
    """What a reader sees."""
    body = page.read_text(encoding="utf-8").partition("<main>")[2]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))
