"""The books against the balance: every gap taken apart, to the cent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from itertools import chain, combinations
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pay88kit import Books, Inbox, OutcomeUnknown, Pay88, Sandbox, money
from pay88kit.balance import Reconciliation, reconcile, reconcile_all
from pay88kit.balance.fitting import Item, fitting
from pay88kit.balance.reconciliation import (
    CONTRADICTING,
    CREDIT,
    FEES,
    LATE,
    OVERDUE,
    PAYIN,
    PAYOUT,
    PENDING,
    REST,
    SETTLEMENTS,
    UNKNOWN,
    UNMATCHED,
)
from pay88kit.errors import BooksError, InvalidRequest, UnprocessableEntity, WrongUse
from pay88kit.webhooks import parse

# Nothing is delivered there: each test says what the books hear.
FAR = "https://shop.example/webhooks"
ORDER: dict[str, Any] = {
    "method_code": "PSE", "currency": "COP", "country": "COL", "description": "Order",
    "customer_id": "customer-7", "notification_url": FAR,
}  # fmt: skip
ACCOUNT = {
    "bank_name": "Bancolombia", "account_number": "00123456789", "account_type": "SAVINGS",
    "holder_name": "María Pérez", "identification": "1020304050",
}  # fmt: skip


class Play:
    """A merchant's life in a sandbox whose clock stands still, and what its books hear of it."""

    def __init__(self, books: Books, *, seed: int = 88, credit: int = 0) -> None:
        self.sandbox = Sandbox(seed=seed, limits=None)
        self.config = self.sandbox.config
        if credit:
            self.sandbox.merchant(merchant_id=self.config.merchant_id, credit_limit=credit)
        self.books = books
        self.client = Pay88(self.config, books=books)

    def charge(self, amount: int | str, **changes: Any) -> str:
        return self.client.charge(**(ORDER | {"amount": amount} | changes)).reference

    def cashout(self, amount: int | str) -> str:
        fields = ORDER | {"amount": amount, "method_code": "BANK_TRANSFER"}
        return self.client.cashout(bank_details=ACCOUNT, **fields).reference

    def lose(self, amount: int, kind: str, key: str) -> str | None:
        """A charge whose answer is lost; its reference where 88Pay accepted it."""
        before = len(self.sandbox.transactions())
        self.sandbox.fault("charges", kind)
        with pytest.raises(OutcomeUnknown):
            self.charge(amount, key=key)
        new = self.sandbox.transactions()[before:]
        return str(new[0]["reference"]) if new else None

    def complete(self, reference: str, *, heard: bool = True) -> str:
        self.sandbox.complete(reference)
        if heard:
            self.hear(reference)
        return reference

    def hear(self, reference: str, **changes: str) -> None:
        """The books receive the notification of a reference, or one that differs."""
        body = self.sandbox.webhooks(reference)[-1]["request_body"]
        body = json.loads(body) if isinstance(body, str) else body
        raw = json.dumps(body | {f"transaction_{n}": v for n, v in changes.items()}).encode()
        self.books.receive(
            raw, parse(raw), verified=True, marker=None, environment="local",
            now=self.config.clock.now(),
        )  # fmt: skip

    def save(self) -> None:
        self.books.save_balance(
            self.client.balance(), environment="local", now=self.config.clock.now()
        )

    def wait(self, **time: float) -> None:
        self.sandbox.clock.advance(timedelta(**time).total_seconds())

    def reconcile(self, **named: Any) -> Reconciliation:
        result = reconcile(self.books, self.client.balance(), config=self.config, **named)
        assert_adds_up(result)
        return result


def assert_adds_up(result: Reconciliation) -> None:
    assert (
        sum(part.amount for part in result.items) == result.gap == result.actual - result.expected
    )
    assert result.parts["amount"].sum() == result.gap


def non_zero(result: Reconciliation) -> dict[str, Decimal]:
    return {part.name: part.amount for part in result.items if part.amount}


@pytest.fixture(params=["memory", "postgresql"])
def play(request: pytest.FixtureRequest) -> Iterator[Play]:
    with ExitStack() as stack:
        url = "sqlite://"
        if request.param == "postgresql":
            url = stack.enter_context(request.getfixturevalue("postgres").database())
        played = Play(stack.enter_context(closing(Books(url))))
        played.save()
        yield played


# ---------------------------------------------------------------- each part


def test_books_that_heard_everything_agree(play: Play) -> None:
    for amount in (300_000, 80_000, "45000.50"):
        play.complete(play.charge(amount))
    play.complete(play.cashout(100_000))
    play.sandbox.settle(150_000)
    play.charge(90_000)
    result = play.reconcile()
    assert (result.ok, result.explained, result.gap) == (True, True, 0)
    assert result.expected == result.actual == Decimal("175000.50")
    assert result[PENDING].possible == 90_000
    assert list(result.figures["books"]) == [
        Decimal("425000.50"), Decimal(100_000), Decimal(150_000), Decimal("175000.50")
    ]  # fmt: skip


