"""The table of anything: exact, complete, in UTC."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sql
from hypothesis import example, given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from pay88kit import to_frame
from pay88kit.config import Secret
from pay88kit.errors import FrameError
from pay88kit.models.answers import Balance, Charge
from pay88kit.models.requests import ChargeRequest

amounts = st.decimals(Decimal("-99999999999.99"), Decimal("99999999999.99"), places=2)


def arrow_type(series: pd.Series) -> pa.DataType:
    assert isinstance(series.dtype, pd.ArrowDtype)
    return series.dtype.pyarrow_dtype


@given(st.lists(amounts, min_size=1, max_size=50))
def test_a_sum_of_amounts_is_exact_to_the_cent(values: list[Decimal]) -> None:
    frame = to_frame([{"amount": f"{value:f}"} for value in values])
    assert arrow_type(frame["amount"]) == pa.decimal128(18, 2)
    assert frame["amount"].tolist() == values
    total = frame["amount"].sum()
    assert isinstance(total, Decimal)
    assert total == sum(values)


@given(st.lists(amounts, min_size=1))
def test_amounts_from_json_bytes_are_exact(values: list[Decimal]) -> None:
    lines = "\n".join(f'{{"amount": {value:f}}}' for value in values).encode()
    assert to_frame(lines)["amount"].tolist() == values


def test_a_thousand_dimes_are_a_hundred() -> None:
    frame = to_frame(b"\n".join([b'{"amount": 0.10}'] * 1000))
    assert frame["amount"].sum() == Decimal("100.00")


ROWS = [{"reference": "A", "amount": "1.50"}, {"reference": "B", "amount": "2.25"}]
LINES = b'{"reference": "A", "amount": "1.50"}\n\n{"reference": "B", "amount": 2.25}\r\n'


@pytest.mark.parametrize(
    "data",
    [
        ROWS,
        tuple(ROWS),
        iter(ROWS),
        {"data": ROWS},
        {"status": "Success", "code": 200, "data": ROWS},
        LINES,
        bytearray(LINES),
        json.dumps(ROWS).encode(),
        json.dumps(ROWS, indent=2).encode(),
        json.dumps({"data": ROWS}).encode(),
        b"\xef\xbb\xbf" + json.dumps(ROWS).encode(),
        [Charge.read({"data": row}) for row in ROWS],
    ],
    ids=["list", "tuple", "iterator", "data", "envelope", "lines", "bytearray", "array",
         "indented", "data bytes", "with a BOM", "answers"],
)  # fmt: skip
def test_every_form_gives_the_same_table(data: Any) -> None:
    frame = to_frame(data)
    assert frame.columns.tolist() == ["reference", "amount"]
    assert frame["reference"].tolist() == ["A", "B"]
    assert frame["amount"].tolist() == [Decimal("1.50"), Decimal("2.25")]
    assert arrow_type(frame["amount"]) == pa.decimal128(18, 2)


@pytest.mark.parametrize(
    "data",
    [
        {"reference": "A"},
        b'{"reference": "A"}',
        {"status": "Success", "code": 200, "data": {"reference": "A"}},
        Charge.read({"data": {"reference": "A"}}),
    ],
    ids=["record", "object", "envelope", "answer"],
)
def test_one_thing_is_one_row(data: Any) -> None:
    assert to_frame(data).to_dict("records") == [{"reference": "A"}]


def test_a_request_is_a_row_too() -> None:
    request = ChargeRequest(
        method_code="PSE", amount="5000.10", currency="COP", country="COL", description="d",
        customer_id="c", notification_url="https://shop.example.com/x",
    )  # fmt: skip
    for data in (request, [request]):
        frame = to_frame(data)
        assert len(frame) == 1
        assert frame.loc[0, "amount"] == Decimal("5000.10")
        assert frame.loc[0, "method_category"] == "BANK"
        assert "return_url" not in frame


def test_a_balance_is_one_row_of_exact_amounts() -> None:
    raw = {
        "data": {
            "merchant_id": "M",
            "balance_summary": {"total_payin": "34490.00", "net_balance": -215520},
        }
    }
    frame = to_frame(Balance.read(raw))
    assert frame.loc[0, "total_payin"] == Decimal("34490.00")
    assert frame.loc[0, "net_balance"] == Decimal("-215520.00")


def test_nothing_is_an_empty_table() -> None:
    for nothing in ([], b"", b"\n", b"[]", {"data": []}):
        assert to_frame(nothing).shape == (0, 0)
    frame = to_frame([], ["amount", "created_at", "reference"])
    assert frame.columns.tolist() == ["amount", "created_at", "reference"]
    assert arrow_type(frame["amount"]) == pa.decimal128(18, 2)


def test_a_frame_passes_through() -> None:
    frame = to_frame(ROWS)
    pd.testing.assert_frame_equal(to_frame(frame), frame, check_exact=True)
    assert to_frame(frame, ["amount"]).columns.tolist() == ["amount"]


def test_another_programs_frame_gets_the_types_of_its_names() -> None:
    given = pd.DataFrame(
        {"amount": ["1.50", None], "created_at": ["2026-01-15", pd.NaT], "x": [2**62, 1],
         "currency": pd.Categorical(["COP", None]), "share": [0.1, None]},
        index=pd.Index(["A", "B"], name="reference"),
    )  # fmt: skip
    frame = to_frame(given)
    assert frame.columns.tolist() == ["reference", *given.columns]
    assert arrow_type(frame["amount"]) == pa.decimal128(18, 2)
    assert arrow_type(frame["created_at"]) == pa.timestamp("us", tz="UTC")
    assert frame["x"].tolist() == [2**62, 1]
    assert [None if pd.isna(v) else v for v in frame["currency"]] == ["COP", None]
    assert given["amount"].tolist()[0] == "1.50"
    with pytest.raises(FrameError, match=r"^row 0, column amount: 0.1 is a float"):
        to_frame(pd.DataFrame({"amount": [0.1]}))
    with pytest.raises(FrameError, match=r"^row 1, column at: 'x' is not"):
        to_frame(pd.DataFrame({"at": ["2026-01-15", "x"]}))


def test_two_fields_of_one_name_are_refused_and_not_lost() -> None:
    for row in ({"a.b": 1, "a": {"b": 2}}, {"\ud800": 1, "\\ud800": 2}):
        with pytest.raises(FrameError, match=r"column .*: two fields have this name"):
            to_frame([row])


def test_an_amount_may_end_in_any_number_of_zeros() -> None:
    long = "1." + "0" * 40
    assert to_frame([{"amount": long}])["amount"].tolist() == [1]
    assert to_frame([{"amount": Decimal(long)}])["amount"].tolist() == [1]


def test_a_field_of_some_rows_is_a_column_with_gaps() -> None:
    frame = to_frame([{"a": "x", "amount": 5}, {"b": 7}])
    assert frame.columns.tolist() == ["a", "amount", "b"]
    assert frame.isna().values.tolist() == [[False, False, True], [True, True, False]]
    assert frame.loc[1, "b"] == 7
    assert arrow_type(frame["b"]) == pa.int64()


def test_columns_choose_and_order() -> None:
    assert to_frame(ROWS, ["amount", "other"]).columns.tolist() == ["amount", "other"]
    assert to_frame(ROWS, ["amount", "other"])["other"].isna().all()


def test_nested_fields_become_dotted_columns() -> None:
    frame = to_frame(
        [{"bank_details": {"bank_name": "B"}, "fees": {"amount": "0.10"}, "empty": {}}]
    )
    assert frame.columns.tolist() == ["bank_details.bank_name", "fees.amount", "empty"]
    assert frame.loc[0, "fees.amount"] == Decimal("0.10")
    assert arrow_type(frame["fees.amount"]) == pa.decimal128(18, 2)


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    "value", [1.5, True, "1.005", "1e3", "many", [], Decimal("NaN"), "99999999999999999.99"]
)
def test_what_is_no_amount_is_refused_with_row_and_column(value: Any) -> None:
    with pytest.raises(FrameError, match=r"^row 1, column amount: "):
        to_frame([{"amount": 1}, {"amount": value}])


@pytest.mark.parametrize(
    "value", ["yesterday", 5, date(2026, 1, 15), True, "0001-01-01T00:00+23:59"]
)
def test_what_is_no_time_is_refused_with_row_and_column(value: Any) -> None:
    with pytest.raises(FrameError, match=r"^row 1, column created_at: "):
        to_frame([{"created_at": None}, {"created_at": value}])


@pytest.mark.parametrize("data", ["text", 5, None, [5], ["x"], [[1, 2]], b"5", b"[1]", b'"x"'])
def test_what_is_no_row_is_refused(data: Any) -> None:
    with pytest.raises(FrameError, match="is not a row"):
        to_frame(data)


def test_a_broken_line_is_named() -> None:
    with pytest.raises(FrameError, match="line 3: is not JSON"):
        to_frame(b'{"a": 1}\n\n{"a": \n')


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text() | st.sampled_from(["2026-01-15T12:00:00Z", "5.00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)  # fmt: skip
names = st.sampled_from(["a", "b", "amount", "net_balance", "created_at", "at", "x_date"])


@given(st.lists(st.dictionaries(names, json_values, max_size=4), max_size=4))
@example([{"a": True}, {"a": 2}])
@example([{"a": 1e-50}, {"a": 1e50}])
@example([{"a": 1e300}])
@example([{"a": "\ud800"}])
@example([{"amount": 1e22}])
@example([{"a": 2**70}])
def test_any_json_becomes_a_table_of_all_its_rows_or_one_clear_refusal(rows: list[Any]) -> None:
    refusal, frame = None, None
    try:
        frame = to_frame(json.dumps(rows).encode())
    except FrameError as error:
        refusal = str(error)
    if frame is None:
        assert str(refusal).startswith("row ")
    elif frame.columns.size:
        assert len(frame) == len(rows)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, 2], object),
        ([Decimal("0.1"), 2], object),
        ([Decimal("1E-50"), Decimal("1E+50")], object),
        ([Decimal("0.029"), Decimal("0.5")], pa.decimal128(38, 3)),
        ([2**70, 1], object),
        ([2**63 + 1, None], object),
        ([2**63 + 1, 5], object),
        ([2**53 + 1, 0.5, None], object),
        ([1, None], pa.int64()),
        ([True, None], pa.bool_()),
        (["x", None], pa.string()),
    ],
)
def test_a_column_keeps_its_values_whatever_their_mixture(values: list[Any], kind: Any) -> None:
    column = to_frame([{"a": value} for value in values])["a"]
    assert [None if pd.isna(v) else v for v in column.tolist()] == values
    if kind is object:
        assert column.dtype == object
        assert [type(v) for v in column] == [type(v) for v in values]
    else:
        assert arrow_type(column) == kind


# ---------------------------------------------------------------- times


@given(
    st.datetimes(
        datetime(1900, 1, 1), datetime(2200, 1, 1),
        timezones=st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours))),
    )
)  # fmt: skip
def test_times_become_utc_whatever_their_zone(moment: datetime) -> None:
    frame = to_frame([{"created_at": moment, "at": moment.isoformat()}])
    for name in ("created_at", "at"):
        assert arrow_type(frame[name]) == pa.timestamp("us", tz="UTC")
        assert frame.loc[0, name].to_pydatetime() == moment
        assert frame.loc[0, name].utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_read_as_utc() -> None:
    frame = to_frame([{"transaction_date": "2025-01-17 14:30:45"}])
    assert frame.loc[0, "transaction_date"] == datetime(2025, 1, 17, 14, 30, 45, tzinfo=UTC)


def test_a_time_at_a_change_of_the_clocks_is_the_moment_that_its_offset_says() -> None:
    # In Santiago it was 23:30 twice that night.
    texts = ["2026-04-04T23:30:00-03:00", "2026-04-04T23:30:00-04:00"]
    rows = [{"at": text} for text in texts]
    for data in (rows, "\n".join(map(json.dumps, rows)).encode()):
        assert to_frame(data)["at"].tolist() == [
            datetime(2026, 4, 5, 2, 30, tzinfo=UTC), datetime(2026, 4, 5, 3, 30, tzinfo=UTC),
        ]  # fmt: skip


def test_the_year_9999_is_a_time_and_the_year_after_it_is_none() -> None:
    last = "9999-12-31T23:59:59.999999Z"
    for data in ([{"at": last}], json.dumps({"at": last}).encode()):
        assert to_frame(data)["at"].tolist() == [datetime.fromisoformat(last)]
    with pytest.raises(FrameError, match=r"^row 1, column at: "):
        to_frame(f'{{"at": "{last}"}}\n{{"at": "9999-12-31T23:30:00-05:00"}}'.encode())


# ---------------------------------------------------------------- bad input, in every form


def forms(tokens: list[str]) -> dict[str, bytes]:
    """Rows of these JSON values as an amount, in each form that bytes can have."""
    rows = [f'{{"amount": {token}}}' for token in tokens]
    return {
        "lines": "\n".join(rows).encode(),
        "array": f"[{','.join(rows)}]".encode(),
        "data": f'{{"data": [{",".join(rows)}]}}'.encode(),
    }


@pytest.mark.parametrize("form", ["lines", "array", "data"])
@pytest.mark.parametrize(
    "token",
    ['"1e3"', '"5,000.00"', '"5.000,00"', '"NaN"', '"1.005"', "1.005", '""', '" 5"', '"+5"', '".5"',
     f'"{"9" * 30}"', "9" * 30, "true", "[]", "{}", '"５"'],
)  # fmt: skip
def test_what_is_no_amount_is_refused_in_every_form(form: str, token: str) -> None:
    for good in ('"5.00"', "5"):
        with pytest.raises(FrameError, match=r"^row 1, column amount: "):
            to_frame(forms([good, token, good])[form])


@pytest.mark.parametrize("form", ["lines", "array", "data"])
@pytest.mark.parametrize("token", ['"-5.10"', "-5.10", "-51e-1", '"-0005.100"', "-5.1000"])
def test_a_negative_amount_is_exact_in_every_form(form: str, token: str) -> None:
    frame = to_frame(forms(["0", token])[form])
    assert frame["amount"].tolist() == [Decimal("0.00"), Decimal("-5.10")]
    assert arrow_type(frame["amount"]) == pa.decimal128(18, 2)


def test_duplicate_references_are_both_kept() -> None:
    rows = [{"reference": "A", "amount": "1"}, {"reference": "A", "amount": "2"}]
    for data in (rows, "\n".join(map(json.dumps, rows)).encode()):
        assert to_frame(data)["amount"].tolist() == [1, 2]


def test_a_row_without_fields_is_a_row() -> None:
    for data in ([{}, {}], b"{}\n{}", b"[{}, {}]"):
        assert to_frame(data).shape == (2, 0)
    for data in ([{}, {"a": "x"}], b'{}\n{"a": "x"}'):
        assert to_frame(data)["a"].isna().tolist() == [True, False]


def test_an_empty_table_is_typed_in_every_form() -> None:
    for nothing in ([], b"", b"[]", b'{"data": []}', iter(())):
        frame = to_frame(nothing, ["reference", "amount", "created_at"])
        assert [arrow_type(frame[name]) for name in frame] == [
            pa.string(), pa.decimal128(18, 2), pa.timestamp("us", tz="UTC"),
        ]  # fmt: skip


def test_the_rows_of_a_database_query_are_rows() -> None:
    engine = sql.create_engine("sqlite://")
    query = sql.text("SELECT 'A' AS reference, '1.50' AS amount UNION SELECT 'B', NULL")
    with engine.connect() as db:
        rows = db.execute(query).all()
        assert_frame_equal(to_frame(db.execute(query)), to_frame(rows))
        assert_frame_equal(to_frame(db.execute(query).mappings()), to_frame(rows))
    assert to_frame(rows)["reference"].tolist() == ["A", "B"]
    assert to_frame(rows)["amount"].dropna().tolist() == [Decimal("1.50")]
    assert len(to_frame(rows[0])) == 1


def test_a_field_name_that_is_no_text_is_written_out() -> None:
    assert to_frame(b'{"\\ud800": 1}').columns.tolist() == ["\\ud800"]


def test_a_secret_is_in_no_cell() -> None:
    key = Secret("sk_test_0123456789abcdef")
    frame = to_frame([{"a": key, "b": 1, "c": [key]}, {"a": "x", "b": key, "c": {}}])
    assert "0123456789" not in repr([frame[name].map(str).tolist() for name in frame])
