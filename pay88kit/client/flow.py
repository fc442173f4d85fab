"""One path for two worlds: what a call does is a generator, how it is done is a driver.

A flow yields steps (send this, wait until then, …) and gets their results back. The synchronous
driver performs a step at once, the asynchronous one awaits it; the flow cannot tell.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard, TypeVar

import httpx

from pay88kit.client.waiting import shown
from pay88kit.config import Clock

T = TypeVar("T")
Flow = Generator["Step", Any, T]

# How often, in seconds, a wait looks whether it is to stop.
_LOOK = 0.2


class Until(float):
    """A time-out in seconds that also ends at a moment of ``time.monotonic()``."""

    ends: float

    def __new__(cls, seconds: float, ends: float) -> Until:
        """``seconds`` for one part, and no part after ``ends``."""
        self = super().__new__(cls, seconds)
        self.ends = ends
        return self


class Step(Protocol):
    """Something that takes time."""

    def run(self, http: httpx.Client) -> Any:
        """Do it now."""

    async def run_async(self, http: httpx.AsyncClient) -> Any:
        """Do it without blocking the event loop."""


@dataclass(frozen=True)
class Send:
    """Send a request, for ``within`` seconds at most; the result is the answer."""

    request: httpx.Request
    within: float

    def run(self, http: httpx.Client) -> httpx.Response:
        """Do it now."""
        return http.send(self._limited(http.timeout))

    async def run_async(self, http: httpx.AsyncClient) -> httpx.Response:
        """Do it without blocking the event loop."""
        import asyncio

        try:
            async with asyncio.timeout(self.within):
                return await http.send(self._limited(http.timeout))
        except TimeoutError:
            raise httpx.ReadTimeout("No answer in time", request=self.request) from None

    def _limited(self, timeout: httpx.Timeout) -> httpx.Request:
        within = max(0.001, self.within)
        ends = time.monotonic() + within
        parts: dict[str, float | None] = timeout.as_dict()
        if within < math.inf:
            for name, value in parts.items():
                # Who is not connected by then hears so, and not that no answer came in time.
                most = 0.9 * within if name in ("connect", "pool") else within
                parts[name] = Until(most if value is None else min(value, most), ends)
        self.request.extensions["timeout"] = parts
        return self.request


@dataclass(frozen=True)
class Wait:
    """Let time pass on a clock. ``why`` is shown while it takes long."""

    clock: Clock
    moment: float
    why: str = ""

    def run(self, http: httpx.Client) -> None:
        """Do it now."""
        why = self.why if _takes_real_time(self) else ""
        with shown(self.moment - self.clock.monotonic(), why):
            self.clock.wait_until(self.moment)

    async def run_async(self, http: httpx.AsyncClient) -> None:
        """Do it without blocking the event loop."""
        with shown(self.moment - self.clock.monotonic(), self.why):
            await self.clock.wait_until_async(self.moment)


@dataclass(frozen=True)
class Join:
    """Wait for what another call is fetching already."""

    future: Future[Any]

    def run(self, http: httpx.Client) -> Any:
        """Do it now."""
        return self.future.result()

    async def run_async(self, http: httpx.AsyncClient) -> Any:
        """Do it without blocking the event loop."""
        import asyncio  # costs a synchronous program a tenth of its start

        # Shielded: a waiter that is cancelled must not cancel what the others wait for.
        return await asyncio.shield(asyncio.wrap_future(self.future))


@dataclass
class Record:
    """Work on a file or database. ``done`` is its result, kept for a caller that is cancelled.

    ``whole``: Ctrl-C does not stop it in the middle, where it would leave a transaction open.
    """

    work: Callable[[], Any]
    done: Any = None
    whole: bool = True

    def run(self, http: httpx.Client) -> Any:
        """Do it now."""
        if self.whole and threading.current_thread() is threading.main_thread():
            return self._run_aside()
        self.done = self.work()
        return self.done

    def _run_aside(self) -> Any:
        # Ctrl-C is raised in the main thread only, between any two steps of the database's driver.
        ended: Future[Any] = Future()
        taken = threading.Lock()

        def work() -> None:
            if not taken.acquire(blocking=False):
                return
            try:
                ended.set_result(self.work())
            except BaseException as error:
                ended.set_exception(error)

        try:
            threading.Thread(target=work, name="pay88-books").start()
            self.done = ended.result()
        except BaseException:
            # What has begun is ended; what has not, never begins.
            if not taken.acquire(blocking=False) and ended.exception() is None:
                self.done = ended.result()
            raise
        return self.done

    async def run_async(self, http: httpx.AsyncClient) -> Any:
        """Do it without blocking the event loop. It is ended even when the caller is cancelled."""
        import asyncio

        task = asyncio.ensure_future(asyncio.to_thread(self.work))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            if not task.cancelled() and task.exception() is None:
                self.done = task.result()
            raise
        self.done = task.result()
        return self.done


class Halt:
    """Asks flows to stop at their next wait. ``note`` is told what they wait for."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.set = self._event.set
        self.is_set = self._event.is_set
        self.note: Callable[[str], object] = lambda why: None

    def nap(self, step: Wait) -> float | None:
        """For how long to sleep before looking again; None: the wait is over.

        Raises:
            Halted: it was asked for.
        """
        if self.is_set():
            raise Halted
        left = step.moment - step.clock.monotonic()
        self.note(step.why if left > 1 else "")
        return min(left, _LOOK) if left > 0 else None


class Halted(BaseException):
    """A flow was stopped while it waited."""


def drive(flow: Flow[T], http: httpx.Client, halt: Halt | None = None) -> T:
    """Run a flow to its end."""
    try:
        step = next(flow)
        while True:
            failure: BaseException | None = None
            try:
                if halt is not None and _takes_real_time(step):
                    while nap := halt.nap(step):
                        time.sleep(nap)
                    result = None
                else:
                    result = step.run(http)
            except BaseException as error:
                failure = error
            # Outside of the handler: what the flow raises must not drag the request along.
            step = flow.send(result) if failure is None else flow.throw(failure)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def drive_async(flow: Flow[T], http: httpx.AsyncClient, halt: Halt | None = None) -> T:
    """Run a flow to its end, from asyncio."""
    try:
        step = next(flow)
        while True:
            failure: BaseException | None = None
            try:
                if halt is not None and _takes_real_time(step):
                    import asyncio

                    while nap := halt.nap(step):
                        await asyncio.sleep(nap)
                    result = None
                else:
                    result = await step.run_async(http)
            except BaseException as error:
                failure = error
            # Outside of the handler: what the flow raises must not drag the request along.
            step = flow.send(result) if failure is None else flow.throw(failure)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def _takes_real_time(step: Step) -> TypeGuard[Wait]:
    # A manual clock is moved by who waits.
    return isinstance(step, Wait) and not getattr(step.clock, "manual", False)
