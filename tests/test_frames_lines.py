"""JSON lines are read in bulk: the same table and the same errors as one by one, only sooner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pay88kit import money, to_frame
from pay88kit.errors import FrameError
from pay88kit.frames import lines


@pytest.fixture(autouse=True, scope="module", params=[1, 1000], ids=["sample 1", "sample 1000"])
def sample(request: pytest.FixtureRequest) -> Iterator[None]:
    """How many lines are looked at beforehand: what is odd comes after them, or among them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_SAMPLE", request.param)
        yield


def one_by_one(data: bytes) -> Any:
    """The table of the same records by the exact path, or its error."""
    try:
        return to_frame([money.loads(line) for line in data.splitlines() if line.strip()])
    except FrameError as error:
        return str(error)
    except ValueError:
        return "is not JSON"


def in_bulk(data: bytes) -> Any:
    try:
        return to_frame(data)
    except FrameError as error:
        return str(error)


def assert_same(data: bytes) -> None:
    ours, exact = in_bulk(data), one_by_one(data)
    if isinstance(exact, str):
        assert isinstance(ours, str), ours
        assert exact in ours
    else:
        assert isinstance(ours, pd.DataFrame), ours
        pd.testing.assert_frame_equal(ours, exact, check_exact=True, check_index_type=True)


# ---------------------------------------------------------------- what is read in bulk

ROW = {
    "transaction_date": "2025-01-17 14:30:45",
    "transaction_amount": "50000.10",
    "transaction_status": "COMPLETED",
    "created_at": "2025-01-17T14:30:45.5Z",
    "net_balance": -215520,
    "attempts": 3,
    "final": True,
    "nothing": None,
}


