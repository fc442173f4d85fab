"""A client keeps to the rate limits by itself, loses no time by it, and can be stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from support import CHARGES, TOKEN

from pay88kit import AsyncPay88, Config, Pay88, Policy, RateLimited, Sandbox
from pay88kit.client.transports import InProcess

CHARGE: dict[str, Any] = {
    "method_code": "PSE",
    "amount": 50000,
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
    "notification_url": "https://shop.example/webhooks/88pay",
}


def rows(count: int) -> list[dict[str, Any]]:
    return [{"key": f"order-{number}", **CHARGE} for number in range(count)]


class Watched(InProcess):
    """The way to a sandbox, on which is noted when each request was answered, and how."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self._clock = sandbox.clock
        self.answers: list[tuple[float, str, int]] = []

    def _answer(self, request: httpx.Request, body: bytes) -> Any:
        # The clock is moved by other threads too; never between the reading of it and the answer.
        with self._sandbox._world.lock:
            reply = super()._answer(request, body)
            self.answers.append((self._clock.monotonic(), request.url.path, reply.status))
        return reply

    def charged_at(self) -> list[float]:
        """When each charge was accepted, in seconds; no request met a limit."""
        # On a manual clock a token may be over when its request arrives: others move the time.
        assert {status for _, _, status in self.answers} <= {200, 401}
        return [at for at, path, status in self.answers if path == CHARGES and status == 200]


def one_by_one(wire: Watched, config: Config, count: int) -> None:
    with Pay88(config, policy=Policy(max_wait=4_000), transport=wire) as client:
        for row in rows(count):
            client.charge(**row)


def at_once(wire: Watched, config: Config, count: int) -> None:
    with Pay88(config, transport=wire) as client:
        done = client.charge_many(rows(count), concurrency=8, progress=False)
    assert set(done["state"]) == {"created"}


def async_one_by_one(wire: Watched, config: Config, count: int) -> None:
    async def story() -> None:
        policy = Policy(max_wait=4_000)
        async with AsyncPay88(config, policy=policy, transport=wire) as client:
            for row in rows(count):
                await client.charge(**row)

    asyncio.run(story())


def async_at_once(wire: Watched, config: Config, count: int) -> None:
    async def story() -> None:
        async with AsyncPay88(config, transport=wire) as client:
            done = await client.charge_many(rows(count), concurrency=8, progress=False)
        assert set(done["state"]) == {"created"}

    asyncio.run(story())


Way = Callable[[Watched, Config, int], None]


ways = pytest.mark.parametrize("way", [one_by_one, at_once, async_one_by_one, async_at_once])


@ways
def test_300_charges_take_the_least_time_and_meet_no_429(
    way: Way,
) -> None:
    with Sandbox() as sandbox:
        wire = Watched(sandbox)
        way(wire, sandbox.config, 300)
    at = wire.charged_at()
    assert len(at) == 300
    # 60 at once, and 60 more in each of the next four minutes.
    assert 240 <= at[-1] <= 240 * 1.01


@pytest.mark.parametrize("way", [one_by_one, at_once, async_at_once])
def test_a_batch_that_meets_the_hour(way: Way) -> None:
    with Sandbox() as sandbox:
        wire = Watched(sandbox)
        way(wire, sandbox.config, 1_100)
    at = wire.charged_at()
    assert len(at) == 1_100
    # The 1,001st goes an hour after the first, and the 1,100th an hour after the 100th.
    assert 3_660 <= at[-1] <= 3_660 * 1.01


def test_where_no_limit_holds_nothing_is_waited_for() -> None:
    with Sandbox(limits=None) as sandbox:
        at_once(Watched(sandbox), sandbox.config, 300)
        assert sandbox.clock.monotonic() == 0


@pytest.mark.parametrize("microseconds", [1, 123_457, 333_333, 700_001, 999_999])
def test_a_wait_ends_at_odd_times_too(microseconds: int) -> None:
    with Sandbox(limits={"balance": (1, 1_000)}) as sandbox, Pay88(sandbox.config) as client:
        sandbox.clock.set(sandbox.clock.now() + timedelta(microseconds=microseconds))
        for _ in range(5):
            client.balance()
        assert [request["status_code"] for request in sandbox.requests()].count(200) == 5 + 5


def test_a_token_that_had_to_wait_for_its_place_is_kept_for_its_whole_life() -> None:
    with Sandbox() as sandbox, Pay88(sandbox.config) as client:
        for _ in range(10):
            client.token(fresh=True)
        waited = client.token(fresh=True)
        assert sandbox.clock.monotonic() == 60
        sandbox.clock.advance(49)
        assert client.token() == waited


# ---------------------------------------------------------------- the bound


def use_up(client: Pay88) -> None:
    for row in rows(60):
        client.charge(**row)