def test_its_times_are_shown_in_the_zone_that_is_asked_for(play: Play) -> None:
    result = play.reconcile()
    assert " UTC" in str(result)
    there = result.in_zone("America/Bogota")
    assert there == result
    shown = result.opening.astimezone(timezone(timedelta(hours=-5)))
    assert f"{shown:%Y-%m-%d %H:%M:%S} America/Bogota" in str(there)
    assert " UTC" not in str(there)


def test_a_lost_notification_is_found_by_its_amount(play: Play) -> None:
    lost, still = play.charge(70_000), play.charge(35_000)
    play.complete(lost, heard=False)
    result = play.reconcile()
    assert non_zero(result) == {PENDING: 70_000}
    assert (result.ok, result.explained) == (False, True)
    # What adds up comes first.
    assert result[PENDING].references == (lost, still)
    assert f"adds up to the difference: {lost} (a hint, not a proof)" in result[PENDING].words


def test_a_lost_payout_takes_away(play: Play) -> None:
    play.complete(play.charge(200_000))
    play.complete(play.cashout(50_000), heard=False)
    result = play.reconcile()
    assert non_zero(result) == {PENDING: -50_000}
    assert list(result.figures["gap"]) == [0, 50_000, 0, -50_000]


def test_lost_answers_are_unknown_outcomes(play: Play) -> None:
    accepted = play.lose(40_000, "drop_after", "2008")
    play.lose(55_000, "drop_before", "2009")
    assert accepted is not None
    play.complete(accepted, heard=False)
    result = play.reconcile()
    assert non_zero(result) == {UNKNOWN: 40_000}
    assert result[UNKNOWN].references == ("2008", "2009")
    assert result[UNKNOWN].possible == 95_000


def test_a_notification_without_an_operation(play: Play) -> None:
    with Pay88(play.config, books=False) as other:
        stranger = other.charge(**ORDER, amount=12_000).reference
    play.charge(12_000)
    play.complete(stranger)
    result = play.reconcile()
    # 88Pay has said it: an open operation of the same amount stays open.
    assert non_zero(result) == {UNMATCHED: 12_000}
    assert result[UNMATCHED].references == (stranger,)


def test_an_unmatched_payout_is_told_by_the_figure_that_differs(play: Play) -> None:
    play.complete(play.charge(100_000))
    with Pay88(play.config, books=False) as other:
        fields = ORDER | {"method_code": "BANK_TRANSFER", "amount": 30_000}
        stranger = other.cashout(bank_details=ACCOUNT, **fields).reference
    play.complete(stranger)
    assert non_zero(play.reconcile()) == {UNMATCHED: -30_000}


def test_an_unmatched_notification_that_was_resolved_since_is_gone(play: Play) -> None:
    accepted = play.lose(40_000, "drop_after", "2008")
    assert accepted is not None
    play.sandbox.complete(accepted)
    play.hear(accepted)
    assert play.reconcile()[UNMATCHED].references == (accepted,)
    play.books.resolve("2008", created=accepted, now=play.config.clock.now())
    play.hear(accepted)
    result = play.reconcile()
    assert (result.gap, result[UNMATCHED].references) == (0, ())


def test_a_notification_counts_between_the_snapshots_it_came_between(play: Play) -> None:
    strangers = []
    for amount in (11_000, 12_000, 13_000):
        with Pay88(play.config, books=False) as other:
            strangers.append(play.complete(other.charge(**ORDER, amount=amount).reference))
        # The clock stands still for the first two.
        play.save()
        play.wait(minutes=len(strangers) - 1)
    now = play.config.clock.now()
    assert play.reconcile()[UNMATCHED].references == tuple(strangers)
    assert play.reconcile(since=now)[UNMATCHED].references == ()
    start = now - timedelta(minutes=3)
    assert play.reconcile(since=start)[UNMATCHED].references == (strangers[2],)
    named = {"environment": "local", "merchant_id": play.config.merchant_id}
    past = reconcile(play.books, **named, until=start)
    assert past[UNMATCHED].references == (*strangers[:2],)
    assert non_zero(past) == {UNMATCHED: 23_000}


def test_what_is_open_past_its_methods_time_is_overdue(play: Play) -> None:
    late, cash = play.charge(20_000), play.charge(30_000, method_code="CASH")
    play.wait(minutes=60)
    assert play.reconcile()[OVERDUE].references == ()
    play.wait(seconds=1)
    result = play.reconcile()
    assert (result.gap, result[OVERDUE].references) == (0, (late,))
    assert result[PENDING].references == (cash,)
    play.wait(hours=72)
    assert play.reconcile()[OVERDUE].references == (late, cash)


