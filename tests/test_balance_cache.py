"""A balance that is kept: one refresh for all, never an outdated one, never a stranger's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from support import BALANCE, CASHOUT, MERCHANT, TOKEN, cashout_body

from pay88kit import (
    AsyncPay88,
    InternalServerError,
    MalformedAnswer,
    OutcomeUnknown,
    Pay88,
    Policy,
    Sandbox,
    UnprocessableEntity,
    WrongUse,
)
from pay88kit.balance import AsyncBalanceCache, BalanceCache
from pay88kit.client.transports import InProcess

OTHER = "MCH-MEX-OTHER1"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=None) as sandbox:
        sandbox.scenario("profitable")
        yield sandbox


def asked(sandbox: Sandbox) -> int:
    """How many balances 88Pay was asked for."""
    return sum(each["path"].startswith(BALANCE) for each in sandbox.requests())


class Slow(InProcess):
    """The way to a sandbox; the first balance comes when ``go`` is set."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.asked, self.go = threading.Event(), threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        reply = super().handle_request(request)
        if request.url.path == BALANCE and not self.asked.is_set():
            self.asked.set()
            assert self.go.wait(30)
        return reply

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        reply = await super().handle_async_request(request)
        if request.url.path == BALANCE and not self.asked.is_set():
            self.asked.set()
            while not self.go.is_set():
                await asyncio.sleep(0.001)
        return reply


def test_it_is_kept_for_its_seconds_of_the_clients_clock(sandbox: Sandbox) -> None:
    with Pay88(sandbox.config) as client:
        cache = BalanceCache(client, 300)
        assert cache.balance().total_available == 300_000
        sandbox.scenario("low")
        sandbox.clock.advance(299)
        assert cache.balance().total_available == 300_000
        sandbox.clock.advance(1)
        assert cache.balance().total_available == 8_000
        assert asked(sandbox) == 2


@pytest.mark.parametrize("seconds", [0, 59.9, 300.1, float("nan"), float("inf")])
def test_only_one_to_five_minutes(sandbox: Sandbox, seconds: float) -> None:
    with Pay88(sandbox.config) as client, pytest.raises(WrongUse, match="60 to 300"):
        BalanceCache(client, seconds)


def test_a_payout_of_this_client_drops_it(sandbox: Sandbox) -> None:
    with Pay88(sandbox.config) as client:
        cache = BalanceCache(client)
        cache.balance()
        payout = client.cashout(**cashout_body(), key="march")
        sandbox.complete(payout.reference)
        assert cache.balance().total_available == 250_000
        # Nothing leaves for a key that is known: there is nothing to forget.
        client.cashout(**cashout_body(), key="march")
        cache.balance()
        assert asked(sandbox) == 2


def test_a_payout_without_an_answer_drops_it_and_a_refused_one(sandbox: Sandbox) -> None:
    with Pay88(sandbox.config) as client:
        cache = BalanceCache(client)
        cache.balance()
        sandbox.fault("cashout-bank-transfer", "drop_after")
        with pytest.raises(OutcomeUnknown):
            client.cashout(**cashout_body())
        cache.balance()
        assert asked(sandbox) == 2
        with pytest.raises(UnprocessableEntity):
            client.cashout(**cashout_body(amount=999_999))
        cache.balance()
        assert asked(sandbox) == 3


@pytest.mark.parametrize("query", ["", "?x=1", "?"])
def test_a_payout_by_request_drops_it_too(sandbox: Sandbox, query: str) -> None:
    with Pay88(sandbox.config) as client:
        cache = BalanceCache(client)
        cache.balance()
        client.request("POST", CASHOUT + query, json=cashout_body())
        cache.balance()
        assert asked(sandbox) == 2


def test_dropped_by_hand(sandbox: Sandbox) -> None:
    with Pay88(sandbox.config) as client:
        cache = BalanceCache(client)
        cache.balance()
        sandbox.scenario("low")
        cache.drop()
        assert cache.balance().total_available == 8_000


def test_an_error_is_not_kept(sandbox: Sandbox) -> None:
    with Pay88(sandbox.config, policy=Policy(backoff=())) as client:
        cache = BalanceCache(client)
        sandbox.fault("balance", "status", status=500)
        with pytest.raises(InternalServerError):
            cache.balance()
        assert cache.balance().total_available == 300_000


