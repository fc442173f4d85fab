"""88Pay's ways to pay as a table, for the lesson that uses them and for the page to print."""

from __future__ import annotations

from decimal import Decimal

from pay88kit.guide.sheet import Sheet
from pay88kit.models.methods import METHODS, Method

HEADER = ("Code", "Category", "Countries", "Currencies", "Limits", "Confirmed")


def methods() -> Sheet:
    """88Pay's ten methods: all of it is documented."""
    return Sheet("88Pay's methods, as documented", HEADER, tuple(method_rows()))


def method_rows() -> list[tuple[str, ...]]:
    """A row for each method, the code first."""
    return [
        (
            method.code,
            method.category,
            ", ".join(method.countries) or "all",
            _currencies(method),
            "; ".join(_limit(name, *bounds) for name, bounds in method.limits.items()) or "–",
            method.confirmed,
        )
        for method in METHODS.values()
    ]


def _currencies(method: Method) -> str:
    own = ("the country's",) if method.local_currency else ()
    return ", ".join((*own, *method.currencies))


def _limit(currency: str, lowest: Decimal | None, highest: Decimal | None) -> str:
    bounds = (("from", lowest), ("to", highest))
    return " ".join([currency, *(f"{word} {n:,}" for word, n in bounds if n is not None)])