def test_an_operation_of_a_far_future_is_not_overdue(play: Play) -> None:
    last = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    play.books.begin(
        "charge", ORDER | {"amount": 5}, id="op-9", environment="local",
        merchant_id=play.config.merchant_id, key=None, now=last,
    )  # fmt: skip
    play.books.created("op-9", {}, reference="R9", session_id="s", now=last)
    assert play.reconcile().ok


def test_a_notification_that_contradicts_the_books(play: Play) -> None:
    first, second = play.charge(20_000), play.charge(35_000)
    play.sandbox.complete(first)
    play.hear(first, status="REJECTED")
    play.hear(first)
    result = play.reconcile()
    assert non_zero(result) == {CONTRADICTING: 20_000}
    assert result[CONTRADICTING].references == (first,)
    # The other way round: the books were told of money that 88Pay does not have.
    play.sandbox.reject(second)
    play.hear(second, status="COMPLETED")
    play.hear(second)
    result = play.reconcile()
    assert (result.figures.loc["payin", "gap"], result[CONTRADICTING].possible) == (
        -15_000, -15_000
    )  # fmt: skip


def test_fees_and_reserves_are_one_line_until_something_splits_them(play: Play) -> None:
    play.wait(hours=1)
    done = play.complete(play.charge(625_000))
    play.sandbox.charge_fees(5_000)
    play.sandbox.hold_reserves(15_000)
    result = play.reconcile()
    assert non_zero(result) == {REST: -20_000}
    assert (result.ok, result.explained) == (False, False)
    result = play.reconcile(rates={"PSE": Decimal("0.008"), "CARDS": Decimal("0.5")})
    assert non_zero(result) == {FEES: -5_000, REST: -15_000}
    assert result[FEES].words == "by your rates, not by 88Pay"
    assert done not in result[FEES].references


def test_a_file_of_fees_splits_them(play: Play, tmp_path: Any) -> None:
    play.complete(play.charge(625_000))
    play.sandbox.charge_fees(5_000)
    play.wait(hours=1)
    import_(play, tmp_path, "fees", ("F-1", "4000.00", 0), ("F-2", "1000.00", 0), ("old", "9", -2))
    result = play.reconcile()
    assert non_zero(result) == {FEES: -5_000}
    assert (result[FEES].references, result.explained) == (("F-1", "F-2"), True)


def test_a_file_of_settlements_is_believed_in_place_of_the_total(play: Play, tmp_path: Any) -> None:
    play.complete(play.charge(200_000))
    play.sandbox.settle(150_000)
    play.wait(hours=1)
    assert play.reconcile().ok
    import_(play, tmp_path, "settlements", ("S-1", "100000.00", 0))
    result = play.reconcile()
    assert non_zero(result) == {SETTLEMENTS: -50_000}
    assert result[SETTLEMENTS].references == ("S-1",)
    assert not result.ok
    import_(play, tmp_path, "settlements", ("S-2", "50000.00", 0))
    assert play.reconcile().ok


def test_an_old_or_foreign_file_of_settlements_says_nothing_of_now(
    play: Play, tmp_path: Any
) -> None:
    import_(play, tmp_path, "settlements", ("S-0", "70.00", -24 * 30))
    play.complete(play.charge(200_000))
    play.sandbox.settle(150_000)
    play.wait(hours=1)
    result = play.reconcile()
    assert result.ok
    assert [note for note in result.notes if "settlements end on 2025-12-16" in note]
    import_(play, tmp_path, "settlements", ("S-1", "50.00", 0), currency="USD")
    assert play.reconcile().ok


@pytest.mark.parametrize("morning", [100_000, 0])
def test_a_settlement_of_a_day_alone_is_of_the_whole_day(
    play: Play, tmp_path: Any, morning: int
) -> None:
    # The opening is of noon; the file does not say which of that day's settlements came before.
    path = tmp_path / "file.csv"
    lines = ["reference,amount,currency,at", "S-1,150000.00,COP,2026-01-15"]
    if morning:
        play.complete(play.charge(morning))
        play.sandbox.settle(morning)
        lines.append(f"S-0,{morning}.00,COP,2026-01-15")
        play.wait(seconds=1)
        play.save()
    path.write_text("\n".join(lines))
    play.books.import_file(
        path, "settlements", environment="local", merchant_id=play.config.merchant_id,
        timezone="America/Bogota",
    )  # fmt: skip
    since = play.config.clock.now()
    play.complete(play.charge(200_000))
    play.sandbox.settle(150_000)
    play.wait(hours=1)
    result = play.reconcile(since=since)
    assert result.ok
    assert result[SETTLEMENTS].amount == 0
    play.wait(days=2)
    play.save()
    assert play.reconcile(since=play.config.clock.now()).ok


