"""What is asked for a balance: of the right kind, before anything is asked."""

from __future__ import annotations

from datetime import timedelta
from inspect import iscoroutinefunction
from typing import Any

from pay88kit.errors import WrongUse


def check_source(source: Any, field: str, *, awaited: bool = False) -> None:
    """Refuse what has no ``balance()``, or one for the other of asyncio and plain code.

    Raises:
        WrongUse: with the field.
    """
    ask = getattr(source, "balance", None)
    if not callable(ask) or iscoroutinefunction(ask) != awaited:
        wanted = "AsyncPay88" if awaited else "Pay88, or a BalanceCache of one"
        raise WrongUse(f"{field}: a {type(source).__name__} does not fit here. Give a {wanted}.")


def check_interval(every: Any, example: str) -> None:
    """Refuse what is no time between two looks.

    Raises:
        WrongUse: it is no ``timedelta``, or not above zero.
    """
    if not isinstance(every, timedelta) or every <= timedelta(0):
        raise WrongUse(f"every: {every!r} is no interval. Give one above zero, such as {example}.")
