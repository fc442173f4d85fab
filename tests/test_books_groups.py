"""Notifications that are kept together: what becomes of each is what would become of it alone."""

from __future__ import annotations

import json
import random
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from books_support import NOW, begin, create
from sqlalchemy import event

from pay88kit import Books
from pay88kit.books import Arrival
from pay88kit.webhooks import parse

SESSION, SHARED = "sess_of_one", "sess_of_two"
SEEN = {
    "operations": ["key", "reference", "state", "status", "updated_at"],
    "notifications": [
        "transaction_id", "status", "amount", "currency", "reference", "outcome", "matched_by",
        "times", "received_at", "last_at",
    ],
    "handlings": ["handler", "state", "outcome", "status", "reference"],
}  # fmt: skip


SEEDS = range(12)


def operations(books: Books, environment: str) -> None:
    """Some are found by marker, one of which 88Pay has not answered yet; the rest otherwise."""
    begin(books, f"{environment}/unanswered", environment=environment, key="unanswered")
    for name, reference, session in (
        ("marked", "REF-1", "s-1"), ("also marked", "REF-2", "s-2"), ("referred", "REF-3", "s-3"),
        ("of a session", "REF-4", SESSION), ("one of two", "REF-5", SHARED),
        ("two of two", "REF-6", SHARED),
    ):  # fmt: skip
        id = f"{environment}/{name}"
        create(books, id, reference, session, environment=environment, key=name)


def arrivals(environment: str, seed: int, count: int) -> list[Arrival]:
    """Drawn so that each operation is called in one way, and often enough to disagree."""
    draw = random.Random(seed)  # noqa: S311 - no secret comes of it

    def handlers(outcome: str, status: str | None) -> list[str]:
        return [f"on {outcome}", f"on {status}"] if outcome != "late" else []

    def one(number: int) -> Arrival:
        name, reference, session = draw.choice([
            ("unanswered", "REF-0", "s-0"), ("marked", None, "s-1"),
            ("also marked", "REF-2", "s-2"), ("also marked", "REF-OTHER", "s-2"),
            (None, "REF-3", "s-3"), (None, None, SESSION),
            (None, None, SHARED), (None, "REF-NOBODYS", "s-9"), ("nobody's", None, "s-8"),
        ])  # fmt: skip
        fields = {
            "id": session,
            "status": draw.choice(["PENDING", "PENDING", "COMPLETED", "REJECTED", "REVERSED"]),
            "amount": draw.choice(["50000.10"] * 5 + ["1.00"]),
            "reference": reference,
            "currency": draw.choice([None, "COP", "USD"]),
        }
        body = json.dumps({f"transaction_{k}": v for k, v in fields.items() if v}).encode()
        return Arrival(
            body, parse(body), draw.random() < 0.9, name and f"{environment}/{name}", environment,
            NOW + timedelta(seconds=number), "Bearer x", handlers,
        )  # fmt: skip

    return [one(number) for number in range(count)]


def kept(books: Books) -> dict[str, dict[str, list[str]]]:
    """What the books hold, by table and environment."""
    frames = {
        "operations": books.operations(), "notifications": books.notifications(),
        "handlings": books.handlings.frame(),
    }  # fmt: skip
    return {
        name: {
            environment: sorted(map(str, rows[SEEN[name]].to_dict("records")))
            for environment, rows in frame.groupby("environment")
        }
        for name, frame in frames.items()
    }


def test_a_group_becomes_what_each_would_become_alone(database_url: str) -> None:
    seen = set()
    with closing(Books(database_url)) as books:
        for seed in SEEDS:
            together, alone = f"together {seed}", f"alone {seed}"
            for environment in (together, alone):
                operations(books, environment)
            groups = [arrivals(together, seed + 100 * part, 20) for part in range(3)]
            singles = [arrivals(alone, seed + 100 * part, 20) for part in range(3)]
            events = [event for group in groups for event in books.receive_all(group)]
            one_by_one = [books.receive_all([one])[0] for group in singles for one in group]

            def told(event: Any) -> tuple[Any, ...]:
                assert not isinstance(event, Exception), event
                return event.outcome, event.reference, event.times, event.key

            assert [told(event) for event in events] == [told(event) for event in one_by_one]
            seen |= {told(event)[0] for event in events}
        for rows in kept(books).values():
            assert len(rows) == 2 * len(SEEDS)
            for seed in SEEDS:
                assert rows[f"together {seed}"] == rows[f"alone {seed}"]
    assert seen == {
        "applied", "repeated", "unmatched", "several match", "late", "conflict", "amount differs",
        "unverified",
    }  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 200])
def test_a_group_has_any_size(database_url: str, count: int) -> None:
    with closing(Books(database_url)) as books:
        operations(books, "local")
        events = books.receive_all(arrivals("local", 1, count))
        assert len(events) == count
        assert sum(books.notifications()["times"]) == count


@pytest.mark.parametrize("bad", [0, 37, 63])
def test_one_that_cannot_be_kept_costs_the_others_few_transactions(bad: int) -> None:
    """Each is a wait for the disk, and all of the group are answered after the last of them."""
    with closing(Books("sqlite://")) as books:
        with books._database.writing() as db:
            db.exec_driver_sql(
                f"CREATE TRIGGER no BEFORE INSERT ON notifications WHEN NEW.reference = 'REF-{bad}'"
                " BEGIN SELECT RAISE(ABORT, 'not this one'); END"
            )
        commits: list[Any] = []
        event.listen(books._database._engine, "commit", commits.append)
        found = books.receive_all([arrival(number) for number in range(64)])
        assert len(commits) <= 7
        assert [isinstance(each, Exception) for each in found] == [n == bad for n in range(64)]
        assert sorted(books.notifications()["reference"]) == sorted(
            f"REF-{number}" for number in range(64) if number != bad
        )


def arrival(number: int) -> Arrival:
    fields = {
        "id": f"s-{number}",
        "status": "COMPLETED",
        "amount": "1",
        "reference": f"REF-{number}",
    }
    body = json.dumps({f"transaction_{name}": value for name, value in fields.items()}).encode()
    return Arrival(body, parse(body), True, None, "local", NOW)


def test_groups_of_two_environments_do_not_meet(database_url: str) -> None:
    with closing(Books(database_url)) as books:
        operations(books, "local")
        foreign = [
            Arrival(each.body, each.notification, True, each.marker, "sandbox", each.now)
            for each in arrivals("local", 2, 40)
        ]
        own = [each for each in arrivals("local", 3, 40) if each.verified]
        events = books.receive_all([*foreign, *own])
        assert {event.outcome for event in events[:40]} == {"unmatched", "repeated"}
        assert "applied" in {event.outcome for event in events[40:]}
