"""A balance that explains itself: readings, words, metrics and alerts."""

from __future__ import annotations

import decimal
import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import MERCHANT, cashout_body, charge_body

from pay88kit import Books, Pay88, Sandbox, WrongUse, to_frame
from pay88kit.balance import Reading, Thresholds, alerts, explain, metrics, scenario
from pay88kit.models.answers import Balance

NAMES = ("total_payin", "total_payout", "total_settled", "total_available", "net_balance")
# Amounts as 88Pay's answer may bring them: small ones often, so that they meet.
AMOUNTS = st.one_of(
    st.sampled_from(["0", "0.01", "100", "9999.99", "10000", "500000", "-1"]).map(Decimal),
    st.decimals(-(10**16) + 1, 10**16 - 1, places=2),
)
ANYTHING = st.one_of(
    st.none(),
    AMOUNTS,
    st.decimals(allow_nan=False, allow_infinity=False),
    st.sampled_from([Decimal("1E+300"), Decimal("1E-300"), Decimal("0.001")]),
)


def balance(*numbers: Any, **fields: Any) -> Balance:
    """A balance of the five numbers, in 88Pay's order."""
    values = [None if n is None else Decimal(n) for n in numbers]
    return Balance(merchant_id=MERCHANT, **dict(zip(NAMES, values, strict=True)), **fields)


# 88Pay's page, digit for digit.
PROFITABLE = balance("1000000.00", "500000.00", "200000.00", "300000.00", 500000)
SAMPLE = balance("34490.00", "250010.00", "0.00", "34490.00", -215520)
DAYS = (
    balance("0.00", "100000.00", "0.00", "0.00", -100000),
    balance("50000.00", "100000.00", "0.00", "50000.00", -50000),
    balance("110000.00", "100000.00", "0.00", "110000.00", 10000),
)
ZERO = balance("0.00", "0.00", "0.00", "0.00", 0)


@pytest.fixture
def client() -> Iterator[Pay88]:
    with Sandbox() as sandbox, Pay88(sandbox.config) as client:
        yield client


def reading(name: str, *arguments: Any, **named: Any) -> Reading:
    return next(each for each in scenario(*arguments, **named) if each.name == name)


# ---------------------------------------------------------------- readings


def test_the_samples_of_the_page() -> None:
    assert scenario(PROFITABLE).names == ("profitable",)
    assert scenario(SAMPLE).names == ("advance",)
    assert [scenario(day).names for day in DAYS] == [
        ("advance", "low"),
        ("advance",),
        # The credit still shows: more is available than payin − payout.
        ("profitable", "advance"),
    ]
    assert "assumed" in reading("advance", SAMPLE).because


def test_the_three_days_of_the_page_played(client: Pay88) -> None:
    sandbox = client.sandbox
    assert sandbox is not None
    sandbox.merchant(merchant_id=MERCHANT, credit_limit=100_000)
    sandbox.complete(client.cashout(**cashout_body(amount=100_000)).reference)
    played = [client.balance()]
    for amount in (50_000, 60_000):
        sandbox.complete(client.charge(**charge_body(amount=amount)).reference)
        played.append(client.balance())
    assert [day.record() for day in played] == [day.record() for day in DAYS]
    levels = [[a.level for a in alerts(day, Thresholds(credit_limit=100_000))] for day in played]
    assert levels == [["critical", "info"], ["info"], []]
    assert [metrics(day).difference for day in played] == [100_000] * 3


@pytest.mark.parametrize(
    ("name", "fitting"),
    [
        ("profitable", ("profitable",)),
        ("advance", ("advance",)),
        ("settled", ("settled", "low")),
        ("pending", ("empty", "pending", "low")),
        ("empty", ("empty", "pending", "low")),
        ("fees", ("profitable", "fees")),
        ("low", ("profitable", "low")),
    ],
)
def test_the_scenarios_of_the_sandbox(client: Pay88, name: str, fitting: tuple[str, ...]) -> None:
    assert client.sandbox is not None
    client.sandbox.scenario(name)
    found = scenario(client.balance())
    assert name in found.names
    assert found.names == fitting
    assert all(each.decides for each in found)


