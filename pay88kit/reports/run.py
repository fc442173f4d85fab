"""Running a report: a notebook with parameters becomes an executed notebook and a web page."""

from __future__ import annotations

import difflib
import html
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pay88kit import places
from pay88kit.errors import Pay88Error, needs
from pay88kit.reports.days import ReportError


class ReportFailed(Pay88Error):
    """A report stopped with an error; the notebook up to there is kept at ``notebook``."""

    def __init__(self, name: str, reason: str, notebook: Path) -> None:
        self.notebook = notebook
        super().__init__(f"report {name}: {reason}\nThe notebook up to there: {notebook}")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a report, as its ``parameters`` cell declares it."""

    name: str
    default: str
    help: str


@dataclass(frozen=True)
class Result:
    """The files of a run."""

    notebook: Path
    html: Path


def names() -> list[str]:
    """The kit's own reports."""
    return sorted(path.stem for path in (places.notebooks() / "reports").glob("*.ipynb"))


def parameters(name: str) -> list[Parameter]:
    """What a report can be asked for.

    Raises:
        ReportError: there is no such report.
        MissingExtra: without the extra ``reports``.
    """
    with needs("reports"):
        import papermill
    found = papermill.inspect_notebook(str(_find(name)))
    return [Parameter(p["name"], p["default"], p["help"]) for p in found.values()]


def run(
    name: str, values: Mapping[str, str] | None = None, *, out: Path | str = "reports-out"
) -> Result:
    """Run a report, and turn it into HTML.

    Args:
        name: one of :func:`names`, or the path of a notebook with a ``parameters`` cell.
        values: parameters; those left out keep their defaults. Never a secret: they are stored.
        out: the folder for notebook and HTML, which only you may read. Files that are there stay.

    Raises:
        ReportError: unknown report or parameter, or an unwritable folder; nothing was written.
        ReportFailed: the report stopped with an error.
        MissingExtra: without the extra ``reports``.
    """
    with needs("reports"):
        import papermill
        from papermill.exceptions import PapermillExecutionError
    source = _find(name)
    values = dict(values or {})
    known = [parameter.name for parameter in parameters(name)]
    for given in values:
        if given not in known:
            near = difflib.get_close_matches(given, known, 1)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise ReportError(
                f"{given}: no parameter of {source.stem}.{meant} It takes: {', '.join(known)}."
            )
    notebook = _reserve(Path(out), source.stem, values)
    try:
        papermill.execute_notebook(
            str(source),
            str(notebook),
            values,
            kernel_name="python3",
            progress_bar=False,
            cwd=str(source.parent),
            # The kernel warns of its own loopback connection, which says nothing to a reader.
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
        )
    except PapermillExecutionError as error:
        raise ReportFailed(source.stem, f"{error.ename}: {error.evalue}", notebook) from None
    page = notebook.with_suffix(".html")
    _write_private(page, to_html(notebook))
    return Result(notebook, page)


def _find(name: str) -> Path:
    own = {path.stem: path for path in (places.notebooks() / "reports").glob("*.ipynb")}
    if name in own:
        return own[name]
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path.resolve()
    raise ReportError(
        f"report {name!r}: there is none. Use {', '.join(sorted(own))}, or the path of a notebook."
    )


def _reserve(folder: Path, stem: str, values: Mapping[str, str]) -> Path:
    """A new file in ``folder`` for this run; made now, so that no other run takes the name."""
    # Of a file, its own name: its folders say nothing about the report.
    named = (Path(value).stem if os.path.isabs(value) else value for value in values.values())
    words = [stem, *(re.sub(r"[^\w.-]+", "_", name)[:40] for name in named if name)]
    base = "-".join(words)[:120].lstrip(".")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, 10_000):
            path = folder / f"{base}{f'-{number}' if number > 1 else ''}.ipynb"
            try:
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            except FileExistsError:
                continue
            return path
    except OSError as error:
        raise ReportError(f"out: {folder} cannot be written: {error.strerror}.") from None
    raise ReportError(f"out: {folder} is full of reports of this name. Choose another folder.")


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def to_html(notebook: Path) -> str:
    """A notebook's outputs and prose as one page that needs nothing else: no code, no network."""
    with needs("reports"):
        import nbformat
        from nbconvert.exporters import HTMLExporter
    exporter: Any = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="basic", exclude_input=True, exclude_output_prompt=True
    )
    executed: Any = nbformat.read(str(notebook), as_version=4)  # type: ignore[no-untyped-call]
    body, _ = exporter.from_notebook_node(executed)
    title = re.search(r"<h1[^>]*>(.*?)(?:<a |</h1>)", body, re.DOTALL)
    text = html.escape(html.unescape(re.sub(r"<[^>]+>", "", title.group(1)))) if title else ""
    return _PAGE.replace("{title}", text or notebook.stem).replace("{body}", body)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
.output_subarea { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); text-align: right; }
th[scope=row], td:first-child, th:first-child { text-align: left; }
caption { text-align: left; padding: .3rem 0; }
img { max-width: 100%; height: auto; background: #fff; }
.anchor-link { display: none; }
@media print { body { margin: 0; max-width: none; } figure, table, img { break-inside: avoid; } }
</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""  # noqa: E501
