"""What a worker of a cluster does: it makes a report in a folder of its own, and answers its files.

It shares nothing with who asks but the network: the credentials are those of its own environment.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pay88kit.reports import files
from pay88kit.reports.engine import forking
from pay88kit.reports.index import Run, runs
from pay88kit.reports.run import Job, prepare
from pay88kit.reports.workers import Outcome, made

_PREFIX = "pay88-report-"
_BEGUN = (
    "It had begun at a worker that is gone. Your own notebook may have created something, so it is "
    "not run again by itself. --resume runs it now; with --retry 1 this happens by itself."
)


@dataclass(frozen=True)
class Order:
    """A report that is to be made.

    Attributes:
        report: its name; of somebody's own notebook, the file's name without its ending.
        text: of somebody's own notebook; None for one of the kit's reports.
        values: its parameters.
        notebook: the name of the file, by which its page links to it.
        retries: how often a failure that may pass is tried again.
        claim: a name under which the cluster notes that it was begun, so that nobody begins it
            again; empty where it may be.
    """

    report: str
    text: str | None = field(repr=False)
    values: Mapping[str, Any]
    notebook: str
    retries: int
    claim: str = ""


@dataclass(frozen=True)
class Answer:
    """What became of it: its row for the index, and its files, by their names.

    Without a row there are no files, and the outcome says why.
    """

    outcome: Outcome
    row: Run | None = None
    notebook: bytes = field(default=b"", repr=False)
    page: bytes = field(default=b"", repr=False)
    tables: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def versions() -> dict[str, str]:
    """This worker's versions."""
    from pay88kit.reports.cluster.versions import ours

    return ours()


# Processes that have made a report and wait for the next one; as many as the worker has threads.
_idle: list[forking.Child] = []
# Without fork, reports share this process, where page-making is not for several threads at once.
_alone = threading.Lock()


def make(order: Order) -> Answer:
    """Make a report; no failure of it is an error here. Several threads may do so at once."""
    if order.claim and not _claimed(order.claim):
        return Answer(Outcome(order.values, False, _BEGUN))
    if not forking.available():
        with _alone, _folder() as own:
            return _make_in(own, order)
    # Each thread's report has a process of its own, as in a run on one machine.
    folder: Path | None = None
    child = _idle_one() or forking.start(_serve)
    try:
        child.send(order)
        folder = child.receive()
        answer: Answer = child.receive()
    except forking.ChildDied as died:
        child.close()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        return Answer(Outcome(order.values, False, f"Its process is gone: {died}."))
    _idle.append(child)
    return answer


def _claimed(name: str) -> bool:
    """Whether nobody has begun it; from now on somebody has. The scheduler keeps that."""
    from distributed import Event

    begun = Event(name)  # type: ignore[no-untyped-call]
    if begun.is_set():  # type: ignore[no-untyped-call]
        return False
    begun.set()  # type: ignore[no-untyped-call]
    return True


def _idle_one() -> forking.Child | None:
    while True:
        try:
            child = _idle.pop()
        except IndexError:
            return None
        try:
            child.receive(timeout=0)
        except TimeoutError:
            return child  # it waits
        except forking.ChildDied:
            child.close()


def _serve(connection: Connection) -> None:
    while True:
        order = connection.recv()
        # Removed by this process, because the worker may be killed.
        with _folder() as folder:
            connection.send(folder)
            answer = _make_in(folder, order)
        connection.send(answer)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder of its own. TemporaryDirectory's is removed by each fork of this process, too."""
    path = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _make_in(folder: Path, order: Order) -> Answer:
    out = folder / "out"
    source = order.report
    if order.text is not None:
        path = folder / f"{order.report}.ipynb"
        path.write_text(order.text, encoding="utf-8")
        source = str(path)

    def job() -> Job:
        prepared = prepare(source, order.values, out)
        files.release(prepared.notebook)
        notebook = out / order.notebook
        notebook.touch()
        # Where the worker was started: its `.env` is there, and files that a notebook reads.
        return replace(prepared, notebook=notebook, cwd=Path.cwd())

    outcome = replace(made(order.values, job, _engine(order.retries)), page=None)
    notebook = out / order.notebook
    tables = files.tables_of(notebook)
    return Answer(
        outcome,
        next(iter(runs(out)), None),
        _anywhere(_content(notebook), folder),
        _content(files.page_of(notebook)),
        {path.name: path.read_bytes() for path in tables.glob("*")},
    )


@cache
def _engine(retries: int) -> str:
    from pay88kit.reports.engine import retrying

    return retrying.engine(retries, forks=forking.available())


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _anywhere(notebook: bytes, folder: Path) -> bytes:
    """The notebook, in which papermill notes its paths, without the folder that is gone by then."""
    for path in (folder / "out", folder):
        said = json.dumps(f"{path}{os.sep}", ensure_ascii=False)[1:-1]
        notebook = notebook.replace(said.encode(), b"")
    return notebook
