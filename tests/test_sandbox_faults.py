"""Faults on purpose, over HTTP and in process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pay88kit import (
    AsyncPay88,
    Config,
    InternalServerError,
    OutcomeUnknown,
    Pay88,
    Policy,
    RateLimited,
    Sandbox,
    ServiceUnavailable,
)

ORDER: dict[str, Any] = {
    "method_code": "PSE",
    "amount": 50_000,
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
    "notification_url": "https://shop.example/hook",
}
Clients = Callable[..., Pay88]


@pytest.fixture(params=["in process", "over HTTP"])
def world(request: pytest.FixtureRequest) -> Any:
    """A sandbox, and what makes clients of it that reach it one way or the other."""
    with Sandbox(limits=None) as sandbox, sandbox.serve() as url:

        def client(**options: Any) -> Pay88:
            config = sandbox.config
            if request.param == "over HTTP":
                config = Config(
                    base_url=url,
                    api_key=config.api_key,
                    merchant_id=config.merchant_id,
                    clock=sandbox.clock,
                )
            return Pay88(config, books="sqlite://", **options)

        yield sandbox, client


def test_a_status_is_answered_instead_and_nothing_is_accepted(world: Any) -> None:
    sandbox, client = world
    sandbox.fault("charges", "status", status=503, message="Try later")
    with pytest.raises(OutcomeUnknown):
        client().charge(**ORDER)
    assert sandbox.transactions() == []
    assert client().charge(**ORDER).reference


def test_a_fault_meets_its_operation_only(world: Any) -> None:
    sandbox, client = world
    sandbox.fault("balance", "status", status=500, times=None)
    assert client().charge(**ORDER).reference
    with pytest.raises(InternalServerError):
        client().balance()
    sandbox.clear_faults()
    assert client().balance().total_payin == 0


def test_a_read_survives_fail_fail_pass(world: Any) -> None:
    sandbox, client = world
    sandbox.fault("balance", "status", status=503, sequence=["fail", "fail", "pass", "fail"])
    reader = client()
    assert reader.balance().total_payin == 0
    statuses = [r["status_code"] for r in sandbox.requests() if r["path"] == "/api/balance"]
    assert statuses == [503, 503, 200]
    assert reader.balance().total_payin == 0
    statuses = [r["status_code"] for r in sandbox.requests() if r["path"] == "/api/balance"]
    assert statuses == [503, 503, 200, 503, 200]


def test_dropped_before_acceptance_leaves_nothing(world: Any) -> None:
    sandbox, client = world
    sandbox.fault("charges", "drop_before")
    with pytest.raises(OutcomeUnknown):
        client().charge(**ORDER)
    assert sandbox.transactions() == []
    (lost,) = [r for r in sandbox.requests() if r["path"].endswith("charges")]
    assert (lost["status_code"], lost["response_body"]) == (None, None)


def test_accepted_and_lost_exists(world: Any) -> None:
    sandbox, client = world
    payer = client()
    sandbox.fault("charges", "drop_after")
    with pytest.raises(OutcomeUnknown):
        payer.charge(key="order-1", **ORDER)
    assert [t["status"] for t in sandbox.transactions()] == ["PENDING"]
    # The client does not send it again, and neither does the same key.
    with pytest.raises(OutcomeUnknown):
        payer.charge(key="order-1", **ORDER)
    assert len(sandbox.transactions()) == 1


def test_a_malformed_answer_is_accepted(world: Any) -> None:
    sandbox, client = world
    sandbox.fault("charges", "malformed")
    with pytest.raises(OutcomeUnknown, match="not a JSON object"):
        client().charge(**ORDER)
    assert len(sandbox.transactions()) == 1


def test_latency_takes_real_time(world: Any) -> None:
    sandbox, client = world
    reader = client()
    reader.token()
    sandbox.fault("balance", "latency", seconds=0.3)
    begun = time.monotonic()
    reader.balance()
    assert time.monotonic() - begun >= 0.3


def test_latency_beyond_the_clients_patience_is_a_lost_answer(world: Any) -> None:
    sandbox, client = world
    payer = client(timeout=1.5)
    payer.token()
    sandbox.fault("charges", "latency", seconds=3)
    with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
        payer.charge(**ORDER)
    assert len(sandbox.transactions()) == 1


def test_a_simulated_429_says_how_long_to_wait(world: Any) -> None:
    sandbox, client = world
    sandbox.fault("token", "status", status=429, retry_after=17)
    with pytest.raises(RateLimited) as caught:
        client(policy=Policy(max_wait=0)).token()
    assert (caught.value.retry_after, caught.value.sent) == (17, True)


def test_a_fault_for_all_calls_ends_after_its_times(world: Any) -> None:
    sandbox, client = world
    sandbox.fault("*", "status", status=503, times=4)
    with pytest.raises(ServiceUnavailable):
        client().token()
    assert client().token().expires_in == 60


def test_a_rate_is_drawn_from_the_seed() -> None:
    def fates(seed: int) -> list[int]:
        with Sandbox(seed=seed, limits=None) as sandbox, sandbox.serve() as url:
            sandbox.fault("token", "status", rate=0.4)
            config = sandbox.config
            headers = {"x-api-key": str(config.api_key), "x-merchant-id": str(config.merchant_id)}
            with httpx.Client(headers=headers) as http:
                return [http.post(f"{url}/api/auth/token").status_code for _ in range(60)]

    assert fates(1) == fates(1)
    assert fates(1) != fates(2)
    assert 10 < fates(1).count(500) < 40


def test_faults_are_listed_with_what_is_left_of_them() -> None:
    with Sandbox() as sandbox, sandbox.serve() as url:
        made = httpx.post(
            f"{url}/_sandbox/faults", json={"operation": "token", "kind": "status", "times": 2}
        )
        assert made.status_code == 200
        assert made.json()["data"]["status"] == 500
        Pay88(sandbox.config).token()
        # Both were used up: a read is tried again.
        assert httpx.get(f"{url}/_sandbox/faults").json() == {"data": []}
        httpx.post(f"{url}/_sandbox/faults", json={"operation": "*", "kind": "malformed"})
        assert len(httpx.get(f"{url}/_sandbox/faults").json()["data"]) == 1
        assert httpx.delete(f"{url}/_sandbox/faults").json() == {"data": []}
        assert httpx.get(f"{url}/_sandbox/faults").json() == {"data": []}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "operation"),
        ({"operation": "refunds", "kind": "status"}, "operation"),
        ({"operation": "token", "kind": "explode"}, "kind"),
        ({"operation": "token", "kind": "status", "times": 0}, "times"),
        ({"operation": "token", "kind": "status", "times": True}, "times"),
        ({"operation": "token", "kind": "status", "status": 42}, "status"),
        ({"operation": "token", "kind": "status", "rate": 1.5}, "rate"),
        ({"operation": "token", "kind": "latency", "seconds": "1"}, "seconds"),
        ({"operation": "token", "kind": "status", "sequence": ["fail", "maybe"]}, "sequence"),
        ({"operation": "token", "kind": "status", "message": 5}, "message"),
        ({"operation": "token", "kind": "status", "when": "now"}, "when"),
        ({"operation": ["token"], "kind": {}}, "operation"),
    ],
)
def test_a_fault_that_cannot_be_names_its_field(body: dict[str, Any], named: str) -> None:
    with Sandbox() as sandbox, sandbox.serve() as url:
        answer = httpx.post(f"{url}/_sandbox/faults", json=body)
        assert answer.status_code == 400
        assert answer.json()["message"].startswith(f"{named}:")
        assert httpx.get(f"{url}/_sandbox/faults").json() == {"data": []}


def test_asynchronous_clients_meet_the_same_faults() -> None:
    import asyncio

    async def story(sandbox: Sandbox) -> None:
        async with AsyncPay88(sandbox.config, books="sqlite://") as client:
            sandbox.fault("charges", "drop_after")
            with pytest.raises(OutcomeUnknown):
                await client.charge(**ORDER)
            sandbox.fault("balance", "latency", seconds=0.2)
            begun = time.monotonic()
            await client.balance()
            assert time.monotonic() - begun >= 0.2

    with Sandbox() as sandbox:
        asyncio.run(story(sandbox))
        assert len(sandbox.transactions()) == 1
