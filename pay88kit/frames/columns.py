"""One column at a time: what its name says it holds, and its values as an exact Arrow array."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.config import Secret, mask
from pay88kit.errors import FrameError, InvalidRequest

if TYPE_CHECKING:
    import pandas as pd

Exact = Callable[[Any, str], Decimal]

# Columns that hold money, by 88Pay's names and the kit's.
MONEY = frozenset(
    ("amount", "transaction_amount", "total_payin", "total_payout", "total_settled",
     "total_available", "net_balance", "credit_limit", "payin", "payout", "settled", "fees",
     "reserves", "advanced", "available", "net")
)  # fmt: skip

# Text that Arrow and the exact path read alike; whatever looks different, the exact path judges.
_AMOUNT = r"^-?[0-9]{1,16}(\.[0-9]{1,2})?$"
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
_ZONE = r"(Z|[+-][0-9]{2}:[0-9]{2})$"
# Of the 38 digits that a decimal128 holds; the rest is for sums of up to 10**10 rows.
_DIGITS = 28


def is_money(name: str) -> bool:
    """Whether a column of this name holds amounts (``fees.amount`` too)."""
    return name.rsplit(".", 1)[-1] in MONEY


def is_time(name: str) -> bool:
    """Whether a column of this name holds times."""
    return name == "at" or name.endswith(("_at", "_date"))


def kind(name: str, pa: Any) -> Any:
    """The Arrow type that the name asks for; None when the values decide."""
    if is_money(name):
        return pa.decimal128(18, 2)
    return pa.timestamp("us", tz="UTC") if is_time(name) else None


def array(name: str, values: list[Any], pa: Any, exact: Exact = money.exact) -> Any:
    """The typed column, or None where pandas' own inference does; ``exact`` judges amounts.

    Raises:
        FrameError: a value that is no amount or no time where one belongs.
    """
    if is_money(name):
        return pa.array(
            [_amount(name, row, v, exact) for row, v in enumerate(values)], kind(name, pa)
        )
    if is_time(name):
        return pa.array([_time(name, row, v) for row, v in enumerate(values)], kind(name, pa))
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, Decimal) and value.is_finite() for value in present):
        scale = max(max(0, -int(value.as_tuple().exponent)) for value in present)
        if max(0, *(value.adjusted() + 1 for value in present)) + scale > _DIGITS:
            return None  # a sum of them might not fit decimal128: the column keeps the Decimals
        return pa.array(values, pa.decimal128(38, scale))
    if all(isinstance(value, str) for value in present):
        return pa.array([None if v is None else _text(v) for v in values], pa.string())
    if present and all(isinstance(value, bool) for value in present):
        return pa.array(values, pa.bool_())
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in present)
    if present and whole and all(-(2**63) <= value < 2**63 for value in present):
        return pa.array(values, pa.int64())
    return None


def from_text(name: str, texts: Any, pa: Any, exact: Exact = money.exact) -> Any:
    """The typed column of an Arrow column of text: as :func:`array` types it, but in bulk.

    Raises:
        FrameError: a text that is no amount or no time where one belongs.
    """
    if not (is_money(name) or is_time(name)):
        return texts
    try:
        typed = _amounts(texts, pa) if is_money(name) else _times(texts, pa)
    except pa.ArrowInvalid:  # 30 February, for one
        typed = None
    return array(name, texts.to_pylist(), pa, exact) if typed is None else typed


def _amounts(texts: Any, pa: Any) -> Any:
    return texts.cast(pa.decimal128(18, 2)) if _all(texts, _AMOUNT, pa) else None


def _times(texts: Any, pa: Any) -> Any:
    import pyarrow.compute as pc

    if _all(texts, _TIME + "$", pa):
        zoned = texts.cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
    elif _all(texts, _TIME + _ZONE, pa):
        zoned = texts.cast(pa.timestamp("us", tz="UTC"))
    else:
        return None
    # A zone can push a time out of the years that Python knows.
    ends = pc.min_max(zoned.cast(pa.int64()))
    first, last = (ends[end].as_py() or 0 for end in ("min", "max"))
    return zoned if _FIRST <= first <= last <= _LAST else None


# In microseconds since 1970.
_EPOCH = datetime(1970, 1, 1)
_FIRST, _LAST = (
    ((end - _EPOCH).days * 86_400 + (end - _EPOCH).seconds) * 1_000_000 + end.microsecond
    for end in (datetime.min, datetime.max)
)


def _all(texts: Any, pattern: str, pa: Any) -> bool:
    import pyarrow.compute as pc

    matches = pc.match_substring_regex(texts, pattern)
    return bool(pc.all(matches, min_count=0).as_py())


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: None, or one of pandas' words for it."""
    import pandas as pd

    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def plain(value: Any) -> Any:
    """The value without secrets, which no table holds, wherever they are in it."""
    if isinstance(value, Secret):
        return mask(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its named index as columns, each with a name of its own.

    Raises:
        FrameError: two columns have one name.
    """
    names = [name for name in frame.index.names if name is not None]
    seen: set[str] = set()
    for name in map(str, [*names, *frame.columns]):
        if name in seen:
            raise FrameError(f"column {name}: two columns have this name. Rename one of them.")
        seen.add(name)
    return frame.reset_index() if names else frame


def with_amounts(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """The frame with these columns as amounts, though their names do not say so."""
    import pandas as pd
    import pyarrow as pa

    return frame.astype(dict.fromkeys(names, pd.ArrowDtype(pa.decimal128(18, 2))))


def label(name: str) -> str:
    """A field's name as a column can have it: half a surrogate pair is written out."""
    return name.encode("utf-8", "backslashreplace").decode()


def _text(value: str) -> str:
    # Half a surrogate pair is text to JSON, and to nothing else.
    return value.encode("utf-8", "replace").decode()


def _amount(name: str, row: int, value: Any, exact: Exact) -> Decimal | None:
    if value is None:
        return None
    try:
        amount = exact(value, name)
    except InvalidRequest as error:
        raise FrameError(f"row {row}, column {error}") from None
    # Arrow does not take off the zeros behind the cents.
    longer = int(amount.as_tuple().exponent) < -2
    return money.from_cents(money.to_cents(amount)) if longer else amount


def _time(name: str, row: int, value: Any) -> datetime | None:
    """A time in UTC; one without a zone is read as UTC (assumed for 88Pay's notifications)."""
    if value is None:
        return None
    try:
        if isinstance(value, date) and not isinstance(value, datetime):
            raise ValueError
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise FrameError(
            f"row {row}, column {name}: {str(value)[:40]!r} is not an ISO 8601 time."
        ) from None
