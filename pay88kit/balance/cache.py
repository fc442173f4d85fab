"""A balance that is kept for a few minutes, and never one that a payout made wrong."""

from __future__ import annotations

import threading
from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pay88kit.balance.sources import check_source
from pay88kit.client.flow import Flow, Join, drive, drive_async
from pay88kit.errors import MalformedAnswer, WrongUse
from pay88kit.models.answers import Balance

if TYPE_CHECKING:
    from pay88kit.client import AsyncPay88, Pay88

# 88Pay's page: one to five minutes.
SHORTEST, LONGEST = 60, 300


@dataclass(frozen=True)
class _Ask:
    """The step that asks 88Pay."""

    client: Any

    def run(self, http: Any) -> Balance:
        """Do it now."""
        return self.client.balance()  # type: ignore[no-any-return]

    async def run_async(self, http: Any) -> Balance:
        """Do it without blocking the event loop."""
        return await self.client.balance()  # type: ignore[no-any-return]


@dataclass
class _Flight:
    """A call that is under way, and the state of things when it left."""

    mark: tuple[int, int]
    ended: Future[Balance | None]


class _Cache:
    """What both caches are made from. The lock guards the bookkeeping, never a call."""

    _awaited = False

    def __init__(self, client: Pay88 | AsyncPay88, seconds: float) -> None:
        check_source(client, "client", awaited=self._awaited)
        if not isinstance(seconds, int | float) or not SHORTEST <= seconds <= LONGEST:
            raise WrongUse(
                f"seconds: {seconds!r} is outside of what 88Pay recommends. Give {SHORTEST} to "
                f"{LONGEST}, one to five minutes."
            )
        self._client = client
        self._seconds = seconds
        self._clock = client.config.clock
        self._lock = threading.Lock()
        self._drops = 0
        self._kept: tuple[tuple[int, int], float, Balance] | None = None
        self._flight: _Flight | None = None

    @property
    def config(self) -> Any:
        """The client's: which 88Pay, which merchant, whose clock."""
        return self._client.config

    def drop(self) -> None:
        """Forget the balance: the next call asks 88Pay, also where one is under way.

        Payouts of this client do so by themselves. What another program does, and what completes
        later, this one cannot know: drop it in ``@inbox.on("COMPLETED")``, for one.
        """
        with self._lock:
            self._drops += 1

    def _mark(self) -> tuple[int, int]:
        return self._client.payouts_sent, self._drops

    def _flow(self) -> Flow[Balance]:
        while True:
            with self._lock:
                mark = self._mark()
                if self._kept is not None:
                    kept_mark, until, balance = self._kept
                    if kept_mark == mark and self._clock.monotonic() < until:
                        return balance
                flight = self._flight
                leads = flight is None or flight.mark != mark
                if flight is None or leads:
                    flight = self._flight = _Flight(mark, Future())
            if leads:
                return (yield from self._lead(flight))
            found = yield Join(flight.ended)
            # None: the call that asked was cancelled. Then this one may ask.
            if found is not None:
                return found  # type: ignore[no-any-return]

    def _lead(self, flight: _Flight) -> Generator[Any, Any, Balance]:
        until = self._clock.monotonic() + self._seconds
        try:
            balance: Balance = yield _Ask(self._client)
            self._check(balance)
        except BaseException as error:
            self._land(flight)
            if isinstance(error, Exception):
                flight.ended.set_exception(error)
            else:
                flight.ended.set_result(None)
            raise
        with self._lock:
            if self._mark() == flight.mark:
                self._kept = flight.mark, until, balance
        self._land(flight)
        flight.ended.set_result(balance)
        return balance

    def _land(self, flight: _Flight) -> None:
        with self._lock:
            if self._flight is flight:
                self._flight = None

    def _check(self, balance: Balance) -> None:
        asked, named = self._client.config.merchant_id, balance.merchant_id
        if named is not None and named != asked:
            reason = f"The answer is about {named!r}, and the balance of {asked} was asked for."
            raise MalformedAnswer("balance", reason, sent=True)

    def __repr__(self) -> str:
        whose = self._client.config.merchant_id
        return f"{type(self).__name__}({whose}, seconds={self._seconds})"


class BalanceCache(_Cache):
    """A client's balance, asked for at most once in one to five minutes.

    It belongs to one client, and so to one merchant. Every thread may use it: of many callers at
    one time one asks, and the others wait for the same answer. It forgets the balance as soon as
    a payout of its client has been answered, or was left without an answer.

    Args:
        client: the client that asks.
        seconds: for how long a balance is kept, 60 to 300, by the client's clock.

    Raises:
        WrongUse: ``seconds`` is outside of that, or the client is for asyncio.
    """

    def __init__(self, client: Pay88, seconds: float = SHORTEST) -> None:
        super().__init__(client, seconds)

    def balance(self) -> Balance:
        """The kept balance, or a new one; it is shared, so change nothing in it.

        Raises:
            Pay88Error: as :meth:`Pay88.balance`; nothing is kept then.
            MalformedAnswer: the answer is about another merchant.
        """
        return drive(self._flow(), None)  # type: ignore[arg-type]


class AsyncBalanceCache(_Cache):
    """The same for :class:`~pay88kit.AsyncPay88`; see :class:`BalanceCache`."""

    _awaited = True

    def __init__(self, client: AsyncPay88, seconds: float = SHORTEST) -> None:
        super().__init__(client, seconds)

    async def balance(self) -> Balance:
        """See :meth:`BalanceCache.balance`."""
        return await drive_async(self._flow(), None)  # type: ignore[arg-type]
