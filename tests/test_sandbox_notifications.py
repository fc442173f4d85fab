"""Notifications that are really delivered, to real endpoints (contract.md, section 8)."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support import MERCHANT, Caller, Delivery, Endpoint, Say, caller, in_process, served

from pay88kit import Pay88, Sandbox, WebhookRefused, webhooks

START = datetime(2026, 1, 15, 12, 0, 0, tzinfo=UTC)
WAITS = (10, 30, 60, 300, 600, 1_800, 3_600, 7_200, 14_400, 28_800)
UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
OUTSIDE = "not sent: outside this machine"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=None) as sandbox:
        yield sandbox


@pytest.fixture
def shop(sandbox: Sandbox) -> Caller:
    return caller(sandbox)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as endpoint:
        yield endpoint


def verified(sandbox: Sandbox, delivery: Delivery, now: datetime | None = None) -> Any:
    """What a merchant makes of a delivery."""
    return webhooks.verify(
        delivery.body,
        delivery.headers.get("authorization"),
        str(sandbox.config.webhook_secret),
        now=now or sandbox.clock.now(),
    )


def ts(sandbox: Sandbox, delivery: Delivery) -> int:
    """The time inside a delivery's token, in milliseconds."""
    token = delivery.headers["authorization"].removeprefix("Bearer ")
    claims = json.loads(webhooks.decrypt_jwe(token, str(sandbox.config.webhook_secret)))
    assert claims.keys() == {"transaction_id", "transaction_amount", "ts"}
    return int(claims["ts"])


# ---------------------------------------------------------------- what arrives


def test_a_completed_charge_is_told_with_the_documented_fields(
    sandbox: Sandbox, shop: Caller, endpoint: Endpoint
) -> None:
    reference = shop.charge("CARDS", notification_url=endpoint.url)
    assert endpoint.received == []
    sandbox.clock.advance(45)
    sandbox.complete(reference)
    (delivery,) = endpoint.received
    body = json.loads(delivery.body)
    assert re.fullmatch(f"sess_{UUID4}", body.pop("transaction_id"))
    assert body == {
        "transaction_date": "2026-01-15 12:00:45",
        "transaction_status": "COMPLETED",
        "transaction_amount": "50000",
        "transaction_payment_method": "CREDIT_CARD",
        "transaction_reference": reference,
        "transaction_currency": "COP",
        "transaction_country": "COL",
        "transaction_customer_id": "customer-7",
    }
    assert delivery.method == "POST"
    assert delivery.path == "/hook"
    assert delivery.headers["content-type"] == "application/json"
    assert delivery.headers["authorization"].startswith("Bearer ")


@pytest.mark.parametrize("method", ["NEQUI", "PSE", "BANK_TRANSFER", "CASH", "USDT", "OXXO"])
def test_the_other_methods_are_told_by_their_code(
    sandbox: Sandbox, shop: Caller, endpoint: Endpoint, method: str
) -> None:
    sandbox.complete(shop.charge(method, notification_url=endpoint.url))
    (delivery,) = endpoint.received
    assert json.loads(delivery.body)["transaction_payment_method"] == method


@pytest.mark.parametrize("end", ["reject", "expire"])
def test_a_failed_charge_is_told_as_rejected(
    sandbox: Sandbox, shop: Caller, endpoint: Endpoint, end: str
) -> None:
    getattr(sandbox, end)(shop.charge(notification_url=endpoint.url))
    (delivery,) = endpoint.received
    assert json.loads(delivery.body)["transaction_status"] == "REJECTED"


def test_a_cashout_is_told_as_well(sandbox: Sandbox, shop: Caller, endpoint: Endpoint) -> None:
    sandbox.scenario("profitable")
    sandbox.complete(shop.cashout(notification_url=endpoint.url, amount=1000.5))
    (delivery,) = endpoint.received
    body = json.loads(delivery.body)
    assert body["transaction_payment_method"] == "BANK_TRANSFER"
    assert body["transaction_amount"] == "1000.50"


def test_the_query_of_the_address_is_kept(
    sandbox: Sandbox, shop: Caller, endpoint: Endpoint
) -> None:
    sandbox.complete(shop.charge(notification_url=endpoint.url + "?order=7&pay88_operation=x"))
    assert endpoint.received[0].path == "/hook?order=7&pay88_operation=x"


def test_operations_of_one_session_are_told_with_different_ids(
    sandbox: Sandbox, shop: Caller, endpoint: Endpoint
) -> None:
    for _ in range(3):
        sandbox.complete(shop.charge(notification_url=endpoint.url))
    assert len({json.loads(d.body)["transaction_id"] for d in endpoint.received}) == 3


