"""One thread that commits: all that wait at one moment go into one transaction.

A commit waits for the disk, and costs the same for one notification as for many. Whoever gave one
hears of it after the commit, never before.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

# In one transaction; more would let the first of them wait for long.
MOST = 64

AnyFuture = Future[Any] | asyncio.Future[Any]


class Writer:
    """Hands what it is given to ``keep``, in groups; the thread starts with the first.

    ``keep`` returns a result or an exception for each, in their order.
    """

    def __init__(self, keep: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
        self._keep = keep
        self._waiting: SimpleQueue[tuple[Any, AnyFuture] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def put(self, thing: Any) -> Future[Any]:
        """Have one thing kept; for a thread that waits."""
        future: Future[Any] = Future()
        self._put(thing, future)
        return future

    def put_from_loop(self, thing: Any) -> asyncio.Future[Any]:
        """The same, for the event loop that runs here."""
        future = asyncio.get_running_loop().create_future()
        self._put(thing, future)
        return future

    def _put(self, thing: Any, future: AnyFuture) -> None:
        self._waiting.put((thing, future))
        if self._thread is None:
            self._start()

    def close(self) -> None:
        """End the thread when all that waits is kept; what comes later starts another one."""
        with self._starting:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._waiting.put(None)
        if thread is not None and thread is not threading.current_thread():
            thread.join(5)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pay88-writer", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        go_on = True
        while go_on:
            group = [self._waiting.get()]
            try:
                while len(group) < MOST:
                    group.append(self._waiting.get_nowait())
            except Empty:
                pass
            go_on = None not in group
            self._commit([one for one in group if one is not None])

    def _commit(self, group: list[tuple[Any, AnyFuture]]) -> None:
        try:
            results = self._keep([thing for thing, _ in group]) if group else []
        except Exception as error:
            results = [error] * len(group)
        # Each loop is woken once for all that are its own.
        of_loops = defaultdict(list)
        for (_, future), result in zip(group, results, strict=True):
            if isinstance(future, Future):
                _tell([(future, result)])
            else:
                of_loops[future.get_loop()].append((future, result))
        for loop, told in of_loops.items():
            # A loop that is closed waits for nothing.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_tell, told)


def _tell(told: Iterable[tuple[AnyFuture, Any]]) -> None:
    for future, result in told:
        # Who waits no more is not told; it was kept all the same.
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
