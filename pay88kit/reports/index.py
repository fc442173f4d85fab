"""The run index: ``index.html`` in a folder of reports, with a row for each run.

The page is a fixed beginning, and a line of data for each run after it. A browser reads a page
whose end tags are missing, so a new run is one line added to the end: as quick for the ten
thousandth as for the first, and never a rewrite that could lose another run's row.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import html
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pay88kit.errors import needs
from pay88kit.language import LANGUAGES, N_, translated
from pay88kit.reports.days import ReportError

NAME = "index.html"
_MARK = "<!-- pay88kit run index "
# What the page says, in the language that its reader chooses there.
_SAID = (
    N_("Reports"), N_("Search"), N_("merchant, day, words"), N_("Report"), N_("Result"), N_("all"),
    N_("failed"), N_("done"), N_("Language"), N_("Begun (UTC)"), N_("Parameters"), N_("In words"),
    N_("Files"), N_("page"), N_("error page"), N_("notebook"), N_("Show more"),
    N_("{found} of {all} runs, {failed} failed; {shown} shown, failures first"),
)  # fmt: skip
_NOSCRIPT = N_("This list needs JavaScript. The reports themselves, in this folder, do not.")
_LINE = re.compile(r'<p hidden data-run="([^"]*)"></p>')


@dataclass(frozen=True)
class Run:
    """A row of the index.

    Attributes:
        at: when it began, ISO 8601 in UTC.
        seconds: how long it took.
        report: its name.
        values: the parameters that were given.
        state: ``done`` or ``failed``.
        words: the summary, or what went wrong.
        notebook: the file's name, in the folder of the index.
        html: the page's name; none if it could not be written, and so for ``notebook``.
    """

    at: str
    seconds: float
    report: str
    values: Mapping[str, Any]
    state: str
    words: str
    notebook: str
    html: str


def check_index(folder: Path) -> None:
    """Raises :class:`ReportError` if the folder has an ``index.html`` that is not a run index."""
    path = folder / NAME
    if not path.exists():
        return
    with path.open("rb") as file:
        head = file.read(200)
    # An empty one is an index that another run is about to fill, or did not live to fill.
    if head and _MARK.encode() not in head:
        raise ReportError(
            f"out: {path} is not an index of reports, and is not overwritten. "
            f"Choose another folder."
        )


def add_run(folder: Path, run: Run) -> None:
    """Add a row to the index of a folder; many runs may do so at once.

    Raises:
        ReportError: the folder's ``index.html`` is something else.
        OSError: the index cannot be written.
    """
    with needs("reports"):
        from filelock import FileLock
    line = f'<p hidden data-run="{html.escape(json.dumps(asdict(run)))}"></p>\n'.encode()
    lock = FileLock(folder / ".index.lock", mode=0o600)
    with lock.acquire(poll_interval=0.005):
        check_index(folder)
        flags = os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(folder / NAME, flags, 0o600), "r+b", buffering=0) as file:
            _append(file, line)


def _append(file: Any, line: bytes) -> None:
    """Add the line as a whole, or not at all."""
    end = file.seek(0, os.SEEK_END)
    if end and not _ends_a_line(file, end):
        # What was broken off by the end of its program would swallow the next row.
        file.seek(0)
        end = file.read().rfind(b"\n") + 1
        file.truncate(end)
    data = line if end else _beginning() + line
    file.seek(end)
    try:
        if file.write(data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        file.truncate(end)
        raise


def runs(folder: Path | str) -> list[Run]:
    """The rows of a folder's index, the oldest first; none without an index.

    Raises:
        ReportError: the folder's ``index.html`` is something else.
    """
    folder = Path(folder)
    check_index(folder)
    try:
        lines = (folder / NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    found = (_LINE.fullmatch(line) for line in lines)
    return [Run(**json.loads(html.unescape(match[1]))) for match in found if match]


def _ends_a_line(file: Any, end: int) -> bool:
    file.seek(end - 1)
    return bool(file.read(1) == b"\n")


@cache
def _beginning() -> bytes:
    """The page, which runs its own script and no other."""
    page = Path(__file__).with_name("templates").joinpath(NAME).read_text(encoding="utf-8")
    script = page.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    words = {code: {said: translated(said, code) for said in _SAID} for code in LANGUAGES}
    filled = {
        "digest": digest,
        # A script's text ends where the first tag ends it, also inside a string.
        "words": json.dumps(words).replace("<", "\\u003c"),
        "languages": "".join(
            f'<option value="{code}" lang="{code}">{name}</option>'
            for code, name in LANGUAGES.items()
        ),
        "noscript": "".join(
            f'<p lang="{code}">{translated(_NOSCRIPT, code)}</p>' for code in LANGUAGES
        ),
    }
    for name, text in filled.items():
        page = page.replace(f"{{{name}}}", text, 1)
    # Every character of it is one byte, whatever its reader takes the file for.
    return page.encode("ascii", "xmlcharrefreplace")
