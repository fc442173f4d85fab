"""Before a payout, and when it is time for a settlement."""

from __future__ import annotations

import asyncio
import copy
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support import MERCHANT, cashout_body

from pay88kit import (
    AsyncPay88,
    CashoutRequest,
    InvalidRequest,
    MalformedAnswer,
    Pay88,
    Policy,
    Sandbox,
    UnprocessableEntity,
    WrongUse,
)
from pay88kit.balance import (
    AsyncBalanceCache,
    BalanceCache,
    NotEnoughFunds,
    check_before_payout,
    settle_when,
)
from pay88kit.models.answers import Balance


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=None) as sandbox:
        sandbox.scenario("profitable")
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Pay88]:
    with Pay88(sandbox.config) as client:
        yield client


# ---------------------------------------------------------------- check before a payout


def test_what_is_available_may_be_paid_out_and_a_cent_more_not(client: Pay88) -> None:
    assert check_before_payout(client, 300_000).total_available == 300_000
    with pytest.raises(NotEnoughFunds) as refused:
        check_before_payout(client, "300000.01")
    assert refused.value.available == 300_000
    assert refused.value.required == Decimal("300000.01")
    for part in ("300,000.01", "300,000.00", "nothing was sent"):
        assert part in str(refused.value)


def test_the_refused_payout_goes_to_the_callback_before_it_is_raised(client: Pay88) -> None:
    fields = cashout_body(amount=400_000)
    queue: list[NotEnoughFunds] = []
    for payout in (fields, CashoutRequest(**fields)):
        with pytest.raises(NotEnoughFunds):
            check_before_payout(client, payout, on_refused=queue.append)
        refused = queue.pop()
        assert refused.payout is payout
        assert refused.required == 400_000
        # The recipient's account is for the queue only.
        assert fields["bank_details"]["account_number"] not in str(refused)
    assert check_before_payout(client, cashout_body(), on_refused=queue.append)
    assert queue == []
    assert copy.copy(refused).required == 400_000


def test_known_credit_counts(client: Pay88) -> None:
    check_before_payout(client, 350_000, credit=50_000)
    with pytest.raises(NotEnoughFunds):
        check_before_payout(client, 350_001, credit=50_000)


def test_between_check_and_payout_another_one_may_be_quicker(client: Pay88) -> None:
    """The balance still shows what a pending payout holds: 88Pay decides, with a 422."""
    check_before_payout(client, 200_000)
    client.cashout(**cashout_body(amount=200_000))
    check_before_payout(client, 200_000)
    with pytest.raises(UnprocessableEntity, match="Insufficient funds"):
        client.cashout(**cashout_body(amount=200_000))


def test_a_cache_is_asked_again_before_it_refuses(sandbox: Sandbox, client: Pay88) -> None:
    cache = BalanceCache(client, 300)
    sandbox.scenario("low")
    assert cache.balance().total_available == 8_000
    sandbox.scenario("profitable")
    assert check_before_payout(cache, 300_000).total_available == 300_000
    # And what it has is enough for the others.
    before = len(sandbox.requests())
    check_before_payout(cache, 1_000)
    assert len(sandbox.requests()) == before


def test_from_asyncio_with_the_balance_itself(sandbox: Sandbox) -> None:
    async def play() -> None:
        async with AsyncPay88(sandbox.config) as client:
            cache = AsyncBalanceCache(client)
            check_before_payout(await cache.balance(), 300_000)
            with pytest.raises(NotEnoughFunds):
                check_before_payout(await cache.balance(), 300_001)

    asyncio.run(play())


@pytest.mark.parametrize("amount", [0, -1, 0.5, "1.001", "50.000", None, {}, {"amount": True}])
def test_what_is_no_amount_is_refused_before_anything_is_asked(
    sandbox: Sandbox, client: Pay88, amount: Any
) -> None:
    with pytest.raises(InvalidRequest, match="amount"):
        check_before_payout(client, amount)
    assert sandbox.requests() == []


def test_a_payout_in_another_currency_is_not_compared(client: Pay88) -> None:
    with pytest.raises(InvalidRequest, match=r"currency: the payout is in USD, .* in COP"):
        check_before_payout(client, {"amount": 900, "currency": "USD"})
    assert check_before_payout(client, {"amount": 900, "currency": "COP"})
    balance = client.balance()
    for name in ("MCH-PAN-1", "elsewhere", None):
        other = balance.model_copy(update={"merchant_id": name})
        assert check_before_payout(other, {"amount": 900, "currency": "USD"})


def test_a_balance_that_says_nothing_is_no_permission() -> None:
    with pytest.raises(MalformedAnswer, match="total_available"):
        check_before_payout(Balance(), 1)


# ---------------------------------------------------------------- settlement


