"""What is asked of a frame: sums by currency, days in a zone, categories, floats to plot."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pay88kit.errors import FrameError, WrongUse, needs

if TYPE_CHECKING:
    import pandas as pd

# Columns of few different texts, by 88Pay's names and the kit's.
CODES = frozenset(
    ("currency", "transaction_currency", "country", "transaction_country", "status",
     "transaction_status", "state", "operation", "flow", "method_code", "method_category",
     "transaction_payment_method", "network", "environment", "outcome", "matched_by")
)  # fmt: skip
_CURRENCIES = ("currency", "transaction_currency")
_REFERENCES = ("reference", "transaction_reference")
# The days that Python knows, counted from 1970-01-01.
_FIRST_DAY, _LAST_DAY = ((end - date(1970, 1, 1)).days for end in (date.min, date.max))


def total(frame: pd.DataFrame, column: str = "amount") -> Decimal:
    """The exact sum of a column of one currency; missing amounts do not count.

    The currency is in a column ``currency`` or ``transaction_currency``, beside the amounts where
    names are dotted: ``data.currency`` for ``data.amount``. Without one, as in a balance, the rows
    of one merchant are taken to be in one.

    Raises:
        FrameError: the rows are in two currencies, or some have one and others none
            (:func:`totals` gives each its sum); no currency, and two merchants; the column does
            not hold exact numbers.
    """
    sums = totals(frame, column)
    if len(sums) > 1:
        found = " and ".join(currency or "no currency" for currency in sums)
        raise FrameError(
            f"column {column}: amounts in {found} have no sum. "
            f"Choose the rows of one currency, or use totals(frame, {column!r})."
        )
    return next(iter(sums.values()), Decimal("0.00"))


def totals(frame: pd.DataFrame, column: str = "amount") -> dict[str | None, Decimal]:
    """The exact sum of a column for each currency, in alphabetical order.

    The key None stands for rows without a currency.

    Raises:
        FrameError: the currency cannot be told; see :func:`total`. The column does not hold exact
            numbers, or one with more than 66 digits.
    """
    with needs("frames"):
        import pyarrow as pa
    table = pa.table(
        {"currency": _currencies(frame, column, pa), "amount": _exact(frame, column, pa)}
    )
    table = table.filter(table["amount"].is_valid())
    sums = table.group_by("currency").aggregate([("amount", "sum")]).to_pylist()
    by_currency = {row["currency"]: row["amount_sum"] for row in sums}
    return {key: by_currency[key] for key in sorted(by_currency, key=lambda key: key or "")}


def _currencies(frame: pd.DataFrame, column: str, pa: Any) -> Any:
    import pandas as pd

    name = _currency_of(frame, column)
    if name is None:
        _check_merchant(frame, column)
        return pa.nulls(len(frame), pa.string())
    try:
        return pa.array(frame[name].astype(pd.ArrowDtype(pa.string())))
    except (pa.ArrowException, TypeError):
        raise FrameError(f"column {name}: holds something that is no text.") from None


def _currency_of(frame: pd.DataFrame, column: str) -> str | None:
    """The column with the currencies of ``column``: the nearest one, as its name tells."""
    near = column.split(".")[:-1]
    for depth in range(len(near), -1, -1):
        for name in _CURRENCIES:
            beside = ".".join([*near[:depth], name])
            if beside in frame:
                return beside
    others = [str(name) for name in frame if str(name).rsplit(".", 1)[-1] in _CURRENCIES]
    if len(others) > 1:
        raise FrameError(
            f"column {column}: its currency may be {' or '.join(others)}. Rename the right one to "
            f"currency."
        )
    return others[0] if others else None


def _check_merchant(frame: pd.DataFrame, column: str) -> None:
    """Amounts of one merchant are in its currency; those of two may be in two."""
    for name in frame:
        if str(name).rsplit(".", 1)[-1] == "merchant_id":
            whose = frame[name][frame[column].notna()] if column in frame else frame[name]
            count = whose.nunique(dropna=False)
            if count > 1:
                raise FrameError(
                    f"column {column}: is of {count} merchants, and no column says in which "
                    f"currency. Choose the rows of one, or add a column currency."
                )


def _exact(frame: pd.DataFrame, column: str, pa: Any) -> Any:
    """The column as decimals so wide that no sum of them wraps, as one of 38 digits would."""
    import pandas as pd

    if column not in frame:
        raise FrameError(f"column {column}: is not in this frame.")
    series = frame[column]
    kind = getattr(series.dtype, "pyarrow_dtype", None)
    if kind is not None and (pa.types.is_decimal(kind) or pa.types.is_integer(kind)):
        return pa.array(series).cast(pa.decimal256(76, getattr(kind, "scale", 0)))
    values = [None if value is pd.NA else value for value in series]
    for row, value in enumerate(values):
        exact = isinstance(value, int | None) or (isinstance(value, Decimal) and value.is_finite())
        if isinstance(value, bool) or not exact:
            raise FrameError(
                f"row {row}, column {column}: a {type(value).__name__} is not an exact number. "
                f"Make the frame with to_frame."
            )
    scale = max((-int(v.as_tuple().exponent) for v in values if isinstance(v, Decimal)), default=0)
    try:
        return pa.array(values, pa.decimal256(66, max(0, scale))).cast(
            pa.decimal256(76, max(0, scale))
        )
    except (pa.ArrowInvalid, ValueError):
        raise FrameError(
            f"column {column}: a number has too many digits for an exact sum."
        ) from None


def local_day(times: pd.Series[Any], timezone: str) -> pd.Series[Any]:
    """The calendar day of each time as a clock in ``timezone`` shows it, as Arrow dates.

    A payment at 04:30 UTC on 16 January belongs to the 15th in Bogotá, where it is 23:30.

    Args:
        times: times in UTC, as :func:`to_frame` makes them; a missing one has no day.
        timezone: an IANA name such as ``"America/Bogota"``.

    Raises:
        WrongUse: the zone is unknown, or the column holds no times in UTC.
        FrameError: a day after the year 9999 or before the year 1, with its row.
    """
    with needs("frames"):
        import pandas as pd
        import pyarrow as pa
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise WrongUse(
            f"timezone: {timezone!r} is unknown. Use an IANA name such as America/Bogota."
        ) from None
    if str(times.dtype) not in ("timestamp[us, tz=UTC][pyarrow]", "datetime64[us, UTC]"):
        raise WrongUse(
            f"times: a column of {times.dtype} holds no times in UTC. Make it with to_frame."
        )
    # pandas takes its zones from Python, Arrow from the system, which Windows has not.
    local = times.astype("datetime64[us, UTC]").dt.tz_convert(zone).dt.tz_localize(None)
    days = pa.array(local, from_pandas=True).cast(pa.date32(), safe=False)
    for row, day in enumerate(days.cast(pa.int32()).to_pylist()):
        if day is not None and not _FIRST_DAY <= day <= _LAST_DAY:
            raise FrameError(
                f"row {row}, column {times.name}: no calendar has its day in {timezone}."
            )
    return pd.Series(pd.arrays.ArrowExtensionArray(days), index=times.index, name=times.name)


def coded(frame: pd.DataFrame) -> pd.DataFrame:
    """The same table with its codes as categories and, where it can be one, its reference as index.

    Statuses, currencies, countries and methods (the columns in ``CODES``) become categories, which
    take less memory and keep their order in a chart. The reference becomes the index when each row
    has one and no two are the same; otherwise it stays a column, and no row is lost.
    """
    coded = frame.assign(
        **{name: frame[name].astype("category") for name in frame if name in CODES}
    )
    name = next((name for name in _REFERENCES if name in frame), None)
    if name is None or frame[name].isna().any() or not frame[name].is_unique:
        return coded
    return coded.set_index(name)


def for_plot(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy for ``.plot``: amounts as floats, times as pandas' own.

    matplotlib draws floats and cannot draw decimals. A float is good for a picture and never for a
    sum: take figures from the frame itself.
    """
    with needs("frames"):
        import pyarrow.types as kinds

    def drawn(values: Any) -> Any:
        kind = getattr(values.dtype, "pyarrow_dtype", None)
        if kind is None:
            return values
        if kinds.is_timestamp(kind):
            return values.astype("datetime64[us, UTC]" if kind.tz else "datetime64[us]")
        if kinds.is_date(kind):
            return values.astype("datetime64[s]")
        if kinds.is_decimal(kind) or (kinds.is_integer(kind) and values.isna().any()):
            return values.astype("float64")
        return values.astype("int64") if kinds.is_integer(kind) else values

    plotted = frame.assign(**{str(name): drawn(frame[name]) for name in frame})
    return plotted.set_axis(drawn(plotted.index))
