"""Answers, records and JSON bytes as one exact DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.errors import FrameError, needs
from pay88kit.frames import columns as kinds
from pay88kit.frames import lines

if TYPE_CHECKING:
    import pandas as pd


def to_frame(data: Any, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """``data`` as a DataFrame, one row per item.

    Amounts are exact (``decimal128``), times are in UTC, text stays text. A field that only some
    items have is a column with missing values; a field that nobody knows is a column too; nested
    fields become columns with dotted names. Rows are numbered from 0.

    Codes stay text and a reference stays a column, so that every form of the same data gives the
    same table. :func:`coded` makes categories and an index of them.

    Args:
        data: an answer, a list of answers, records (dicts, rows of a database query), a
            DataFrame, whose columns get the types that their names ask for, or bytes: JSON lines,
            a JSON array, an object, or an object with its rows in ``data``. JSON lines are read in
            bulk: a million of them take a second or so.
        columns: which columns, in which order; by default every field that occurs.

    Raises:
        FrameError: a value that is no amount or no time where one belongs, with row and column;
            bytes that are not JSON, with the line.
        MissingExtra: without the extra ``frames``.
    """
    with needs("frames"):
        import pandas as pd
        import pyarrow as pa
    if isinstance(data, pd.DataFrame):
        return _of_frame(data, columns, pa)
    if isinstance(data, bytes | bytearray):
        data = bytes(data)
        read = lines.read(data)
        if read is not None:
            return _of_lines(*read, columns)
        data = _parse(data)
    rows = [_flatten(_record(item)) for item in _items(data)]
    names = list(columns or dict.fromkeys(name for row in rows for name in row))
    table = {}
    for name in names:
        shown = kinds.label(name)
        if shown in table:
            raise FrameError(f"column {shown}: two fields have this name. Rename one of them.")
        table[shown] = _column(name, [row.get(name) for row in rows], pa)
    return pd.DataFrame(table, columns=list(table), index=pd.RangeIndex(len(rows)))


def _column(name: str, values: list[Any], pa: Any) -> pd.Series[Any]:
    import pandas as pd

    values = [kinds.plain(value) for value in values]
    array = kinds.array(name, values, pa)
    if array is not None:
        return pd.Series(pd.arrays.ArrowExtensionArray(array))
    # pandas would make floats of whole numbers beside missing values or fractions.
    whole = any(isinstance(value, int) for value in values)
    return pd.Series(values, dtype=object) if whole else pd.Series(values)


def _of_frame(frame: pd.DataFrame, columns: Sequence[str] | None, pa: Any) -> pd.DataFrame:
    """With its named index as columns, as in a file. What has its type already is kept."""
    import pandas as pd

    frame = kinds.with_index(frame)
    frame = frame.set_axis(list(map(str, frame)), axis=1).reset_index(drop=True)
    typed = {}
    for name in frame.columns if columns is None else columns:
        if name not in frame:
            typed[name] = _column(name, [None] * len(frame), pa)
            continue
        ready = getattr(frame[name].dtype, "pyarrow_dtype", None)
        if ready is not None and kinds.kind(name, pa) in (None, ready):
            typed[name] = frame[name]
        else:
            values = [None if kinds.is_missing(value) else value for value in frame[name]]
            typed[name] = _column(name, values, pa)
    return pd.DataFrame(typed, columns=list(typed), index=frame.index)


def _of_lines(table: Any, count: int, columns: Sequence[str] | None) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    found = dict(zip(table.column_names, table.columns, strict=True))
    typed = {}
    for name in columns or found:
        column = found.get(name, pa.nulls(0))
        if name not in found or pa.types.is_null(column.type):
            column = pa.nulls(count, kinds.kind(name, pa) or pa.string())
        elif pa.types.is_string(column.type):
            column = kinds.from_text(name, column, pa)
        typed[name] = pd.Series(pd.arrays.ArrowExtensionArray(column))
    return pd.DataFrame(typed, columns=list(typed), index=pd.RangeIndex(count))


def _items(data: Any) -> Iterable[Any]:
    if isinstance(data, Mapping):
        inner = data.get("data")
        if isinstance(inner, list):
            return inner
        # 88Pay's envelope around one object.
        return [inner if isinstance(inner, Mapping) and "status" in data else data]
    one = any(hasattr(data, name) for name in ("record", "model_dump", "_mapping"))
    if isinstance(data, Iterable) and not isinstance(data, str) and not one:
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
    elif hasattr(item, "_mapping"):  # a row of a database query
        item = item._mapping
    if not isinstance(item, Mapping):
        raise FrameError(f"a {type(item).__name__} is not a row; give answers or dicts.")
    return item


def _flatten(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if hasattr(value, "model_dump"):
            value = value.model_dump(exclude_none=True)
        nested = isinstance(value, Mapping) and value
        inner = _flatten(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
        for twice in flat.keys() & inner.keys():
            raise FrameError(f"column {twice}: two fields have this name. Rename one of them.")
        flat |= inner
    return flat