@pytest.mark.parametrize(
    "rows",
    [
        [ROW, ROW],
        [ROW, {**ROW, "transaction_amount": "-0.5", "transaction_channel": "WEB"}],
        [ROW, {"transaction_fee": "1.50", "transaction_hint": "2026-01-15"}],
        [ROW, {**ROW, "net_balance": Decimal("0.29")}, {"net_balance": None}],
        [ROW, {"transaction_amount": None, "transaction_note": "=1+1 – ñ \u20ac \U0001f600"}],
        [{"reference": str(n)} for n in range(1500)] + [{"new": 5}, {"newer": False, "newest": 1}],
        [{"nothing": None, "at": None, "amount": None}, {"reference": "A"}],
    ],
    ids=["webhooks", "unknown field", "ragged", "numbers", "unicode", "late fields", "missing"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_transaction_records_are_read_in_bulk(rows: list[dict[str, Any]], end: str) -> None:
    data = (end.join(map(money.dumps, rows)) + end).encode()
    assert lines.read(data) is not None
    assert_same(data)
    assert to_frame(data).columns.tolist() == list(dict.fromkeys(n for row in rows for n in row))


def test_a_number_never_becomes_a_float() -> None:
    data = b'{"amount": 0.29}\n{"amount": 4503599627370497.51}\n{"amount": 1e3}'
    assert lines.read(data) is not None
    assert to_frame(data)["amount"].tolist() == [
        Decimal("0.29"), Decimal("4503599627370497.51"), Decimal(1000),
    ]  # fmt: skip


def test_columns_choose_and_order_in_bulk_too() -> None:
    data = b"\n".join([json.dumps(ROW).encode()] * 2)
    frame = to_frame(data, ["transaction_amount", "settled_at", "other"])
    assert frame.columns.tolist() == ["transaction_amount", "settled_at", "other"]
    assert list(map(str, frame.dtypes)) == [
        "decimal128(18, 2)[pyarrow]", "timestamp[us, tz=UTC][pyarrow]", "string[pyarrow]",
    ]  # fmt: skip


# ---------------------------------------------------------------- what is left to the exact path


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": "1"}{"a": "2"}\n{"a": "3"}',
        b'{"a": "1"} {"a": "2"}\n{"a":\n"3"}',
        b'{"a": "1", "a": "2"}\n{"a": "3"}',
        b'{"a": "\\ud800"}\n{"a": "3"}',
        b'{"a": "\xff"}\n{"a": "3"}',
        b'{"a": "3"}\n{"a": "\xff"}',
        b'{"a": "3"}\n{"a": "1"}{"a": "2"}',
        b'{"a": "1"}\n{"a":\n"3"}{"a": "4"}',
        b'{"a": "1"}\n{"a": "3"}\0}',
        b'{"a": "1"}\n{"a": "3"}\0\0{"a": "3"}\n',
        b'{"a": 1}\n{"b\\"c": 1, "d": 2, "c": 3}',
        b'{"a": "1"}\0\n{"a": "3"}',
        b'{"a": "1"}\n{"a": "3"}\0{"b": 1}',
        b'{"a":\r1}\n{"a": 3}',
        b'{"a": 1}\n{"a": 1.0}',
        b'{"a": 1}\n{"a": true}',
        b'{"a": 1}\n{"a": NaN}',
        b'{"a": 1}\n{"a": 99999999999999999999}',
        b'{"a": 1}\n{"a": {"b": 1}}',
        b'{"a": {"b": 1}}\n{"a.b": 2}',
        b'{"a": 1}\n{"b": {}}',
        b'{"a": 1}\n{"b": []}',
        b'{"a": 1}\n{"b": 0.1}',
        b'{"a": 1}\n[1]',
        b'{"a": 1}\n"x"',
        b'{"a": 1}\n{"a": 1,}',
        b'{"a": 1}\n{"a": 01}',
        b'{"a": 1}\n{"a": 1} x',
        b"{}\n{}",
        b'{"a": 1}\n\n{"a": 2}',
        b'\xef\xbb\xbf{"a": 1}\n{"a": 2}',
        b'{"amount": "1"}\n{"amount": 2}',
        b'{"amount": 1}\n{"amount": "1e3"}',
        b'{"amount": 1}\n{"amount": 0e-999999}',
        b'{"amount": 1}\n{"amount": 0e999999}',
        b'{"amount": 1}\n{"amount": 1.005}',
        b'{"a": 1}\n{"at": 5}',
        b'{"a": 1}\n{"amount": true}',
        b'{"a": 1}\n{"amount": 5}',
        b'{"at": "2026-02-30 00:00:00"}\n{"a": 1}',
        b'{"at": "9999-12-31T23:30:00-05:00"}\n{"a": 1}',
        b'{"at": "0000-01-01 00:00:00"}\n{"a": 1}',
        b'{"at": "2026-01-15 12:00:00"}\n{"at": "2026-01-15 12:00:00Z"}',
        b'{"at": "20260115"}\n{"at": "2026-W03-4"}',
        b'{"a": 1}\n' + b'{"late": "2026-01-15", "la\\u0074er": "x"}',
        b'{"a": 1}\n{"b": "\\"c\\": ", "c": 1, "d": 2}',
        b'{"a": 1}\n{"\\ud800": 1}',
        b'{"a": 1}\n{"\xff": 1}',
        b'{"a": 1}\n{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_what_is_odd_comes_out_as_one_by_one(data: bytes) -> None:
    assert_same(data)


# ---------------------------------------------------------------- anything at all

texts = st.text(max_size=6) | st.sampled_from(
    ["", "5", "-5.10", "1.500", "1e3", "1,000.00", "+5", ".5", "5.", "NaN", "9" * 30, "９", "5\n",
     "99999999999999999.99", "2026-01-15T12:00:00Z", "2026-01-15 12:00:00", "2026-01-15",
     "2026-01-15T23:30:00-05:00", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:30:00-05:00",
     "2026-01-15T12:00:00.1234567Z", "2026-01-15T24:00:00Z", "2026-01-15T12:00:60Z",
     "2026-01-15T12:00:00+24:00", "0001-01-01T00:00:00+01:00", "2026-01-15 12:00:00\n"]
)  # fmt: skip
numbers = (
    st.integers(-(10**20), 10**20).map(str)
    | st.decimals(-1000, 1000, places=2).map(str)
    | st.sampled_from(["0", "-0", "1e2", "1E-2", "1.005", "0e400", "0e-400", "12e-1", "1" * 40])
)
values = st.one_of(
    texts.map(json.dumps),
    texts.map(lambda text: json.dumps(text, ensure_ascii=False)),
    numbers,
    st.sampled_from(["null", "true", "false", "{}", "[]", '{"b": 1}', '["x"]', "NaN", '"\\u00']),
)  # fmt: skip
# What a program writes into a field again and again; sometimes it is something else.
usual = {
    "a": texts.map(json.dumps),
    "b": st.integers(-(2**63), 2**63 - 1).map(str),
    "c": st.sampled_from(["true", "false"]),
    "amount": st.decimals(-1000, 1000, places=2).map(lambda number: f'"{number:f}"'),
    "net_balance": st.decimals(-1000, 1000, places=2).map(str) | st.sampled_from(["1e2", "-0"]),
    "at": st.datetimes().map(lambda at: f'"{at}"'),
    "x_date": st.datetimes().map(lambda at: f'"{at.isoformat()}Z"'),
    "nothing": st.just("null"),
    "b.c": texts.map(json.dumps),
    "ñ": st.sampled_from(['"2026-01-15"', '"2026-01-15 12:00:00"']),
    'q"': values,
    "": texts.map(json.dumps),
}


@st.composite
def json_lines(draw: Any) -> bytes:
    names = draw(st.lists(st.sampled_from(list(usual)), unique=True, max_size=6))
    rows = []
    for _ in range(draw(st.integers(2, 5))):
        fields = []
        for name in names:
            rare = draw(st.integers(0, 30))
            held = values if rare == 0 else usual[name]
            if rare > 5:
                fields.append((name, draw(held)))
            elif rare == 5:
                fields.append((name, "null"))
            elif rare == 0:
                fields += [(name, draw(held))] * draw(st.integers(1, 2))  # a duplicate key
        rows.append("{" + ", ".join(f"{json.dumps(n)}: {v}" for n, v in fields) + "}")
    end = draw(st.sampled_from(["\n"] * 20 + ["\r\n", "\r", "\n\n", " \n", "", " "]))
    last = draw(st.sampled_from(["", "\n", " "]))
    return (end.join(rows) + last).encode("utf-8", "surrogatepass")


@settings(max_examples=400)
@given(json_lines())
@example(b'{"amount": "5.\\u0031"}\n{"amount": "5"}')
def test_in_bulk_is_as_one_by_one(data: bytes) -> None:
    if len(data.splitlines()) > 1:  # a single object may be an envelope
        assert_same(data)
