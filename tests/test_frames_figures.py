"""Sums by currency, days in a zone, categories, charts, and amounts as a country writes them."""

from __future__ import annotations

import decimal
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import matplotlib as mpl
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pay88kit import to_frame
from pay88kit.errors import FrameError, WrongUse
from pay88kit.frames import coded, for_plot, local_day, styled, total, totals

amounts = st.decimals(-(10**16) + 1, 10**16 - 1, places=2)

# ---------------------------------------------------------------- sums


@given(st.lists(st.tuples(st.sampled_from(["COP", "USD", None]), st.none() | amounts)))
def test_totals_are_exact_by_currency(rows: list[tuple[str | None, Decimal | None]]) -> None:
    expected: dict[str | None, Decimal] = {}
    for currency, amount in rows:
        if amount is not None:
            expected[currency] = expected.get(currency, Decimal(0)) + amount
    frame = to_frame(
        [{"currency": currency, "amount": amount} for currency, amount in rows],
        ["currency", "amount"],
    )
    with decimal.localcontext(decimal.Context(prec=3)):  # another program's
        assert totals(frame) == expected
        if len(expected) > 1:
            with pytest.raises(FrameError, match=r"^column amount: amounts in .* have no sum"):
                total(frame)
        else:
            assert total(frame) == next(iter(expected.values()), 0)


def test_two_currencies_have_no_sum() -> None:
    frame = to_frame([{"transaction_currency": c, "transaction_amount": 1} for c in ("USD", "COP")])
    with pytest.raises(FrameError, match="amounts in COP and USD have no sum"):
        total(frame, "transaction_amount")
    assert totals(coded(frame), "transaction_amount") == {"COP": 1, "USD": 1}
    assert list(totals(frame, "transaction_amount")) == ["COP", "USD"]


@pytest.mark.parametrize(
    ("column", "currency"),
    [
        ("data.amount", "data.currency"),
        ("fees.amount", "currency"),
        ("amount", "data.currency"),
        ("data.fees.amount", "data.transaction_currency"),
    ],
)
def test_a_currency_is_looked_for_beside_its_amount(column: str, currency: str) -> None:
    rows = [{column: 1, currency: "COP"}, {column: 2, currency: "USD"}]
    assert totals(to_frame(rows), column) == {"COP": 1, "USD": 2}
    with pytest.raises(FrameError, match="amounts in COP and USD have no sum"):
        total(to_frame(rows), column)


def test_the_nearest_currency_is_taken_and_none_is_guessed() -> None:
    frame = to_frame([{"data.amount": 1, "data.currency": "COP", "currency": "USD"}])
    assert totals(frame, "data.amount") == {"COP": 1}
    frame = to_frame([{"amount": 1, "a.currency": "COP", "b.currency": "USD"}])
    with pytest.raises(FrameError, match=r"may be a\.currency or b\.currency"):
        total(frame)


def test_amounts_of_two_merchants_without_a_currency_have_no_sum() -> None:
    rows = [{"merchant_id": name, "net_balance": 1} for name in ("MCH-COL-1", "MCH-MEX-1")]
    for add in (total, totals):
        with pytest.raises(FrameError, match="column net_balance: is of 2 merchants"):
            add(to_frame(rows), "net_balance")
    assert total(to_frame(rows[:1] * 2), "net_balance") == 2
    assert total(to_frame([*rows[:1], {"merchant_id": "MCH-MEX-1"}]), "net_balance") == 1


def test_a_million_rows_sum_to_the_cent() -> None:
    data = b'{"amount": "9999999999999999.99"}\n{"amount": "0.01"}\n' * 500_000
    frame = to_frame(data)
    expected = Decimal("5000000000000000000000.00")
    assert len(frame) == 1_000_000
    assert frame["amount"].sum() == total(frame) == expected
    assert frame.groupby(frame["amount"] > 1)["amount"].sum().sum() == expected


