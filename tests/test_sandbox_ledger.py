"""The money behind the balance (contract.md, section 9), seen through 88Pay's own paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support import BALANCE, CASHOUT, MERCHANT, Caller, caller, cashout_body, in_process

from pay88kit import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=None) as sandbox:
        yield sandbox


@pytest.fixture
def shop(sandbox: Sandbox) -> Caller:
    return caller(sandbox)


def figures(shop: Caller) -> tuple[str, str, str, str, Any]:
    """payin / payout / settled / available / net, as 88Pay writes them."""
    told = shop.balance()
    names = ("total_payin", "total_payout", "total_settled", "total_available", "net_balance")
    assert tuple(told) == names
    return tuple(told[name] for name in names)  # type: ignore[return-value]


# ---------------------------------------------------------------- any sequence of movements

# In cents. Payouts are small beside deposits and credit, so that several of them fit.
LARGE = st.integers(min_value=1, max_value=200_000)
SMALL = st.integers(min_value=1, max_value=60_000)


class Expected:
    """Section 9 of the contract, written down a second time. Cents."""

    def __init__(self) -> None:
        self.payin = self.payout = self.settled = self.fees = self.reserves = 0
        self.advanced = self.credit = 0
        self.pending: list[tuple[str, int]] = []

    @property
    def available(self) -> int:
        gone = self.payout + self.settled + self.fees + self.reserves
        return self.payin - gone + self.advanced

    @property
    def held(self) -> int:
        return sum(amount for _, amount in self.pending)

    @property
    def unused_credit(self) -> int:
        return max(0, self.credit - self.advanced)

    def complete_payout(self, amount: int) -> None:
        self.advanced += max(0, min(self.unused_credit, amount - max(0, self.available)))
        self.payout += amount


def money(cents: int) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


class LedgerMachine(RuleBasedStateMachine):
    """Any movements in any order; after each of them the five figures are the contract's."""

    def __init__(self) -> None:
        super().__init__()
        self.sandbox = Sandbox(limits=None)
        self.shop, self.http = caller(self.sandbox), in_process(self.sandbox)
        self.headers = self.shop.headers()
        self.expected = Expected()

    def teardown(self) -> None:
        self.sandbox.close()

    def move(self, kind: str, cents: int) -> int:
        asked = {"merchant_id": MERCHANT, "amount": money(cents)}
        return self.http.post(f"/_sandbox/{kind}", json=asked).status_code

    @rule(cents=LARGE)
    def deposit(self, cents: int) -> None:
        self.sandbox.complete(self.shop.charge(amount=cents / 100))
        self.expected.payin += cents

    @rule(cents=LARGE)
    def leave_a_deposit_pending(self, cents: int) -> None:
        self.shop.charge(amount=cents / 100)

    @rule(cents=SMALL)
    def pay_out(self, cents: int) -> None:
        answer = self.shop.post(CASHOUT, cashout_body(amount=cents / 100), headers=self.headers)
        expected = self.expected
        fits = cents <= expected.available + expected.unused_credit - expected.held
        assert answer.status_code == (200 if fits else 422)
        if fits:
            expected.pending.append((answer.json()["data"]["reference"], cents))

    @precondition(lambda self: self.expected.pending)
    @rule(which=st.integers(0, 5), completed=st.booleans())
    def end_a_payout(self, which: int, completed: bool) -> None:
        pending = self.expected.pending
        reference, cents = pending.pop(which % len(pending))
        if completed:
            self.sandbox.complete(reference)
            self.expected.complete_payout(cents)
        else:
            self.sandbox.reject(reference)

    @rule(cents=SMALL)
    def settle(self, cents: int) -> None:
        fits = cents <= self.expected.available - self.expected.held
        assert self.move("settlements", cents) == (200 if fits else 422)
        self.expected.settled += cents if fits else 0

    @rule(cents=SMALL)
    def charge_fees(self, cents: int) -> None:
        assert self.move("fees", cents) == 200
        self.expected.fees += cents

    @rule(cents=SMALL)
    def hold_reserves(self, cents: int) -> None:
        assert self.move("reserves", cents) == 200
        self.expected.reserves += cents

    @rule(cents=st.integers(min_value=0, max_value=100_000))
    def set_the_credit(self, cents: int) -> None:
        self.sandbox.merchant(merchant_id=MERCHANT, credit_limit=money(cents))
        self.expected.credit = cents

    @invariant()
    def the_five_figures_are_the_contracts(self) -> None:
        answer = self.shop.post(BALANCE, headers=self.headers, params={"id": MERCHANT})
        expected = self.expected
        net = expected.payin - expected.payout
        assert answer.json()["data"]["balance_summary"] == {
            "total_payin": money(expected.payin),
            "total_payout": money(expected.payout),
            "total_settled": money(expected.settled),
            "total_available": money(expected.available),
            "net_balance": net // 100 if net % 100 == 0 else net / 100,
        }


LedgerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnySequenceOfMovements = LedgerMachine.TestCase


# ---------------------------------------------------------------- 88Pay's own examples


def test_the_day_one_two_three_example(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.merchant(merchant_id=MERCHANT, credit_limit=100_000)
    sandbox.complete(shop.cashout(amount=100_000))
    assert figures(shop) == ("0.00", "100000.00", "0.00", "0.00", -100000)
    sandbox.complete(shop.charge(amount=50_000))
    assert figures(shop) == ("50000.00", "100000.00", "0.00", "50000.00", -50000)
    sandbox.complete(shop.charge(amount=60_000))
    assert figures(shop) == ("110000.00", "100000.00", "0.00", "110000.00", 10000)


def test_the_profitable_scenario(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.scenario("profitable")
    assert figures(shop) == ("1000000.00", "500000.00", "200000.00", "300000.00", 500000)


def test_the_advance_scenario_is_the_sample_of_the_page(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.scenario("advance")
    assert figures(shop) == ("34490.00", "250010.00", "0.00", "34490.00", -215520)
    (merchant,) = in_process(sandbox).get("/_sandbox/merchants").json()["data"]
    assert merchant["credit_limit"] == "250010.00"


def test_the_settled_scenario_has_nothing_left(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.scenario("settled")
    payin, payout, settled, available, _ = figures(shop)
    assert (payout, available) == ("0.00", "0.00")
    assert payin == settled != "0.00"


def test_the_pending_scenario_shows_nothing_yet(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.scenario("pending")
    assert figures(shop) == ("0.00", "0.00", "0.00", "0.00", 0)
    assert {t["status"] for t in sandbox.transactions(MERCHANT)} == {"PENDING"}


def test_the_empty_scenario_has_no_transactions(sandbox: Sandbox, shop: Caller) -> None:
    shop.charge()
    sandbox.scenario("empty")
    assert figures(shop) == ("0.00", "0.00", "0.00", "0.00", 0)
    assert sandbox.transactions(MERCHANT) == []


def test_the_fees_scenario_holds_something_back(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.scenario("fees")
    payin, payout, settled, available, net = figures(shop)
    assert (payout, settled) == ("0.00", "0.00")
    assert 0 < float(available) < float(payin) == net


def test_the_low_scenario_is_below_the_warning(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.scenario("low")
    available, net = figures(shop)[3:]
    assert 0 < float(available) < 10_000
    assert net > 0


def test_a_scenario_first_empties_the_ledger(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.scenario("advance")
    sandbox.scenario("profitable")
    sandbox.scenario("profitable")
    assert figures(shop) == ("1000000.00", "500000.00", "200000.00", "300000.00", 500000)
    # Its credit went as well: nothing but what is available can be paid out.
    answer = shop.post(CASHOUT, cashout_body(amount=300_000.01))
    assert answer.status_code == 422
    assert len(sandbox.transactions(MERCHANT)) == 2


def test_a_scenario_leaves_other_merchants_alone_and_needs_no_place_under_the_limits() -> None:
    with Sandbox(limits={"transactions": (0, 0)}) as sandbox:
        record = sandbox.merchant(merchant_id="MCH-COL-OTHER1")
        sandbox.scenario("profitable", "MCH-COL-OTHER1")
        sandbox.scenario("low")
        other = Caller(in_process(sandbox), record["merchant_id"], record["api_key"])
        assert figures(other)[:2] == ("1000000.00", "500000.00")


def test_an_expiry_from_before_a_scenario_changes_nothing(sandbox: Sandbox, shop: Caller) -> None:
    shop.charge()
    sandbox.scenario("profitable")
    sandbox.clock.advance(24 * 3600)
    assert {t["status"] for t in sandbox.transactions(MERCHANT)} == {"COMPLETED"}


# ---------------------------------------------------------------- single rules


def test_a_payout_draws_on_available_funds_first_and_then_on_credit(
    sandbox: Sandbox, shop: Caller
) -> None:
    sandbox.merchant(merchant_id=MERCHANT, credit_limit=50_000)
    sandbox.complete(shop.charge(amount=10_000))
    sandbox.complete(shop.cashout(amount=30_000))
    assert figures(shop) == ("10000.00", "30000.00", "0.00", "0.00", -20000)
    # 20,000 of the credit are used: a later deposit is available in full, 30,000 are left.
    sandbox.complete(shop.charge(amount=5_000))
    assert figures(shop) == ("15000.00", "30000.00", "0.00", "5000.00", -15000)
    assert shop.post(CASHOUT, cashout_body(amount=35_000.01)).status_code == 422
    sandbox.complete(shop.cashout(amount=35_000))
    assert figures(shop) == ("15000.00", "65000.00", "0.00", "0.00", -50000)
    assert shop.post(CASHOUT, cashout_body(amount=0.01)).status_code == 422


def test_a_payout_from_below_zero_is_all_on_credit(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.merchant(merchant_id=MERCHANT, credit_limit=50_000)
    sandbox.charge_fees(10_000)
    assert shop.post(CASHOUT, cashout_body(amount=40_000.01)).status_code == 422
    sandbox.complete(shop.cashout(amount=40_000))
    assert figures(shop) == ("0.00", "40000.00", "0.00", "-10000.00", -40000)


def test_the_advance_is_fixed_when_a_payout_completes(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.merchant(merchant_id=MERCHANT, credit_limit=20_000)
    reference = shop.cashout(amount=20_000)
    sandbox.complete(shop.charge(amount=15_000))  # paid in before the payout completes
    sandbox.complete(reference)
    assert figures(shop) == ("15000.00", "20000.00", "0.00", "0.00", -5000)
    assert shop.post(CASHOUT, cashout_body(amount=15_000)).status_code == 200


def test_what_is_pending_or_rejected_does_not_count(sandbox: Sandbox, shop: Caller) -> None:
    shop.charge(amount=1_000)
    sandbox.reject(shop.charge(amount=2_000))
    sandbox.complete(shop.charge(amount=4_000))
    assert figures(shop) == ("4000.00", "0.00", "0.00", "4000.00", 4000)
    sandbox.reject(shop.cashout(amount=1_000))
    shop.cashout(amount=500)
    assert figures(shop) == ("4000.00", "0.00", "0.00", "4000.00", 4000)


def test_operations_in_another_currency_show_among_the_transactions_only(
    sandbox: Sandbox, shop: Caller
) -> None:
    reference = shop.charge("PAYPAL", currency="USD", amount=100)
    sandbox.complete(reference)
    assert figures(shop) == ("0.00", "0.00", "0.00", "0.00", 0)
    assert sandbox.transaction(reference)["status"] == "COMPLETED"


def test_a_settlement_cannot_take_what_a_pending_payout_holds(
    sandbox: Sandbox, shop: Caller
) -> None:
    sandbox.complete(shop.charge(amount=10_000))
    shop.cashout(amount=4_000)
    http = in_process(sandbox)
    asked = {"merchant_id": MERCHANT, "amount": "6000.01"}
    assert http.post("/_sandbox/settlements", json=asked).status_code == 422
    asked["amount"] = "6000.00"
    assert http.post("/_sandbox/settlements", json=asked).status_code == 200


def test_fees_and_reserves_may_push_available_below_zero(sandbox: Sandbox, shop: Caller) -> None:
    sandbox.charge_fees("150.50")
    sandbox.hold_reserves(100)
    assert figures(shop) == ("0.00", "0.00", "0.00", "-250.50", 0)


def test_cents_are_never_lost(sandbox: Sandbox, shop: Caller) -> None:
    for _ in range(10):
        sandbox.complete(shop.charge(amount=0.1))
    assert figures(shop) == ("1.00", "0.00", "0.00", "1.00", 1)
    sandbox.complete(shop.cashout(amount=0.05))
    assert figures(shop) == ("1.00", "0.05", "0.00", "0.95", 0.95)


@pytest.mark.parametrize("amount", [0, -5, "0.001"])
def test_a_movement_needs_an_amount_above_zero(sandbox: Sandbox, shop: Caller, amount: Any) -> None:
    for move in (sandbox.settle, sandbox.charge_fees, sandbox.hold_reserves):
        with pytest.raises(Exception, match="amount"):
            move(amount)
    assert figures(shop) == ("0.00", "0.00", "0.00", "0.00", 0)
