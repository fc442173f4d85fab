"""Many charges at once: bounded, shown, stopped cleanly, and taken up again where they stopped."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx

from pay88kit.client.core import Core
from pay88kit.client.flow import Flow, Halt, Wait, drive, drive_async
from pay88kit.errors import (
    ConnectionFailed,
    Forbidden,
    InvalidRequest,
    KeyConflict,
    OutcomeUnknown,
    Problem,
    RateLimited,
    StatusError,
    Unauthorized,
    needs,
)

if TYPE_CHECKING:
    import pandas as pd

# How often, in seconds, the main thread looks for Ctrl-C: on Windows an endless wait hears none.
_LOOK = 0.2


class Batch:
    """Rows to charge, and what became of each.

    Raises:
        InvalidRequest: a row has no key, or two rows have the same one. Nothing was sent.
    """

    def __init__(self, core: Core, rows: Any, max_wait: float | None) -> None:
        self._core = core
        self._rows = _read(rows)
        self._patience = math.inf if max_wait is None else max_wait
        self._outcomes: list[dict[str, Any]] = [
            {"key": row["key"], "state": "not sent"} for row in self._rows
        ]
        self._left = iter(range(len(self._rows)))
        self._lock = threading.Lock()
        self._halt = Halt()
        self._fault: BaseException | None = None
        self._done: Callable[[], object] = lambda: None

    # -- the two ways to work

    def run(self, http: httpx.Client, concurrency: int, progress: bool | None) -> pd.DataFrame:
        """Charge from threads."""

        def work() -> None:
            for number in self._numbers():
                with self._settling(number) as settle:
                    settle(drive(self._one(number), http, self._halt))

        with self._bar(progress), ThreadPoolExecutor(concurrency, "pay88-charges") as pool:
            workers = [pool.submit(work) for _ in range(concurrency)]
            try:
                while wait(workers, timeout=_LOOK).not_done:
                    pass
            except BaseException:
                # What is under way is ended and recorded: nobody would know of it otherwise.
                self._halt.set()
                raise
        return self._table(workers)

    async def run_async(
        self, http: httpx.AsyncClient, concurrency: int, progress: bool | None
    ) -> pd.DataFrame:
        """Charge from tasks."""

        async def work() -> None:
            for number in self._numbers():
                with self._settling(number) as settle:
                    settle(await drive_async(self._one(number), http, self._halt))

        with self._bar(progress):
            workers = [asyncio.ensure_future(work()) for _ in range(concurrency)]
            try:
                await asyncio.shield(asyncio.wait(workers))
            except BaseException:
                self._halt.set()
                try:
                    await asyncio.wait(workers)
                except asyncio.CancelledError:
                    # Asked for twice: now. What is under way is recorded as unknown.
                    for worker in workers:
                        worker.cancel()
                raise
        return self._table(workers)

    # -- one row

    def _numbers(self) -> Iterator[int]:
        while True:
            with self._lock:
                number = next(self._left, None)
            if number is None or self._halt.is_set():
                return
            yield number

    def _one(self, number: int) -> Flow[dict[str, Any]]:
        row = self._rows[number]
        fields = {name: value for name, value in row.items() if name != "key"}
        clock = self._core.config.clock
        ends = clock.monotonic() + self._patience
        awaited = "charge"
        while True:
            # The long wait comes before anything is recorded as being sent.
            yield from self._core.ready(awaited, ends - clock.monotonic())
            try:
                answer = yield from self._core.create(
                    "charge", None, fields, key=row["key"], extra=None, check=True,
                    patience=ends - clock.monotonic(),
                )  # fmt: skip
            except RateLimited as limited:
                if not limited.sent:
                    # Another row was quicker, or there is no place for the token.
                    awaited = limited.operation
                    continue
                until = clock.monotonic() + (limited.retry_after or 60)
                if until > ends:
                    raise
                yield Wait(clock, until, "88Pay asks to wait")
            else:
                return {"state": "created", **answer.record()}

    @contextlib.contextmanager
    def _settling(self, number: int) -> Iterator[Callable[[dict[str, Any]], None]]:
        """Keep what became of a row. What would be the fate of all others stops them."""
        outcome = self._outcomes[number]
        try:
            yield outcome.update
        except (InvalidRequest, KeyConflict) as error:
            outcome.update(state="invalid", error=str(error))
        except OutcomeUnknown as error:
            outcome.update(state="unknown", error=str(error))
        except (Unauthorized, Forbidden) as error:
            outcome.update(state="refused", error=str(error))
            self._stop(error)
        except RateLimited as error:
            outcome.update(state="not sent", error=str(error))
        except StatusError as error:
            outcome.update(state="refused", error=str(error))
        except ConnectionFailed as error:
            outcome.update(state="not sent", error=str(error))
        except BaseException as error:
            self._stop(error)
            return
        self._done()

    def _stop(self, error: BaseException) -> None:
        with self._lock:
            if not self._halt.is_set():
                self._fault = error
        self._halt.set()

    # -- around all rows

    @contextlib.contextmanager
    def _bar(self, progress: bool | None) -> Iterator[None]:
        with needs("books"):
            from tqdm.auto import tqdm
        # None: only where somebody watches.
        hidden = None if progress is None else not progress
        with tqdm(total=len(self._rows), desc="charges", unit="", disable=hidden) as bar:
            self._done = bar.update
            self._halt.note = bar.set_postfix_str
            yield

    def _table(self, workers: Iterable[Any]) -> pd.DataFrame:
        from pay88kit.frames import to_frame

        for worker in workers:
            worker.result()
        if self._fault is not None:
            raise self._fault
        names = dict.fromkeys(("key", "state", "reference"))
        names |= dict.fromkeys(name for outcome in self._outcomes for name in outcome)
        names.pop("error", None)
        return to_frame(self._outcomes, (*names, "error"))


def _read(rows: Any) -> list[dict[str, Any]]:
    """The rows as plain dictionaries, without what is missing in them."""
    if hasattr(rows, "to_dict"):
        rows = rows.to_dict("records")
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        fault = f"a {type(rows).__name__} has no rows."
        raise InvalidRequest(Problem("rows", fault, "Give a table, or a list of dictionaries."))
    found = [_plain(row, number) for number, row in enumerate(rows, start=1)]
    problems = []
    first: dict[str, int] = {}
    for number, row in enumerate(found, start=1):
        key = row.get("key")
        if not isinstance(key, str) or not key.strip():
            fault = "has no key, or one that is no text."
            problems.append(
                Problem(f"row {number}", fault, "Give each row a key of its own, as text.")
            )
        elif key in first:
            fault = f"has the same key as row {first[key]}: {key!r}."
            problems.append(Problem(f"row {number}", fault, "A key names one charge."))
        else:
            first[key] = number
    if problems:
        raise InvalidRequest(*problems[:10])
    return found


def _plain(row: Any, number: int) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        fault = f"is a {type(row).__name__}."
        cure = "Give the fields of the charge by name: a dictionary, or a row of a table."
        raise InvalidRequest(Problem(f"row {number}", fault, cure))
    # A table's cells: numpy's numbers as Python's, and no field where a cell is empty.
    cells = {
        name: value.item() if getattr(value, "shape", None) == () else value
        for name, value in row.items()
    }
    return {name: value for name, value in cells.items() if not _missing(value)}


def _missing(value: Any) -> bool:
    if isinstance(value, float | Decimal):
        return value.is_nan() if isinstance(value, Decimal) else math.isnan(value)
    return value is None or type(value).__name__ in ("NAType", "NaTType")
