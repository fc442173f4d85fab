"""Frames as files and back without loss: Parquet and CSV. What is written only its owner reads."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.errors import FrameError, needs
from pay88kit.frames import columns as kinds

if TYPE_CHECKING:
    import pandas as pd

# Text that a spreadsheet would take for a formula gets this mark before it, and loses it again when
# it is read. Text that begins with the mark gets it too, so that reading cannot mistake it. A
# spreadsheet that takes semicolons for separators begins a cell behind each of them, and on each
# new line, whatever is quoted.
_FORMULA = ((r"([;\t\r\n])([=+\-@'])", r"\1'\2"), (r"^([=+\-@\t\r\n'])", r"'\1"))
_MARKED = ((r"^'([=+\-@\t\r\n'])", r"\1"), (r"([;\t\r\n])'([=+\-@'])", r"\1\2"))
_BOM = b"\xef\xbb\xbf"
_ABOUT = b"pay88kit"


def save_parquet(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write the frame as Parquet: every type and value as it is. :func:`read_parquet` reads it.

    A named index is kept, row numbers are not. Mixed values of a column are written as JSON text.

    Raises:
        FrameError: a value that has no exact form in a file, with row and column.
        OSError: the file cannot be written.
    """
    with needs("frames"):
        import pyarrow.parquet as parquet
    table, mixed = _table(frame)
    about = {"mixed": mixed, "index": [name for name in frame.index.names if name is not None]}
    with private(path) as file:
        parquet.write_table(table.replace_schema_metadata({_ABOUT: json.dumps(about)}), file)


def read_parquet(path: str | os.PathLike[str]) -> pd.DataFrame:
    """A frame that :func:`save_parquet` wrote; of another program's file, its columns."""
    with needs("frames"):
        import pandas as pd
        import pyarrow as pa
        import pyarrow.parquet as parquet
    with open(path, "rb") as file:
        table = parquet.read_table(file)
    about = json.loads((table.schema.metadata or {}).get(_ABOUT, b"{}"))
    series = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name in about.get("mixed", ()):
            series[name] = _from_json(name, column)
        elif pa.types.is_dictionary(column.type):
            series[name] = _categories(column)
        else:
            series[name] = pd.Series(pd.arrays.ArrowExtensionArray(column))
    frame = pd.DataFrame(series, columns=list(series), index=pd.RangeIndex(table.num_rows))
    return frame.set_index(about["index"]) if about.get("index") else frame


