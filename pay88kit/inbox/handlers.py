"""Handlers: the merchant's own functions, run after the commit, in the background.

They never delay a 200. What is to be done stands in the books, so a handler that fails is tried
again, one whose process dies is tried again by another, and none is forgotten. The price: a
handler may run more than once for an event, so it must be idempotent. ``event.id`` is what to
remember.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from pay88kit import webhooks
from pay88kit.errors import Pay88Error, WebhookRefused, WrongUse
from pay88kit.inbox.received import Received

if TYPE_CHECKING:
    from pay88kit.books import Books
    from pay88kit.books.handlings import Handling

Function = TypeVar("Function", bound=Callable[[Received], Any])

OUTCOMES = ("unmatched", "several match", "late", "conflict", "amount differs", "unverified")
# At one time in one process.
WORKERS = 4
# Real seconds until an idle process looks for what another one left.
LOOK_AGAIN = 1.0

_log = logging.getLogger("pay88kit.inbox")


@dataclass(frozen=True)
class Retries:
    """When a handler that failed is tried again, and for how long a worker has an event.

    Attributes:
        waits: real seconds after the first, second, … failure; after the last one it has failed.
        lease: real seconds after which the event of a worker that died goes to another one. A
            living worker keeps it, however long its handler takes.
    """

    waits: tuple[float, ...] = (1, 5, 30, 300, 1_800)
    lease: float = 60.0

    @property
    def most(self) -> int:
        """How often a handler is tried."""
        return len(self.waits) + 1

    def after(self, attempts: int) -> float | None:
        """The wait after so many attempts, or None when that was the last."""
        return self.waits[attempts - 1] if attempts < self.most else None


@dataclass(frozen=True)
class _Handler:
    function: Callable[[Received], Any]
    wanted: frozenset[str]

    def wants(self, outcome: str, status: str | None) -> bool:
        if outcome != "applied":
            return outcome in self.wanted
        # A stranger's status may be called like an outcome.
        return not self.wanted or (status in self.wanted and status not in OUTCOMES)


class Handlers:
    """The handlers of one inbox, and the threads that run them."""

    def __init__(self, books: Callable[[], Books], environment: str, retries: Retries) -> None:
        self._books = books
        self._environment = environment
        self._retries = retries
        self._handlers: dict[str, _Handler] = {}
        self._running: dict[int, Handling] = {}
        self._changed = threading.Condition()
        self._woken = False
        self._serving = False
        self._closed = False
        self._thread: threading.Thread | None = None

    # -- registering

    def add(self, function: Function, wanted: Iterable[str]) -> Function:
        """Register a function for statuses and outcomes; for none of them: all that is applied."""
        wanted = frozenset(wanted)
        for name in wanted:
            if name == "repeated":
                raise WrongUse("on('repeated'): an event is handed over once; repeats only count.")
            if name not in OUTCOMES and name != name.upper():
                raise WrongUse(
                    f"on({name!r}): neither a status nor an outcome. Statuses are written in "
                    f"capitals, such as 'COMPLETED'; the outcomes are {', '.join(OUTCOMES)}."
                )
        name = getattr(function, "__qualname__", "<nameless>")
        if name.rpartition(".")[2].startswith("<"):
            raise WrongUse(
                "on(…): this handler has no name, and the books keep what it did under its name. "
                "Use def, or async def."
            )
        # A notebook's cell may be run again; in a module two of one name are a mistake.
        if name in self._handlers and function.__module__ != "__main__":
            raise WrongUse(
                f"on(…): there is a handler called {name!r} already. Rename one of them."
            )
        self._handlers[name] = _Handler(function, wanted)
        self._start()
        return function

    def names_for(self, outcome: str, status: str | None) -> list[str]:
        """The handlers that an event is for."""
        return [name for name, each in list(self._handlers.items()) if each.wants(outcome, status)]

    # -- running

    def serve(self) -> None:
        """This process receives, and so it works."""
        self._serving = True
        self._start()

    def _start(self) -> None:
        with self._changed:
            due = self._serving and self._handlers and not self._closed
            if due and self._thread is None:
                self._thread = threading.Thread(
                    target=self._dispatch, name="pay88-handlers", daemon=True
                )
                self._thread.start()

    def wake(self) -> None:
        """Something may be due now."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """Begin no more. What runs goes on; what is due stays due."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait(self, timeout: float) -> None:
        """Wait until nothing is due, now or later, or running.

        Raises:
            Pay88Error: something still is.
        """
        limit = time.monotonic() + timeout
        while True:
            names = list(self._handlers)
            left = self._books().handlings.count_open(names, environment=self._environment)
            if not left:
                return
            rest = limit - time.monotonic()
            if rest <= 0:
                raise Pay88Error(
                    f"{left} handlings are not done within {timeout:g} s: they run, or wait to be "
                    f"tried again. inbox.handlings() shows them."
                )
            with self._changed:
                # Another process may end one too, which nobody says here.
                self._changed.wait(min(rest, LOOK_AGAIN / 10))

    def _dispatch(self) -> None:
        """Renew what runs, and claim what is due while there is a free worker."""
        renew_at = datetime.now(UTC)
        while not self._closed:
            handling = None
            try:
                # First, and by the clock of the leases: a process that was stopped for longer than
                # its lease, as when a laptop sleeps, would else take what it runs a second time.
                if (now := datetime.now(UTC)) >= renew_at:
                    self._renew()
                    renew_at = now + timedelta(seconds=self._retries.lease / 4)
                if len(self._running) < WORKERS:
                    handling = self._claim()
            except Exception as error:
                # Books that cannot be reached now may be there again in a second.
                _log.warning("Handlers wait for the books: %s", error)
            if handling is not None:
                self._running[handling.id] = handling
                name = f"pay88-handler-{handling.handler}"
                threading.Thread(target=self._run, args=(handling,), name=name, daemon=True).start()
                continue
            with self._changed:
                if not self._woken and not self._closed:
                    self._changed.wait(min(LOOK_AGAIN, self._retries.lease / 4))
                self._woken = False

    def _claim(self) -> Handling | None:
        now = datetime.now(UTC)
        return self._books().handlings.claim(
            list(self._handlers), self._retries.most, environment=self._environment, now=now,
            until=now + timedelta(seconds=self._retries.lease),
        )  # fmt: skip

    def _renew(self) -> None:
        until = datetime.now(UTC) + timedelta(seconds=self._retries.lease)
        for handling in list(self._running.values()):
            self._books().handlings.renew(handling, until=until)

    def _run(self, handling: Handling) -> None:
        error: str | None = None
        try:
            _call(self._handlers[handling.handler].function, _event(handling))
        # Also what ends a program, such as sys.exit(): here it ends a handler.
        except BaseException as fault:
            _log.info("Handler %s failed", handling.handler, exc_info=True)
            error = f"{type(fault).__name__}: {fault}"
        try:
            self._end(handling, error)
        except Exception as fault:
            # Its lease ends, and it runs again.
            _log.warning("Handler %s: its end was not kept: %s", handling.handler, fault)
        finally:
            self._running.pop(handling.id, None)
            self.wake()

    def _end(self, handling: Handling, error: str | None) -> None:
        now = datetime.now(UTC)
        end = self._books().handlings.end
        if error is None:
            return end(handling, "done", now=now)
        wait = self._retries.after(handling.attempts)
        if wait is None:
            _log.error("Handler %s has failed for good: see inbox.failed()", handling.handler)
            return end(handling, "failed", now=now, error=error)
        return end(handling, "due", now=now, due_at=now + timedelta(seconds=wait), error=error)


def _call(function: Callable[[Received], Any], event: Received) -> None:
    result = function(event)
    if inspect.isawaitable(result):
        # In a loop of its own: one that blocks must not delay an answer.
        asyncio.run(_finish(result))


async def _finish(result: Any) -> None:
    await result


def _event(handling: Handling) -> Received:
    """The event as the books have it."""
    from pay88kit.books import Event

    row = handling.row
    event = Event(
        row["outcome"], row["reference"], row["operation_id"], row["times"], row["event"],
        handling.key, handling.operation,
    )  # fmt: skip
    try:
        notification = webhooks.parse(row["body"].encode())
    except WebhookRefused:
        notification = None
    return Received(row["received_at"], notification, event, row["body"])