@pytest.mark.parametrize(
    ("numbers", "fault"),
    [
        (("100.00", "0.00", "0.00", "100.00", "90.00"), "net_balance is 90.00"),
        (("100.00", "0.00", "0.00", None, "100.00"), "total_available is missing"),
        (("-1.00", "0.00", "0.00", "-1.00", "-1.00"), "total_payin is below zero"),
        (("0.00", "0.00", "0.00", "50000.00", "0.00"), "50,000.00 more is available"),
    ],
)
def test_numbers_that_contradict_88pay_are_unclear(numbers: Any, fault: str) -> None:
    assert fault in reading("unclear", balance(*numbers)).because


def test_low_has_the_limit_of_the_thresholds() -> None:
    assert "low" not in scenario(PROFITABLE).names
    assert "low" in scenario(PROFITABLE, thresholds=Thresholds(warning="300000.01")).names


@given(st.tuples(*[ANYTHING] * 5))
def test_any_five_numbers_have_a_reading_and_words(numbers: tuple[Decimal | None, ...]) -> None:
    odd = balance(*numbers)
    with decimal.localcontext(prec=3):  # a program's own context rounds nothing here
        found = scenario(odd)
        assert found
        assert len(set(found.names)) == len(found)
        said = repr(explain(odd))
        assert all(f"Reading: {name}" in said for name in found.names)
        alerts(odd)
        metrics(odd)


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_the_difference_is_exact_and_named(
    payin: Decimal, payout: Decimal, settled: Decimal, available: Decimal
) -> None:
    exact = Fraction(available) - (Fraction(payin) - Fraction(payout) - Fraction(settled))
    with decimal.localcontext(prec=3):
        found = metrics(balance(payin, payout, settled, available, "0.00"))
    assert found.difference is not None
    assert Fraction(found.difference) == exact
    shown = str(found)
    assert ("held back" in shown) == (exact < 0)
    assert ("88Pay's credit (assumed)" in shown) == (exact > 0)


# ---------------------------------------------------------------- narrowed by the books


def test_the_books_tell_empty_from_pending(client: Pay88) -> None:
    books = client.books
    assert books is not None
    found = scenario(client.balance(), books)
    assert found.names == ("empty", "pending", "low")
    assert found[1].books == "they know nothing of this merchant."
    books.save_balance(client.balance(), environment="local", now=client.config.clock.now())
    assert scenario(client.balance(), books).names == ("empty", "low")
    reference = client.charge(**charge_body(amount=120_000)).reference
    found = scenario(client.balance(), books)
    assert found.names == ("pending", "low")
    assert f"1 (120,000.00 COP): {reference}" in found[0].books


def test_what_is_no_balance_is_refused_and_not_called_empty(client: Pay88) -> None:
    for read in (alerts, scenario, explain, metrics):
        for wrong in (client, client.balance().raw, {}, "0.00"):
            with pytest.raises(WrongUse, match="balance: "):
                read(wrong)
    with pytest.raises(WrongUse, match="balance: "):
        alerts(None)


def test_a_missing_number_is_not_zero() -> None:
    assert "empty" not in scenario(balance(None, None, None, "0.00", None)).names


def test_no_difference_proves_nothing() -> None:
    words = str(explain(balance("1000.00", "200.00", "0.00", "800.00", 800)))
    assert "no sign of fees, reserves or credit" in words


def test_an_unknown_outcome_keeps_both_readings(client: Pay88) -> None:
    assert client.sandbox is not None
    client.sandbox.fault("charges", "drop_after")
    with pytest.raises(Exception, match="may or may not"):
        client.charge(**charge_body())
    found = scenario(client.balance(), client.books)
    assert found.names == ("empty", "pending", "low")
    assert "not known whether" in found[1].books


def test_amounts_of_two_currencies_are_not_summed(client: Pay88) -> None:
    client.charge(**charge_body(amount=100))
    client.charge(**charge_body("USDT", amount=7))
    said = scenario(client.balance(), client.books)[0].books
    assert "2 (100.00 COP and 7.00 USD)" in said