def test_the_token_is_believed_for_five_minutes_with_the_merchants_own_secret(
    sandbox: Sandbox, shop: Caller, endpoint: Endpoint
) -> None:
    sandbox.complete(shop.charge(notification_url=endpoint.url))
    (delivery,) = endpoint.received
    assert verified(sandbox, delivery).status == "COMPLETED"
    assert ts(sandbox, delivery) == int(START.timestamp() * 1000)
    assert verified(sandbox, delivery, START + timedelta(minutes=5)).status == "COMPLETED"
    with pytest.raises(WebhookRefused, match="too old"):
        verified(sandbox, delivery, START + timedelta(minutes=5, seconds=1))
    with pytest.raises(WebhookRefused, match="cannot decrypt"):
        webhooks.verify(
            delivery.body,
            delivery.headers["authorization"],
            sandbox.merchant()["webhook_secret"],
            now=START,
        )


def test_each_merchants_notifications_are_signed_with_its_own_secret(
    sandbox: Sandbox, endpoint: Endpoint
) -> None:
    record = sandbox.merchant(country="MEX")
    other = Caller(in_process(sandbox), record["merchant_id"], record["api_key"])
    sandbox.complete(other.charge("SPEI", notification_url=endpoint.url))
    (delivery,) = endpoint.received
    secret = record["webhook_secret"]
    webhooks.verify(delivery.body, delivery.headers["authorization"], secret, now=START)
    with pytest.raises(WebhookRefused):
        verified(sandbox, delivery)


def test_an_attempt_is_on_record(sandbox: Sandbox, shop: Caller, endpoint: Endpoint) -> None:
    reference = shop.charge(notification_url=endpoint.url)
    sandbox.complete(reference)
    (attempt,) = sandbox.webhooks(reference)
    assert attempt["latency_ms"] >= 0
    assert {k: v for k, v in attempt.items() if k not in ("latency_ms", "id")} == {
        "reference": reference,
        "attempt": 1,
        "at": "2026-01-15T12:00:00Z",
        "url": endpoint.url,
        "request_body": json.loads(endpoint.received[0].body),
        "status_code": 200,
        "response_body": '{"received": true}',
        "outcome": "delivered",
    }


# ---------------------------------------------------------------- failures and retries


def test_a_failed_delivery_is_retried_ten_times_with_the_documented_waits(
    sandbox: Sandbox, shop: Caller
) -> None:
    with Endpoint(lambda delivery: Say(500)) as endpoint:
        reference = shop.charge(notification_url=endpoint.url)
        sandbox.complete(reference)
        at = START
        for number, wait in enumerate(WAITS, 2):
            sandbox.clock.advance(wait - 1)
            assert len(endpoint.received) == number - 1
            sandbox.clock.advance(1)
            at += timedelta(seconds=wait)
            assert len(endpoint.received) == number
            # A fresh token each time: it carries the time of its own attempt.
            assert ts(sandbox, endpoint.received[-1]) == int(at.timestamp() * 1000)
            assert verified(sandbox, endpoint.received[-1]).reference == reference
        sandbox.clock.advance(365 * 86_400)
    assert len(endpoint.received) == 11
    assert len({d.headers["authorization"] for d in endpoint.received}) == 11
    assert len({d.body for d in endpoint.received}) == 1
    attempts = sandbox.webhooks(reference)
    assert [a["attempt"] for a in attempts] == list(range(1, 12))
    assert {a["status_code"] for a in attempts} == {500}
    assert "delivered" not in {a["outcome"] for a in attempts}


@pytest.mark.parametrize("status", [201, 202, 204, 301, 400, 401, 404, 429, 503])
def test_any_status_but_200_is_a_failed_delivery(
    sandbox: Sandbox, shop: Caller, status: int
) -> None:
    body = b"" if status == 204 else b"no"
    answers = iter([Say(status, {}, body), Say(200)])
    with Endpoint(lambda delivery: next(answers)) as endpoint:
        reference = shop.charge(notification_url=endpoint.url)
        sandbox.complete(reference)
        assert sandbox.webhooks(reference)[0]["status_code"] == status
        assert sandbox.webhooks(reference)[0]["outcome"] != "delivered"
        sandbox.clock.advance(10)
        assert [w["outcome"] == "delivered" for w in sandbox.webhooks(reference)] == [False, True]
        sandbox.clock.advance(86_400)
        assert len(endpoint.received) == 2