def test_a_reserve_that_is_released_is_no_credit(play: Play) -> None:
    play.sandbox.merchant(merchant_id=play.config.merchant_id, credit_limit=5_000)
    play.complete(play.charge(10_000))
    play.sandbox.hold_reserves(2_000)
    play.wait(seconds=1)
    play.save()
    since = play.config.clock.now()
    free = play.client.balance().model_copy(update={"total_available": Decimal(10_000)})
    result = reconcile(play.books, free, config=play.config, since=since, credit_limit=5_000)
    assert_adds_up(result)
    assert (result[CREDIT].amount, result[REST].amount) == (0, 2_000)


def test_rates_that_fit_nothing_are_named_and_the_file_counts(play: Play, tmp_path: Any) -> None:
    play.complete(play.charge(100_000))
    play.sandbox.charge_fees(2_900)
    play.wait(hours=1)
    import_(play, tmp_path, "fees", ("F-1", "2900.00", 0))
    result = play.reconcile(rates={"PSEX": Decimal("0.5")})
    assert non_zero(result) == {FEES: -2_900}
    assert [note for note in result.notes if "no completed operation here is of PSEX" in note]


def test_what_is_sure_of_one_direction_does_not_make_the_other_sure(play: Play) -> None:
    # One of two equal payins, and the one payout: which payin is not known.
    completed = play.charge(1_000)
    play.charge(1_000)
    play.complete(play.charge(50_000))
    play.complete(completed, heard=False)
    play.complete(play.cashout(20_000), heard=False)
    result = play.reconcile()
    assert result[PENDING].amount == -19_000
    assert "what adds up to the difference: some of " in result[PENDING].words


def import_(
    play: Play, tmp_path: Any, kind: str, *rows: tuple[str, str, int], currency: str = "COP"
) -> None:
    lines = ["reference,amount,currency,at"]
    for reference, amount, hours in rows:
        at = play.config.clock.now() + timedelta(hours=hours)
        lines.append(f"{reference},{amount},{currency},{at.isoformat()}")
    path = tmp_path / "file.csv"
    path.write_text("\n".join(lines))
    play.books.import_file(path, kind, environment="local", merchant_id=play.config.merchant_id)


def test_the_credit_of_88pays_own_example(play: Play) -> None:
    play.sandbox.merchant(merchant_id=play.config.merchant_id, credit_limit=100_000)
    for step in (
        lambda: play.complete(play.cashout(100_000)),
        lambda: play.complete(play.charge(50_000)),
    ):
        step()
        # The net shows it.
        assert non_zero(play.reconcile()) == {CREDIT: 100_000}
    play.complete(play.charge(60_000))
    assert non_zero(play.reconcile()) == {REST: 100_000}
    assert non_zero(play.reconcile(credit_limit=100_000)) == {CREDIT: 100_000}
    assert non_zero(play.reconcile(credit_limit=30_000)) == {CREDIT: 30_000, REST: 70_000}


def test_what_the_opening_had_already_is_named(play: Play) -> None:
    around = play.charge(25_000)
    play.sandbox.complete(around)
    play.wait(minutes=1)
    play.save()
    play.wait(minutes=1)
    play.hear(around)
    result = play.reconcile(since=play.config.clock.now())
    assert non_zero(result) == {LATE: -25_000}
    assert result[LATE].references == (around,)
    assert play.reconcile().ok


def test_what_is_open_may_not_say_why(play: Play) -> None:
    first, second = play.charge(50_000), play.charge(50_000)
    play.lose(50_000, "drop_before", "2009")
    play.complete(first, heard=False)
    result = play.reconcile()
    # Pending or unknown: both would do.
    assert non_zero(result) == {PAYIN: 50_000}
    assert not result.explained
    play.books.resolve("2009", created=None, now=play.config.clock.now())
    result = play.reconcile()
    assert non_zero(result) == {PENDING: 50_000}
    assert f"difference: some of {first}, {second}" in result[PENDING].words
    assert set(result[PENDING].references) == {first, second}


def test_money_of_which_the_books_know_nothing_is_not_explained(play: Play) -> None:
    play.complete(play.charge(300_000))
    with Pay88(play.config, books=False) as other:
        play.complete(other.charge(**ORDER, amount=5_000).reference, heard=False)
        fields = ORDER | {"method_code": "BANK_TRANSFER", "amount": 7_000}
        cashout = other.cashout(bank_details=ACCOUNT, **fields).reference
        play.complete(cashout, heard=False)
    assert non_zero(play.reconcile()) == {PAYIN: 5_000, PAYOUT: -7_000}


# ---------------------------------------------------------------- openings and closings


def test_without_an_opening_it_says_so_and_starts_there() -> None:
    with closing(Books()) as books:
        play = Play(books)
        play.complete(play.charge(70_000))
        open_one = play.charge(1_000)
        result = play.reconcile()
        assert (result.opening, result.ok, result.gap) == (None, None, 0)
        assert result[PENDING].references == (open_one,)
        assert "There is no opening snapshot" in str(result)
        play.save()
        play.complete(play.charge(5_000))
        assert play.reconcile().ok


