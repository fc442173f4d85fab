"""Keeps a client's calls within 88Pay's rate limits, across its threads and tasks."""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import httpx

from pay88kit.client.flow import Flow, Record, Wait
from pay88kit.client.shared_pace import SharedPace
from pay88kit.config import Clock
from pay88kit.errors import RateLimited
from pay88kit.limits import DOCUMENTED, FAMILIES, MINUTE, Place, Windows

# A manual clock counts whole microseconds, to which the sum of two floats is rounded.
_TICK = 1e-6
_GRACE = 2.0


class Pace:
    """The windows of every family. The lock guards the bookkeeping only."""

    def __init__(self, clock: Clock, shared: SharedPace | None = None) -> None:
        self._clock = clock
        self._shared = shared
        # What the places are called among those of all processes.
        self._names: dict[Place, str] = {}
        self._lock = threading.Condition()
        self._windows = {family: Windows(*sizes) for family, sizes in DOCUMENTED.items()}

    def enter(self, operation: str, patience: float) -> Flow[tuple[Place | None, float]]:
        """Wait for a place; returns it, and for how many seconds was waited.

        An operation that the kit does not know has no limits that it knows, and no place.

        Raises:
            RateLimited: that would take longer than ``patience`` seconds. Nothing was sent.
        """
        family = FAMILIES.get(operation)
        if family is None:
            return None, 0.0
        windows = self._windows[family]
        # On a manual clock an answer takes no time; were it moved on before, that would be lost.
        # Who waits for a token has a place already, which is not to be waited for.
        others = [windows] if family == "token" else list(self._windows.values())
        manual = getattr(self._clock, "manual", False)
        settled = False
        began = self._clock.monotonic()
        while True:
            with self._lock:
                now = self._clock.monotonic()
                due = windows.due(now)
                if due - now < _TICK:
                    place = windows.take(now)
                    break
            if manual and not settled:
                yield _Answered(self._lock, others)
                settled = True
                continue
            if due - began > patience + _TICK:
                raise self._refusal(operation, due - now, windows.per_minute)
            why = f"88Pay takes {windows.per_minute} {family} requests a minute"
            yield Wait(self._clock, due, why)
            settled = False
        if self._shared is not None:
            try:
                yield from self._enter_shared(self._shared, operation, place, began + patience)
            except BaseException:
                with self._lock:
                    windows.release(place)
                raise
        return place, self._clock.monotonic() - began

    def _enter_shared(
        self, shared: SharedPace, operation: str, place: Place, ends: float
    ) -> Flow[None]:
        """Wait for a place among all processes too."""
        family, name = FAMILIES[operation], uuid.uuid4().hex
        while wait := (yield Record(lambda: shared.take(family, name), whole=False)):
            due = self._clock.monotonic() + wait
            if due > ends + _TICK:
                raise self._refusal(operation, wait, DOCUMENTED[family][0])
            yield Wait(self._clock, due, f"88Pay takes a limited number of {family} requests")
        self._names[place] = name

    def _refusal(self, operation: str, wait: float, per_minute: int) -> RateLimited:
        seconds = math.ceil(wait - _TICK)
        when = f" It could go at {self._clock.now() + timedelta(seconds=seconds):%H:%M:%S} UTC."
        message = (
            f"Not sent: the rate limit ({per_minute} a minute as far as is known) is used up.{when}"
        )
        return RateLimited(operation, 429, message, retry_after=seconds, sent=False)

    def leave(
        self,
        operation: str,
        place: Place | None,
        status_code: int | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        *,
        sent: bool = True,
    ) -> None:
        """Say what became of the request: its answer's status and headers, or that none came."""
        if place is None:
            return
        family = FAMILIES[operation]
        windows = self._windows[family]
        headers = headers or {}
        now = self._clock.monotonic()
        name = self._names.pop(place, None)
        if self._shared is not None and name is not None:
            refused = status_code == 429
            self._shared.leave(
                family,
                name,
                counted=sent and status_code not in (401, 429),
                limit=whole_number(headers.get("x-ratelimit-limit")),
                closed_for=(MINUTE if retry_after is None else retry_after) if refused else 0.0,
            )
        with self._lock:
            if status_code == 429:
                windows.refused(place, now, retry_after)
            elif status_code == 401 or not sent:
                windows.release(place)
            elif status_code is None:
                windows.lost(place, now)
            else:
                limit = whole_number(headers.get("x-ratelimit-limit"))
                windows.answered(
                    place, now, limit, whole_number(headers.get("x-ratelimit-remaining"))
                )
            self._lock.notify_all()


@dataclass(frozen=True)
class _Answered:
    """Wait until what is under way has been answered, for ``_GRACE`` seconds at most."""

    changed: threading.Condition
    windows: list[Windows]

    def _all(self) -> bool:
        return not any(windows.under_way for windows in self.windows)

    def run(self, http: httpx.Client) -> None:
        """Do it now."""
        with self.changed:
            self.changed.wait_for(self._all, _GRACE)

    async def run_async(self, http: httpx.AsyncClient) -> None:
        """Do it without blocking the event loop."""
        import asyncio

        ends = time.monotonic() + _GRACE
        while not self._all() and time.monotonic() < ends:
            await asyncio.sleep(0.001)


def whole_number(text: str | None) -> int | None:
    """A header's whole number, or None when it is missing or something else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
