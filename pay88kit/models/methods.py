"""The table of payment methods: 88Pay's codes, categories, countries, currencies and limits.

Documented by 88Pay, but for what ``assumed`` names. The client and the local sandbox both read
this table; what a request must look like, each of them checks with code of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType

from pay88kit.models.countries import CURRENCIES

CATEGORIES = ("CARD", "WALLET", "CASH", "BANK", "CRYPTO")


@dataclass(frozen=True)
class Method:
    """One way to pay.

    ``countries`` is empty where 88Pay says "all". ``currencies`` are accepted beside the country's
    own, unless ``local_currency`` is False. ``limits`` maps a currency to the smallest and the
    largest amount (None: no bound), both included; only limits that 88Pay states in the currency
    of the charge are enforced (assumed). ``confirmed`` is 88Pay's own wording. ``expires`` is when
    an unpaid charge becomes REJECTED (documented for the cash methods, assumed for the others).
    """

    code: str
    category: str
    confirmed: str
    expires: timedelta
    countries: tuple[str, ...] = ()
    local_currency: bool = True
    currencies: tuple[str, ...] = ()
    limits: Mapping[str, tuple[Decimal | None, Decimal | None]] = field(default_factory=dict)

    @property
    def redirects(self) -> bool:
        """Whether the customer pays on a page of 88Pay's and comes back to ``return_url``."""
        return self.category in ("CARD", "WALLET")

    def available_in(self, country: str) -> bool:
        """Whether 88Pay lists the method for a country (ISO 3166-1 alpha-3)."""
        return not self.countries or country in self.countries

    def currencies_in(self, country: str) -> tuple[str, ...]:
        """The currencies (ISO 4217) a charge may have in a country."""
        return (*(CURRENCIES.get(country, ()) if self.local_currency else ()), *self.currencies)


def _limits(
    **bounds: tuple[int | None, int],
) -> Mapping[str, tuple[Decimal | None, Decimal | None]]:
    return MappingProxyType(
        {
            currency: (None if low is None else Decimal(low), Decimal(high))
            for currency, (low, high) in bounds.items()
        }
    )


_HOUR, _CASH, _BANK = timedelta(minutes=60), timedelta(hours=72), timedelta(days=3)

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.code: method
        for method in (
            Method(
                "CARDS", "CARD", "seconds", _HOUR,
                limits=_limits(COP=(5_000, 20_000_000), MXN=(20, 100_000)),
            ),
            Method(
                "BANK_TRANSFER", "BANK", "1–3 business days", _BANK,
                limits=_limits(USD=(None, 50_000)),
            ),
            Method("CASH", "CASH", "up to 72 h", _CASH),
            Method(
                "NEQUI", "WALLET", "instant", _HOUR, ("COL",),
                limits=_limits(COP=(None, 3_000_000)),
            ),
            Method(
                "DAVIPLATA", "WALLET", "instant", _HOUR, ("COL",),
                limits=_limits(COP=(None, 2_000_000)),
            ),
            Method("PAYPAL", "WALLET", "instant", _HOUR, currencies=("USD", "EUR")),
            Method(
                "USDT", "CRYPTO", "~10 min", _HOUR, local_currency=False, currencies=("USD",)
            ),
            Method(
                "PSE", "BANK", "instant–24 h", _HOUR, ("COL",),
                limits=_limits(COP=(None, 50_000_000)),
            ),
            Method("OXXO", "CASH", "up to 72 h", _CASH, ("MEX",)),
            Method("SPEI", "BANK", "instant", _BANK, ("MEX",)),
        )
    }
)  # fmt: skip
