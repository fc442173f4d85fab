"""When it is time to ask for a settlement: the move of available funds to your own bank."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from decimal import Decimal
from inspect import iscoroutinefunction
from pathlib import Path
from typing import TYPE_CHECKING

from pay88kit import money
from pay88kit.balance.figures import Figures
from pay88kit.balance.sources import check_interval, check_source
from pay88kit.display import Row, Shown
from pay88kit.errors import InvalidRequest, Pay88Error, WrongUse, needs
from pay88kit.models.answers import Balance

if TYPE_CHECKING:
    from pay88kit.balance.cache import BalanceCache
    from pay88kit.client import Pay88

# 88Pay's page, which names no currency for the amount.
AT = 100_000
EVERY = timedelta(hours=6)
# As long as one look at the balance may take, with its retries, in seconds.
_PATIENCE = 120.0
NO_CALL = "88Pay documents no call for a settlement"


class Settlement(Shown):
    """Asks for a settlement when enough is available, once until ``total_settled`` has moved.

    :func:`settle_when` makes one.

    Attributes:
        at: from which available amount on.
        asked: ``total_settled`` when it was asked; None when nothing is asked for.
    """

    def __init__(
        self,
        source: Pay88 | BalanceCache,
        request: Callable[[Balance], object],
        at: Decimal,
        every: timedelta,
        notify: Callable[[str], object],
        state: Path | None,
    ) -> None:
        self.at = at
        self._source = source
        self._request = request
        self._every = every
        self._notify = notify
        self._state = state
        self._whose = f"{source.config.environment} {source.config.merchant_id}"
        self.asked = self._read()

    def check(self) -> bool:
        """Look at the balance, and ask for a settlement if it is time; returns whether it asked.

        Made to be called by a scheduler; :meth:`run` calls it again and again.

        Raises:
            Pay88Error: the balance cannot be had, or another process keeps the state to itself;
                nothing was asked for.
            Exception: whatever your function raises. It then counts as not asked.
        """
        # From the look on: what another process does meanwhile would make this balance an old one.
        with self._alone():
            self._learn()
            balance = self._source.balance()
            numbers = Figures.of(balance)
            if numbers.available is None or numbers.settled is None:
                self._notify(
                    "88Pay's answer lacks total_available or total_settled; nothing was done."
                )
                return False
            if self.asked is not None and self.asked != numbers.settled:
                self._keep(None)
            if self.asked is not None or numbers.available < self.at or numbers.available <= 0:
                return False
            # Before it is asked: who dies in the middle must not ask twice.
            self._keep(numbers.settled)
        try:
            self._request(balance)
        except Exception:
            with self._alone():
                self._keep(None)
            raise
        name = getattr(self._request, "__name__", type(self._request).__name__)
        self._notify(
            f"{money.show(numbers.available)} is available, {money.show(self.at)} or more. "
            f"{NO_CALL}: your function {name} was called to ask for it. It is not called again "
            f"until total_settled moves from {money.show(numbers.settled)}."
        )
        return True

    def run(self, times: int | None = None) -> None:
        """Check now and then again after each interval, by the client's clock; Ctrl-C ends it.

        A check that fails because of 88Pay or the network is told to ``notify``, and the next one
        comes at its time.

        Args:
            times: how many checks; without end by default.

        Raises:
            WrongUse: the configuration cannot be used.
            Exception: whatever your function raises.
        """
        clock = self._source.config.clock
        moment = clock.monotonic()
        done = 0
        while True:
            try:
                self.check()
            except WrongUse:
                raise
            except Pay88Error as error:
                self._notify(f"The balance could not be looked at: {error}")
            done += 1
            if times is not None and done >= times:
                return
            moment = max(moment + self._every.total_seconds(), clock.monotonic())
            clock.wait_until(moment)

    # -- what outlives the process

    def _alone(self) -> AbstractContextManager[None]:
        return nullcontext() if self._state is None else _locked(self._state)

    def _learn(self) -> None:
        """What another process with this state has asked meanwhile."""
        if self._state is None:
            return
        before, self.asked = self.asked, self._read()
        if before != self.asked and hasattr(self._source, "drop"):
            # A balance that is kept may be older than that.
            self._source.drop()

    def _keep(self, asked: Decimal | None) -> None:
        self.asked = asked
        if self._state is None:
            return
        kept = {"whose": self._whose, "asked": None if asked is None else money.to_text(asked)}
        new = self._state.with_name(f"{self._state.name}.new")
        new.write_text(json.dumps(kept), encoding="utf-8")
        os.replace(new, self._state)

    def _read(self) -> Decimal | None:
        if self._state is None or not self._state.exists():
            return None
        try:
            kept = json.loads(self._state.read_text(encoding="utf-8"))
            whose, asked = kept["whose"], kept["asked"]
            amount = None if asked is None else money.exact(asked)
        except (ValueError, KeyError, TypeError, InvalidRequest):
            fault = f"state: {self._state} is no state of a settlement. Name another file."
            raise WrongUse(fault) from None
        if whose != self._whose:
            raise WrongUse(
                f"state: {self._state} is of {whose!r}, and this is {self._whose!r}. Give each "
                f"merchant and environment a file of its own."
            )
        return amount

    def _title(self) -> str:
        return f"Settlement of {self._whose}. {NO_CALL}: your function asks"

    def _rows(self) -> list[Row]:
        waiting = "nothing is asked for"
        if self.asked is not None:
            waiting = f"asked; waits for total_settled to move from {money.show(self.asked)}"
        return [
            ("asks at", money.show(self.at)),
            ("looks every", str(self._every)),
            ("now", waiting),
        ]

    def __repr__(self) -> str:
        return str(self)


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    with needs("books"):
        from filelock import FileLock, Timeout
    lock = FileLock(state.with_name(f"{state.name}.lock"))
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        raise Pay88Error(
            f"state: another process has kept {state.name}.lock for {_PATIENCE:g} s. End it, or "
            f"wait for it; nothing was asked for."
        ) from None
    try:
        yield
    finally:
        lock.release()


def settle_when(
    source: Pay88 | BalanceCache,
    request: Callable[[Balance], object],
    *,
    at: int | str | Decimal = AT,
    every: timedelta = EVERY,
    notify: Callable[[str], object] = print,
    state: str | os.PathLike[str] | None = None,
) -> Settlement:
    """Ask for a settlement when enough is available (88Pay's "Automatic Settlement Trigger").

    88Pay's sample calls a function that it does not define, and documents no call for it. So your
    own ``request`` is called: it writes to whoever settles at your house, for one, or reminds you
    to ask in 88Pay's dashboard. It is not called again until ``total_settled`` has moved.

    Args:
        source: a client or a :class:`BalanceCache`.
        request: is given the balance; ``total_available`` is what can be settled.
        at: from which available amount on, in the merchant's currency. 88Pay's page has 100,000.
        every: how often :meth:`Settlement.run` looks. 88Pay's page has six hours.
        notify: is told in words what was done.
        state: a file that remembers across processes what was asked, for a scheduler that starts
            a new one each time; of several at once one asks. A lock is kept beside it. Without it,
            only this object remembers.

    Raises:
        WrongUse: an argument that is not what it is to be, or a ``state`` of somebody else.
        MissingExtra: a ``state`` without the extra ``books``.
    """
    try:
        amount = money.as_written(at, "at")
    except InvalidRequest as error:
        raise WrongUse(str(error)) from None
    if amount <= 0:
        raise WrongUse("at: is not above zero. Give the amount from which on to settle.")
    check_interval(every, "timedelta(hours=6)")
    check_source(source, "source")
    for name, function in (("request", request), ("notify", notify)):
        if not callable(function) or iscoroutinefunction(function):
            raise WrongUse(f"{name}: {function!r} is not a plain function. Give one.")
    return Settlement(source, request, amount, every, notify, Path(state) if state else None)