def save_csv(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write the frame as CSV, in UTF-8 with the mark that spreadsheets look for.

    Amounts have two decimals and no thousands marks, times are in UTC and end with ``Z``, a missing
    value is empty, an empty text is ``""``. Text that a spreadsheet would run as a formula (it
    begins with ``=``, ``+``, ``-``, ``@``, a tab or a line break) gets a ``'`` before it, also
    behind a semicolon, a tab or a line break within it, and so does text that begins with ``'``;
    :func:`read_csv` takes it off again.

    Raises:
        FrameError: a value that has no exact form in a file, with row and column.
        OSError: the file cannot be written.
    """
    with needs("frames"):
        import pyarrow as pa
        import pyarrow.csv as arrow
    table, _ = _table(frame)
    for at, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = _replaced(column, _FORMULA)
        table = table.set_column(at, name, column)
    header = io.StringIO()
    names = [_replaced(name, _FORMULA) for name in table.column_names]
    csv.writer(header, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(names)
    with private(path) as file:
        file.write(_BOM + header.getvalue().encode())
        options = arrow.WriteOptions(include_header=False, quoting_style="needed")
        arrow.write_csv(table, file, options)


def read_csv(path: str | os.PathLike[str], like: pd.DataFrame | None = None) -> pd.DataFrame:
    """A frame from CSV, with nothing guessed: the text ``007`` stays ``007``.

    Amounts and times are known by their names, as in :func:`to_frame`; every other column is text,
    unless ``like`` says otherwise. ``read_csv(path, like=frame)`` gives back the frame of
    :func:`to_frame` that :func:`save_csv` wrote.

    Args:
        path: a file in UTF-8 with commas and a header.
        like: a frame whose columns have the wanted types, for one the frame before it was saved.

    Raises:
        FrameError: a value that is not of its column's type, with row and column; no CSV.
    """
    with needs("frames"):
        import pandas as pd
        import pyarrow as pa
        import pyarrow.csv as arrow
    data = Path(path).read_bytes().removeprefix(_BOM)
    parse = arrow.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    try:
        header = next(csv.reader(io.StringIO(data.decode(), newline="")), [])
        if data and not header and not data.strip():
            return pd.DataFrame(columns=[], index=pd.RangeIndex(0))  # saved without columns
        convert = arrow.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), null_values=[""],
            strings_can_be_null=True, quoted_strings_can_be_null=False,
        )  # fmt: skip
        table = arrow.read_csv(pa.BufferReader(data), None, parse, convert)
    except (pa.ArrowInvalid, UnicodeDecodeError, csv.Error) as error:
        raise FrameError(f"{Path(path).name}: is no CSV in UTF-8 with a header: {error}") from None
    series: dict[str, Any] = {}
    for marked, texts in zip(table.column_names, table.columns, strict=True):
        name = _replaced(marked, _MARKED)
        if name in series:
            raise FrameError(f"column {name}: is there twice. Rename one of them in the file.")
        texts = _replaced(texts, _MARKED)
        model = like[name] if like is not None and name in like else None
        if model is not None and model.dtype == object:
            series[name] = _from_json(name, texts)
            continue
        if model is None:
            typed = kinds.from_text(name, texts, pa, money.as_written)
        else:
            typed = _cast(name, texts, model, pa)
        series[name] = pd.Series(pd.arrays.ArrowExtensionArray(typed))
    return pd.DataFrame(series, index=pd.RangeIndex(table.num_rows))


def _table(frame: pd.DataFrame) -> tuple[Any, list[str]]:
    """The frame as an Arrow table, and the names of the columns whose values became JSON text."""
    import pyarrow as pa

    frame = kinds.with_index(frame)
    names = list(map(str, frame))
    frame = frame.set_axis(names, axis=1)
    mixed = [name for name in names if frame[name].dtype == object]
    arrays = {
        name: pa.array(
            _to_json(name, frame[name]) if name in mixed else frame[name], from_pandas=True
        )
        for name in names
    }
    return pa.table(arrays), mixed


def _categories(column: Any) -> Any:
    """A column of codes as it was: its texts are Arrow's, so that a missing one is ``pd.NA``."""
    import pandas as pd

    codes = column.unify_dictionaries().combine_chunks()
    return pd.Series(
        pd.Categorical.from_codes(
            codes.indices.fill_null(-1).to_numpy(),
            pd.Index(pd.arrays.ArrowExtensionArray(codes.dictionary)),
            ordered=codes.type.ordered,
        )
    )


def _replaced(text: Any, patterns: Iterable[tuple[str, str]]) -> Any:
    """A text, or an Arrow column of them, with the patterns replaced one after the other."""
    import pyarrow.compute as pc

    for pattern, by in patterns:
        if isinstance(text, str):
            text = re.sub(pattern, by, text)
        else:
            text = pc.replace_substring_regex(text, pattern, by)
    return text


def _to_json(name: str, values: Any) -> Any:
    import pyarrow as pa

    texts = []
    for row, value in enumerate(values):
        try:
            texts.append(None if value is None else money.dumps(kinds.plain(value)))
        except (TypeError, ValueError, RecursionError) as error:
            raise FrameError(f"row {row}, column {name}: {error}") from None
    return pa.array(texts, pa.string())


def _from_json(name: str, texts: Any) -> Any:
    import pandas as pd

    values = []
    for row, text in enumerate(texts.to_pylist()):
        try:
            values.append(None if text is None else money.loads(text))
        except ValueError:
            raise FrameError(f"row {row}, column {name}: {text[:40]!r} is not JSON.") from None
    return pd.Series(values, dtype=object)


def _cast(name: str, texts: Any, model: Any, pa: Any) -> Any:
    """The texts as what ``model`` holds."""
    kind = pa.array(model.head(0), from_pandas=True).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if kinds.kind(name, pa) == kind:
        return kinds.from_text(name, texts, pa, money.as_written)
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        for row, text in enumerate(texts.to_pylist()):
            try:
                pa.scalar(text, pa.string()).cast(kind)
            except pa.ArrowInvalid:
                raise FrameError(
                    f"row {row}, column {name}: {text[:40]!r} is not of the type {kind}."
                ) from None
        raise


@contextmanager
def private(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A file in place of ``path`` that only its owner reads, there only when it is whole."""
    target = Path(path)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}-")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.replace(name, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