@pytest.mark.parametrize(
    "values",
    [
        [Decimal("9" * 28)] * 100,
        [Decimal("9" * 38)] * 100,
        [Decimal("9" * 66)] * 100,
        [2**62] * 100,
        [2**70, 1],
        [Decimal("0.1"), 2],
        [None, None],
    ],
    ids=["28 digits", "38 digits", "66 digits", "int64", "large", "mixed", "missing"],
)
def test_a_sum_never_wraps(values: list[Any]) -> None:
    frame = to_frame([{"other": value} for value in values])
    with decimal.localcontext(decimal.Context(prec=100)):
        expected = sum(Decimal(value) for value in values if value is not None)
        assert total(frame, "other") == expected
        if not isinstance(values[0], int | None):  # pandas adds int64 itself, and that can wrap
            assert frame["other"].sum() == expected


def test_a_sum_of_another_programs_decimals_never_wraps() -> None:
    most = Decimal("9" * 38)
    column = pd.Series([most] * 20, dtype=pd.ArrowDtype(pa.decimal128(38, 0)))
    with decimal.localcontext(decimal.Context(prec=100)):
        assert total(pd.DataFrame({"amount": column})) == 20 * most


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"amount": [1.5]}),
        pd.DataFrame({"amount": ["1.50"]}),
        to_frame([{"amount": 1}]).rename(columns={"amount": "other"}),
        to_frame([{"other": True}]).rename(columns={"other": "amount"}),
        pd.DataFrame({"amount": [Decimal("NaN")]}),
        pd.DataFrame({"amount": [Decimal("9" * 67)]}),
        pd.DataFrame({"amount": [1], "currency": [[]]}),
    ],
    ids=["float", "text", "no column", "boolean", "NaN", "67 digits", "no currency"],
)
def test_what_has_no_exact_sum_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(FrameError, match=r"column (amount|currency)"):
        total(frame)


# ---------------------------------------------------------------- days


def test_a_payment_at_half_past_eleven_in_bogota_belongs_to_that_day() -> None:
    frame = to_frame([{"at": "2026-01-16T04:30:00Z"}, {"at": None}, {"at": "2026-01-15 23:30:00"}])
    days = local_day(frame["at"], "America/Bogota")
    assert [str(day) for day in days] == ["2026-01-15", "<NA>", "2026-01-15"]
    assert days.dtype.pyarrow_dtype == pa.date32()
    assert frame.groupby(days)["at"].count().tolist() == [2]
    assert str(local_day(frame["at"], "UTC")[0]) == "2026-01-16"


zones = st.sampled_from(
    ["America/Bogota", "America/Santiago", "America/Sao_Paulo", "America/Mexico_City", "Asia/Tokyo"]
)


moments = st.datetimes(datetime(1900, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))


@given(st.lists(moments), zones)
# Santiago's clocks go back at midnight in April, and forward in September.
@example([datetime(2026, 4, 5, hour, 30, tzinfo=UTC) for hour in range(6)], "America/Santiago")
@example([datetime(2026, 9, 6, hour, 30, tzinfo=UTC) for hour in range(6)], "America/Santiago")
def test_days_are_those_of_the_zones_clock(times: list[datetime], zone: str) -> None:
    days = local_day(to_frame([{"at": time} for time in times], ["at"])["at"], zone)
    assert days.tolist() == [time.astimezone(ZoneInfo(zone)).date() for time in times]


def test_a_day_that_cannot_be_said_is_refused() -> None:
    late = to_frame([{"at": None}, {"at": "9999-12-31T23:30:00Z"}])["at"]
    assert str(local_day(late, "America/Bogota")[1]) == "9999-12-31"
    with pytest.raises(FrameError, match=r"row 1, column at: .* Asia/Tokyo"):
        local_day(late, "Asia/Tokyo")
    with pytest.raises(WrongUse, match="'Bogota' is unknown"):
        local_day(late, "Bogota")
    with pytest.raises(WrongUse, match="holds no times in UTC"):
        local_day(to_frame([{"reference": "2026-01-15"}])["reference"], "UTC")


# ---------------------------------------------------------------- categories and an index


def test_codes_become_categories_and_a_reference_the_index() -> None:
    frame = to_frame([{"reference": n, "status": "PENDING", "amount": 1, "note": n} for n in "AB"])
    table = coded(frame)
    assert table.loc["B", "amount"] == 1
    assert list(map(str, table.dtypes)) == [
        "category", "decimal128(18, 2)[pyarrow]", "string[pyarrow]",
    ]  # fmt: skip
    assert frame.columns.tolist() == ["reference", "status", "amount", "note"]


