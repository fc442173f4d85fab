"""The table of anything: answers, records, or JSON bytes become an exact DataFrame.

Amounts become ``decimal128`` (so a sum is exact to the cent), times become UTC timestamps, and
nothing is dropped: a field that only some rows have is a column with missing values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.config import Secret, mask
from pay88kit.errors import FrameError, InvalidRequest, needs

if TYPE_CHECKING:
    import pandas as pd

# Columns that hold money, by 88Pay's names and the kit's.
MONEY = frozenset(
    ("amount", "transaction_amount", "total_payin", "total_payout", "total_settled",
     "total_available", "net_balance", "credit_limit", "payin", "payout", "settled", "fees",
     "reserves", "advanced", "available", "net")
)  # fmt: skip


def to_frame(data: Any, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """``data`` as a DataFrame, one row per item.

    Args:
        data: an answer, a list of answers, records (dicts), a DataFrame, or bytes: JSON lines, a
            JSON array, an object, or an object with its rows in ``data``.
        columns: which columns, in which order; by default every field that occurs.

    Raises:
        FrameError: a value that is no amount or no time where one belongs, with row and column.
        MissingExtra: without the extra ``frames``.
    """
    with needs("frames"):
        import pandas as pd
        import pyarrow as pa
    if isinstance(data, pd.DataFrame):
        return data if columns is None else data[list(columns)]
    rows = [_flatten(_record(item)) for item in _items(data)]
    names = list(columns or dict.fromkeys(name for row in rows for name in row))
    table = {}
    for name in names:
        values = [row.get(name) for row in rows]
        array = _array(name, values, pa)
        table[name] = (
            pd.Series(values) if array is None else pd.Series(pd.arrays.ArrowExtensionArray(array))
        )
    return pd.DataFrame(table, columns=names)


def _items(data: Any) -> Iterable[Any]:
    if isinstance(data, bytes | bytearray):
        data = _parse(bytes(data))
    if isinstance(data, Mapping):
        inner = data.get("data")
        if isinstance(inner, list):
            return inner
        # 88Pay's envelope around one object.
        return [inner if isinstance(inner, Mapping) and "status" in data else data]
    model = hasattr(data, "record") or hasattr(data, "model_dump")
    if isinstance(data, Iterable) and not isinstance(data, str) and not model:
        return data
    return [data]


def _parse(data: bytes) -> Any:
    """One JSON value, or one per line."""
    try:
        return money.loads(data)
    except ValueError:
        pass
    items = []
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            try:
                items.append(money.loads(line))
            except ValueError:
                raise FrameError(f"line {number}: is not JSON.") from None
    return items


def _record(item: Any) -> Mapping[str, Any]:
    if hasattr(item, "record"):
        item = item.record()
    elif hasattr(item, "model_dump"):
        item = item.model_dump(exclude_none=True)
    if not isinstance(item, Mapping):
        raise FrameError(f"a {type(item).__name__} is not a row; give answers or dicts.")
    return item


def _flatten(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if hasattr(value, "model_dump"):
            value = value.model_dump(exclude_none=True)
        if isinstance(value, Mapping) and value:
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _array(name: str, values: list[Any], pa: Any) -> Any:
    """The typed column, or None where pandas' own inference does."""
    if name.rsplit(".", 1)[-1] in MONEY:
        exact = [_amount(name, row, value) for row, value in enumerate(values)]
        return pa.array(exact, pa.decimal128(18, 2))
    if name == "at" or name.endswith(("_at", "_date")):
        times = [_time(name, row, value) for row, value in enumerate(values)]
        return pa.array(times, pa.timestamp("us", tz="UTC"))
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, Decimal) and value.is_finite() for value in present):
        scale = max(max(0, -int(value.as_tuple().exponent)) for value in present)
        if max(0, *(value.adjusted() + 1 for value in present)) + scale > 38:
            return None  # more digits than decimal128 holds: the column keeps the Decimals
        return pa.array(values, pa.decimal128(38, scale))
    if all(isinstance(value, str) for value in present):
        # Half a surrogate pair is text to JSON, and to nothing else.
        texts = [None if v is None else _text(v) for v in values]
        return pa.array(texts, pa.string())
    if present and all(isinstance(value, bool) for value in present):
        return pa.array(values, pa.bool_())
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in present)
    if present and whole and all(abs(value) < 2**63 for value in present):
        return pa.array(values, pa.int64())
    return None


def _text(value: str) -> str:
    if isinstance(value, Secret):
        return mask(value)
    return value.encode("utf-8", "replace").decode()


def _amount(name: str, row: int, value: Any) -> Decimal | None:
    try:
        return None if value is None else money.exact(value, name)
    except InvalidRequest as error:
        raise FrameError(f"row {row}, column {error}") from None


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
