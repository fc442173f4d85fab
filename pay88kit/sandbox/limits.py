"""88Pay's rate limits: two sliding windows per merchant and family.

Documented: token 10 a minute and 100 an hour; transactions and balance 60 and 1,000. That the three
creates share one family, that the windows slide, and that a place is free again after exactly 60 s
or 3,600 s, is assumed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

LIMITS: Mapping[str, tuple[int, int]] = {
    "token": (10, 100),
    "transactions": (60, 1_000),
    "balance": (60, 1_000),
}
LIFTED = 1_000_000
MINUTE, HOUR = timedelta(seconds=60), timedelta(seconds=3_600)


@dataclass
class Window:
    """The places of one family: at most ``per_minute`` in 60 s and ``per_hour`` in 3,600 s.

    ``taken`` counts them all, also those that are free again.
    """

    per_minute: int
    per_hour: int
    minute: deque[datetime] = field(default_factory=deque)
    hour: deque[datetime] = field(default_factory=deque)
    taken: int = 0

    def retry_after(self, now: datetime) -> int:
        """Whole seconds until a request would be accepted; 0 when one is now."""
        self._forget(now)
        waits = [timedelta(0)]
        if len(self.minute) >= self.per_minute:
            waits.append(self.minute[-self.per_minute] + MINUTE - now)
        if len(self.hour) >= self.per_hour:
            waits.append(self.hour[-self.per_hour] + HOUR - now)
        return math.ceil(max(waits) / timedelta(seconds=1))

    def take(self, now: datetime) -> None:
        """Use a place."""
        self.minute.append(now)
        self.hour.append(now)
        self.taken += 1

    def headers(self, now: datetime) -> dict[str, str]:
        """The three ``X-RateLimit-…`` headers, which report the minute (assumed)."""
        self._forget(now)
        reset = self.minute[0] + MINUTE if self.minute else now
        return _headers(self.per_minute, max(0, self.per_minute - len(self.minute)), reset)

    def _forget(self, now: datetime) -> None:
        while self.minute and self.minute[0] + MINUTE <= now:
            self.minute.popleft()
        while self.hour and self.hour[0] + HOUR <= now:
            self.hour.popleft()


def lifted_headers(now: datetime) -> dict[str, str]:
    """The headers where no limit holds."""
    return _headers(LIFTED, LIFTED, now)


def untouched_headers(family: str, now: datetime) -> dict[str, str]:
    """The headers of an answer that belongs to no merchant, a 401 for one."""
    return _headers(LIMITS[family][0], LIMITS[family][0], now)


def _headers(limit: int, remaining: int, reset: datetime) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(math.ceil(reset.timestamp())),
    }
