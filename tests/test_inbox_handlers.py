"""Handlers: after the commit, in the background, at least once, and never in the way of a 200."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inbox_support import SECRET, accepted, body_of, post_all, shop, token_of, until

from pay88kit import Books, Inbox, Pay88, Sandbox
from pay88kit.books import tables
from pay88kit.errors import Pay88Error, WrongUse
from pay88kit.inbox import Received, Retries

# Quick to try again. A lease is as long as in production: a busy machine may stop for a while.
QUICK = Retries(waits=(0.05, 0.05))
posix = pytest.mark.skipif(os.name == "nt", reason="kills a group of processes")


@pytest.fixture
def books(database_url: str) -> Iterator[Books]:
    with closing(Books(database_url)) as books:
        accepted(books, *range(1, 6))
        yield books


def inbox_of(books: Books | str, **kwargs: Any) -> Inbox:
    return Inbox(secret=SECRET, books=books, **{"retries": QUICK, **kwargs})


def receive(inbox: Inbox, number: int = 1, **changes: Any) -> Received:
    import json

    body = body_of(number, **changes)
    return inbox.receive(json.dumps(body).encode(), token_of(body))


# ---------------------------------------------------------------- what goes to whom


def test_a_handler_is_given_the_event_after_the_commit(books: Books) -> None:
    with inbox_of(books) as inbox:
        seen: list[Any] = []

        @inbox.on("COMPLETED")
        def ship(event: Received) -> None:
            seen.append((event, books.operations()["status"][0], len(books.notifications())))

        received = receive(inbox)
        inbox.wait_for_handlers()
        ((event, status, count),) = seen
        assert (status, count) == ("COMPLETED", 1)
        assert vars(event) == vars(received)
        assert event.notification.fields["transaction_payment_method"] == "PSE"


def test_only_what_was_applied_goes_to_the_handler_of_a_status(books: Books) -> None:
    with inbox_of(books) as inbox:
        got: dict[str, list[str]] = {"ship": [], "all": [], "watch": []}

        @inbox.on("COMPLETED")
        def ship(event: Received) -> None:
            got["ship"].append(f"{event.reference} {event.outcome}")

        @inbox.on()
        def note(event: Received) -> None:
            got["all"].append(f"{event.reference} {event.status}")

        @inbox.on("conflict", "amount differs", "unmatched", "late", "unverified")
        async def watch(event: Received) -> None:
            got["watch"].append(f"{event.reference} {event.outcome}")

        receive(inbox, 1, status="PENDING")
        receive(inbox, 1)
        receive(inbox, 1)
        receive(inbox, 1, status="PENDING", payment_method="late")
        receive(inbox, 1, status="REJECTED")
        receive(inbox, 2, amount="49999")
        receive(inbox, 3, status="REJECTED")
        receive(inbox, 99)
        inbox.receive(b'{"transaction_id": "x", "transaction_status": "COMPLETED", '
                      b'"transaction_amount": "50000", "transaction_reference": "REF-4"}',
                      "Bearer of-another-cipher")  # fmt: skip
        inbox.wait_for_handlers()
        assert got["ship"] == ["REF-1 applied"]
        assert sorted(got["all"]) == ["REF-1 COMPLETED", "REF-1 PENDING", "REF-3 REJECTED"]
        assert sorted(got["watch"]) == [
            "REF-1 conflict", "REF-2 amount differs", "REF-4 unverified", "REF-99 unmatched",
        ]  # fmt: skip


@pytest.mark.parametrize("name", ["repeated", "completed", "Completed", "confict"])
def test_what_can_never_come_is_refused_by_name(name: str) -> None:
    with inbox_of("sqlite://") as inbox, pytest.raises(WrongUse, match=name):
        inbox.on(name)(receive)


def test_a_handler_needs_a_name_of_its_own() -> None:
    with inbox_of("sqlite://") as inbox:
        with pytest.raises(WrongUse, match="has no name"):
            inbox.on()(lambda event: None)
        inbox.on()(receive)
        with pytest.raises(WrongUse, match="'receive' already"):
            inbox.on()(receive)


def test_a_notebooks_cell_may_be_run_again() -> None:
    cell = "@inbox.on()\ndef note(event):\n    seen.append(run)\n"
    with inbox_of("sqlite://") as inbox:
        accepted(inbox.books, 1)
        space: dict[str, Any] = {"__name__": "__main__", "inbox": inbox, "seen": []}
        for run in (1, 2):
            exec(cell, space | {"run": run, "seen": space["seen"]})  # noqa: S102
        receive(inbox)
        inbox.wait_for_handlers()
        assert space["seen"] == [2]


# ---------------------------------------------------------------- failures


def test_a_handler_that_fails_is_tried_again_until_it_succeeds(books: Books) -> None:
    with inbox_of(books) as inbox:
        ids: list[str] = []

        @inbox.on("COMPLETED")
        async def ship(event: Received) -> None:
            ids.append(event.id)
            await asyncio.sleep(0)
            if len(ids) < 3:
                raise ValueError("no stock")

        receive(inbox)
        inbox.wait_for_handlers()
        assert len(ids) == 3
        assert len(set(ids)) == 1
        (row,) = inbox.handlings().to_dict("records")
        assert (row["state"], row["attempts"]) == ("done", 3)
        assert len(inbox.failed()) == 0


def test_one_that_fails_every_time_is_shown_and_can_be_run_again(books: Books) -> None:
    with inbox_of(books) as inbox:
        works = threading.Event()

        @inbox.on("COMPLETED")
        def ship(event: Received) -> None:
            if not works.is_set():
                # Ends a program; of a handler only this attempt.
                sys.exit("no stock")

        received = receive(inbox)
        until(lambda: len(inbox.failed()))
        (row,) = inbox.failed().to_dict("records")
        assert row["handler"].endswith("ship")
        assert (row["attempts"], row["last_error"]) == (3, "SystemExit: no stock")
        assert (row["reference"], row["event"]) == ("REF-1", received.id)
        assert inbox.run_again("of another event") == 0
        works.set()
        assert inbox.run_again(received.id) == 1
        inbox.wait_for_handlers()
        assert len(inbox.failed()) == 0
        assert inbox.run_again() == 0


def test_waiting_for_handlers_says_what_is_left(books: Books) -> None:
    with inbox_of(books) as inbox:
        free = threading.Event()
        inbox.on()(named("held", lambda: free.wait(120)))
        receive(inbox)
        with pytest.raises(Pay88Error, match="1 handlings are not done"):
            inbox.wait_for_handlers(timeout=0.1)
        free.set()
        inbox.wait_for_handlers()


def named(name: str, work: Any) -> Any:
    def handler(event: Received) -> None:
        work()

    handler.__qualname__ = name
    return handler


@given(waits=st.lists(st.floats(0, 1e6), max_size=8).map(tuple), attempts=st.integers(1, 20))
def test_the_waits_are_pure_numbers(waits: tuple[float, ...], attempts: int) -> None:
    retries = Retries(waits=waits)
    assert retries.most == len(waits) + 1
    expected = waits[attempts - 1] if attempts <= len(waits) else None
    assert retries.after(attempts) == expected


# ---------------------------------------------------------------- never in the way


@pytest.mark.parametrize("kind", ["sleeps", "spins", "blocks its loop", "ends the program"])
def test_no_answer_waits_for_a_handler_whatever_it_does(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pay88kit.inbox.app.WITHIN", 60)
    url = f"sqlite:///{tmp_path / 'books.db'}"
    numbers = range(30)
    free = threading.Event()

    def spin(event: Received) -> None:
        while not free.is_set():
            pass

    async def block(event: Received) -> None:
        free.wait(120)

    def end(event: Received) -> None:
        sys.exit(1)

    handlers = {"sleeps": named("sleep", lambda: free.wait(120)), "spins": spin,
                "blocks its loop": block, "ends the program": end}  # fmt: skip
    with closing(Books(url)) as books, inbox_of(books) as inbox:
        accepted(books, *numbers)
        inbox.on()(handlers[kind])
        address = inbox.url
        answers = post_all(address, [body_of(1)])
        if kind != "ends the program":
            until(lambda: list(inbox.handlings()["state"]) == ["running"])
        answers += post_all(address, [body_of(number) for number in numbers])
        assert Counter(answer.status_code for answer in answers) == {200: 31}
        if kind != "ends the program":
            # All of them came before the first handler has ended.
            assert set(inbox.handlings()["state"]) == {"running", "due"}
        free.set()


# ---------------------------------------------------------------- one at a time, at least once


def test_an_event_has_one_worker_at_a_time_across_inboxes(books: Books) -> None:
    inside: Counter[str] = Counter()
    most: Counter[str] = Counter()
    runs: Counter[tuple[str, str]] = Counter()
    lock = threading.Lock()

    def work(name: str) -> Any:
        def handler(event: Received) -> None:
            with lock:
                inside[event.id] += 1
                most[event.id] = max(most[event.id], inside[event.id])
                runs[event.id, name] += 1
            time.sleep(0.05)
            with lock:
                inside[event.id] -= 1

        handler.__qualname__ = name
        return handler

    # As three worker processes would be: each with threads and connections of its own.
    inboxes = [inbox_of(books) for _ in range(3)]
    for inbox in inboxes:
        for name in ("ship", "mail"):
            inbox.on()(work(name))
        inbox.app  # noqa: B018 - to be asked for it is to serve
    for number in range(1, 6):
        receive(inboxes[0], number)
    inboxes[0].wait_for_handlers()
    for inbox in inboxes:
        inbox.close()
    assert set(most.values()) == {1}
    assert len(runs) == 10
    assert set(runs.values()) == {1}


class Clock:
    """The clock of the leases: real time, and what a test lets pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = timedelta(0)
        monkeypatch.setattr("pay88kit.inbox.handlers.datetime", self)

    def now(self, zone: tzinfo) -> datetime:
        return datetime.now(zone) + self.ahead

    def pass_by(self, seconds: float, *inboxes: Inbox) -> None:
        """Let time pass, and wait until the event that is being done has a new lease."""
        lease = inboxes[0].handlings()["due_at"][0]
        self.ahead += timedelta(seconds=seconds)
        for inbox in inboxes:
            inbox._handlers.wake()
        until(lambda: inboxes[0].handlings()["due_at"][0] > lease)