def save(client: Pay88) -> None:
    assert client.books is not None
    now = client.config.clock.now()
    client.books.save_balance(client.balance(), environment="local", now=now)


def test_snapshots_show_settlements_and_credit(client: Pay88) -> None:
    sandbox = client.sandbox
    assert sandbox is not None
    sandbox.merchant(merchant_id=MERCHANT, credit_limit=50_000)

    def after_an_hour() -> Balance:
        save(client)
        sandbox.clock.advance(3600)
        return client.balance()

    after_an_hour()
    sandbox.complete(client.cashout(**cashout_body(amount=40_000)).reference)
    advanced = after_an_hour()
    assert "the part on credit rose by 40,000.00 between 2026-01-15 12:00 and 2026-01-15 13:00" in (
        reading("advance", advanced, client.books).books
    )
    sandbox.complete(client.charge(**charge_body(amount=500_000)).reference)
    sandbox.settle(after_an_hour().total_available or 0)
    after_an_hour()
    settled = client.balance()
    assert "total_settled rose by 500,000.00" in reading("settled", settled, client.books).books


def test_what_comes_back_was_a_reserve() -> None:
    books, hours = Books(), iter(range(24))

    def kept(available: str) -> str:
        answer = balance("1000000", "0", "0", available, "1000000")
        now = datetime(2026, 1, 15, next(hours), tzinfo=UTC)
        books.save_balance(answer, environment="local", now=now)
        return reading("fees", answer, books).books

    assert kept("900000") == "nothing that bears on it."
    assert kept("880000") == "nothing that bears on it."
    assert "fell by 30,000.00 between 2026-01-15 01:00 and 2026-01-15 02:00" in kept("910000")
    assert "a reserve, not a fee" in kept("910000")


def test_a_merchant_of_several_environments_needs_one() -> None:
    books = Books()
    with Sandbox() as sandbox, Pay88(sandbox.config, books=books) as client:
        answer = client.balance()
        for environment in ("local", "sandbox"):
            books.save_balance(answer, environment=environment, now=sandbox.clock.now())
        with pytest.raises(WrongUse, match="local and sandbox"):
            scenario(answer, books)
        assert scenario(answer, books, environment="local").names == ("empty", "low")


# ---------------------------------------------------------------- words


