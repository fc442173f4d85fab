"""The client's side of 88Pay's rate limits: when the next request may go.

Pure bookkeeping, without a clock and without a lock: every call is told the time, in seconds that
never run backwards.

Documented: token 10 a minute and 100 an hour; transactions and balance 60 and 1,000; the answers'
``X-RateLimit-…`` headers. That the windows slide, that the three creates share one family, and that
the headers report the minute, is assumed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

MINUTE, HOUR = 60.0, 3_600.0

# With a higher limit a minute, others' requests are not counted: it is as good as none.
_COUNTABLE = 100_000

# Per minute and per hour.
DOCUMENTED: Mapping[str, tuple[int, int]] = {
    "token": (10, 100),
    "transactions": (60, 1_000),
    "balance": (60, 1_000),
}
FAMILIES: Mapping[str, str] = {
    "token": "token",
    "charge": "transactions",
    "cash": "transactions",
    "cashout": "transactions",
    "balance": "balance",
}


@dataclass(eq=False)
class Place:
    """One request's place in the windows, from the moment it may go until it is answered.

    ``held`` and ``counted`` are how many requests the minute held when it was taken, and how many
    had been counted at all by then. ``surely``: 88Pay has counted it, as its answer shows.
    """

    taken: float
    held: int = 0
    counted: int = 0
    answered_at: float = math.inf
    surely: bool = True


@dataclass
class _Span:
    """The requests that were counted in the last ``length`` seconds."""

    length: float
    size: float
    places: deque[Place] = field(default_factory=deque)

    def forget(self, now: float) -> None:
        while self.places and self.places[0].answered_at + self.length <= now:
            self.places.popleft()


class Windows:
    """The two windows of one family.

    A request that is under way holds a place since it left; an answered one since its answer, which
    is never before 88Pay counted it. So a place is not taken for free too early.

    The headers correct the view: a limit other than the documented one is followed (with a higher
    one the hour is not limited any more), and places that somebody else uses with the same
    credentials count too. Somebody else's use of the *hour* shows only in a 429.
    """

    def __init__(self, per_minute: int, per_hour: int) -> None:
        self._documented = (per_minute, per_hour)
        self._minute = _Span(MINUTE, per_minute)
        self._hour = _Span(HOUR, per_hour)
        # When it was heard of others' requests, one by one.
        self._others: deque[float] = deque()
        self._under_way: set[Place] = set()
        self._counted = 0
        self._closed_until = -math.inf

    @property
    def per_minute(self) -> int:
        """How many requests 88Pay takes in a minute, as far as is known."""
        return int(self._minute.size)

    @property
    def under_way(self) -> int:
        """How many requests have a place and no answer yet."""
        return len(self._under_way)

    def due(self, now: float) -> float:
        """The moment from which a request may go; not after ``now`` when it may go at once."""
        self._forget(now)
        moments = [now, self._closed_until]
        for span, others in ((self._minute, self._others), (self._hour, ())):
            used = len(span.places) + len(others) + len(self._under_way)
            if used >= span.size:
                # 88Pay may have counted what is under way at any time since it left. However long
                # ago that is: its place is not free before its answer.
                under_way = (
                    place.taken if place.taken + span.length > now else now
                    for place in self._under_way
                )
                every = [*(place.answered_at for place in span.places), *others, *under_way]
                moments.append(sorted(every)[-int(span.size)] + span.length)
        return max(moments)

    def take(self, now: float) -> Place:
        """A place for a request that leaves now."""
        self._forget(now)
        place = Place(now, len(self._minute.places), self._counted)
        self._under_way.add(place)
        return place

    def release(self, place: Place) -> None:
        """The request was not counted: it did not leave, or was answered 401."""
        self._under_way.discard(place)

    def lost(self, place: Place, now: float) -> None:
        """No answer came: 88Pay may have counted the request."""
        place.surely = False
        self._count(place, now)

    def refused(self, place: Place, now: float, retry_after: float | None) -> None:
        """The request was answered 429, and so was not counted.

        No known window is longer than an hour: after that it is tried again, whatever was said.
        """
        self._under_way.discard(place)
        wait = MINUTE if retry_after is None else min(retry_after, HOUR)
        self._closed_until = max(self._closed_until, now + wait)

    def answered(
        self, place: Place, now: float, limit: int | None = None, remaining: int | None = None
    ) -> None:
        """The request was counted; ``limit`` and ``remaining`` are its answer's headers."""
        self._count(place, now)
        if limit is None or limit < 1:
            return
        per_minute, per_hour = self._documented
        self._minute.size = limit
        self._hour.size = math.inf if limit > per_minute else per_hour
        if remaining is not None and limit <= _COUNTABLE:
            self._correct(place, now, limit - remaining)

    def _correct(self, place: Place, now: float, used: int) -> None:
        """Keep as many of others' requests as fit to what an answer says is used.

        88Pay said so at some moment between ``place.taken`` and ``now``. What it counted of our own
        until then is not quite known, so there is a fewest and a most of others' requests.
        """
        self._forget(now)
        own_at_most = place.held + (self._counted - place.counted) + len(self._under_way)
        for _ in range(used - own_at_most - len(self._others)):
            self._others.append(now)
        if self._others:
            own_at_least = 1 + sum(
                own.surely and own.answered_at <= place.taken and own.taken + MINUTE > now
                for own in self._minute.places
                if own is not place
            )
            for _ in range(len(self._others) - max(0, used - own_at_least)):
                self._others.popleft()

    def _count(self, place: Place, now: float) -> None:
        if place in self._under_way:
            self._under_way.remove(place)
            self._counted += 1
            place.answered_at = now
            self._minute.places.append(place)
            if self._hour.size < math.inf:
                self._hour.places.append(place)

    def _forget(self, now: float) -> None:
        self._minute.forget(now)
        self._hour.forget(now)
        while self._others and self._others[0] + MINUTE <= now:
            self._others.popleft()
