"""Many reports on many machines: the workers of a Dask cluster make them, this process keeps them.

Only this process writes into the folder: it reserves the names, and a worker's answer becomes files
and a row of the index here. So a report that Dask makes twice, because a worker died, is kept once.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pay88kit.errors import Pay88Error, needs
from pay88kit.frames.files import private
from pay88kit.limits import MINUTE
from pay88kit.reports import files
from pay88kit.reports.cluster import versions
from pay88kit.reports.cluster import worker as cluster_worker
from pay88kit.reports.cluster.waiting import Report, Waiting
from pay88kit.reports.cluster.worker import Answer, Order
from pay88kit.reports.days import ReportError
from pay88kit.reports.index import add_run, runs
from pay88kit.reports.workers import Outcome, Task

if TYPE_CHECKING:
    from distributed import Client, Future

_log = logging.getLogger("pay88kit")

# All in seconds. How long a connection or an answer may take; for how long a first worker is waited
# for, and for a worker when all are gone; how often it is looked who is there.
_TIMEOUT = 10.0
_FIRST = 10.0
_PATIENCE = 120.0
_LOOK = 1.0
# A host without a worker gives its merchants to others after so long: what it sent until then no
# longer counts in the limit for a minute, of which another host knows nothing.
_MOVE = float(MINUTE)
# How many reports a thread of a worker has at once: the one that it makes, and the next.
_AHEAD = 2
# A report whose worker died more often is taken for the cause. Dask counts its own repetitions so.
_DEATHS = 3


class ClusterLost(Pay88Error):
    """The cluster's workers are gone, or its scheduler is. What is done is kept."""


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """The cluster whose scheduler is at ``tcp://HOST:PORT`` (with TLS, ``tls://HOST:PORT``).

    Raises:
        ReportError: it cannot be reached, has no worker, or a worker whose versions are not those
            of this process.
        MissingExtra: without the extra ``cluster``.
    """
    with needs("cluster"):
        from distributed import Client
    fault = ""
    if not address.startswith(("tcp://", "tls://")):
        fault = "is no address of a scheduler"
    else:
        try:
            client = Client(address, timeout=_TIMEOUT, set_as_default=False, name="pay88kit")  # type: ignore[no-untyped-call]
        # What Dask raises for a wrong port or missing certificates: OSError, ValueError, TypeError.
        except Exception as error:
            fault = f"cannot be reached: {error}"
    if fault:
        raise ReportError(
            f"cluster: {address[:200]} {fault.rstrip('.')}. Start `dask scheduler`, and give the "
            f"address that it prints, such as tcp://192.168.1.5:8786."
        )
    cluster = Cluster(client)
    try:
        cluster.crew.gather(address)
        yield cluster
    finally:
        cluster.close()


class Cluster:
    """A connection to workers that make reports."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.crew = Crew(client)
        self._runs: list[_Run] = []

    def make(self, task: Task, wanted: Sequence[Mapping[str, Any]]) -> Iterator[Outcome]:
        """Make all reports; yields what became of each, in the order in which they end.

        Raises:
            ClusterLost: there has been no worker for two minutes.
        """
        self._runs.append(_Run(self._client, self.crew, task, wanted))
        yield from self._runs[-1].outcomes()

    def close(self) -> None:
        """Give up what is not done; no reserved name stays in the folder.

        A report that a worker has begun is ended there, and its answer is not used.
        """
        for run in self._runs:
            run.stop()
        with suppress(Exception):
            self._client.close(timeout=_TIMEOUT)  # type: ignore[no-untyped-call]


class Crew:
    """The workers that may be given reports: those with this process's versions."""

    def __init__(self, client: Client) -> None:
        self._client = client
        # By their addresses: how many threads a worker has, and what another one has otherwise.
        self.threads: dict[str, int] = {}
        self.refused: dict[str, str] = {}

    def gather(self, address: str) -> None:
        """Wait for a first worker, and see that there is none with other versions."""
        ends = time.monotonic() + _FIRST
        self.look()
        while not (self.threads or self.refused):
            if time.monotonic() > ends:
                raise ReportError(
                    f"cluster: {address} has no worker. Start one on each machine: "
                    f"dask worker {address}"
                )
            time.sleep(0.1)
            self.look()
        if self.refused:
            raise ReportError(
                f"cluster: not every worker has the versions of this machine. {self.differences()}"
            )

    def differences(self) -> str:
        """Who has what otherwise, and the cure; empty if nobody."""
        if not self.refused:
            return ""
        each = "; ".join(f"{worker} has {what}" for worker, what in self.refused.items())
        return f"{each}. Install the same there, and start the worker again."

    def look(self) -> None:
        """See who has come and gone; who has come is asked for its versions first."""
        try:
            there: dict[str, int] = self._client.nthreads(callback_timeout=_TIMEOUT)  # type: ignore[no-untyped-call]
        except Exception:
            # Not even the scheduler answers; the client goes on to look for it.
            there = {}
        self.refused = {worker: what for worker, what in self.refused.items() if worker in there}
        known = {worker for worker in there if worker in self.threads}
        if new := [
            worker for worker in there if worker not in known and worker not in self.refused
        ]:
            known |= self._asked(new)
        self.threads = {worker: there[worker] for worker in known}

    def _asked(self, new: list[str]) -> set[str]:
        """Those of the new workers that have the same versions."""
        answers: dict[str, Any] = {}
        try:
            answers = self._client.run(
                cluster_worker.versions, workers=new, on_error="return", callback_timeout=_TIMEOUT
            )
        except (OSError, TimeoutError):
            return set()  # they are asked once more
        except Exception as error:
            # An answer that Dask cannot read. Whose is it?
            if len(new) > 1:
                return set().union(*(self._asked([worker]) for worker in new))
            answers[new[0]] = error
        known = set()
        for worker, answer in answers.items():
            if isinstance(answer, OSError):
                continue  # it is gone again, or is asked once more
            if isinstance(answer, Exception):
                what = f"no pay88kit that can do this ({type(answer).__name__}: {answer})"
            else:
                what = versions.differences(answer, versions.ours())
            if what:
                self.refused[worker] = what
            else:
                known.add(worker)
        return known

    def hosts(self) -> dict[str, list[str]]:
        """The workers of each host."""
        from distributed.comm.addressing import get_address_host

        found: dict[str, list[str]] = {}
        for worker in self.threads:
            found.setdefault(get_address_host(worker), []).append(worker)
        return found