def test_on_a_clock_that_stands_still_the_order_still_counts(play: Play) -> None:
    first, second = play.charge(1_000), play.charge(2_000)
    play.complete(first)
    play.save()
    play.complete(second)
    play.save()
    play.complete(play.charge(4_000))
    now = play.config.clock.now()
    for result in (play.reconcile(), play.reconcile(since=now)):
        assert (result.ok, result.gap) == (True, 0)
    assert play.reconcile(since=now).figures.loc["payin", "books"] == 7_000


def test_a_snapshot_of_the_past_is_compared_as_it_was(play: Play) -> None:
    times = []
    pending = play.charge(8_000, method_code="CASH")
    for amount in (10_000, 20_000):
        play.wait(hours=1)
        play.complete(play.charge(amount))
        play.save()
        times.append(play.config.clock.now())
    play.wait(hours=1)
    play.complete(pending)
    play.complete(play.charge(30_000), heard=False)
    merchant = play.config.merchant_id
    named = {"environment": "local", "merchant_id": merchant}
    for until in times:
        result = reconcile(play.books, **named, until=until)
        assert_adds_up(result)
        assert (result.closing, result.ok, result.gap) == (until, True, 0)
        # It was open then.
        assert result[PENDING].references == (pending,)
    between = reconcile(play.books, **named, since=times[0])
    assert (between.opening, between.closing) == tuple(times)
    assert between.figures.loc["payin", "books"] == 30_000
    # A time is not shown under the name of an amount.
    opening, balance = (f"{moment:%Y-%m-%d %H:%M:%S} UTC" for moment in times)
    for shown in (repr(between), re.sub("<[^>]*>", " ", between._repr_html_())):
        assert re.search(rf"opening as of\s+{opening}", shown)
        assert re.search(rf"balance as of\s+{balance}", shown)


def test_a_time_before_the_first_snapshot_is_told(play: Play) -> None:
    result = play.reconcile(since=play.config.clock.now() - timedelta(days=1))
    assert "it starts at the next one" in result.notes[0]


def test_a_snapshot_that_is_not_whole_is_no_opening(play: Play) -> None:
    play.wait(hours=1)
    balance = play.client.balance().model_copy(update={"total_available": None})
    now = play.config.clock.now()
    play.books.save_balance(balance, environment="local", now=now)
    assert play.reconcile(since=now).opening == now - timedelta(hours=1)


# ---------------------------------------------------------------- merchants and currencies


def test_other_currencies_are_left_out_and_named(play: Play) -> None:
    play.complete(play.charge(50_000))
    play.complete(play.charge(20, method_code="USDT", currency="USD"))
    play.charge(30, method_code="PAYPAL", currency="EUR", return_url="https://shop.example/")
    result = play.reconcile()
    assert (result.ok, result.currency) == (True, "COP")
    assert result[PENDING].references == ()
    assert result.notes == (
        "Operations in EUR, USD are left out: a balance counts COP only (assumed).",
    )


def test_every_kind_has_its_own_sum(play: Play, tmp_path: Any) -> None:
    # More kinds than one query sums, and one method that is not known.
    kinds = [f"METHOD_{number}" for number in range(150)] + [""]
    rows = [
        f"R{n},charge,{1 + n % 151}.25,COP,COMPLETED,2026-01-16T12:00:00Z,{kinds[n % 151]}"
        for n in range(302)
    ]
    path = tmp_path / "rows.csv"
    path.write_text(
        "reference,operation,amount,currency,status,created_at,method_code\n" + "\n".join(rows)
    )
    merchant = play.config.merchant_id
    play.books.import_file(path, environment="local", merchant_id=merchant)
    found = play.books.accounts.completed("local", merchant)
    assert {each.method_code: (each.count, each.amount) for each in found} == {
        kind or None: (2, 2 * (100 * (number + 1) + 25)) for number, kind in enumerate(kinds)
    }


def test_many_merchants_are_a_row_each(play: Play) -> None:
    other = play.sandbox.merchant(merchant_id="MCH-MEX-AAAAAA", country="MEX")
    client = Pay88(play.sandbox.config_for(other["merchant_id"]), books=play.books)
    now = play.config.clock.now()
    play.books.save_balance(client.balance(), environment="local", now=now)
    play.complete(play.charge(10_000))
    lost = client.charge(
        **ORDER | {"method_code": "SPEI", "currency": "MXN", "country": "MEX", "amount": 700}
    ).reference
    play.complete(lost, heard=False)
    balances = [play.client.balance(), client.balance()]
    frame = reconcile_all(play.books, balances, environment="local", now=now)
    rows = frame.set_index("merchant_id")
    assert list(rows["currency"]) == ["COP", "MXN"]
    assert list(rows["gap"]) == [0, 700]
    assert list(rows["ok"]) == [True, False]
    assert list(rows[PENDING]) == [0, 700]
    for balance in balances:
        play.books.save_balance(balance, environment="local", now=now)
    saved = reconcile_all(play.books, environment="local")
    pd.testing.assert_frame_equal(
        saved.drop(columns="closing_at"), frame.drop(columns="closing_at")
    )
    assert reconcile_all(play.books, environment="production").empty


