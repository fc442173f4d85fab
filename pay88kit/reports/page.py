"""An executed notebook as a page: no code, no network, each table also as an Excel file."""

from __future__ import annotations

import copy
import re
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pay88kit.errors import FrameError, needs
from pay88kit.language import translated
from pay88kit.reports import tables

_TEMPLATES = Path(__file__).with_name("templates")
# What a page can show without a script; a widget's text stands beside its view.
_SHOWN = (
    "image/svg+xml", "image/png", "image/jpeg",
    "text/html", "text/markdown", "text/latex", "text/plain",
)  # fmt: skip
# papermill's note of a failure in the notebook; the page has its own words.
_MARKER = "papermill-error-cell-tag"


def to_html(
    notebook: Any, *, name: str, tables_in: Path, language: str = "en", failure: str = ""
) -> tuple[str, list[Path]]:
    """The page of an executed notebook, and the Excel files that were written for it.

    Args:
        notebook: a notebook of nbformat; it stays as it is.
        name: the title where the notebook has none, and the name of its file.
        tables_in: a folder for the Excel files, beside the page; made when there is a table.
        language: of the page's own words, one of those that the kit speaks.
        failure: what went wrong, in words, if it did.

    Raises:
        OSError: an Excel file cannot be written.
        MissingExtra: without the extra ``reports``.
    """
    shown = copy.deepcopy(notebook)
    shown.cells = [c for c in shown.cells if _MARKER not in c.metadata.get("tags", [])]
    if failure:
        shown.cells = _to_the_error(shown.cells)
    files: list[Path] = []
    for cell in (cell for cell in shown.cells if cell.cell_type == "code"):
        cell.outputs = [output for output in cell.outputs if _for_readers(output)]
        for output in (output for output in cell.outputs if "data" in output):
            for mime in [mime for mime in output.data if mime not in _SHOWN]:
                del output.data[mime]
            if "text/html" in output.data:
                output.data["text/html"] = _with_files(
                    output.data["text/html"], tables_in, files, language
                )
    title = _title(shown)
    about = {
        "title": title or name,
        "has_title": bool(title),
        "language": language,
        "failure": failure,
        "unfinished": translated("This report could not be finished.", language),
        "details": translated(
            "What is below is the part before the error. "
            "The details are in the {link}notebook of this run{end}.",
            language,
            link=f'<a href="{quote(name)}.ipynb">',
            end="</a>",
        ),
    }
    body, _ = exporter().from_notebook_node(shown, resources={"report": about})
    return body, files


@cache
def exporter() -> Any:
    """The exporter with the kit's template; one for the process, because it takes long to make."""
    with needs("reports"):
        from nbconvert.exporters import HTMLExporter
    return HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="report",
        extra_template_basedirs=[str(_TEMPLATES)],
        exclude_anchor_links=True,
    )


def _to_the_error(cells: list[Any]) -> list[Any]:
    """Without what comes after the cell that failed: headings of what was never made."""
    failed = (
        at
        for at, cell in enumerate(cells, 1)
        if any(output.output_type == "error" for output in cell.get("outputs", []))
    )
    return cells[: max(failed, default=len(cells))]


def _for_readers(output: Any) -> bool:
    """Warnings and tracebacks are the developer's: they stay in the notebook."""
    return bool(output.output_type != "error" and output.get("name") != "stderr")


def _with_files(text: str, folder: Path, files: list[Path], language: str) -> str:
    """The HTML with a link under each of its tables."""
    parts, at = [], 0
    for table in tables.found_in(text):
        try:
            file = tables.save(table, folder, len(files) + 1, language)
        except FrameError:
            link = translated("This table is too large for Excel.", language)
        else:
            files.append(file)
            href = f"{quote(folder.name)}/{quote(file.name)}"
            link = f'<a href="{href}" download>Excel (.xlsx)</a>'
        parts += [text[at : table.end], f'<p class="file">{link}</p>']
        at = table.end
    return "".join([*parts, text[at:]])


def _title(notebook: Any) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := re.search(r"^# +(.+)$", cell.source, re.M)):
            return unescape(re.sub(r"[*_`]", "", found[1]).strip())
    return ""
