"""The files of a run: where notebooks are found, names that no other run has, private writing."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pay88kit import places
from pay88kit.display import one_line
from pay88kit.language import _
from pay88kit.reports.days import ReportError

# A file system takes 255 bytes; the rest is for numbers and endings.
_LONGEST = 160
_ATTEMPTS = 10_000

_IN_PROGRESS = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<title>In progress · En curso</title>
<p>This report is being made.</p>
<p lang="es">Este informe se está generando.</p>
""".encode()


def names() -> list[str]:
    """The kit's own reports."""
    return sorted(_own())


def find(name: str) -> Path:
    """The notebook of one of the kit's reports, or of a path that ends in ``.ipynb``.

    Raises:
        ReportError: there is none.
    """
    own = _own()
    if name in own:
        return own[name]
    with suppress(OSError, ValueError):  # a name may be too long, or hold a null
        if Path(name).suffix == ".ipynb" and Path(name).is_file():
            return Path(name).resolve()
    near = difflib.get_close_matches(name, own, 1)
    meant = f" Did you mean {near[0]}?" if near else ""
    raise ReportError(
        f"report '{one_line(name)[:80]}': there is none.{meant} "
        f"Use {', '.join(sorted(own))}, or the path of a notebook."
    )


def is_own(source: Path) -> bool:
    """Whether a notebook is one of the kit's own reports."""
    return source.parent == places.notebooks() / "reports"


def reserve(folder: Path, stem: str, values: Mapping[str, object]) -> Path:
    """The notebook's path in ``folder``; its name, and the page's, are taken from now on.

    What the report is about is in the name. Files that are there stay as they are.

    Raises:
        ReportError: the folder cannot be made or written.
    """
    base = _base(stem, values)
    try:
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        for number in range(1, _ATTEMPTS):
            path = folder / f"{base}{f'-{number}' if number > 1 else ''}.ipynb"
            if _take(path):
                return path.absolute()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ReportError(
            _(
                "out: {folder} cannot be written: {why}. Choose another folder.",
                folder=folder,
                why=why,
            )
        ) from None
    raise ReportError(
        _("out: {folder} is full of reports of this name. Choose another folder.", folder=folder)
    )


def page_of(notebook: Path) -> Path:
    """The page of a run."""
    return notebook.with_suffix(".html")


def tables_of(notebook: Path) -> Path:
    """The folder of a run's tables."""
    return notebook.with_name(f"{notebook.stem}-tables")


def release(notebook: Path) -> None:
    """Give up reserved names: the report is not to be made."""
    for path in (notebook, page_of(notebook)):
        with suppress(OSError):
            path.unlink()


def withdraw(notebook: Path) -> None:
    """Take back what was only reserved: an empty notebook, a page that is still to be made."""
    for path, reserved in ((notebook, b""), (page_of(notebook), _IN_PROGRESS)):
        with suppress(OSError):
            if path.stat().st_size == len(reserved) and path.read_bytes() == reserved:
                path.unlink()


def _own() -> dict[str, Path]:
    return {path.stem: path for path in (places.notebooks() / "reports").glob("*.ipynb")}


def _base(stem: str, values: Mapping[str, object]) -> str:
    words = [stem]
    for value in map(str, values.values()):
        # Of a file, its own name: its folders say nothing about the report.
        word = Path(value).stem if os.path.isabs(value) else value
        if word:
            words.append(word[:40])
    name = re.sub(r"[^\w.-]+", "_", "-".join(words)).lstrip(".")
    return name.encode()[:_LONGEST].decode(errors="ignore").rstrip(".") or "report"


def _take(path: Path) -> bool:
    """Take the names of a run if they are all free. Whoever makes the notebook has the others."""
    if not _create(path, b""):
        return False
    try:
        if not tables_of(path).exists() and _create(page_of(path), _IN_PROGRESS):
            return True
    except OSError:
        path.unlink()
        raise
    path.unlink()
    return False


def _create(path: Path, content: bytes) -> bool:
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return True
