"""Where a dashboard's numbers come from: 88Pay's balance, asked for sparingly, and the books."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from pay88kit.balance import BalanceCache
from pay88kit.client import Pay88
from pay88kit.errors import Pay88Error, WrongUse

# A minute's calls, of the 60 that 88Pay allows: the others are your program's.
MOST = 10
_MINUTE = 60.0


@dataclass(frozen=True)
class Asked:
    """What came of asking. ``balance`` and ``at`` are the last ones, also when there is trouble."""

    balance: Any = None
    at: datetime | None = None
    fresh: bool = False
    trouble: str = ""


class Source:
    """A client's balance for all of its dashboards. Every thread may use it.

    88Pay is asked when the kept balance is a minute old, and when the books have learned since
    that an operation completed; never more than ten times a minute, by the client's clock.
    """

    def __init__(self, client: Pay88) -> None:
        self.client = client
        self._gate = _Gate(client)
        # All that a cache uses of its client.
        self._cache = BalanceCache(cast(Pay88, self._gate))
        self._lock = threading.Lock()
        self._completed: Any = None
        self._last = Asked()

    def ask(self) -> Asked:
        """The balance of now, as far as 88Pay may be asked.

        Raises:
            WrongUse: the configuration cannot be used.
        """
        with self._lock:
            try:
                completed = self._completions()
                if completed != self._completed:
                    self._cache.drop()
                balance = self._cache.balance()
            except WrongUse:
                raise
            except Pay88Error as error:
                return Asked(self._last.balance, self._last.at, trouble=str(error))
            self._completed = completed
            fresh = balance is not self._last.balance
            self._last = Asked(balance, self._gate.asked_at if fresh else self._last.at, fresh)
            return self._last

    def _completions(self) -> Any:
        books, config = self.client.books, self.client.config
        if books is None:
            return None
        return books.accounts.completed(config.environment, str(config.merchant_id))


class _Gate:
    """The client as the cache sees it, with few calls a minute: failures count too."""

    def __init__(self, client: Pay88) -> None:
        self.config = client.config
        self.asked_at: datetime | None = None
        self._client = client
        self._calls: deque[float] = deque()

    @property
    def payouts_sent(self) -> int:
        return self._client.payouts_sent

    def balance(self) -> Any:
        clock = self.config.clock
        moment = clock.monotonic()
        while self._calls and self._calls[0] + _MINUTE <= moment:
            self._calls.popleft()
        if len(self._calls) >= MOST:
            again = clock.now() + timedelta(seconds=self._calls[0] + _MINUTE - moment)
            raise Pay88Error(
                f"This dashboard has asked 88Pay {MOST} times in a minute, and asks again from "
                f"{again:%H:%M:%S} UTC on. The other calls are your program's."
            )
        self._calls.append(moment)
        self.asked_at = clock.now()
        return self._client.balance()
