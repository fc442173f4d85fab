"""The sandbox's one clock, and everything that falls due on it.

Token lives, limits, expiries and retries of notifications all follow this clock. A manual clock
moves only when told; a real one runs, and can be advanced as well.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from pay88kit.errors import Pay88Error

START = datetime(2026, 1, 15, 12, 0, 0, tzinfo=UTC)
# Tokens count their seconds from here.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Times that follow from the clock's, expiries for one, must still be times.
END = datetime(9000, 1, 1, tzinfo=UTC)

# How long, in real seconds, moving the clock waits for attempts that are under way. An attempt
# ends by itself after five seconds; a caller inside one (an endpoint that moves the clock before
# it answers) would wait for itself, and goes on after this.
GRACE = 2.0

# How long, in real seconds, a notification waits for the one before it that fell due at the same
# moment. So they arrive in the same order in every run; a slow endpoint delays the others no more.
PATIENCE = 0.5

Attempts = Iterable["Future[Any]"]
Action = Callable[..., tuple[str, Attempts] | None]


def iso(moment: datetime) -> str:
    """``2026-01-15T12:00:00Z``; with milliseconds where there are any."""
    spec = "milliseconds" if moment.microsecond else "seconds"
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=spec) + "Z"


class SandboxClock:
    """A clock with a schedule. A ``manual`` one begins at ``start``."""

    def __init__(
        self,
        *,
        manual: bool,
        start: datetime = START,
        lock: threading.RLock,
        guard: AbstractContextManager[None],
        moved: Callable[[], None],
    ) -> None:
        self.manual = manual
        self._lock = guard
        self._moved = threading.Condition(lock)
        self._note_move = moved
        self._start = self._manual_now = start
        self._offset = timedelta(0)
        # Moment, order, count, action, what it is called with. In one tuple: a full sandbox has
        # thousands, and the garbage collector visits every object.
        self._due: list[tuple[Any, ...]] = []
        self._pushed = itertools.count()
        self._in_flight: set[Future[Any]] = set()
        self._ticker: threading.Thread | None = None
        self._closed = False

    # -- reading

    def now(self) -> datetime:
        """The current time, in UTC, to the millisecond."""
        if self.manual:
            return self._manual_now
        now = datetime.now(UTC) + self._offset
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        if self.manual:
            return (self._manual_now - self._start).total_seconds()
        return time.monotonic() + self._offset.total_seconds()

    # -- moving

    def advance(self, seconds: float) -> list[dict[str, str]]:
        """Move forward by ``seconds``, running in order what falls due; returns what ran.

        First waits for notification attempts that are under way, for at most two seconds
        (:data:`GRACE`), and returns when the attempts it caused have ended.

        Raises:
            ValueError: for a negative or unending time.
        """
        if not 0 <= seconds < 10**10:
            raise ValueError("advance: the clock moves forward only. Give seconds, 0 or more.")
        self._settle()
        return self._run_to(self.now() + timedelta(seconds=seconds))

    def set(self, moment: datetime) -> list[dict[str, str]]:
        """Move forward to ``moment``; the same as :meth:`advance` otherwise."""
        self._settle()
        if moment < self.now():
            raise ValueError(f"now: the clock moves forward only, and it is {iso(self.now())}.")
        return self._run_to(moment)

    def wait_until(self, moment: float) -> None:
        """Make :meth:`monotonic` reach ``moment``: a manual clock is moved there, never further."""
        if self.manual:
            self._settle()
            self._run_to(self._start + timedelta(seconds=moment))
            return
        with self._moved:
            while (left := moment - self.monotonic()) > 0:
                self._moved.wait(left)

    async def wait_until_async(self, moment: float) -> None:
        """The same, from asyncio."""
        import asyncio

        if self.manual:
            await asyncio.to_thread(self.wait_until, moment)
        # Not in a thread: it could not be cancelled. In short sleeps, since the clock may be moved.
        while (left := moment - self.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.1))

    def _run_to(self, target: datetime) -> list[dict[str, str]]:
        if target > END:
            raise ValueError(f"now: the clock ends at {iso(END)}.")
        ran: list[dict[str, str]] = []
        while True:
            with self._lock:
                if not self._due or self._due[0][0] > target:
                    self._jump(target)
                    return ran
                due = self._due[0][0]
                self._jump(due)
            started: list[Future[Any]] = []
            while True:
                with self._lock:
                    if not self._is_due(due):
                        break
                    happened = self._run_next()
                if happened is not None:
                    label, attempts = happened
                    ran.append({"at": iso(due), "what": label})
                    started += attempts
                    wait(attempts, timeout=PATIENCE)
            wait(started)

    def _is_due(self, moment: datetime) -> bool:
        return bool(self._due) and self._due[0][0] <= moment

    def _run_next(self) -> tuple[str, Attempts] | None:
        _, _, _, action, *arguments = heapq.heappop(self._due)
        happened: tuple[str, Attempts] | None = action(*arguments)
        return happened

    def _jump(self, target: datetime) -> None:
        if self.manual:
            self._manual_now = max(self._manual_now, target)
        else:
            self._offset += max(timedelta(0), target - self.now())
        self._note_move()
        self._moved.notify_all()

    def state(self) -> dict[str, str]:
        """What brings another clock to this one's time."""
        return {
            "now": self._manual_now.isoformat(),
            "start": self._start.isoformat(),
            "offset": str(self._offset.total_seconds()),
        }

    def restore(self, state: Mapping[str, str]) -> None:
        """Go on from a kept state."""
        self._manual_now = datetime.fromisoformat(state["now"])
        # What an older version kept has none.
        self._start = datetime.fromisoformat(state.get("start", START.isoformat()))
        self._offset = timedelta(seconds=float(state["offset"]))

    # -- the schedule

    def call_at(self, moment: datetime, order: int, action: Action, *arguments: Any) -> None:
        """Call ``action`` when ``moment`` comes; ``order`` decides between equal moments."""
        with self._lock:
            # The count keeps the heap from comparing two actions.
            heapq.heappush(self._due, (moment, order, next(self._pushed), action, *arguments))
            if not self.manual:
                if self._due[0][0] == moment:
                    self._moved.notify_all()
                if self._ticker is None:
                    self._ticker = threading.Thread(
                        target=self._tick, name="pay88-clock", daemon=True
                    )
                    self._ticker.start()

    def track(self, attempt: Future[Any]) -> None:
        """Count ``attempt`` as under way until it is done."""
        self._in_flight.add(attempt)
        attempt.add_done_callback(self._in_flight.discard)

    def clear(self) -> None:
        """Forget the schedule; a manual clock starts again."""
        with self._lock:
            self._due.clear()
            self._manual_now = self._start
            self._offset = timedelta(0)

    def close(self) -> None:
        """End the ticking of a real clock."""
        with self._moved:
            self._closed = True
            self._moved.notify_all()

    def _settle(self) -> None:
        wait(list(self._in_flight), timeout=GRACE)

    def _tick(self) -> None:
        with self._moved:
            while not self._closed:
                now = self.now()
                while self._is_due(now):
                    # Leaving the guard keeps what has changed, and sends.
                    # A write that failed is made up for by the next one; time goes on.
                    with suppress(Pay88Error), self._lock:
                        self._run_next()
                self._moved.wait((self._due[0][0] - now).total_seconds() if self._due else None)
