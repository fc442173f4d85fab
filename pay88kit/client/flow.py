"""One path for two worlds: what a call does is a generator, how it is done is a driver.

A flow yields steps (send this, wait until then, …) and gets their results back. The synchronous
driver performs a step at once, the asynchronous one awaits it; the flow cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import httpx

from pay88kit.config import Clock

T = TypeVar("T")
Flow = Generator["Step", Any, T]


class Step(Protocol):
    """Something that takes time."""

    def run(self, http: httpx.Client) -> Any:
        """Do it now."""

    async def run_async(self, http: httpx.AsyncClient) -> Any:
        """Do it without blocking the event loop."""


@dataclass(frozen=True)
class Send:
    """Send a request; the result is the answer."""

    request: httpx.Request

    def run(self, http: httpx.Client) -> httpx.Response:
        """Do it now."""
        return http.send(self.request)

    async def run_async(self, http: httpx.AsyncClient) -> httpx.Response:
        """Do it without blocking the event loop."""
        return await http.send(self.request)


@dataclass(frozen=True)
class Wait:
    """Let time pass on a clock."""

    clock: Clock
    moment: float

    def run(self, http: httpx.Client) -> None:
        """Do it now."""
        self.clock.wait_until(self.moment)

    async def run_async(self, http: httpx.AsyncClient) -> None:
        """Do it without blocking the event loop."""
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


@dataclass(frozen=True)
class Record:
    """A write to the books."""

    write: Callable[[], Any]

    def run(self, http: httpx.Client) -> Any:
        """Do it now."""
        return self.write()

    async def run_async(self, http: httpx.AsyncClient) -> Any:
        """Do it without blocking the event loop."""
        import asyncio

        return await asyncio.to_thread(self.write)


def drive(flow: Flow[T], http: httpx.Client) -> T:
    """Run a flow to its end."""
    try:
        step = next(flow)
        while True:
            failure: BaseException | None = None
            try:
                result = step.run(http)
            except BaseException as error:
                failure = error
            # Outside of the handler: what the flow raises must not drag the request along.
            step = flow.send(result) if failure is None else flow.throw(failure)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def drive_async(flow: Flow[T], http: httpx.AsyncClient) -> T:
    """Run a flow to its end, from asyncio."""
    try:
        step = next(flow)
        while True:
            failure: BaseException | None = None
            try:
                result = await step.run_async(http)
            except BaseException as error:
                failure = error
            # Outside of the handler: what the flow raises must not drag the request along.
            step = flow.send(result) if failure is None else flow.throw(failure)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