@dataclass(frozen=True)
class _Doing:
    """A report that was handed to the workers of a host."""

    report: Report
    host: str
    workers: frozenset[str]
    future: Future[Answer]


class _Run:
    """One run: what is under way, and what has ended."""

    def __init__(
        self, client: Client, crew: Crew, task: Task, wanted: Sequence[Mapping[str, Any]]
    ) -> None:
        source = files.find(task.name)
        self._name = source.stem
        self._text = None if files.is_own(source) else source.read_text(encoding="utf-8")
        # The kit's reports only read. What another notebook creates must not be created twice.
        self._once = self._text is not None and not task.retries
        self._id = uuid4().hex
        self._client = client
        self._crew = crew
        self._task = task
        self._waiting = Waiting(map(Report, wanted))
        self._doing: dict[str, _Doing] = {}
        self._ended: SimpleQueue[str] = SimpleQueue()
        self._reserved: set[Path] = set()
        self._looked = time.monotonic()
        # When each host was last seen with a worker, and when any was.
        self._seen: dict[str, float] = {}
        self._any_seen = self._looked

    def outcomes(self) -> Iterator[Outcome]:
        """What became of each report."""
        while self._waiting or self._doing:
            yield from self._look()
            yield from self._hand_out()
            with suppress(Empty):
                key = self._ended.get(timeout=_LOOK)
                if key in self._doing:
                    yield from self._take_in(key)

    def stop(self) -> None:
        """Release what is still to be done, and the names that were reserved for it."""
        futures = [doing.future for doing in self._doing.values()]
        with suppress(Exception):
            self._client.cancel(futures, force=True)  # type: ignore[no-untyped-call]
        for notebook in self._reserved:
            self._forget(notebook)
            files.withdraw(notebook)

    def _forget(self, notebook: Path) -> None:
        """Let the scheduler forget who has begun it."""
        if not self._once:
            return
        from distributed import Event

        with suppress(Exception):
            Event(self._claim(notebook.name), client=self._client).clear()  # type: ignore[no-untyped-call]

    def _look(self) -> Iterator[Outcome]:
        """See who is there; what was with workers that are gone is made by others."""
        now = time.monotonic()
        if now < self._looked + _LOOK:
            return
        known = set(self._crew.refused)
        self._crew.look()
        for worker in self._crew.refused.keys() - known:
            _log.warning("worker %s gets no reports: %s", worker, self._crew.refused[worker])
        self._looked = now = time.monotonic()
        there = self._crew.hosts()
        self._seen |= dict.fromkeys(there, now)
        if there:
            self._any_seen = now
        elif now > self._any_seen + _PATIENCE:
            said = [
                f"cluster: there has been no worker for {_PATIENCE:.0f} s.",
                self._crew.differences(),
                "What is done is kept. Start workers again, and go on with --resume (resume=True).",
            ]
            raise ClusterLost(" ".join(filter(None, said)))
        for key, doing in list(self._doing.items()):
            if doing.workers.isdisjoint(self._crew.threads):
                with suppress(Exception):
                    self._client.cancel([doing.future], force=True)  # type: ignore[no-untyped-call]
                yield from self._again(key, "its worker is gone")
        for host in self._waiting.hosts:
            if now > self._seen.setdefault(host, now) + _MOVE:
                self._waiting.without(host)

    def _hand_out(self) -> Iterator[Outcome]:
        """Give each host as many reports as its threads can make, and the next ones."""
        busy = Counter(doing.host for doing in self._doing.values())
        for host, workers in self._crew.hosts().items():
            room = _AHEAD * sum(self._crew.threads[worker] for worker in workers) - busy[host]
            while room > 0 and (report := self._waiting.take(host)) is not None:
                if report.notebook is None:
                    try:
                        report.notebook = files.reserve(self._task.out, self._name, report.values)
                    except ReportError as error:
                        yield Outcome(report.values, False, str(error))
                        continue
                    self._reserved.add(report.notebook)
                self._submit(report, report.notebook.name, host, workers)
                room -= 1

    def _submit(self, report: Report, notebook: str, host: str, workers: list[str]) -> None:
        claim = self._claim(notebook) if self._once else ""
        order = Order(self._name, self._text, report.values, notebook, self._task.retries, claim)
        key = f"pay88-report-{uuid4().hex}"
        # Only to workers of this host that were asked for their versions, whoever else joins.
        future = self._client.submit(
            cluster_worker.make, order, key=key, workers=workers, pure=False
        )
        self._doing[key] = _Doing(report, host, frozenset(workers), future)
        future.add_done_callback(lambda _: self._ended.put(key))  # type: ignore[no-untyped-call]

    def _claim(self, notebook: str) -> str:
        return f"pay88-report-{self._id}-{notebook}"

    def _take_in(self, key: str) -> Iterator[Outcome]:
        """A report has ended: keep it."""
        doing = self._doing[key]
        report, future = doing.report, doing.future
        if future.status == "error":
            # No failure of the report, which is an answer: its workers died, or cannot do it.
            error = future.exception()  # type: ignore[no-untyped-call]
            answer = Answer(Outcome(report.values, False, f"{type(error).__name__}: {error}"))
        else:
            try:
                answer = future.result(timeout=_TIMEOUT)
            except Exception as lost:
                # The answer is gone with its worker, or with the scheduler.
                yield from self._again(key, f"{type(lost).__name__}: {lost}")
                return
        outcome = self._kept(report, answer)
        del self._doing[key]
        yield outcome

    def _again(self, key: str, why: str) -> Iterator[Outcome]:
        """A report has to be made again, unless it seems to be what ends its workers."""
        report = self._doing.pop(key).report
        report.deaths += 1
        if report.deaths <= _DEATHS:
            self._waiting.give_back(report)
            return
        words = f"It was given to {report.deaths} workers, and none answered: {why}."
        yield self._kept(report, Answer(Outcome(report.values, False, words)))

    def _kept(self, report: Report, answer: Answer) -> Outcome:
        """Write an answer into the folder: its files whole, then its row in the index."""
        notebook = report.notebook
        assert notebook is not None  # noqa: S101  (it was reserved before it was handed out)
        try:
            return self._written(notebook, answer)
        except BaseException:
            # What has a row is whole; of anything else nothing stays.
            if notebook.name not in {run.notebook for run in runs(notebook.parent)}:
                files.release(notebook)
                shutil.rmtree(files.tables_of(notebook), ignore_errors=True)
            raise
        finally:
            files.withdraw(notebook)
            self._forget(notebook)
            self._reserved.discard(notebook)

    def _written(self, notebook: Path, answer: Answer) -> Outcome:
        row = answer.row
        if row is None:
            return answer.outcome
        page, tables = files.page_of(notebook), files.tables_of(notebook)
        contents = {tables / Path(name).name: content for name, content in answer.tables.items()}
        contents |= {notebook: answer.notebook, page: answer.page}
        try:
            if answer.tables:
                tables.mkdir(mode=0o700, exist_ok=True)
            for path, content in contents.items():
                if content:
                    with private(path) as file:
                        file.write(content)
            add_run(notebook.parent, row)
        except OSError as error:
            why = f"{type(error).__name__}: {error.strerror or error} ({error.filename or page})"
            # A line may still fit where a page does not.
            with suppress(OSError, ReportError):
                add_run(
                    notebook.parent,
                    replace(row, state="failed", words=why, notebook="", html=""),
                )
            return Outcome(answer.outcome.values, False, why)
        return replace(answer.outcome, page=page if answer.page else None)