def text_of(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", markup))


def words_of(text: str) -> str:
    return " ".join(text.split())


def test_the_words_have_the_numbers_and_88pays_advice() -> None:
    said = repr(explain(SAMPLE, currency="COP"))
    for part in (
        "34,490.00 COP",
        "250,010.00 COP: on 88Pay's credit (assumed)",
        "not accounting profit",
        "contact 88Pay's support at once",
        "Day 1: a payout of 100,000",
        "Deposits of 215,520.00 COP bring the net position to zero",
        "yes: net -215,520.00",
    ):
        assert part in said
    assert "Day 1" not in repr(explain(PROFITABLE))
    assert "up to 300,000.00" in repr(explain(PROFITABLE))
    assert "(1 of 3 that fit)" in repr(explain(ZERO))


def test_html_and_text_say_the_same() -> None:
    for shown in (explain(SAMPLE), scenario(ZERO), metrics(PROFITABLE), alerts(SAMPLE)):
        markup, text = shown._repr_html_(), repr(shown)
        assert words_of(text_of(markup)) == words_of(text)


def test_foreign_text_is_escaped() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    answer = SAMPLE.model_copy(update={"merchant_id": hostile})
    markup = explain(answer)._repr_html_()
    assert "<img" not in markup
    assert html.escape(hostile) in markup


# ---------------------------------------------------------------- metrics


def test_the_metrics_of_the_page() -> None:
    found = metrics(PROFITABLE)
    assert found.record() == {
        "revenue": Decimal("1000000.00"),
        "disbursed": Decimal("500000.00"),
        "net_position": Decimal(500000),
        "available": Decimal("300000.00"),
        "settled": Decimal("200000.00"),
        "settlement_rate": Decimal("20.00"),
        "payout_rate": Decimal("50.00"),
        "can_pay_out": True,
        "needs_deposit": False,
        "difference": Decimal("0.00"),
    }
    sample = metrics(SAMPLE)
    assert (sample.payout_rate, sample.needs_deposit) == (Decimal("724.88"), True)
    assert sample.difference == 250010
    assert to_frame(found)["revenue"].sum() == 1_000_000


def test_a_division_by_zero_is_a_dash() -> None:
    found = metrics(ZERO)
    assert (found.settlement_rate, found.payout_rate) == (None, None)
    assert re.search(r"settlement rate +–\n", str(found))
    assert "<td" in found._repr_html_()
    assert metrics(balance(*[None] * 5)).can_pay_out is None


@given(st.integers(1, 10**18), st.integers(0, 10**18))
def test_a_rate_is_within_half_a_hundredth(payin: int, settled: int) -> None:
    cents = Decimal(payin).scaleb(-2), Decimal(settled).scaleb(-2)
    rate = metrics(balance(cents[0], "0", cents[1], "0", "0")).settlement_rate
    if payin >= 10**18 or settled >= 10**18:
        return
    assert rate is not None
    assert abs(Fraction(rate) - Fraction(settled, payin) * 100) <= Fraction(1, 200)


# ---------------------------------------------------------------- alerts


@pytest.mark.parametrize(
    ("available", "level"),
    [("-0.01", "critical"), ("0.00", "critical"), ("0.01", "warning"), ("9999.99", "warning"),
     ("10000.00", None), ("10000.01", None)],
)  # fmt: skip
def test_the_limits_of_the_page(available: str, level: str | None) -> None:
    found = alerts(balance(available, "0.00", "0.00", available, max(Decimal(available), 0)))
    assert [alert.level for alert in found] == [level] * (level is not None)
    assert all(alert.value == Decimal(available) for alert in found)


def test_a_net_below_zero_depends_on_the_credit() -> None:
    def level(limit: Any) -> tuple[str, Any]:
        (alert,) = alerts(SAMPLE, Thresholds(credit_limit=limit))
        assert alert.field == "net_balance"
        return alert.level, alert.limit

    assert level(None) == ("warning", 0)
    assert level("215520") == ("info", -215520)
    assert level("215519.99") == ("error", Decimal("-215519.99"))
    both = alerts(SAMPLE)[0].words
    assert "normal" in both
    assert "support" in both


def test_each_currency_may_have_its_own_limits() -> None:
    limits = {"COP": Thresholds(), "MXN": Thresholds(warning=1_000, critical=100)}
    answer = balance("2000", "0", "0", "2000", "2000")
    assert [a.level for a in alerts(answer, limits, currency="COP")] == ["warning"]
    assert alerts(answer, limits, currency="MXN") == ()
    assert "2,000.00 COP" in alerts(answer, limits, currency="COP")[0].words
    for wrong in (None, "USD"):
        with pytest.raises(WrongUse, match="COP, MXN"):
            alerts(answer, limits, currency=wrong)


def test_a_missing_number_is_an_error_and_not_silence() -> None:
    found = alerts(balance("1", "0", "0", None, None))
    assert [(a.level, a.field, a.value) for a in found] == [
        ("error", "total_available", None),
        ("error", "net_balance", None),
    ]


def test_alerts_as_a_frame() -> None:
    columns = ["level", "field", "value", "limit", "words"]
    empty = alerts(PROFITABLE).frame()
    assert list(empty) == columns
    frame = alerts(DAYS[0]).frame()
    assert list(frame) == columns
    assert list(frame["value"]) == [0, -100000]
    assert isinstance(frame["value"].iloc[1], Decimal)
    assert str(empty["value"].dtype) == str(frame["limit"].dtype) == "decimal128(18, 2)[pyarrow]"
    assert repr(alerts(PROFITABLE)) == "No alerts"


@pytest.mark.parametrize(
    "wrong",
    [
        {"warning": 0.5},
        {"warning": "10.000"},
        {"critical": "many"},
        {"critical": 5, "warning": 4},
        {"credit_limit": -1},
    ],
)
def test_wrong_thresholds_name_their_field(wrong: dict[str, Any]) -> None:
    with pytest.raises(WrongUse, match=next(iter(wrong))):
        Thresholds(**wrong)