def test_what_names_no_merchant_explains_none_of_several(play: Play) -> None:
    other = play.sandbox.merchant(merchant_id="MCH-COL-AAAAAA", country="COL")
    client = Pay88(play.sandbox.config_for(other["merchant_id"]), books=play.books)
    play.books.save_balance(client.balance(), environment="local", now=play.config.clock.now())
    with closing(Books()) as elsewhere:
        for each in (play.client, client):
            stranger = Pay88(each.config, books=elsewhere)
            reference = stranger.charge(**ORDER | {"amount": 9_000}).reference
            play.complete(reference, heard=each is client)
    frame = reconcile_all(
        play.books, [play.client.balance(), client.balance()], environment="local",
        now=play.config.clock.now(),
    )  # fmt: skip
    assert list(frame[PAYIN]) == [9_000, 9_000]
    assert list(frame[UNMATCHED]) == [0, 0]
    listed = play.reconcile()[UNMATCHED]
    assert (listed.references, listed.possible) == ((reference,), 0)


def test_one_merchant_that_cannot_be_compared_does_not_stop_the_others(play: Play) -> None:
    play.sandbox.merchant(merchant_id="SHOP-7", currency="USD", country="COL")
    client = Pay88(play.sandbox.config_for("SHOP-7"), books=play.books)
    balances = [client.balance(), play.client.balance()]
    rows = reconcile_all(
        play.books, balances, environment="local", now=play.config.clock.now()
    ).to_dict("records")  # fmt: skip
    assert "currency: the id SHOP-7 names no country" in rows[0]["error"]
    assert (rows[1]["merchant_id"], rows[1]["ok"]) == (play.config.merchant_id, True)
    assert pd.isna(rows[1]["error"])


def test_a_country_with_two_currencies_has_the_one_of_its_books(play: Play, tmp_path: Any) -> None:
    merchant = play.sandbox.merchant(merchant_id="MCH-PAN-AAAAAA", currency="USD", country="PAN")
    client = Pay88(play.sandbox.config_for(merchant["merchant_id"]), books=play.books)
    now = play.config.clock.now()
    play.books.save_balance(client.balance(), environment="local", now=now)
    path = tmp_path / "rows.csv"
    path.write_text(
        "reference,operation,amount,currency,status,created_at\n"
        "IPAAAAAAAA1,charge,500,USD,COMPLETED,2026-01-15T12:00:00Z\n"
    )
    play.books.import_file(path, environment="local", merchant_id="MCH-PAN-AAAAAA")
    result = reconcile(play.books, client.balance(), environment="local", now=now)
    assert (result.currency, result.expected) == ("USD", 500)


def test_a_merchant_without_a_country_has_the_one_currency_of_its_books(play: Play) -> None:
    merchant = play.sandbox.merchant(merchant_id="SHOP-7", currency="USD", country="COL")
    client = Pay88(play.sandbox.config_for(merchant["merchant_id"]), books=play.books)
    asked = {"environment": "local", "now": play.config.clock.now()}
    with pytest.raises(WrongUse, match="Give the merchant's own: currency='COP'"):
        reconcile(play.books, client.balance(), **asked)
    client.charge(**ORDER | {"method_code": "USDT", "currency": "USD", "amount": 5})
    assert reconcile(play.books, client.balance(), **asked).currency == "USD"


def test_other_environments_do_not_count(play: Play, tmp_path: Any) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(
        "reference,operation,amount,currency,status,created_at\n"
        "IPAAAAAAAA1,charge,500,COP,COMPLETED,2026-01-16T12:00:00Z\n"
    )
    play.books.import_file(path, environment="sandbox", merchant_id=play.config.merchant_id)
    assert play.reconcile().ok
    play.wait(days=2)
    # 88Pay has never heard of it.
    play.books.import_file(path, environment="local", merchant_id=play.config.merchant_id)
    assert non_zero(play.reconcile()) == {PAYIN: -500}


# ---------------------------------------------------------------- what a person sees, wrong use


def test_text_and_html_say_the_same_and_nothing_hostile(play: Play) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    play.lose(40_000, "drop_before", hostile)
    for number in range(8):
        play.charge(1_000 + number)
    result = play.reconcile()
    said, page = str(result), result._repr_html_()
    assert hostile in said
    assert hostile not in page
    assert "&lt;img src=x" in page
    for words in ("Simulated data, not 88Pay", "40,000.00 COP", "and 3 more", "assumed"):
        assert (words in said) == (words in page)
    assert "and 3 more" in said
    assert repr(result) == said
    assert len(result.parts["references"].iloc[0]) == 8