def test_past_max_wait_it_says_when_and_sends_nothing() -> None:
    with (
        Sandbox() as sandbox,
        Pay88(sandbox.config, policy=Policy(max_wait=30)) as client,
    ):
        use_up(client)
        sandbox.clock.advance(20.5)
        asked = len(sandbox.requests())
        with pytest.raises(RateLimited) as caught:
            client.charge(**CHARGE, key="one-too-many")
        error = caught.value
        assert (error.operation, error.status_code, error.sent) == ("charge", 429, False)
        assert error.retry_after == 40
        assert "Not sent" in str(error)
        assert "12:01:00 UTC" in str(error)
        assert len(sandbox.requests()) == asked
        assert client.books is not None
        last = client.books.operations().iloc[-1]
        assert (last["key"], last["state"]) == ("one-too-many", "refused")
        # Ten seconds later the rest of the wait is within the bound.
        sandbox.clock.advance(10)
        assert client.charge(**CHARGE, key="one-too-many").reference
        assert sandbox.clock.monotonic() == 60


def test_families_do_not_use_up_each_others_places() -> None:
    with Sandbox() as sandbox, Pay88(sandbox.config) as client:
        use_up(client)
        client.balance()
        assert sandbox.clock.monotonic() == 0
        with (
            pytest.raises(RateLimited),
            Pay88(sandbox.config, policy=Policy(max_wait=0)) as another,
        ):
            another.charge(**CHARGE)


def test_a_429_that_comes_all_the_same_is_waited_for() -> None:
    with Sandbox() as sandbox, Pay88(sandbox.config) as client:
        sandbox.fault("charges", "status", status=429, retry_after=17)
        assert client.charge(**CHARGE).reference
        assert sandbox.clock.monotonic() == 17


def test_the_use_of_another_client_is_seen() -> None:
    with (
        Sandbox() as sandbox,
        Pay88(sandbox.config) as one,
        Pay88(sandbox.config, books=False) as another,
    ):
        for _ in range(50):
            another.charge(**CHARGE)
        for row in rows(60):
            one.charge(**row)
        assert 429 not in [request["status_code"] for request in sandbox.requests()]
        assert sandbox.clock.monotonic() == 60


def test_without_pace_88pay_says_it() -> None:
    with Sandbox() as sandbox, Pay88(sandbox.config, policy=Policy(pace=False)) as client:
        for row in rows(61):
            client.charge(**row)
        assert [r["status_code"] for r in sandbox.requests()].count(429) == 1
        assert sandbox.clock.monotonic() == 60


# ---------------------------------------------------------------- stopping a wait


class Full:
    """A way to a sandbox whose places are used up, and the machine's clock."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(limits={"balance": (1, 1_000)})
        own = self.sandbox.config
        # Not the sandbox's clock: this wait is real.
        self.config = Config("local", "http://127.0.0.1:1", str(own.api_key), own.merchant_id)
        self.transport = InProcess(self.sandbox)


@pytest.fixture
def full() -> Iterator[Full]:
    full = Full()
    with full.sandbox:
        yield full


def test_a_task_that_waits_can_be_cancelled(full: Full) -> None:
    async def story() -> float:
        async with AsyncPay88(full.config, transport=full.transport) as client:
            await client.balance()
            waiting = asyncio.create_task(client.balance())
            await asyncio.sleep(0.05)
            assert not waiting.done()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return time.monotonic()

    before = time.monotonic()
    asyncio.run(story())
    assert time.monotonic() - before < 5
    assert [request["path"] for request in full.sandbox.requests()].count("/api/balance") == 1


def test_a_cancelled_wait_leaves_its_place_to_others() -> None:
    with Sandbox() as sandbox:
        asked: list[str] = []

        class Stop(InProcess):
            def handle_request(self, request: Any) -> Any:
                asked.append(request.url.path)
                if request.url.path == TOKEN and len(asked) <= 60:
                    raise KeyboardInterrupt
                return super().handle_request(request)

        policy = Policy(max_wait=0)
        with Pay88(sandbox.config, policy=policy, transport=Stop(sandbox), books=False) as client:
            # A token that was interrupted may have been counted, the charge it was for was not.
            for _ in range(10):
                with pytest.raises(KeyboardInterrupt):
                    client.charge(**CHARGE)
            sandbox.clock.advance(60)
            asked.extend(["" for _ in range(60)])
            for _ in range(60):
                client.charge(**CHARGE)
            with pytest.raises(RateLimited):
                client.charge(**CHARGE)


def test_many_threads_share_the_places() -> None:
    policy = Policy(max_wait=400)
    with Sandbox() as sandbox:
        wire = Watched(sandbox)
        with (
            Pay88(sandbox.config, policy=policy, transport=wire, books=False) as client,
            ThreadPoolExecutor(20) as pool,
        ):
            list(pool.map(lambda _: client.charge(**CHARGE), range(200)))
    assert 180 <= wire.charged_at()[-1] <= 180 * 1.01