def test_a_redirect_is_not_followed(sandbox: Sandbox, shop: Caller, endpoint: Endpoint) -> None:
    for status in (301, 302, 307, 308):
        moved = Say(status, {"Location": endpoint.url})
        with Endpoint(lambda delivery, moved=moved: moved) as first:  # type: ignore[misc]
            reference = shop.charge(notification_url=first.url)
            sandbox.complete(reference)
            assert len(first.received) == 1
            assert sandbox.webhooks(reference)[0]["status_code"] == status
    assert endpoint.received == []


def test_an_endpoint_that_is_not_there_is_retried(sandbox: Sandbox, shop: Caller) -> None:
    with Endpoint() as gone:
        pass
    reference = shop.charge(notification_url=gone.url)
    sandbox.complete(reference)
    sandbox.clock.advance(10)
    attempts = sandbox.webhooks(reference)
    assert [a["status_code"] for a in attempts] == [None, None]
    assert all(a["outcome"].startswith("no answer") for a in attempts)


def test_an_endpoint_has_five_real_seconds(sandbox: Sandbox, shop: Caller) -> None:
    stop = threading.Event()
    slow = [True]

    def answer(delivery: Delivery) -> Say:
        if slow[0]:
            stop.wait(20)
        return Say()

    with Endpoint(answer) as endpoint:
        reference = shop.charge(notification_url=endpoint.url)
        begun = time.monotonic()
        assert sandbox.complete(reference)["status"] == "COMPLETED"
        took = time.monotonic() - begun
        stop.set()
        slow[0] = False
        assert 4.5 < took < 9
        (attempt,) = sandbox.webhooks(reference)
        assert attempt["status_code"] is None
        assert attempt["outcome"] == "timed out"
        assert attempt["latency_ms"] >= 4_500
        # The clock did not move meanwhile, and the retry counts on it.
        assert sandbox.clock.now() == START
        sandbox.clock.advance(10)
        assert sandbox.webhooks(reference)[-1]["outcome"] == "delivered"


def test_what_was_told_is_not_told_again(
    sandbox: Sandbox, shop: Caller, endpoint: Endpoint
) -> None:
    sandbox.complete(shop.charge(notification_url=endpoint.url))
    sandbox.clock.advance(30 * 86_400)
    assert len(endpoint.received) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/hook",
        "https://8.8.8.8/hook",
        "https://127.0.0.1.shop.example/hook",
        "https://127.0.0.1@shop.example/hook",
    ],
)
def test_nothing_leaves_this_machine(sandbox: Sandbox, shop: Caller, url: str) -> None:
    reference = shop.charge(notification_url=url)
    sandbox.complete(reference)
    sandbox.clock.advance(86_400)
    (attempt,) = sandbox.webhooks(reference)
    assert attempt["outcome"] == OUTSIDE
    assert attempt["url"] == url
    assert (attempt["attempt"], attempt["status_code"]) == (1, None)


# ---------------------------------------------------------------- endpoints that talk back


def test_an_endpoint_may_ask_for_the_balance_before_it_answers(
    sandbox: Sandbox, shop: Caller
) -> None:
    seen: list[Any] = []
    with Pay88(sandbox.config, books=False) as client:

        def answer(delivery: Delivery) -> Say:
            seen.append(client.balance().total_payin)
            return Say()

        with Endpoint(answer) as endpoint:
            reference = shop.charge(notification_url=endpoint.url)
            sandbox.complete(reference)
    assert seen == [50000]
    assert sandbox.webhooks(reference)[0]["outcome"] == "delivered"


def test_an_endpoint_may_call_a_served_sandbox_before_it_answers(sandbox: Sandbox) -> None:
    with served(sandbox) as http:
        shop = caller(sandbox, http)
        second: list[str] = []

        def answer(delivery: Delivery) -> Say:
            if not second:
                # Another operation, and its own notification, inside this one.
                second.append("")
                second[0] = shop.charge(notification_url=endpoint.url)
                http.post(f"/_sandbox/transactions/{second[0]}/complete").raise_for_status()
            return Say()

        with Endpoint(answer) as endpoint:
            first = shop.charge(notification_url=endpoint.url)
            http.post(f"/_sandbox/transactions/{first}/complete").raise_for_status()
        for reference in (first, second[0]):
            (attempt,) = http.get("/_sandbox/webhooks", params={"reference": reference}).json()[
                "data"
            ]
            assert attempt["outcome"] == "delivered"