def test_the_parts_are_exact_whatever_a_program_rounds(play: Play) -> None:
    play.complete(play.charge("1234567.89"))
    play.sandbox.charge_fees("0.01")
    with localcontext() as context:
        context.prec = 3
        result = reconcile(play.books, play.client.balance(), config=play.config)
        assert result.gap == Decimal("-0.01")
    # 0.01 agrees: that is the tolerance of 88Pay's page.
    assert (result.ok, result.expected) == (True, Decimal("1234567.89"))


@pytest.mark.parametrize(
    ("named", "match"),
    [
        ({"config": None}, "environment: is missing"),
        ({"merchant_id": "MCH-COL-OTHER1"}, "is that of MCH-COL-29ZTP4"),
        ({"until": "now"}, "until: belongs to snapshots"),
        ({"rates": {"PSE": 0.03}}, "rates: 0.03 is no fraction"),
        ({"rates": {"PSE": Decimal("2.9")}}, r'from 0 to 1\. Write 2\.9 % as Decimal\("0\.029"\)'),
        ({"rates": {"PSE": Decimal("-0.1")}}, "from 0 to 1"),
        ({"since": datetime(2026, 1, 2)}, "since: has no time zone. Give one: "),
        ({"since": date(2026, 1, 2)}, "since: is a date, not a datetime. Give one: "),
        ({"now": "2026-01-02"}, "now: is a str, not a datetime"),
        ({"currency": "pesos"}, "currency: 'pesos' is no ISO 4217 code"),
        ({"tolerance": "-0.01"}, "tolerance: -0.01 is below zero"),
        ({"credit_limit": -1}, "credit_limit: -1 is below zero"),
    ],
)
def test_wrong_use_is_named(play: Play, named: dict[str, Any], match: str) -> None:
    play.complete(play.charge(1_000))
    with pytest.raises(WrongUse, match=match):
        reconcile(play.books, play.client.balance(), **({"config": play.config} | named))


def test_a_tolerance_is_an_amount_and_times_have_an_order(play: Play) -> None:
    play.complete(play.charge(1_000), heard=False)
    assert play.reconcile().ok is False
    assert play.reconcile(tolerance="1000").ok
    with pytest.raises(InvalidRequest, match=r"tolerance: '1\.000' has 3 digits after the point"):
        play.reconcile(tolerance="1.000")
    now = play.config.clock.now()
    with pytest.raises(WrongUse, match="since: is after until"):
        reconcile(
            play.books, environment="local", merchant_id=play.config.merchant_id,
            since=now, until=now - timedelta(seconds=1),
        )  # fmt: skip


def test_a_balance_that_is_not_whole_is_refused(play: Play) -> None:
    balance = play.client.balance().model_copy(update={"total_payout": None})
    with pytest.raises(WrongUse, match="balance: total_payout is missing"):
        reconcile(play.books, balance, config=play.config)
    with pytest.raises(WrongUse, match="no whole snapshot of MCH-COL-OTHER1"):
        reconcile(play.books, environment="local", merchant_id="MCH-COL-OTHER1")


def test_a_sum_that_no_database_holds_says_so(tmp_path: Any) -> None:
    rows = [f"A{n},charge,{money.MAX_AMOUNT},COP,COMPLETED,2026-01-16T12:00:00Z" for n in range(12)]
    path = tmp_path / "rows.csv"
    header = "reference,operation,amount,currency,status,created_at"
    path.write_text("\n".join([header, *rows]))
    with closing(Books()) as books:
        play = Play(books)
        play.save()
        books.import_file(path, environment="local", merchant_id=play.config.merchant_id)
        with pytest.raises(BooksError, match="The amounts have no sum that it can hold: choose"):
            play.reconcile()


def test_books_that_cannot_be_read_are_an_error_not_a_gap(play: Play) -> None:
    balance = play.client.balance()
    with play.books._database.writing() as db:
        db.exec_driver_sql("ALTER TABLE operations RENAME TO away")
    with pytest.raises(BooksError):
        reconcile(play.books, balance, config=play.config)


def test_notifications_of_a_real_inbox() -> None:
    with closing(Books()) as books:
        play = Play(books)
        play.save()
        with Inbox(play.config, books=books) as inbox:
            for amount in (300_000, 80_000):
                play.sandbox.complete(play.charge(amount, notification_url=inbox.url))
            inbox.wait(2)
            play.sandbox.complete(play.charge(70_000))
            assert non_zero(play.reconcile()) == {PENDING: 70_000}


# ---------------------------------------------------------------- any life, any items