@pytest.mark.parametrize("references", [["A", "A"], ["A", None]], ids=["twice", "missing"])
def test_a_reference_that_names_no_one_row_stays_a_column(references: list[str | None]) -> None:
    frame = coded(to_frame([{"transaction_reference": name, "amount": 1} for name in references]))
    assert len(frame) == 2
    assert frame["transaction_reference"].isna().sum() == references.count(None)
    assert frame["amount"].sum() == 2


# ---------------------------------------------------------------- pictures


def test_a_frame_is_plotted_after_one_conversion() -> None:
    mpl.use("Agg")
    frame = to_frame(
        [
            {"at": "2026-01-15T12:00:00Z", "amount": "0.29", "count": 1, "note": "x"},
            {"at": "2026-01-16T12:00:00Z", "amount": None, "count": None, "note": None},
            {"at": "2026-01-17T12:00:00Z", "amount": "-5.00", "count": 3, "note": "y"},
        ]
    )
    axes = for_plot(frame.set_index("at")).plot(y=["amount", "count"])
    drawn = [line.get_ydata().tolist() for line in axes.get_lines()]
    assert drawn[0][0] == pytest.approx(0.29)
    assert drawn[0][1] is None
    assert drawn[1][2] == 3
    days = local_day(frame["at"], "America/Bogota")
    for_plot(frame[["amount"]].set_index(days)).plot.bar()
    assert str(frame["amount"].dtype) == "decimal128(18, 2)[pyarrow]"
    for name in ("amount", "count"):
        assert for_plot(frame)[name].dtype == "float64"
    mpl.pyplot.close("all")


# ---------------------------------------------------------------- for people

ROWS = [
    {"reference": "<b>A</b>", "amount": "1234567.00", "currency": "COP", "at": "2026-01-15T12:00Z"},
    {"reference": "B", "amount": "-0.50", "currency": "USD", "at": None},
    {"reference": "C\nD", "amount": None, "currency": None, "at": None},
]


def test_amounts_are_shown_in_their_currency_and_locale() -> None:
    frame = to_frame(ROWS)
    shown = str(styled(frame, "es_CO", title="Payments")).splitlines()
    assert shown[0] == "Payments"
    assert shown[2].split("  ")[1].strip() == "$1.234.567,00"
    assert "-US$0,50" in shown[3]
    assert shown[4] == "C\\x0aD" + shown[4][6:].rstrip()
    assert shown[4].split()[1:] == ["–", "–", "–"]
    assert "2026-01-15 12:00:00 UTC" in shown[2]
    assert "1,234,567.00" in str(styled(frame, "en_US"))
    assert frame["amount"].tolist()[0] == Decimal("1234567.00")


def test_a_strangers_text_is_escaped() -> None:
    html = styled(to_frame(ROWS))._repr_html_()
    assert "<b>A</b>" not in html
    assert "&lt;b&gt;A&lt;/b&gt;" in html
    assert 'scope="col"' in html


@pytest.mark.parametrize("locale", ["es_CO", "es_MX", "es_CL", "pt_BR", "en_US", "de_CH", "ja_JP"])
@pytest.mark.parametrize("currency", ["COP", "MXN", "BRL", "CLP", "USD", "KWD", None])
def test_an_amount_always_has_two_decimals(locale: str, currency: str | None) -> None:
    frame = to_frame([{"amount": "5"}, {"amount": "9999999999999999.99"}])
    with decimal.localcontext(decimal.Context(prec=3)):  # another program's
        _, _, five, most = str(styled(frame, locale, currency=currency)).splitlines()
    assert re.search(r"(?<!\d)5[.,]00(?!\d)", five)
    assert re.sub(r"\D", "", most) == "9" * 18
    assert re.search(r"[.,]99(?!\d)", most)


def test_a_long_table_says_how_much_of_it_is_shown() -> None:
    shown = str(styled(to_frame([{"amount": number} for number in range(7)]), rows=2))
    assert shown.splitlines()[0] == "Amounts, 2 of 7 rows"
    assert len(shown.splitlines()) == 4


def test_an_unknown_locale_is_named() -> None:
    for locale in ("xx_YY", "", "español", "../etc"):
        with pytest.raises(WrongUse, match="is unknown"):
            styled(to_frame(ROWS), locale)
