"""The rate limits of several processes that share credentials, in a file that they take turns at.

88Pay counts a merchant's requests, not a process's: a hundred reports that start at once would each
believe to be the first.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

from pay88kit.client.shared_token import file_of, write_private
from pay88kit.config import Config
from pay88kit.errors import needs
from pay88kit.limits import DOCUMENTED, HOUR, MINUTE

# Whoever holds the lock reads and writes a small file; in seconds.
_PATIENCE = 10.0
# One whose process died is taken for answered so many seconds after it left.
_LOST = 30.0
# How soon it is looked again after what is under way.
_LOOK = 0.25


class SharedPace:
    """The times at which these credentials were used in the last hour, by any process.

    A request is under way from when it takes a place until it is answered, and then counts for a
    minute and for an hour: 88Pay has counted it before it answered. Times are Unix times, which the
    processes of a machine share.

    A higher limit that 88Pay's answers show is followed, and then no hour is counted.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        # One thread of a process after the other; then one process.
        self._turn = threading.Lock()
        self._lock: Any = None

    def take(self, family: str, mine: str) -> float:
        """Take a place now, under the name ``mine``: 0. Or for how many seconds to wait for one.

        Raises:
            MissingExtra: without the extra ``books``.
        """
        with self._kept() as kept:
            now = time.time()
            state = _state(kept, family, now)
            wait = _wait(state, family, now)
            if wait <= 0:
                state["under_way"][mine] = now
            return max(0.0, wait)

    def leave(
        self,
        family: str,
        mine: str,
        *,
        counted: bool,
        limit: int | None = None,
        closed_for: float = 0.0,
    ) -> None:
        """Say that a request has ended, and if 88Pay has counted it.

        ``limit`` is what its answer says of the limit a minute; ``closed_for``: 88Pay takes none
        for so many seconds.
        """
        with self._kept() as kept:
            now = time.time()
            state = _state(kept, family, now)
            state["under_way"].pop(mine, None)
            if counted:
                state["answered"].append(now)
            if limit:
                state["limit"] = limit
            if closed_for:
                state["closed_until"] = max(state["closed_until"], now + closed_for)

    @contextlib.contextmanager
    def _kept(self) -> Iterator[dict[str, Any]]:
        """What is kept, to be changed. Where it cannot be kept, each process is on its own."""
        with needs("books"):
            from filelock import FileLock, Timeout
        with self._turn:
            if self._lock is None:
                self._file = file_of(self._config, "pace")
                lock = self._file.with_suffix(".lock")
                self._lock = FileLock(lock, mode=0o600, thread_local=False)
            held = False
            # NotImplementedError: a file system without locks.
            with contextlib.suppress(Timeout, OSError, NotImplementedError):
                self._lock.acquire(timeout=_PATIENCE, poll_interval=0.005)
                held = True
            try:
                kept: Any = None
                with contextlib.suppress(OSError, ValueError):
                    kept = json.loads(self._file.read_text(encoding="utf-8"))
                kept = kept if isinstance(kept, dict) else {}
                yield kept
                if held:
                    with contextlib.suppress(OSError):
                        write_private(self._file, kept)
            finally:
                if held:
                    self._lock.release()


def _state(kept: dict[str, Any], family: str, now: float) -> dict[str, Any]:
    """What is known of a family, without what no longer counts, or cannot be: a clock set back."""
    try:
        was = kept[family]
        under_way = {str(name): float(at) for name, at in was["under_way"].items()}
        answered = [float(at) for at in was["answered"]]
        closed_until = float(was["closed_until"])
        limit = int(was["limit"])
    except (KeyError, TypeError, ValueError, AttributeError):
        # There is nothing yet, or whatever else is in the file.
        under_way, answered, closed_until, limit = {}, [], 0.0, DOCUMENTED[family][0]
    lost = {name: at for name, at in under_way.items() if at + _LOST <= now}
    answered += [at + _LOST for at in lost.values()]
    state = kept[family] = {
        "under_way": {n: at for n, at in under_way.items() if n not in lost and at <= now},
        "answered": sorted(at for at in answered if now - HOUR < at <= now),
        "closed_until": closed_until if closed_until <= now + HOUR else 0.0,
        "limit": limit,
    }
    return state


def _wait(state: dict[str, Any], family: str, now: float) -> float:
    """For how many seconds there is no place."""
    documented, per_hour = DOCUMENTED[family]
    spans = [(state["limit"], MINUTE)]
    if state["limit"] <= documented:
        spans.append((per_hour, HOUR))
    used: list[float] = state["answered"] + [now] * len(state["under_way"])
    moments = [now, state["closed_until"]]
    for size, length in spans:
        counted = [at for at in used if at + length > now]
        if len(counted) >= size:
            moments.append(counted[-size] + length)
    wait = float(max(moments) - now)
    # What is under way may be answered soon.
    return min(wait, _LOOK) if state["under_way"] else wait