AMOUNTS = st.integers(1_000, 9_999)
ACTIONS = st.one_of(
    st.tuples(st.sampled_from(["charge", "cashout"]), AMOUNTS),
    st.tuples(st.sampled_from(["complete", "reject"]), st.integers(0, 9)),
    st.tuples(st.sampled_from(["save", "wait"]), st.just(0)),
    st.tuples(st.just("settle"), AMOUNTS),
)
WITHHELD = st.one_of(
    st.tuples(st.sampled_from(["complete quietly", "reject quietly"]), st.integers(0, 9)),
    st.tuples(st.sampled_from(["drop_after", "drop_before"]), AMOUNTS),
    st.tuples(st.sampled_from(["fee", "reserve"]), AMOUNTS),
    st.tuples(st.just("stranger"), AMOUNTS),
)


def live(play: Play, actions: list[tuple[str, int]]) -> None:
    """Play a list of actions; what is not possible at that point is left out."""
    still_open: list[str] = []
    for number, (action, value) in enumerate(actions):
        if action == "charge":
            still_open.append(play.charge(value))
        elif action in ("drop_after", "drop_before"):
            accepted = play.lose(value, action, f"key-{number}")
            still_open += [accepted] if accepted else []
        elif action == "save":
            play.save()
        elif action == "wait":
            play.wait(minutes=7)
        elif action == "fee":
            play.sandbox.charge_fees(value)
        elif action == "reserve":
            play.sandbox.hold_reserves(value)
        elif action == "stranger":
            with Pay88(play.config, books=False) as other:
                still_open.append(other.charge(**ORDER, amount=value).reference)
        elif action == "settle":
            if play.client.balance().total_available >= value:
                play.sandbox.settle(value) if not any_payout(play) else None
        elif action == "cashout":
            with suppress(UnprocessableEntity):
                still_open.append(play.cashout(value))
        elif still_open:
            reference = still_open.pop(value % len(still_open))
            if play.sandbox.transaction(reference)["status"] != "PENDING":
                continue
            finish = play.sandbox.complete if "complete" in action else play.sandbox.reject
            finish(reference)
            if "quietly" not in action:
                play.hear(reference)


def any_payout(play: Play) -> bool:
    return any(
        each["flow"] == "PAYOUT" and each["status"] == "PENDING"
        for each in play.sandbox.transactions()
    )


@settings(max_examples=60)
@given(st.lists(ACTIONS, max_size=25))
def test_with_nothing_withheld_the_gap_is_zero(actions: list[tuple[str, int]]) -> None:
    with closing(Books()) as books:
        play = Play(books)
        play.save()
        live(play, actions)
        now = play.config.clock.now()
        results = [play.reconcile(), play.reconcile(since=now)]
        play.save()
        merchant = play.config.merchant_id
        for since in (None, now):
            results.append(reconcile(books, environment="local", merchant_id=merchant, since=since))
        for result in results:
            assert not non_zero(result)
            assert result.gap == 0
            assert result.explained


@settings(max_examples=60)
@given(st.lists(ACTIONS | WITHHELD, max_size=25), st.sampled_from([0, 20_000]))
def test_the_parts_always_sum_to_the_gap(actions: list[tuple[str, int]], credit: int) -> None:
    with closing(Books()) as books:
        play = Play(books, credit=credit)
        play.save()
        live(play, actions)
        for named in ({}, {"since": play.config.clock.now()}, {"credit_limit": credit}):
            result = play.reconcile(**named)
            gaps = result.figures["gap"]
            assert result.gap == gaps["available"]
            unknown = result[PAYIN].amount, result[PAYOUT].amount
            # What is not explained is never more than what differs.
            assert abs(unknown[0]) <= abs(gaps["payin"])
            assert abs(unknown[1]) <= abs(gaps["payout"])
            assert result[CREDIT].amount >= 0


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 12)), max_size=9),
    st.integers(1, 40),
)
def test_what_fits_is_what_trying_everything_finds(
    things: list[tuple[str, int]], target: int
) -> None:
    items = [Item(part, f"{n}", cents) for n, (part, cents) in enumerate(things)]
    every = chain.from_iterable(combinations(items, n) for n in range(len(items) + 1))
    exact = [chosen for chosen in every if sum(item.cents for item in chosen) == target]
    ways = {
        tuple(sum(i.cents for i in chosen if i.part == part) for part in "ab") for chosen in exact
    }
    fit = fitting(items, target)
    assert (fit is not None) == (len(ways) == 1)
    if fit is not None:
        (way,) = ways
        assert tuple(fit.cents.get(part, 0) for part in "ab") == way
        assert fit.single == (len(exact) == 1)
        if fit.single:
            assert {label for labels in fit.labels.values() for label in labels} == {
                item.label for item in exact[0]
            }


def test_too_many_to_tell_is_no_answer_and_takes_no_time() -> None:
    items = [Item("a", str(n), n * 7919 + 1) for n in range(1, 50_000)]
    assert fitting(items, 10**12 + 3) is None
