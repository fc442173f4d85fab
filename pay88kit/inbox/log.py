"""What has come to this inbox in this process, for those who look on. The books have all of it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from pay88kit.errors import WebhookRefused
from pay88kit.inbox.received import Received

# A service runs for months, and anybody may call: neither list may fill the memory.
MOST = 1_000


class Log:
    """The last notifications and refusals. Any number of threads writes, reads and waits."""

    def __init__(self) -> None:
        self._received: deque[Received] = deque(maxlen=MOST)
        self._refused: deque[dict[str, Any]] = deque(maxlen=MOST)
        self._changed = threading.Condition()
        self._wakers: list[Callable[[], None]] = []
        self.count = 0
        self.closed = False

    def add(self, *received: Received) -> None:
        """Note notifications, in the order in which they were kept."""
        with self._changed:
            self._received.extend(received)
            self.count += len(received)
            self._wake()

    def refuse(self, at: datetime, refusal: WebhookRefused) -> None:
        """Note a refusal."""
        with self._changed:
            self._refused.append(
                {"received_at": at, "reason": str(refusal.reason), "detail": refusal.detail}
            )
            self._wake()

    def close(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self.closed = True
            self._wake()

    def _wake(self) -> None:
        self._changed.notify_all()
        for waker in self._wakers:
            waker()

    def received(self) -> list[Received]:
        """Oldest first, repeats included."""
        with self._changed:
            return list(self._received)

    def refused(self) -> list[dict[str, Any]]:
        """Oldest first."""
        with self._changed:
            return list(self._refused)

    def since(self, position: int) -> tuple[list[Received], int]:
        """What came after ``position`` was given, and the position behind it; 0 is the start."""
        with self._changed:
            fresh = min(self.count - position, len(self._received))
            return list(self._received)[len(self._received) - fresh :], self.count

    def wait_for(self, fits: Callable[[], bool], timeout: float) -> bool:
        """Wait until ``fits`` is true, asked after each change."""
        with self._changed:
            return self._changed.wait_for(fits, timeout)

    @contextmanager
    def listening(self, wake: Callable[[], None]) -> Iterator[None]:
        """Have ``wake`` called at each change, from any thread; it must return at once."""
        with self._changed:
            self._wakers.append(wake)
        try:
            yield
        finally:
            with self._changed:
                self._wakers.remove(wake)
