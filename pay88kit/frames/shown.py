"""A frame as people read it: amounts in their currency, written as their country writes them."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any

from pay88kit.display import grid_html, one_line
from pay88kit.errors import WrongUse, needs
from pay88kit.frames.columns import is_missing, is_money

if TYPE_CHECKING:
    import pandas as pd

_CURRENCIES = ("currency", "transaction_currency")
_MISSING = "–"


def styled(
    frame: pd.DataFrame,
    locale: str = "es_CO",
    *,
    currency: str | None = None,
    title: str = "Amounts",
    rows: int = 100,
) -> Styled:
    """The frame as a table for people: HTML in a notebook, text elsewhere.

    The frame stays as it is. Amounts always have two decimals, also in currencies that are often
    written without (CLP), and the marks of ``locale``: ``$1.234.567,00`` in ``es_CO``. Times are
    in UTC. A missing value is a dash.

    Args:
        frame: made by :func:`to_frame`.
        locale: a language and country that Babel knows, such as ``"pt_BR"``.
        currency: for a table that does not say it, as a balance. By default each row's own, in its
            column ``currency`` or ``transaction_currency``.
        title: the table's caption.
        rows: how many rows are shown; the table says how many there are.

    Raises:
        WrongUse: the locale is unknown.
    """
    return Styled(frame, _amounts(locale), currency, title, rows)


class Styled:
    """What :func:`styled` returns. ``frame`` is the exact data that it shows."""

    def __init__(
        self,
        frame: pd.DataFrame,
        show: Callable[[Decimal, str | None], str],
        currency: str | None,
        title: str,
        rows: int,
    ) -> None:
        self.frame = frame
        self._show = show
        self._currency = currency
        self._title = title if len(frame) <= rows else f"{title}, {rows:,} of {len(frame):,} rows"
        self._rows = rows
        self._names = list(map(str, frame))
        self._amounts = [name for name in self._names if is_money(name)]

    def _cells(self) -> list[list[str]]:
        part = self.frame.head(self._rows)
        at = next((self._names.index(n) for n in _CURRENCIES if n in self._names), None)
        return [
            [self._cell(value, None if at is None else row[at]) for value in row]
            for row in part.itertuples(index=False, name=None)
        ]

    def _cell(self, value: Any, currency: Any) -> str:
        if isinstance(value, Decimal):
            known = self._currency or (currency if isinstance(currency, str) else None)
            return self._show(value, known)
        if is_missing(value):
            return _MISSING
        return f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else str(value)

    def __str__(self) -> str:
        lines = [self._names, *self._cells()]
        lines = [[one_line(cell) for cell in line] for line in lines]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        right = [name in self._amounts for name in self._names]

        def text(line: list[str]) -> str:
            cells = zip(line, widths, right, strict=True)
            return "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in cells).rstrip()

        return "\n".join([one_line(self._title), *map(text, lines)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return grid_html(self._title, self._names, self._cells(), numbers=self._amounts)


def _amounts(locale: str) -> Callable[[Decimal, str | None], str]:
    """How an amount is written in a locale, with its currency or without."""
    with needs("frames"):
        from babel import Locale, UnknownLocaleError
    try:
        known = Locale.parse(locale)
    except (UnknownLocaleError, ValueError, TypeError):
        raise WrongUse(f"locale: {locale!r} is unknown. Use one such as es_CO or pt_BR.") from None
    # The locale's own patterns, but for their decimals: some have none, some up to three.
    bare, full = (
        copy.copy(patterns[key])
        for patterns, key in ((known.decimal_formats, None), (known.currency_formats, "standard"))
    )

    def show(amount: Decimal, currency: str | None) -> str:
        pattern = full if currency else bare
        # Nothing is rounded on the screen: what has more decimals is shown with all of them.
        pattern.frac_prec = (2, max(2, -int(amount.as_tuple().exponent)))
        with localcontext(Context(prec=60)):  # a program's own context may round
            text = pattern.apply(amount, known, currency=currency, currency_digits=False)
        # The locales' own spaces do not break, and text would show them as control characters.
        return re.sub(r"\s", " ", text)

    return show
