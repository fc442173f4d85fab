"""Passes notifications on to the merchant's own endpoint, and tries again as 88Pay would."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from pay88kit.config import Secret
from pay88kit.relay.receiving import Heard
from pay88kit.sandbox.courier import Courier, Result

# Real seconds before each retry, for somebody who watches. As many as 88Pay makes.
QUICK = (0.5, 0.5, 1, 1, 2, 2, 3, 3, 5, 5)
# So many attempts are under way at once.
_AT_ONCE = 32


@dataclass(frozen=True)
class Passed:
    """One attempt that has ended.

    ``authorization`` is what it carried; ``again`` in how many seconds the next one leaves, None
    where there is none.
    """

    heard: Heard
    authorization: Secret | None
    attempt: int
    result: Result
    again: float | None


class Forwarder:
    """Deliveries that are owed to an endpoint.

    It has no thread of its own: who uses it hands over what came (:meth:`take`), what ended
    (:meth:`ended`), and calls :meth:`step` until nothing is owed.

    Args:
        url: the endpoint; the query of each notification's address is added to its own.
        courier: carries the attempts.
        waits: seconds before each retry; as many retries as waits.
        renew: a fresh ``Authorization`` for a retry, or None where the one that came is all there
            is. The first attempt always carries the one that came.
        report: is given each ended attempt, from another thread.
        clock: seconds that never run backwards.
    """

    def __init__(
        self,
        url: str,
        courier: Courier,
        waits: Sequence[float],
        renew: Callable[[Heard], Secret | None],
        report: Callable[[Passed], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._courier = courier
        self._waits = waits
        self._renew = renew
        self._report = report
        self._clock = clock
        self._due: list[tuple[float, int, int, Heard]] = []
        self._under_way = 0
        self.delivered = 0
        # By the notification's number: what the endpoint has not answered with 200, and its last
        # attempt, None before the first has ended.
        self.open: dict[int, tuple[Heard, Passed | None]] = {}

    def take(self, heard: Heard) -> None:
        """Owe a notification to the endpoint, from now on."""
        self.open[heard.number] = heard, None
        self._owe(heard, 1, 0)

    def ended(self, passed: Passed) -> None:
        """Count an attempt that was reported."""
        self._under_way -= 1
        number = passed.heard.number
        if passed.result.outcome == "delivered":
            self.delivered += 1
            del self.open[number]
            return
        self.open[number] = passed.heard, passed
        if passed.again is not None:
            self._owe(passed.heard, passed.attempt + 1, passed.again)

    def step(self) -> float | None:
        """Start what is due; in how many seconds the next is, None where only reports help on."""
        while self._due and self._under_way < _AT_ONCE:
            left = self._due[0][0] - self._clock()
            if left > 0:
                return left
            _, _, attempt, heard = heapq.heappop(self._due)
            self._under_way += 1
            self._send(heard, attempt)
        return None

    def _owe(self, heard: Heard, attempt: int, wait: float) -> None:
        # By number where two are due at one moment: in the order in which they came.
        heapq.heappush(self._due, (self._clock() + wait, heard.number, attempt, heard))

    def _send(self, heard: Heard, attempt: int) -> None:
        authorization = heard.authorization
        if attempt > 1:
            authorization = self._renew(heard) or authorization
        # Nothing of our own in between: what came goes on.
        headers = {"Accept-Encoding": "identity"}
        if authorization is not None:
            headers["Authorization"] = authorization
        if heard.content_type is not None:
            headers["Content-Type"] = heard.content_type

        def report(result: Result) -> None:
            again = self._waits[attempt - 1] if attempt <= len(self._waits) else None
            again = again if result.retry else None
            self._report(Passed(heard, authorization, attempt, result, again))

        self._courier.send(_with_query(self._url, heard.query), heard.body, headers, report)


def _with_query(url: str, query: str) -> str:
    """``url`` with a query added to its own; neither is decoded and written anew."""
    parts = urlsplit(url)
    joined = "&".join(part for part in (parts.query, query) if part)
    return urlunsplit(parts._replace(query=joined, fragment=""))
