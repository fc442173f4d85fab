"""A look at the balance before a payout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from pay88kit import money
from pay88kit.balance.figures import minus
from pay88kit.balance.sources import check_source
from pay88kit.errors import InvalidRequest, MalformedAnswer, Pay88Error, Problem
from pay88kit.models.answers import Balance
from pay88kit.models.countries import CURRENCIES
from pay88kit.models.requests import CashoutRequest


class Asks(Protocol):
    """What can be asked for a balance: a client, or a cache of one."""

    def balance(self) -> Balance:
        """The balance."""


class NotEnoughFunds(Pay88Error):
    """A payout was held back, because less is available than it needs; nothing was sent.

    Attributes:
        available: ``total_available``, and the credit that was given.
        required: the amount of the payout.
        payout: what the check was asked about, as it was given: to queue it for later. It may hold
            a recipient's bank account, so it is in no message.
    """

    def __init__(self, available: Decimal, required: Decimal, payout: Any) -> None:
        self.available = available
        self.required = required
        self.payout = payout
        super().__init__(
            f"amount: the payout needs {money.show(required)}, and {money.show(available)} is "
            f"available. Pay out less, or wait for payments to complete; nothing was sent."
        )


def check_before_payout(
    source: Asks | Balance,
    payout: int | str | Decimal | CashoutRequest | Mapping[str, Any],
    *,
    credit: int | str | Decimal = 0,
    on_refused: Callable[[NotEnoughFunds], object] | None = None,
) -> Balance:
    """Refuse a payout that is larger than what is available (88Pay's "Pre-Payout Validation").

    The check and the payout are two calls, and between them another payout may take the money.
    Also, payouts that are still pending reduce no figure of the balance (assumed). So a check that
    passes promises nothing: 88Pay decides, and a payout that it refuses for want of funds raises
    :class:`~pay88kit.UnprocessableEntity` (422; assumed). Handle both in the same way::

        try:
            check_before_payout(cache, request)
            client.cashout(request, key="supplier-7/march")
        except (NotEnoughFunds, UnprocessableEntity) as refused:
            queue_for_later(request, why=str(refused))

    Args:
        source: a client, a :class:`BalanceCache`, or a balance: from asyncio give
            ``await cache.balance()``. A cache is asked again before it makes a refusal.
        payout: its amount, or all of it, as a request or as the fields of one.
        credit: what you know to be left of 88Pay's credit. 88Pay does not report it.
        on_refused: is given the refusal before it is raised: to notify, or to queue
            ``refused.payout`` for later.

    Returns:
        The balance that was enough.

    Raises:
        NotEnoughFunds: less is available than the payout needs.
        InvalidRequest: the amount is missing, not exact, or not above zero; or the payout is in
            another currency than the balance, by the country in the merchant's id (assumed).
        WrongUse: a source for asyncio.
        MalformedAnswer: 88Pay's answer does not say what is available.
    """
    required = _amount(payout)
    more = money.as_written(credit, "credit")
    if not isinstance(source, Balance):
        check_source(source, "source")
    balance = source if isinstance(source, Balance) else source.balance()
    _check_currency(payout, balance)
    funds = _funds(balance, more)
    if funds < required and not isinstance(source, Balance) and hasattr(source, "drop"):
        # It may be minutes old, and money may have come in.
        source.drop()
        balance = source.balance()
        funds = _funds(balance, more)
    if funds < required:
        refused = NotEnoughFunds(funds, required, payout)
        if on_refused is not None:
            on_refused(refused)
        raise refused
    return balance


def _amount(payout: Any) -> Decimal:
    if isinstance(payout, CashoutRequest):
        payout = payout.amount
    elif isinstance(payout, Mapping):
        payout = payout.get("amount")
    if payout is None:
        raise InvalidRequest(Problem("amount", "is missing.", "Give the amount of the payout."))
    amount = money.as_written(payout)
    if amount <= 0:
        raise InvalidRequest(Problem("amount", "is not above zero.", "Give a positive amount."))
    return amount


def _check_currency(payout: Any, balance: Balance) -> None:
    """A balance names no currency; amounts of two cannot be compared."""
    named = payout.get("currency") if isinstance(payout, Mapping) else None
    named = payout.currency if isinstance(payout, CashoutRequest) else named
    parts = str(balance.merchant_id).split("-")
    own = CURRENCIES.get(parts[1], ()) if len(parts) > 2 else ()
    if named is not None and own and named not in own:
        raise InvalidRequest(
            Problem(
                "currency",
                f"the payout is in {named}, and the balance of {balance.merchant_id} in "
                f"{' or '.join(own)} (assumed from its country).",
                "Give the amount that 88Pay will take from the balance.",
            )
        )


def _funds(balance: Balance, credit: Decimal) -> Decimal:
    try:
        available = money.exact(balance.total_available)
    except InvalidRequest:
        reason = "The answer has no total_available that is an amount; nothing was paid out."
        raise MalformedAnswer("balance", reason, sent=True) from None
    funds = minus(available, credit.copy_negate())
    assert funds is not None  # noqa: S101 - both parts are there
    return funds
