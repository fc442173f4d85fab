"""The processes that make many reports, each one report after the other."""

from __future__ import annotations

import os
import shutil
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pay88kit.reports import files
from pay88kit.reports.days import ReportError
from pay88kit.reports.engine import forking
from pay88kit.reports.index import runs
from pay88kit.reports.run import Job, ReportFailed, carry_out, prepare

# What a worker says: its report's notebook, once its name is reserved; then what became of it.
_BEGAN, _ENDED = "began", "ended"


@dataclass(frozen=True)
class Task:
    """What every worker is to know: the report, its folder, how often a failure is tried again."""

    name: str
    out: Path
    retries: int
    forks: bool = field(default_factory=lambda: forking.available())


@dataclass(frozen=True)
class Outcome:
    """What became of one report. ``page`` is where it is read, if it got that far."""

    values: Mapping[str, Any]
    done: bool
    words: str
    page: Path | None = None


def usable_cores() -> int:
    """How many processes can work at the same time."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def make(task: Task, wanted: Sequence[Mapping[str, Any]], workers: int) -> Iterator[Outcome]:
    """Make all reports; yields what became of each, in the order in which they end.

    When the iteration is given up, the reports that are being made leave nothing behind.
    """
    left = deque(wanted)
    busy: dict[forking.Child, _Doing] = {}
    try:
        for _ in range(min(workers, len(wanted))):
            _hand(_start(task), task, left, busy)
        while busy:
            for worker in forking.ready(busy):
                doing = busy[worker]
                try:
                    kind, content = worker.receive()
                except forking.ChildDied as died:
                    del busy[worker]
                    worker.close()
                    doing.clean_up(task)
                    yield Outcome(doing.values, False, f"Its process is gone: {died}.")
                    if left:
                        _hand(_start(task), task, left, busy)
                    continue
                if kind == _BEGAN:
                    doing.notebook = content
                    continue
                del busy[worker]
                if left:
                    _hand(worker, task, left, busy)
                else:
                    worker.close()
                yield content
    finally:
        for worker, doing in busy.items():
            for kind, content in worker.stop():
                if kind == _BEGAN:
                    doing.notebook = content
            doing.clean_up(task)


def one(task: Task, values: Mapping[str, Any], engine: str, began: Any = None) -> Outcome:
    """Make one report; no failure of it is an error here."""

    def job() -> Job:
        prepared = prepare(task.name, values, task.out)
        if began is not None:
            began(prepared.notebook)
        return prepared

    return made(values, job, engine)


def made(values: Mapping[str, Any], job: Callable[[], Job], engine: str) -> Outcome:
    """Carry out what ``job`` prepares; no failure of it is an error here."""
    try:
        result = carry_out(job(), engine=engine)
    except ReportFailed as failed:
        return Outcome(values, False, failed.words, failed.html)
    except Exception as error:
        said = error if isinstance(error, ReportError) else f"{type(error).__name__}: {error}"
        return Outcome(values, False, str(said))
    return Outcome(values, True, result.summary, result.html)


def _hand(
    worker: forking.Child,
    task: Task,
    left: deque[Mapping[str, Any]],
    busy: dict[forking.Child, _Doing],
) -> None:
    """Give the next report to a worker, or to a new one where it has ended after its last."""
    values = left.popleft()
    # Before it has its work: who is interrupted here stops those that are busy.
    busy[worker] = _Doing(values)
    try:
        worker.send(values)
    except forking.ChildDied:
        del busy[worker]
        worker.close()
        worker = _start(task)
        busy[worker] = _Doing(values)
        with suppress(forking.ChildDied):  # who asks for its answer is told
            worker.send(values)


@dataclass
class _Doing:
    """What a worker has been given, and where it writes."""

    values: Mapping[str, Any]
    notebook: Path | None = None

    def clean_up(self, task: Task) -> None:
        """Remove what a report that was not ended has left; one that is in the index stays."""
        if self.notebook is None:
            return
        with suppress(OSError):
            if self.notebook.name not in {run.notebook for run in runs(task.out)}:
                files.release(self.notebook)
                shutil.rmtree(files.tables_of(self.notebook), ignore_errors=True)


def _work(connection: Connection, task: Task) -> None:
    engine = _engine(task)
    while True:
        values = connection.recv()
        outcome = one(
            task, values, engine, began=lambda notebook: connection.send((_BEGAN, notebook))
        )
        connection.send((_ENDED, outcome))


def _engine(task: Task) -> str:
    from pay88kit.reports.engine import retrying

    return retrying.engine(task.retries, forks=task.forks)


def _start(task: Task) -> forking.Child:
    if task.forks:
        return forking.start(_work, task)
    import multiprocessing

    # Its own interpreter, and for each report a kernel.
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe()
    process = context.Process(target=_spawned, args=(its, task), daemon=True)
    process.start()
    its.close()
    return forking.Child(ours, lambda: process.exitcode, lambda *_: process.kill())


def _spawned(connection: Connection, task: Task) -> None:
    # Ctrl-C reaches the owner too, who knows what to do about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        _work(connection, task)
