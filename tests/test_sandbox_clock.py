"""The sandbox's one clock: manual and real, and what falls due on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from support import BALANCE, MERCHANT, Caller, Delivery, Endpoint, Say, caller, in_process

from pay88kit import Sandbox

START = datetime(2026, 1, 15, 12, 0, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = 60, 3_600, 86_400


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=None) as sandbox:
        yield sandbox


@pytest.fixture
def shop(sandbox: Sandbox) -> Caller:
    return caller(sandbox)


def test_a_manual_clock_starts_at_noon_and_stands_still(sandbox: Sandbox, shop: Caller) -> None:
    assert sandbox.clock.now() == START
    for _ in range(3):
        shop.charge()
    assert sandbox.clock.now() == START
    assert in_process(sandbox).get("/_sandbox/clock").json()["data"]["now"] == (
        "2026-01-15T12:00:00Z"
    )


def test_it_moves_by_what_it_is_told(sandbox: Sandbox) -> None:
    sandbox.clock.advance(90)
    assert sandbox.clock.now() == START + timedelta(seconds=90)
    sandbox.clock.advance(0.25)
    assert sandbox.clock.now() == START + timedelta(seconds=90.25)
    sandbox.clock.set(START + timedelta(days=1))
    assert sandbox.clock.now() == START + timedelta(days=1)


def test_it_can_begin_at_another_time() -> None:
    begin = datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=-5)))
    with Sandbox(limits=None, start=begin) as sandbox:
        assert sandbox.clock.now() == begin
        assert in_process(sandbox).get("/_sandbox/clock").json()["data"]["now"] == (
            "2025-01-01T05:00:00Z"
        )
        reference = caller(sandbox).charge("PSE")
        sandbox.clock.wait_until(sandbox.clock.monotonic() + HOUR)
        assert sandbox.transaction(reference)["updated_at"] == "2025-01-01T06:00:00Z"
        sandbox.reset()
        assert sandbox.clock.now() == begin


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start": datetime(2025, 1, 1)}, "has no time zone"),
        ({"start": "2025-01-01"}, "is a str, not a datetime"),
        ({"start": datetime(9999, 1, 1, tzinfo=UTC)}, "must lie between 1970-01-01 and 9000-01-01"),
        # In UTC it would be no time at all.
        ({"start": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))}, "must lie between"),
        ({"start": START, "clock": "real"}, "a real clock shows the time as it is"),
    ],
)
def test_a_beginning_that_cannot_be_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"start: {words}"):
        Sandbox(**options)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_it_never_moves_backwards_nor_for_ever(sandbox: Sandbox, seconds: float) -> None:
    with pytest.raises(ValueError, match="advance"):
        sandbox.clock.advance(seconds)
    with pytest.raises(ValueError, match="now"):
        sandbox.clock.set(START - timedelta(seconds=1))
    assert sandbox.clock.now() == START


@pytest.mark.parametrize(
    ("method", "seconds"),
    [
        ("CARDS", 60 * MINUTE),
        ("NEQUI", 60 * MINUTE),
        ("DAVIPLATA", 60 * MINUTE),
        ("PAYPAL", 60 * MINUTE),
        ("PSE", 60 * MINUTE),
        ("USDT", 60 * MINUTE),
        ("CASH", 72 * HOUR),
        ("OXXO", 72 * HOUR),
        ("BANK_TRANSFER", 3 * DAY),
        ("SPEI", 3 * DAY),
    ],
)
def test_an_unpaid_charge_expires(
    sandbox: Sandbox, shop: Caller, method: str, seconds: int
) -> None:
    reference = shop.charge(method)
    sandbox.clock.advance(seconds - 1)
    assert sandbox.transaction(reference)["status"] == "PENDING"
    sandbox.clock.advance(1)
    transaction = sandbox.transaction(reference)
    assert transaction["status"] == "REJECTED"
    assert transaction["updated_at"] == f"{START + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def test_what_is_paid_does_not_expire(sandbox: Sandbox, shop: Caller) -> None:
    reference = shop.charge()
    sandbox.complete(reference)
    sandbox.clock.advance(10 * DAY)
    assert sandbox.transaction(reference)["status"] == "COMPLETED"
    assert len(sandbox.webhooks(reference)) == 1


def test_what_falls_due_runs_in_order_each_at_its_own_time(sandbox: Sandbox, shop: Caller) -> None:
    slow = shop.charge("CASH")  # due 72 h from now
    sandbox.clock.advance(10)
    later = shop.charge("PSE")  # 60 min and 10 s
    twin = shop.charge("CARDS")  # at the same moment, made after it
    ran = sandbox.clock.advance(100 * HOUR)
    assert [what["at"] for what in ran] == [
        "2026-01-15T13:00:10Z",
        "2026-01-15T13:00:10Z",
        "2026-01-18T12:00:00Z",
    ]
    for what, reference in zip(ran, (later, twin, slow), strict=True):
        assert reference in what["what"]
    assert [w["reference"] for w in sandbox.webhooks()] == [later, twin, slow]
    assert [w["at"] for w in sandbox.webhooks()] == [what["at"] for what in ran]
    assert sandbox.clock.now() == START + timedelta(seconds=10, hours=100)


def test_a_retry_that_an_expiry_caused_runs_in_the_same_move(
    sandbox: Sandbox, shop: Caller
) -> None:
    answers = iter([500, 500, 200])
    with Endpoint(lambda delivery: Say(next(answers))) as endpoint:
        shop.charge("PSE", notification_url=endpoint.url)
        sandbox.clock.advance(2 * HOUR)
        assert [w["at"] for w in sandbox.webhooks()] == [
            "2026-01-15T13:00:00Z",
            "2026-01-15T13:00:10Z",
            "2026-01-15T13:00:40Z",
        ]


# ---------------------------------------------------------------- waiting


def test_waiting_moves_a_manual_clock_to_the_moment_and_not_by_a_time(sandbox: Sandbox) -> None:
    clock = sandbox.clock
    due = clock.monotonic() + 10
    clock.wait_until(due)
    clock.wait_until(due)
    assert clock.now() == START + timedelta(seconds=10)
    clock.wait_until(due - 5)
    assert clock.now() == START + timedelta(seconds=10)
    asyncio.run(clock.wait_until_async(due + 5))
    assert clock.now() == START + timedelta(seconds=15)


def test_twenty_that_wait_for_one_moment_move_it_once(sandbox: Sandbox) -> None:
    due = sandbox.clock.monotonic() + 60
    threads = [threading.Thread(target=sandbox.clock.wait_until, args=(due,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sandbox.clock.now() == START + timedelta(seconds=60)


def test_what_falls_due_while_somebody_waits_runs(sandbox: Sandbox, shop: Caller) -> None:
    reference = shop.charge("PSE")
    sandbox.clock.wait_until(sandbox.clock.monotonic() + HOUR)
    assert sandbox.transaction(reference)["status"] == "REJECTED"


def test_the_client_waits_on_this_clock(sandbox: Sandbox) -> None:
    from pay88kit import Pay88

    with Pay88(sandbox.config, books=False) as client:
        first = client.token()
        sandbox.clock.advance(50)
        assert client.token().session_id != first.session_id


# ---------------------------------------------------------------- a real clock


def test_a_real_clock_runs_and_can_be_advanced() -> None:
    with Sandbox(limits=None, clock="real") as sandbox:
        assert abs(sandbox.clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
        assert in_process(sandbox).get("/_sandbox/clock").json()["data"]["manual"] is False
        shop = caller(sandbox)
        headers = shop.headers()
        sandbox.clock.advance(60)
        assert sandbox.clock.now() > datetime.now(UTC) + timedelta(seconds=59)
        answer = shop.post(BALANCE, headers=headers, params={"id": MERCHANT})
        assert answer.status_code == 401
        before = sandbox.clock.now()
        sandbox.clock.wait_until(sandbox.clock.monotonic() + 0.05)
        assert sandbox.clock.now() >= before + timedelta(seconds=0.045)


def test_on_a_real_clock_what_falls_due_runs_by_itself() -> None:
    arrived = threading.Event()

    def answer(delivery: Delivery) -> Say:
        arrived.set()
        return Say()

    with Endpoint(answer) as endpoint, Sandbox(limits=None, clock="real") as sandbox:
        reference = caller(sandbox).charge("PSE", notification_url=endpoint.url)
        sandbox.clock.advance(HOUR - 60)
        assert sandbox.transaction(reference)["status"] == "PENDING"
        assert not arrived.is_set()
        sandbox.clock.advance(59)
        assert arrived.wait(60)
        assert sandbox.transaction(reference)["status"] == "REJECTED"


def test_advancing_a_real_clock_wakes_those_who_wait() -> None:
    with Sandbox(limits=None, clock="real") as sandbox:
        due = sandbox.clock.monotonic() + HOUR
        waiter = threading.Thread(target=sandbox.clock.wait_until, args=(due,), daemon=True)
        waiter.start()
        sandbox.clock.advance(HOUR)
        waiter.join(60)
        assert not waiter.is_alive()


def test_an_advance_of_a_real_clock_runs_what_it_passes() -> None:
    with Sandbox(limits=None, clock="real") as sandbox:
        reference = caller(sandbox).charge("PSE")
        ran: list[dict[str, Any]] = sandbox.clock.advance(HOUR)
        assert reference in ran[0]["what"]
        assert sandbox.transaction(reference)["status"] == "REJECTED"


def test_an_unknown_kind_of_clock_is_refused() -> None:
    with pytest.raises(ValueError, match="manual"):
        Sandbox(clock="virtual")
