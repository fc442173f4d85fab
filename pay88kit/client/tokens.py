"""One token for all calls of a client, renewed by one of them at a time."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

from pay88kit.client.flow import Flow, Join
from pay88kit.config import Clock
from pay88kit.models.answers import Token


@dataclass(frozen=True)
class Kept:
    """A token, and until when it is used, in seconds of the clock that never run backwards."""

    token: Token
    until: float


@dataclass
class TokenCache:
    """Keeps a token, together with its session id, for 50 of its 60 seconds.

    The lock guards the bookkeeping only; it is never held while a request is under way.
    """

    clock: Clock
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _kept: Kept | None = None
    _flight: Future[Kept | None] | None = None

    def get(self, fetch: Flow[Kept]) -> Flow[Kept]:
        """The kept token, or the one that ``fetch`` brings; other calls wait for the same one."""
        while True:
            with self._lock:
                if self._kept is not None and self.clock.monotonic() < self._kept.until:
                    return self._kept
                leads = self._flight is None
                flight = self._flight = self._flight or Future()
            if leads:
                return (yield from self._lead(fetch, flight))
            kept = yield Join(flight)
            # None: the call that fetched was cancelled. Then this one may lead.
            if kept is not None:
                return kept  # type: ignore[no-any-return]

    def _lead(self, fetch: Flow[Kept], flight: Future[Kept | None]) -> Flow[Kept]:
        try:
            kept = yield from fetch
        except BaseException as error:
            with self._lock:
                self._flight = None
            if isinstance(error, Exception):
                flight.set_exception(error)
            else:
                flight.set_result(None)
            raise
        with self._lock:
            self._kept = kept
            self._flight = None
        flight.set_result(kept)
        return kept

    def drop(self, token: Token | None = None) -> None:
        """Forget the kept token, or only that one if another has taken its place."""
        with self._lock:
            if self._kept is not None and token in (None, self._kept.token):
                self._kept = None