def test_an_endpoint_may_move_the_clock_before_it_answers(sandbox: Sandbox) -> None:
    with served(sandbox) as http:
        shop = caller(sandbox, http)

        def answer(delivery: Delivery) -> Say:
            http.post("/_sandbox/clock", json={"advance": 90}).raise_for_status()
            return Say()

        with Endpoint(answer) as endpoint:
            reference = shop.charge(notification_url=endpoint.url)
            done = http.post(f"/_sandbox/transactions/{reference}/complete").json()["data"]
            assert done["status"] == "COMPLETED"
        # It was answered within its five seconds: the move did not wait for the attempt.
        assert sandbox.webhooks(reference)[0]["outcome"] == "delivered"
        assert sandbox.clock.now() == START + timedelta(seconds=90)


def test_a_move_of_the_clock_waits_for_attempts_under_way(sandbox: Sandbox, shop: Caller) -> None:
    asked, go = threading.Event(), threading.Event()

    def answer(delivery: Delivery) -> Say:
        asked.set()
        go.wait(4)
        return Say(500 if len(endpoint.received) == 1 else 200)

    with Endpoint(answer) as endpoint:
        reference = shop.charge(notification_url=endpoint.url)
        paying = threading.Thread(target=sandbox.complete, args=(reference,))
        paying.start()
        assert asked.wait(60)
        threading.Timer(0.3, go.set).start()
        # The attempt under way fails at 12:00:00, so this move has to run its retry.
        sandbox.clock.advance(10)
        paying.join(60)
        assert [w["at"] for w in sandbox.webhooks(reference)] == [
            "2026-01-15T12:00:00Z",
            "2026-01-15T12:00:10Z",
        ]
        assert sandbox.webhooks(reference)[-1]["outcome"] == "delivered"


def test_one_slow_endpoint_does_not_delay_another(sandbox: Sandbox, shop: Caller) -> None:
    asked, go = threading.Event(), threading.Event()

    def answer(delivery: Delivery) -> Say:
        asked.set()
        go.wait(4)
        return Say()

    with Endpoint(answer) as slow, Endpoint() as quick:
        first = shop.charge(notification_url=slow.url)
        paying = threading.Thread(target=sandbox.complete, args=(first,))
        paying.start()
        assert asked.wait(60)
        sandbox.complete(shop.charge(notification_url=quick.url))
        assert len(quick.received) == 1
        assert sandbox.webhooks(first)[0]["outcome"] == "under way"
        go.set()
        paying.join(60)
        assert sandbox.webhooks(first)[0]["outcome"] == "delivered"


# ---------------------------------------------------------------- once more


def test_a_notification_can_be_sent_again(
    sandbox: Sandbox, shop: Caller, endpoint: Endpoint
) -> None:
    reference = shop.charge(notification_url=endpoint.url)
    sandbox.complete(reference)
    (first,) = sandbox.webhooks(reference)
    sandbox.clock.advance(600)
    again = sandbox.resend(first["id"])
    assert again["outcome"] == "delivered"
    assert again["id"] != first["id"]
    one, two = endpoint.received
    assert one.body == two.body
    assert one.headers["authorization"] != two.headers["authorization"]
    assert verified(sandbox, two).reference == reference
    assert len(sandbox.webhooks(reference)) == 2
    assert sandbox.transaction(reference)["status"] == "COMPLETED"


def test_sending_again_does_not_multiply_the_retries(sandbox: Sandbox, shop: Caller) -> None:
    with Endpoint(lambda delivery: Say(500)) as endpoint:
        reference = shop.charge(notification_url=endpoint.url)
        sandbox.complete(reference)
        sandbox.resend(sandbox.webhooks(reference)[0]["id"])
        sandbox.clock.advance(30 * 86_400)
        # The first attempt, its ten retries, and the one that was asked for.
        assert len(endpoint.received) == 12


def test_the_record_of_deliveries_shows_neither_token_nor_secret(
    sandbox: Sandbox, shop: Caller, endpoint: Endpoint
) -> None:
    sandbox.complete(shop.charge(notification_url=endpoint.url))
    shown = in_process(sandbox).get("/_sandbox/webhooks").text
    token = endpoint.received[0].headers["authorization"].removeprefix("Bearer ")
    assert token not in shown
    assert str(sandbox.config.webhook_secret) not in shown
    assert MERCHANT not in endpoint.received[0].headers["authorization"]


def test_what_falls_due_together_arrives_in_the_order_of_creation(
    sandbox: Sandbox, shop: Caller, endpoint: Endpoint
) -> None:
    references = [shop.charge(notification_url=endpoint.url) for _ in range(25)]
    sandbox.clock.advance(3_600)
    arrived = [json.loads(d.body)["transaction_reference"] for d in endpoint.received]
    assert arrived == references
