"""One token for all calls of a client, renewed by one of them at a time."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

from pay88kit.client.flow import Flow, Join
from pay88kit.config import Clock
from pay88kit.models.answers import Token
from pay88kit.policy import usable_seconds


@dataclass
class TokenCache:
    """Keeps a token, together with its session id, for 50 of its 60 seconds.

    The lock guards the bookkeeping only; it is never held while a request is under way.
    """

    clock: Clock
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _kept: tuple[Token, float] | None = None
    _flight: Future[Token | None] | None = None

    def get(self, fetch: Flow[Token]) -> Flow[Token]:
        """The kept token, or the one that ``fetch`` brings; other calls wait for the same one."""
        while True:
            with self._lock:
                if self._kept is not None and self.clock.monotonic() < self._kept[1]:
                    return self._kept[0]
                leads = self._flight is None
                flight = self._flight = self._flight or Future()
            if leads:
                return (yield from self._lead(fetch, flight))
            token = yield Join(flight)
            # None: the call that fetched was cancelled. Then this one may lead.
            if token is not None:
                return token  # type: ignore[no-any-return]

    def _lead(self, fetch: Flow[Token], flight: Future[Token | None]) -> Flow[Token]:
        # 88Pay counts the 60 seconds from some moment after this one.
        asked = self.clock.monotonic()
        try:
            token = yield from fetch
        except BaseException as error:
            with self._lock:
                self._flight = None
            if isinstance(error, Exception):
                flight.set_exception(error)
            else:
                flight.set_result(None)
            raise
        with self._lock:
            self._kept = (token, asked + usable_seconds(token.expires_in))
            self._flight = None
        flight.set_result(token)
        return token

    def drop(self, token: Token | None = None) -> None:
        """Forget the kept token, or only that one if another has taken its place."""
        with self._lock:
            if self._kept is not None and token in (None, self._kept[0]):
                self._kept = None