class House:
    """Who settles, and who is told."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.told: list[str] = []

    def settle(self, balance: Balance) -> None:
        self.asked.append(balance.total_available)


def test_it_asks_once_until_total_settled_moves(sandbox: Sandbox, client: Pay88) -> None:
    house = House()
    settlement = settle_when(client, house.settle, notify=house.told.append)
    assert [settlement.check() for _ in range(3)] == [True, False, False]
    assert house.asked == [300_000]
    assert (
        "88Pay documents no call for a settlement: your function settle was called"
        in (house.told[0])
    )
    assert "move from 200,000.00" in repr(settlement)
    sandbox.settle(150_000)  # 88Pay has settled a part; enough is left to ask again
    assert settlement.check() is True
    assert house.asked == [300_000, 150_000]
    sandbox.settle(60_000)
    assert settlement.check() is False  # 90,000 are left
    assert "nothing is asked for" in repr(settlement)
    assert len(house.told) == 2


def test_the_defaults_of_the_page(sandbox: Sandbox, client: Pay88) -> None:
    house = House()
    sandbox.settle("200000.01")
    settlement = settle_when(client, house.settle)
    assert settlement.check() is False
    assert "100,000.00" in repr(settlement)
    assert "6:00:00" in repr(settlement)


def test_it_looks_every_six_hours_of_the_clients_clock(sandbox: Sandbox) -> None:
    house = House()
    with Pay88(sandbox.config, policy=Policy(backoff=())) as client:
        began = sandbox.clock.now()
        settlement = settle_when(client, house.settle, notify=house.told.append)
        sandbox.fault("balance", "status", status=500)
        settlement.run(times=3)
        assert sandbox.clock.now() - began == timedelta(hours=12)
    assert house.asked == [300_000]
    assert "could not be looked at" in house.told[0]


def test_a_function_that_fails_has_not_asked(client: Pay88) -> None:
    def fails(balance: Balance) -> None:
        raise ValueError("no mail today")

    settlement = settle_when(client, fails, notify=pytest.fail)
    for _ in range(2):
        with pytest.raises(ValueError, match="no mail"):
            settlement.check()
    assert settlement.asked is None


def test_a_file_remembers_for_a_scheduler(sandbox: Sandbox, client: Pay88, tmp_path: Path) -> None:
    house, state = House(), tmp_path / "settlement.json"

    def each_time() -> bool:
        settlement = settle_when(client, house.settle, notify=house.told.append, state=state)
        return settlement.check()

    assert [each_time() for _ in range(3)] == [True, False, False]
    sandbox.settle(100_000)
    assert each_time() is True
    assert json.loads(state.read_text()) == {"whose": f"local {MERCHANT}", "asked": "300000.00"}
    names = {path.name for path in tmp_path.glob("settlement*")}
    assert names <= {state.name, f"{state.name}.lock"}


def test_of_two_with_one_file_one_asks(client: Pay88, tmp_path: Path) -> None:
    house, state = House(), tmp_path / "settlement.json"
    both = threading.Barrier(2)

    class Together:
        """Two who look at one moment, if they can."""

        config = client.config

        def balance(self) -> Balance:
            with suppress(threading.BrokenBarrierError):
                both.wait(0.5)
            return client.balance()

    settlements = [
        settle_when(Together(), house.settle, notify=house.told.append, state=state)
        for _ in range(2)
    ]
    with ThreadPoolExecutor() as threads:
        asked = list(threads.map(lambda settlement: settlement.check(), settlements))
    assert sorted(asked) == [False, True]
    assert house.asked == [300_000]


def test_a_kept_balance_is_not_older_than_what_another_one_asked(
    sandbox: Sandbox, client: Pay88, tmp_path: Path
) -> None:
    house, state = House(), tmp_path / "settlement.json"
    cache = BalanceCache(client)
    late, early = (
        settle_when(source, house.settle, notify=house.told.append, state=state)
        for source in (cache, client)
    )
    cache.balance()
    sandbox.settle(1)
    assert early.check() is True
    assert late.check() is False
    assert house.asked == [299_999]


def test_who_dies_in_the_middle_does_not_ask_twice(client: Pay88, tmp_path: Path) -> None:
    state = tmp_path / "settlement.json"

    def dies(balance: Balance) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        settle_when(client, dies, state=state).check()
    assert settle_when(client, dies, state=state).check() is False


def test_the_state_of_another_merchant_or_a_broken_one_is_refused(
    client: Pay88, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    for text in ('{"whose": "production MCH-MEX-1", "asked": null}', "[]", "{", '{"whose": 1}'):
        state.write_text(text)
        with pytest.raises(WrongUse, match="state: "):
            settle_when(client, print, state=state)


async def _later(balance: Balance) -> None: ...


@pytest.mark.parametrize(
    "wrong",
    [{"at": 0}, {"at": 0.5}, {"at": "100.000"}, {"every": timedelta(0)}, {"every": 6},
     {"request": "ask"}, {"request": _later}, {"notify": None}, {"source": "client"}],
)  # fmt: skip
def test_wrong_settings_name_their_field(client: Pay88, wrong: dict[str, Any]) -> None:
    with pytest.raises(WrongUse, match=f"^{next(iter(wrong))}: "):
        settle_when(**{"source": client, "request": print, **wrong})


def test_what_is_for_asyncio_is_not_taken_for_a_client(sandbox: Sandbox, client: Pay88) -> None:
    other = AsyncPay88(sandbox.config)
    waiting = AsyncBalanceCache(other)
    for source in (other, waiting):
        with pytest.raises(WrongUse, match="source: "):
            settle_when(source, print)  # type: ignore[arg-type]
        with pytest.raises(WrongUse, match="source: "):
            check_before_payout(source, 1)  # type: ignore[arg-type]
    with pytest.raises(WrongUse, match="client: "):
        BalanceCache(other)  # type: ignore[arg-type]
    with pytest.raises(WrongUse, match="client: "):
        AsyncBalanceCache(client)  # type: ignore[arg-type]
    with pytest.raises(WrongUse, match="seconds: "):
        BalanceCache(client, "60")  # type: ignore[arg-type]


def test_a_missing_number_asks_for_nothing(client: Pay88) -> None:
    house = House()

    class Silent:
        config = client.config

        def balance(self) -> Balance:
            return Balance(total_available=Decimal(10**6))

    assert settle_when(Silent(), house.settle, notify=house.told.append).check() is False
    assert house.asked == []
    assert "lacks" in house.told[0]
