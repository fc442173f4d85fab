"""Amounts: exact on the way in, as JSON, and as shown."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pay88kit import money
from pay88kit.errors import InvalidRequest

LARGEST = Decimal("9999999999999999.99")
amounts = st.decimals(-LARGEST, LARGEST, places=2)


@given(amounts)
def test_an_amount_comes_in_as_what_it_is(amount: Decimal) -> None:
    assert money.exact(amount) == amount
    assert money.exact(f"{amount:f}") == amount
    assert isinstance(money.exact(f"{amount:f}"), Decimal)


@given(st.integers(-9_999_999_999_999_999, 9_999_999_999_999_999))
def test_an_int_is_an_amount(amount: int) -> None:
    assert money.exact(amount) == amount
    assert isinstance(money.exact(amount), Decimal)


@given(st.floats())
@example(0.0)
@example(50000.5)
@example(float("nan"))
def test_a_float_is_refused_with_the_literal_to_write(value: float) -> None:
    with pytest.raises(InvalidRequest) as caught:
        money.exact(value)
    assert f'Decimal("{value!r}")' in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        True, False, None, b"5", [5], {"amount": 5},
        "", " ", "5 ", " 5", "+5", "--5", ".5", "5.", ".", "-", "1.2.3", "five",
        "1e3", "1E3", "1,000", "1.000,00", "1'000", "1 000", "1_000", "$5", "5 COP", "0x10",
        "NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf",
        "１２", "٣", "5\n", "5\x00",
        "0.001", "50000.505", "-1.999",
        Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity"),
        Decimal("0.001"), Decimal("1E-999999"),
        "10000000000000000", "-10000000000000000", Decimal("1E+16"), 10**16, -(10**16),
        # Beyond what decimal's arithmetic itself can hold.
        "9" * 1_000_002, Decimal("-1E+1000000"),
    ],
    ids=lambda value: f"{type(value).__name__} {str(value)[:16]}",
)  # fmt: skip
def test_what_is_no_plain_amount_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        money.exact(value)
    assert caught.value.field == "amount"
    assert len(str(caught.value)) < 300


def test_the_refusal_names_the_field() -> None:
    with pytest.raises(InvalidRequest) as caught:
        money.exact("1,000", "transaction_amount")
    assert caught.value.field == "transaction_amount"
    assert "'1,000' is not a plain decimal number." in str(caught.value)
    assert "without thousands marks" in str(caught.value)


@pytest.mark.parametrize("value", ["5.00", "5.0", "5", "5.000", "05", Decimal("5.0000"), 5])
def test_zeros_at_the_ends_do_not_matter(value: Any) -> None:
    assert money.exact(value) == 5


@given(amounts)
def test_the_text_of_an_amount_has_two_decimals_and_reads_back(amount: Decimal) -> None:
    text = money.to_text(amount)
    assert Decimal(text) == amount
    assert text[-3] == "."


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (Decimal("50000"), "COP", "50,000.00 COP"),
        (Decimal("-215520"), None, "-215,520.00"),
        (LARGEST, "USD", "9,999,999,999,999,999.99 USD"),
        (None, "COP", "–"),
    ],
)
def test_an_amount_is_shown_for_people(
    amount: Decimal | None, currency: str | None, shown: str
) -> None:
    assert money.show(amount, currency) == shown


# ---------------------------------------------------------------- JSON

finite = st.decimals(allow_nan=False, allow_infinity=False).filter(
    lambda number: -300 < number.adjusted() < 300
)
scalars = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text() | finite
documents = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(documents)
def test_what_is_written_reads_back_the_same(document: Any) -> None:
    read = money.loads(money.dumps(document))
    assert read == document


@given(amounts)
def test_a_decimal_travels_as_a_number_digit_for_digit(amount: Decimal) -> None:
    text = money.dumps({"amount": amount})
    assert text == f'{{"amount": {amount:f}}}'
    assert isinstance(json.loads(text)["amount"], int | float)
    read = money.loads(text)["amount"]
    assert isinstance(read, Decimal)
    assert f"{read:f}" == f"{amount:f}"


@given(st.recursive(scalars, lambda inner: st.lists(inner) | st.tuples(inner)))
def test_no_number_is_ever_read_as_a_float(document: Any) -> None:
    def numbers(value: Any) -> None:
        assert not isinstance(value, float)
        for item in value if isinstance(value, list) else ():
            numbers(item)

    numbers(money.loads(money.dumps(document)))


@pytest.mark.parametrize(
    "value",
    [1.5, [1.5], {"a": {"b": 0.1}}, b"x", {1, 2}, object(),
     Decimal("NaN"), [Decimal("Infinity")], {"amount": Decimal("sNaN")}],
    ids=lambda value: repr(value)[:7],
)  # fmt: skip
def test_what_has_no_exact_json_form_is_not_written(value: Any) -> None:
    with pytest.raises(TypeError, match="no exact JSON form"):
        money.dumps(value)


@given(st.binary() | st.text().map(str.encode))
@example(b"NaN")
@example(b'{"a": Infinity}')
@example(b"1e999999")
@example(b"1e-999999")
@example(b"1e99999999999999999999")
@example(b"0.0e-99999999999999999999")
@example(b"\xff\xfe\xfa")
@example(b"9" * 5000)
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
def test_reading_raises_nothing_but_value_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        money.loads(data)


@pytest.mark.parametrize("data", ["NaN", "-Infinity", "1e401", "1e-401", "1e" + "9" * 20, "[1,]"])
def test_what_is_no_finite_json_is_refused(data: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        money.loads(data)


# ---------------------------------------------------------------- what a person wrote


@given(amounts)
def test_what_is_written_in_cents_is_taken_as_it_is(amount: Decimal) -> None:
    assert money.as_written(amount) == money.as_written(f"{amount:f}") == amount


@given(st.integers(0, 99_999), st.integers(0, 99), st.integers(1, 30))
def test_more_than_two_written_decimals_may_be_thousands(
    whole: int, cents: int, zeros: int
) -> None:
    text = f"{whole}.{cents:02}{'0' * zeros}"
    with pytest.raises(InvalidRequest, match="digits after the point") as caught:
        money.as_written(text, "warning", mark="say which")
    problem = caught.value.problems[0]
    assert problem.field == "warning"
    assert f'"{whole}.{cents:02}", whichever you mean, or say which.' in problem.cure
