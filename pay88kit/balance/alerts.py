"""When a balance needs somebody's attention, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.balance.figures import Figures
from pay88kit.display import Row, Shown
from pay88kit.errors import InvalidRequest, WrongUse
from pay88kit.frames import to_frame
from pay88kit.frames.columns import with_amounts

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("level", "field", "value", "limit", "words")


@dataclass(frozen=True)
class Thresholds:
    """The limits of alerts, in the merchant's currency: int, ``Decimal`` or decimal strings.

    ``critical`` and ``warning`` are those of 88Pay's page, which names no currency for them: 10,000
    is little in COP and much in USD, so set your own.

    Attributes:
        critical: ``total_available`` at or below it is critical.
        warning: ``total_available`` below it is a warning.
        credit_limit: what your contract lets you draw on 88Pay's credit, if you know it. 88Pay's
            page calls a net position below zero an error in one place and normal in another: with
            a limit, it is information within the limit and an error beyond it; without one it is
            a warning.

    Raises:
        WrongUse: a limit is no exact amount, or ``critical`` is above ``warning``.
    """

    critical: int | str | Decimal = 0
    warning: int | str | Decimal = 10_000
    credit_limit: int | str | Decimal | None = None

    def __post_init__(self) -> None:
        try:
            for name in ("critical", "warning", "credit_limit"):
                value = getattr(self, name)
                if value is not None:
                    object.__setattr__(self, name, money.as_written(value, name))
        except InvalidRequest as error:
            raise WrongUse(str(error)) from None
        if Decimal(self.warning) < Decimal(self.critical):
            raise WrongUse("warning: is below critical. Give a warning at or above it.")
        if self.credit_limit is not None and Decimal(self.credit_limit) < 0:
            raise WrongUse("credit_limit: is below zero. Give the limit as a positive amount.")


DEFAULT = Thresholds()


@dataclass(frozen=True)
class Alert:
    """One thing about a balance that somebody should know.

    Attributes:
        level: ``critical``, ``error``, ``warning`` or ``info``.
        field: 88Pay's field that it is about.
        value: what that field says; None where it is missing.
        limit: the limit that was passed; None where there is none.
        words: the same as a sentence.
    """

    level: str
    field: str
    value: Decimal | None
    limit: Decimal | None
    words: str

    @property
    def alarming(self) -> bool:
        """Whether it is more than information."""
        return self.level != "info"

    def record(self) -> dict[str, Any]:
        """As one row of a table."""
        return dict(vars(self))


class Alerts(Shown, tuple[Alert, ...]):
    """The alerts of one balance, a tuple that shows itself; empty when all is well."""

    @property
    def keys(self) -> frozenset[tuple[str, str]]:
        """Level and field of what is more than information: the state that a monitor compares."""
        return frozenset((alert.level, alert.field) for alert in self if alert.alarming)

    def frame(self) -> pd.DataFrame:
        """As a table, with its columns even when it is empty."""
        frame = to_frame([alert.record() for alert in self], COLUMNS)
        return with_amounts(frame, "value", "limit")

    def _title(self) -> str:
        return "Alerts" if self else "No alerts"

    def _rows(self) -> list[Row]:
        return [(alert.level, alert.words) for alert in self]

    def __repr__(self) -> str:
        return str(self)


def alerts(
    balance: Any,
    thresholds: Thresholds | Mapping[str, Thresholds] = DEFAULT,
    *,
    currency: str | None = None,
) -> Alerts:
    """The alerts of a balance.

    Args:
        balance: a balance, or a snapshot as a mapping.
        thresholds: the limits, or those of each currency: ``{"COP": …, "MXN": …}``.
        currency: the merchant's, for limits by currency and for the words. 88Pay's answer has none.

    Raises:
        WrongUse: limits by currency without ``currency``, or without that one; no balance.
    """
    limits = _of_currency(thresholds, currency)
    numbers = Figures.of(balance)
    return Alerts((*_available(numbers, limits, currency), *_net(numbers, limits, currency)))


def _available(numbers: Figures, limits: Thresholds, currency: str | None) -> list[Alert]:
    field, value = "total_available", numbers.available
    if value is None:
        return [_missing(field)]
    critical, warning = Decimal(limits.critical), Decimal(limits.warning)
    shown = money.show(value, currency)
    if value <= critical:
        words = f"{shown} is available: no funds for payouts."
        if critical:
            words = f"{shown} is available, {money.show(critical, currency)} is critical."
        return [Alert("critical", field, value, critical, words)]
    if value < warning:
        words = f"Only {shown} is available, less than {money.show(warning, currency)}."
        return [Alert("warning", field, value, warning, words)]
    return []


def _net(numbers: Figures, limits: Thresholds, currency: str | None) -> list[Alert]:
    field, value = "net_balance", numbers.net
    if value is None:
        return [_missing(field)]
    if value >= 0:
        return []
    begin = f"The net position is {money.show(value, currency)}: more was paid out than received"
    if limits.credit_limit is None:
        words = (
            f"{begin}. With 88Pay's credit this is normal and future deposits reduce it; without "
            f"it, contact 88Pay's support at once. Give credit_limit to tell the two apart."
        )
        return [Alert("warning", field, value, Decimal(0), words)]
    credit = Decimal(limits.credit_limit)
    limit = credit.copy_negate()
    within = value >= limit
    words = f"{begin}, {'within' if within else 'beyond'} the credit limit of "
    words += f"{money.show(credit, currency)}"
    words += "." if within else ". Contact 88Pay's support, or deposit."
    return [Alert("info" if within else "error", field, value, limit, words)]


def _missing(field: str) -> Alert:
    words = f"88Pay's answer has no {field} that is an amount, so nothing can be said of it."
    return Alert("error", field, None, None, words)


def _of_currency(
    thresholds: Thresholds | Mapping[str, Thresholds], currency: str | None
) -> Thresholds:
    if isinstance(thresholds, Thresholds):
        return thresholds
    known = ", ".join(sorted(thresholds))
    if currency is None:
        raise WrongUse(f"currency: the thresholds are by currency. Give one of {known}.")
    if currency not in thresholds:
        raise WrongUse(f"currency: no thresholds for {currency!r}. Give them, or one of {known}.")
    return thresholds[currency]
