"""Small notebooks to run as reports, what a reader sees of a page, and rows of an index."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from pay88kit.reports import index


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


def a_run(number: int = 1, **changes: object) -> index.Run:
    values = {
        "at": f"2026-01-15T12:00:{number % 60:02}.000+00:00", "seconds": 1.5, "report": "daily",
        "values": {"merchant_id": f"MCH-{number}"}, "state": "done", "words": "fine",
        "notebook": f"daily-{number}.ipynb", "html": f"daily-{number}.html",
    }  # fmt: skip
    return index.Run(**values | changes)  # type: ignore[arg-type]