def test_a_long_handler_keeps_its_event_beyond_its_lease(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, free, runs = Clock(monkeypatch), threading.Event(), []
    with inbox_of(books) as one, inbox_of(books) as two:
        for inbox in (one, two):
            inbox.on()(named("slow", lambda: (runs.append("x"), free.wait(120))))
            inbox.app  # noqa: B018
        receive(one)
        until(lambda: runs)
        for _ in range(8):
            clock.pass_by(QUICK.lease / 3, one, two)
        free.set()
        one.wait_for_handlers(60)
        assert runs == ["x"]
        (row,) = one.handlings().to_dict("records")
        assert (row["state"], row["attempts"]) == ("done", 1)


def test_a_process_that_was_stopped_does_not_take_its_own_event_again(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that sleeps, a machine that is moved: its lease has ended, and its handler runs."""
    clock, free, runs = Clock(monkeypatch), threading.Event(), []
    with inbox_of(books) as inbox:
        inbox.on()(named("slow", lambda: (runs.append("x"), free.wait(120))))
        inbox.app  # noqa: B018
        receive(inbox)
        until(lambda: runs)
        clock.pass_by(10 * QUICK.lease, inbox)
        free.set()
        inbox.wait_for_handlers(60)
        assert runs == ["x"]
        (row,) = inbox.handlings().to_dict("records")
        assert (row["state"], row["attempts"]) == ("done", 1)


def test_what_died_with_its_worker_is_done_by_another_when_the_lease_ends(books: Books) -> None:
    with inbox_of(books) as dead:
        dead.on()(named("ship", lambda: None))
        dead._handlers.close()  # it begins no more, as if its process were gone
        received = receive(dead)
    now = datetime.now(UTC)
    lease = now + timedelta(seconds=1)
    claim = books.handlings.claim
    taken = claim(["ship"], 3, environment="sandbox", now=now, until=lease)
    assert taken is not None
    assert taken.attempts == 1
    assert claim(["ship"], 3, environment="sandbox", now=now, until=lease) is None
    assert claim(["other"], 3, environment="sandbox", now=lease, until=lease) is None
    assert claim(["ship"], 3, environment="production", now=lease, until=lease) is None
    seen: list[str] = []
    with inbox_of(books) as next_one:

        @next_one.on("COMPLETED")
        def ship(event: Received) -> None:
            seen.append(event.id)

        next_one._handlers._handlers["ship"] = next_one._handlers._handlers.pop(ship.__qualname__)
        next_one.app  # noqa: B018
        next_one.wait_for_handlers(timeout=20)
    assert seen == [received.id]
    # The dead one, should it live, changes nothing any more.
    books.handlings.end(taken, "failed", now=now, error="late")
    assert list(books.handlings.frame()["state"]) == ["done"]


def test_an_event_that_kills_its_workers_is_given_up(books: Books) -> None:
    with inbox_of(books) as dead:
        dead.on()(named("ship", lambda: None))
        dead._handlers.close()
        receive(dead)
    now = datetime.now(UTC) + timedelta(seconds=1)
    for _ in range(2):
        now += timedelta(seconds=10)
        until_then = now + timedelta(seconds=5)
        assert books.handlings.claim(["ship"], 2, environment="sandbox", now=now, until=until_then)
    now += timedelta(seconds=10)
    assert books.handlings.claim(["ship"], 2, environment="sandbox", now=now, until=now) is None
    (row,) = books.handlings.frame("failed").to_dict("records")
    assert (row["attempts"], "worker died" in row["last_error"]) == (2, True)


@posix
def test_a_process_that_is_killed_inside_a_handler_loses_nothing(
    database_url: str, tmp_path: Path
) -> None:
    with closing(Books(database_url)) as books, shop(tmp_path, database_url) as made:
        accepted(books, 1, 2, 3)
        made.hold.touch()
        made.start()
        answers = post_all(made.url, [body_of(number) for number in (1, 2, 3)])
        assert [answer.status_code for answer in answers] == [200] * 3
        until(lambda: len(made.shipped()) == 3)
        first = {tuple(run[1:]) for run in made.shipped()}
        made.kill()
        assert set(books.handlings.frame()["state"]) == {"running"}
        # A minute later, started again without a new notification: what is left is found.
        with books._database.writing() as db:
            db.execute(tables.handlings.update().values(due_at=datetime.now(UTC)))
        made.hold.unlink()
        made.start()
        until(lambda: set(books.handlings.frame()["state"]) == {"done"})
        runs = made.shipped()
        assert len(runs) == 6
        # The same events, by the same ids, from another process.
        assert {tuple(run[1:]) for run in runs[3:]} == first
        assert not {run[0] for run in runs[3:]} & {run[0] for run in runs[:3]}


# ---------------------------------------------------------------- purge


def test_a_purge_leaves_what_a_handler_still_needs(books: Books) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    with inbox_of(books, retries=Retries(waits=())) as inbox:
        inbox.on()(named("ship", lambda: 1 / 0))
        inbox._handlers.close()
        receive(inbox)
    # The operation and its request; not the text that the handler will want.
    assert books.purge(before=later) == 1
    seen: list[str] = []
    with inbox_of(books, retries=Retries(waits=())) as inbox:

        def fail(event: Received) -> None:
            seen.append(event.body)
            raise ValueError("customer-7 is unknown")

        fail.__qualname__ = "ship"
        inbox.on()(fail)
        inbox.app  # noqa: B018
        until(lambda: len(inbox.failed()))
        assert "REF-1" in seen[0]
        assert books.purge(before=later) == 1
        assert "customer-7" not in inbox.failed().to_string()


def test_an_event_has_the_key_of_its_operation() -> None:
    told: list[str | None] = []
    with Sandbox() as sandbox, Inbox(sandbox.config) as inbox:

        @inbox.on("COMPLETED")
        def keep(event: Received) -> None:
            told.append(event.key)

        client = Pay88(sandbox.config)
        for key in ("order-1001", None):
            charge = client.charge(
                key=key, method_code="PSE", amount=50_000, currency="COP", country="COL",
                description="Order", customer_id="customer-7", notification_url=inbox.url,
            )  # fmt: skip
            sandbox.complete(charge.reference)
        inbox.wait_for_handlers()
        assert [event.key for event in inbox.wait(2)] == ["order-1001", None]
    assert sorted(told, key=str) == [None, "order-1001"]
