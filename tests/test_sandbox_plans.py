"""Scripted notifications, received by a real inbox."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from pay88kit import Inbox, Pay88, Sandbox

ORDER: dict[str, Any] = {
    "method_code": "PSE",
    "amount": 50_000,
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
}


@pytest.fixture
def shop() -> Any:
    """A sandbox, a client, and an inbox of one merchant."""
    with Sandbox() as sandbox:
        client = Pay88(sandbox.config)
        with Inbox(sandbox.config) as inbox:
            yield sandbox, client, inbox


def outcomes(inbox: Inbox) -> list[tuple[str, str]]:
    frame = inbox.frame()
    return list(zip(frame["status"], frame["outcome"], strict=True))


def test_a_plan_replaces_88pays_own_notification(shop: Any) -> None:
    sandbox, client, inbox = shop
    charge = client.charge(notification_url=inbox.url, **ORDER)
    sandbox.plan(charge.reference, [])
    sandbox.complete(charge.reference)
    sandbox.clock.advance(86_400)
    assert sandbox.webhooks() == []


def test_order_repeats_delays_and_a_late_pending(shop: Any) -> None:
    sandbox, client, inbox = shop
    charge = client.charge(notification_url=inbox.url, **ORDER)
    plan = [
        {"after": 60, "status": "PENDING"},
        {"times": 3},
        {"after": 30.5, "status": "REJECTED"},
    ]
    answer = sandbox.plan(charge.reference, plan)
    assert [step["token"] for step in answer["steps"]] == ["valid"] * 3
    sandbox.complete(charge.reference)
    assert inbox.frame()["times"].tolist() == [3]
    ran = sandbox.clock.advance(120)
    assert [entry["at"] for entry in ran] == ["2026-01-15T12:00:30.500Z", "2026-01-15T12:01:00Z"]
    assert outcomes(inbox) == [
        ("COMPLETED", "applied"),
        ("REJECTED", "conflict"),
        ("PENDING", "late"),
    ]
    assert client.books.operations()["status"].tolist() == ["COMPLETED"]


def test_a_plan_for_a_final_transaction_starts_now(shop: Any) -> None:
    sandbox, client, inbox = shop
    charge = client.charge(notification_url=inbox.url, **ORDER)
    sandbox.complete(charge.reference)
    sandbox.plan(charge.reference, [{"amount": "1.00"}, {"fields": {"transaction_extra": "x"}}])
    bodies = [attempt["request_body"] for attempt in sandbox.webhooks(charge.reference)]
    assert [body["transaction_amount"] for body in bodies] == ["50000", "1.00", "50000"]
    assert bodies[2]["transaction_extra"] == "x"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("stale", "too old"),
        ("future", "from the future"),
        ("foreign", "cannot decrypt"),
        ("missing", "missing token"),
        ("other_transaction", "other transaction"),
        ("other_amount", "other amount"),
    ],
)
def test_tokens_that_an_endpoint_must_refuse(shop: Any, token: str, reason: str) -> None:
    sandbox, client, inbox = shop
    charge = client.charge(notification_url=inbox.url, **ORDER)
    sandbox.plan(charge.reference, [{"token": token}])
    sandbox.complete(charge.reference)
    assert inbox.refused()["reason"].tolist() == [reason]
    (attempt,) = sandbox.webhooks(charge.reference)
    assert (attempt["status_code"], attempt["outcome"]) == (401, "refused")
    sandbox.clock.advance(86_400)
    # A step is sent once, unless it says otherwise.
    assert len(sandbox.webhooks(charge.reference)) == 1


def test_a_step_with_retry_is_repeated_as_88pay_does(shop: Any) -> None:
    sandbox, client, inbox = shop
    charge = client.charge(notification_url=inbox.url, **ORDER)
    sandbox.plan(charge.reference, [{"token": "foreign", "retry": True}])
    sandbox.complete(charge.reference)
    sandbox.clock.advance(10)
    # The retry is 88Pay's own: its token is valid.
    assert [a["status_code"] for a in sandbox.webhooks(charge.reference)] == [401, 200]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"steps": []}, "reference"),
        ({"reference": "IPXXXXXXXXX", "steps": "all"}, "steps"),
        ({"reference": "IPXXXXXXXXX", "steps": [5]}, "steps[0]"),
        ({"reference": "IPXXXXXXXXX", "steps": [{}, {"token": "odd"}]}, "steps[1].token"),
        ({"reference": "IPXXXXXXXXX", "steps": [{"after": -1}]}, "steps[0].after"),
        ({"reference": "IPXXXXXXXXX", "steps": [{"times": 0}]}, "steps[0].times"),
        ({"reference": "IPXXXXXXXXX", "steps": [{"amount": 5}]}, "steps[0].amount"),
        ({"reference": "IPXXXXXXXXX", "steps": [{"when": 5}]}, "steps[0].when"),
        ({"reference": "IPXXXXXXXXX", "steps": [], "x": 1}, "x"),
    ],
)
def test_a_plan_that_cannot_be_names_its_field(body: dict[str, Any], named: str) -> None:
    with Sandbox() as sandbox, sandbox.serve() as url:
        answer = httpx.post(f"{url}/_sandbox/deliveries", json=body)
        assert answer.status_code == 400
        assert answer.json()["message"].startswith(f"{named}:")


def test_a_plan_for_nobody_is_404() -> None:
    with Sandbox() as sandbox, sandbox.serve() as url:
        body = {"reference": "IPXXXXXXXXX", "steps": []}
        assert httpx.post(f"{url}/_sandbox/deliveries", json=body).status_code == 404


def test_the_transaction_id_is_its_own_or_the_session_on_request() -> None:
    for kind in ("operation", "session"):
        with Sandbox(transaction_ids=kind) as sandbox, Inbox(sandbox.config) as inbox:
            client = Pay88(sandbox.config)
            charges = [client.charge(notification_url=inbox.url, **ORDER) for _ in range(2)]
            for charge in charges:
                sandbox.complete(charge.reference)
            ids = [attempt["request_body"]["transaction_id"] for attempt in sandbox.webhooks()]
            session = client.token().session_id
            assert (ids == [session, session]) is (kind == "session")
            # The operation marker tells the two apart either way.
            assert [received.outcome for received in inbox.wait(2)] == ["applied", "applied"]