def test_each_merchant_has_its_own(sandbox: Sandbox) -> None:
    sandbox.merchant(merchant_id=OTHER, country="MEX")
    sandbox.scenario("low", OTHER)
    with Pay88(sandbox.config) as mine, Pay88(sandbox.config_for(OTHER)) as other:
        caches = [BalanceCache(mine), BalanceCache(other)]
        for _ in range(2):
            found = [cache.balance() for cache in caches]
            assert [each.merchant_id for each in found] == [MERCHANT, OTHER]
            assert [each.total_available for each in found] == [300_000, 8_000]
        assert "sk_test" not in repr(caches)


def test_an_answer_about_another_merchant_is_an_error(sandbox: Sandbox) -> None:
    token = {"access_token": "t" * 40, "session_id": "sess_" + "1" * 36, "expires_in": 60}

    def answer(request: httpx.Request) -> httpx.Response:
        data: Any = {"merchant_id": OTHER, "balance_summary": {"total_available": "1.00"}}
        return httpx.Response(200, json={"data": token if request.url.path == TOKEN else data})

    with Pay88(sandbox.config, transport=httpx.MockTransport(answer)) as client:
        for _ in range(2):
            with pytest.raises(MalformedAnswer, match=OTHER):
                BalanceCache(client).balance()


def test_many_threads_cost_one_call(sandbox: Sandbox) -> None:
    wire = Slow(sandbox)
    with Pay88(sandbox.config, transport=wire) as client, ThreadPoolExecutor(8) as pool:
        cache, together = BalanceCache(client), threading.Barrier(9)

        def call() -> Any:
            together.wait(30)
            return cache.balance()

        calls = [pool.submit(call) for _ in range(8)]
        together.wait(30)
        assert wire.asked.wait(30)
        wire.go.set()
        assert {call.result(30).total_available for call in calls} == {300_000}
        assert asked(sandbox) == 1


@pytest.mark.parametrize("outdated_by", ["payout", "drop"])
def test_what_was_asked_before_is_not_taken_afterwards(sandbox: Sandbox, outdated_by: str) -> None:
    """A refresh is under way when the money moves: who asks after that gets a new balance."""
    wire = Slow(sandbox)
    with Pay88(sandbox.config, transport=wire) as client, ThreadPoolExecutor(1) as pool:
        cache = BalanceCache(client)
        before = pool.submit(cache.balance)
        assert wire.asked.wait(30)
        if outdated_by == "payout":
            sandbox.complete(client.cashout(**cashout_body(amount=100_000)).reference)
        else:
            sandbox.settle(100_000)
            cache.drop()
        assert cache.balance().total_available == 200_000
        wire.go.set()
        assert before.result(30).total_available == 300_000
        # The late one has not taken the place of the new one.
        assert cache.balance().total_available == 200_000
        assert asked(sandbox) == 2


def test_many_tasks_cost_one_call_and_a_payout_drops_it(sandbox: Sandbox) -> None:
    wire = Slow(sandbox)

    async def play() -> None:
        async with AsyncPay88(sandbox.config, transport=wire) as client:
            cache = AsyncBalanceCache(client)
            tasks = [asyncio.create_task(cache.balance()) for _ in range(20)]
            while not wire.asked.is_set():
                await asyncio.sleep(0)
            wire.go.set()
            found = await asyncio.gather(*tasks)
            assert {each.total_available for each in found} == {300_000}
            assert asked(sandbox) == 1
            await client.cashout(**cashout_body())
            await cache.balance()
            assert asked(sandbox) == 2

    asyncio.run(play())


def test_a_task_that_is_cancelled_leaves_the_others_their_balance(sandbox: Sandbox) -> None:
    wire = Slow(sandbox)

    async def play() -> None:
        async with AsyncPay88(sandbox.config, transport=wire) as client:
            cache = AsyncBalanceCache(client)
            first = asyncio.create_task(cache.balance())
            while not wire.asked.is_set():
                await asyncio.sleep(0)
            others = [asyncio.create_task(cache.balance()) for _ in range(3)]
            await asyncio.sleep(0)
            others.pop().cancel()
            first.cancel()
            found = await asyncio.gather(*others)
            assert {each.total_available for each in found} == {300_000}
            assert asked(sandbox) == 2  # the cancelled one, and one for all others

    asyncio.run(play())
