"""The merchant's own record: written before anything leaves, and believed with care."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from books_support import (
    AHEAD,
    BODY,
    LATER,
    NOW,
    PASSED,
    SESSION,
    begin,
    create,
    only,
    operation,
    receive,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from pay88kit import Books, Config, money
from pay88kit.books import Entry, Event, default_books
from pay88kit.errors import BooksError, KeyConflict, OutcomeUnknown
from pay88kit.models.answers import Balance

FINAL = ["COMPLETED", "REJECTED"]


@pytest.fixture(params=["memory", "file", "postgresql"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Books]:
    with ExitStack() as stack:
        url = "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path / 'books.db'}"
        if request.param == "postgresql":
            url = stack.enter_context(request.getfixturevalue("postgres").database())
        yield stack.enter_context(closing(Books(url)))


# ---------------------------------------------------------------- operations


def test_an_operation_is_there_before_its_request_leaves(books: Books) -> None:
    assert begin(books) == Entry("op-1")
    row = operation(books)
    assert {name: row[name] for name in (*BODY, "key", "operation", "state") if name in row} == {
        **{name: value for name, value in BODY.items() if name != "flow"},
        "key": "order-1", "operation": "charge", "state": "sending",
    }  # fmt: skip
    assert (row["reference"], row["session_id"], row["status"]) == (None, None, None)
    assert row["created_at"] == NOW


def test_another_connection_sees_it_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'books.db'}"
    first, second = Books(url), Books(url)
    begin(first)
    assert only(second.operations())["state"] == "sending"
    first.close()
    second.close()


def test_an_accepted_operation_starts_pending(books: Books) -> None:
    create(books)
    row = operation(books)
    assert (row["state"], row["status"]) == ("created", "PENDING")
    assert (row["reference"], row["session_id"]) == ("IP9BD7CJES6", SESSION)
    assert books.unknown().empty


def test_the_columns_that_others_build_on_are_there_in_empty_books(books: Books) -> None:
    expected = {
        "key", "operation", "reference", "session_id", "state", "status", "amount", "currency",
        "created_at",
    }  # fmt: skip
    assert expected <= set(books.operations().columns)
    for frame in (books.operations(), books.notifications(), books.balances(), books.unknown()):
        assert frame.empty
        assert frame.columns.size > 5


def test_the_same_key_returns_the_recorded_answer(books: Books) -> None:
    begin(books)
    answer = {"data": {"reference": "IP9BD7CJES6", "amount": Decimal("50000.10"), "new": [1, None]}}
    books.created("op-1", answer, reference="IP9BD7CJES6", session_id=SESSION, now=NOW)
    again = begin(books, "op-2")
    assert again == Entry("op-1", answer)
    assert again.answer is not None
    assert isinstance(again.answer["data"]["amount"], Decimal)
    assert len(books.operations()) == 1


def test_the_same_key_for_another_body_is_a_conflict(books: Books) -> None:
    create(books, key="order-1")
    for change in ({"amount": Decimal("50000.11")}, {"description": "x"}, {"extra": None}):
        named = f"'order-1' was used before for a charge with another {next(iter(change))}"
        with pytest.raises(KeyConflict, match=named):
            begin(books, "op-2", body=BODY | change)
    assert len(books.operations()) == 1


def test_another_writing_of_the_same_body_is_the_same(books: Books) -> None:
    create(books, key="order-1")
    turned = dict(reversed(BODY.items())) | {"amount": Decimal("50000.100")}
    moved = BODY | {"notification_url": "https://other.example/hook"}
    for body in (turned, moved):
        assert begin(books, "op-2", body=body).id == "op-1"


@pytest.mark.parametrize(
    "place",
    [
        {"environment": "sandbox"},
        {"merchant_id": "MCH-MEX-1"},
        {"operation": "cashout"},
        {"key": "order-2"},
    ],
)
def test_a_key_counts_per_environment_merchant_and_operation(
    books: Books, place: dict[str, str]
) -> None:
    create(books, key="order-1")
    assert begin(books, "op-2", **place) == Entry("op-2")
    assert len(books.operations()) == 2


def test_operations_without_a_key_are_all_their_own(books: Books) -> None:
    create(books, "op-1", key=None)
    assert begin(books, "op-2", key=None) == Entry("op-2")
    assert len(books.operations()) == 2


@pytest.mark.parametrize("key", [None, "order-2"])
def test_an_id_that_the_books_have_seen_gets_another(books: Books, key: str | None) -> None:
    # A local sandbox of the same seed draws the same ids in every process.
    create(books, "op-1", key="order-1")
    create(books, "op-0", key=None)
    entry = begin(books, "op-1", key=key)
    assert entry.answer is None
    assert entry.id not in ("op-0", "op-1")
    assert operation(books, entry.id)["key"] == key
    assert operation(books, "op-1")["state"] == "created"


def test_a_refused_operation_may_be_tried_again_under_its_key(books: Books) -> None:
    begin(books)
    books.refused("op-1", "charge: 429", now=NOW)
    assert operation(books)["error"] == "charge: 429"
    assert begin(books, "op-2", now=LATER) == Entry("op-1")
    row = operation(books)
    assert (row["state"], row["error"]) == ("sending", None)
    assert (row["created_at"], row["updated_at"]) == (NOW, LATER)


def test_operations_come_oldest_first_also_within_one_instant(books: Books) -> None:
    ids = ["op-c", "op-a", "op-d", "op-b"]
    for id in ids:
        create(books, id)
    assert books.operations()["id"].tolist() == ids


amounts = st.decimals(Decimal("0.01"), money.MAX_AMOUNT, places=2)


# One database for all examples: an amount does not disturb another one.
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(amounts, min_size=1, max_size=6))
@example([money.MAX_AMOUNT, money.MAX_AMOUNT - Decimal("0.01"), Decimal("0.01")])
def test_amounts_are_exact_to_the_cent(books: Books, values: list[Decimal]) -> None:
    before = len(books.operations())
    for number, value in enumerate(values, before):
        create(books, f"op-{number}", f"R{number}", body=BODY | {"amount": value})
        event = receive(books, amount=f"{value:f}", reference=f"R{number}", id=f"s{number}")
        assert event.outcome == "applied"
    for frame in (books.operations(), books.notifications()):
        assert frame["amount"].tolist()[before:] == values
        assert all(isinstance(value, Decimal) for value in frame["amount"])


def test_what_is_no_amount_is_kept_in_the_request_only(books: Books) -> None:
    begin(books, body={"amount": "many", "description": 7, "currency": None})
    row = operation(books)
    assert (row["amount"], row["description"], row["currency"]) == (None, None, None)
    with pytest.raises(KeyConflict):
        begin(books, body={"amount": "more", "description": 7, "currency": None})


@pytest.mark.parametrize(
    "text", ["\ud800", "a\x00b", "<script>", "'; DROP TABLE operations; --", "ñ\n€"]
)
def test_a_strangers_text_is_kept_and_breaks_nothing(books: Books, text: str) -> None:
    create(books, body=BODY | {"description": text}, key=text)
    assert begin(books, "op-2", body=BODY | {"description": text}, key=text).id == "op-1"
    kept = text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    assert operation(books)["description"] == kept
    event = receive(books, id=f"s{text}", reference=text, currency="COP", marker="op-1")
    assert event.outcome == "conflict"
    assert receive(books, marker=text, id="nobody's").outcome == "unmatched"
    body = json.dumps({"transaction_id": text}).encode() + b"\xff\x00"
    unread = books.receive(
        body, None, verified=False, marker=text, environment="sandbox", now=LATER
    )
    assert unread.outcome == "unverified"
    assert len(books.notifications()) == 3


# ---------------------------------------------------------------- unknown outcomes


def test_an_unknown_outcome_stays_unknown_until_it_is_resolved(books: Books) -> None:
    begin(books)
    books.lost("op-1", "The answer was lost.", session_id=SESSION, now=NOW)
    row = only(books.unknown())
    assert (row["key"], row["state"], row["status"]) == ("order-1", "unknown", None)
    assert (row["session_id"], row["error"]) == (SESSION, "The answer was lost.")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown) as caught:
            begin(books, "op-2", now=NOW + timedelta(days=365))
        assert (caught.value.key, caught.value.marker) == ("order-1", "op-1")
    assert len(books.unknown()) == 1


def test_a_second_caller_waits_while_the_first_may_still_be_answered(books: Books) -> None:
    begin(books)
    for _ in range(2):
        assert begin(books, "op-2") == Entry("op-1", busy=True)
    assert operation(books)["state"] == "sending"
    assert books.unknown().empty
    with pytest.raises(KeyConflict):
        begin(books, "op-2", body=BODY | {"amount": 1})
    answer = {"data": {"reference": "IP9BD7CJES6"}}
    books.created("op-1", answer, reference="IP9BD7CJES6", session_id=SESSION, now=NOW)
    assert begin(books, "op-2") == Entry("op-1", answer)


@pytest.mark.parametrize("deadline", [PASSED, None])
def test_what_a_dead_process_left_is_unknown_after_its_deadline(
    books: Books, deadline: datetime | None
) -> None:
    begin(books, deadline=deadline)
    for _ in range(2):
        row = only(books.unknown())
        assert (row["id"], row["state"]) == ("op-1", "unknown")
        assert row["error"] == "No answer came before its deadline."
        assert operation(books) == row
        with pytest.raises(OutcomeUnknown, match="no answer is recorded"):
            begin(books, "op-2")
    books.resolve("op-1", created=None)
    assert books.unknown().empty


def test_a_deadline_passes_in_real_time_whatever_the_clients_clock_says(books: Books) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=0.2)
    # The client's clock is far ahead, and does not move.
    ahead = NOW + timedelta(days=36500)
    entry = begin(books, deadline=deadline, now=ahead)
    assert entry == Entry("op-1")

    def ask_until_it_is_over() -> None:
        while begin(books, "op-2", now=ahead) == Entry("op-1", busy=True):
            pass

    with pytest.raises(OutcomeUnknown):
        ask_until_it_is_over()
    assert datetime.now(UTC) >= deadline


def answered(books: Books) -> None:
    books.created("op-1", {"data": {}}, reference="IP9BD7CJES6", session_id=SESSION, now=LATER)


def was_refused(books: Books) -> None:
    books.refused("op-1", "charge: 422", now=LATER)


def was_lost(books: Books) -> None:
    books.lost("op-1", "It broke off.", session_id=SESSION, now=LATER)


@pytest.mark.parametrize(
    ("answer", "state", "error"),
    [
        (answered, "created", None),
        (was_refused, "refused", "charge: 422"),
        (was_lost, "unknown", "It broke off."),
    ],
)
def test_an_answer_after_the_deadline_still_counts(
    books: Books, answer: Callable[[Books], None], state: str, error: str | None
) -> None:
    begin(books, deadline=PASSED)
    with pytest.raises(OutcomeUnknown):
        begin(books, "op-2")
    answer(books)
    row = operation(books)
    assert (row["state"], row["error"], row["updated_at"]) == (state, error, LATER)


def test_whoever_takes_a_refused_operation_over_makes_the_others_wait(books: Books) -> None:
    begin(books, deadline=PASSED)
    books.refused("op-1", "charge: 429", now=NOW)
    assert begin(books, "op-2") == Entry("op-1")
    assert begin(books, "op-3") == Entry("op-1", busy=True)


@pytest.mark.parametrize("name", ["order-1", "op-1"])
def test_resolved_as_created_it_is_not_sent_again(books: Books, name: str) -> None:
    begin(books)
    books.lost("op-1", "lost", session_id=None, now=NOW)
    books.resolve(name, created="IP9BD7CJES6")
    assert books.unknown().empty
    row = operation(books)
    assert (row["state"], row["status"], row["error"]) == ("created", "PENDING", None)
    assert row["reference"] == "IP9BD7CJES6"
    assert begin(books, "op-2") == Entry("op-1", {"data": {"reference": "IP9BD7CJES6"}})


def test_resolved_as_not_there_it_may_be_sent_again(books: Books) -> None:
    begin(books)
    books.lost("op-1", "lost", session_id=None, now=NOW)
    books.resolve("order-1", created=None)
    assert operation(books)["state"] == "refused"
    assert begin(books, "op-2") == Entry("op-1")


def test_resolving_says_when(books: Books) -> None:
    for id in ("op-1", "op-2"):
        begin(books, id, key=id, deadline=PASSED)
    books.resolve("op-1", created=None, now=LATER)
    assert operation(books, "op-1")["updated_at"] == LATER
    before = datetime.now(UTC)
    books.resolve("op-2", created="IP9BD7CJES6")
    assert before <= operation(books, "op-2")["updated_at"] <= datetime.now(UTC)


@pytest.mark.parametrize("state", ["sending", "unknown", "refused", "created"])
def test_a_sending_that_outlived_its_key_changes_nothing_of_the_next_one(
    books: Books, state: str
) -> None:
    begin(books, deadline=PASSED)
    with pytest.raises(OutcomeUnknown):
        begin(books)
    books.resolve("order-1", created=None)
    taken_over = begin(books)
    if state == "created":
        assert books.created("op-1", {}, reference="B", session_id="s", now=NOW, deadline=AHEAD)
    elif state == "refused":
        books.refused("op-1", "422", now=NOW, deadline=AHEAD)
    elif state == "unknown":
        books.lost("op-1", "slow", session_id=None, now=NOW, deadline=AHEAD)
    before = operation(books)
    assert (taken_over.id, before["state"]) == ("op-1", state)
    books.refused("op-1", "late", now=LATER, deadline=PASSED)
    books.lost("op-1", "late", session_id="late", now=LATER, deadline=PASSED)
    late = {"data": {"reference": "A"}}
    assert not books.created(
        "op-1", late, reference="A", session_id="late", now=LATER, deadline=PASSED
    )
    assert operation(books) == before
    # It exists all the same, and may be the second charge of one order.
    other = books.operations().iloc[1]
    assert (other["state"], other["status"], other["reference"]) == ("created", "PENDING", "A")
    assert (other["amount"], other["session_id"]) == (BODY["amount"], "late")
    assert "'order-1'" in other["error"]
    assert receive(books, reference="A").outcome == "applied"


def test_only_what_is_unknown_can_be_resolved(books: Books) -> None:
    create(books, key="order-1")
    for name, named in (("order-1", " (charge op-1 is created)"), ("nobody", "")):
        with pytest.raises(BooksError) as caught:
            books.resolve(name, created="X")
        assert str(caught.value) == (
            f"books: 0 unknown operations have the key '{name}'; there must be one. "
            f"books.unknown() lists those that can be resolved{named}."
        )
    assert operation(books)["reference"] == "IP9BD7CJES6"


def test_what_is_on_its_way_cannot_be_resolved(books: Books) -> None:
    begin(books)
    with pytest.raises(BooksError, match="op-1 is sending"):
        books.resolve("order-1", created=None)
    assert begin(books, "op-2").busy


@pytest.mark.parametrize("reference", ["", " "])
def test_an_empty_reference_is_not_one(books: Books, reference: str) -> None:
    begin(books, deadline=PASSED)
    with pytest.raises(BooksError, match="Give 88Pay's reference, or None"):
        books.resolve("order-1", created=reference)
    assert len(books.unknown()) == 1


@pytest.mark.parametrize(
    ("named", "left"),
    [
        ({"operation": "charge", "environment": "local"}, {"op-2", "op-3"}),
        ({"operation": "cashout"}, {"op-1", "op-3"}),
        ({"environment": "sandbox"}, {"op-1", "op-2"}),
    ],
)
def test_a_key_of_several_unknown_operations_is_not_guessed(
    books: Books, named: dict[str, str], left: set[str]
) -> None:
    begin(books, "op-1")
    begin(books, "op-2", operation="cashout")
    begin(books, "op-3", environment="sandbox")
    for id in ("op-1", "op-2", "op-3"):
        books.lost(id, "lost", session_id=None, now=NOW)
    with pytest.raises(BooksError) as caught:
        books.resolve("order-1", created="X")
    assert str(caught.value) == (
        "books: 3 unknown operations have the key 'order-1'; there must be one. Add operation= or "
        "environment=, or give an id in place of the key: charge op-1 (local), cashout op-2 "
        "(local), charge op-3 (sandbox)."
    )
    assert len(books.unknown()) == 3
    books.resolve("order-1", created="X", **named)
    assert set(books.unknown()["id"]) == left
    books.resolve(min(left), created="Y")
    assert len(books.unknown()) == 1


# ---------------------------------------------------------------- notifications: matching


@pytest.mark.parametrize("status", FINAL)
def test_a_notification_changes_the_status_of_its_operation(books: Books, status: str) -> None:
    create(books)
    event = receive(books, status=status, reference="IP9BD7CJES6", id="sess_own")
    assert event == Event("applied", "IP9BD7CJES6", "op-1", 1)
    row = operation(books)
    assert (row["status"], row["updated_at"]) == (status, LATER)
    kept = only(books.notifications())
    assert (kept["outcome"], kept["matched_by"], kept["status"]) == ("applied", "reference", status)
    assert (kept["amount"], kept["received_at"]) == (Decimal("50000.10"), LATER)


def test_the_marker_goes_before_the_reference_and_that_before_the_session(books: Books) -> None:
    create(books, "op-1", "REF-1", session="sess_1")
    create(books, "op-2", "REF-2", session="sess_2")
    create(books, "op-3", "REF-3", session="sess_3")
    cases = [
        ({"marker": "op-1", "reference": None, "id": "sess_3"}, "op-1", "marker"),
        ({"marker": "no such", "reference": "REF-2", "id": "sess_3"}, "op-2", "reference"),
        ({"marker": None, "reference": None, "id": "sess_3"}, "op-3", "session and amount"),
    ]
    for given_fields, id, way in cases:
        event = receive(books, **given_fields)
        assert (event.outcome, event.operation_id) == ("applied", id)
        assert operation(books, id)["status"] == "COMPLETED"
        assert books.notifications()["matched_by"].iloc[-1] == way


def test_a_marker_and_a_reference_that_contradict_each_other_change_nothing(
    books: Books,
) -> None:
    create(books, "op-1", "REF-1", session="sess_1")
    create(books, "op-2", "REF-2", session="sess_2")
    assert receive(books, marker="op-1", reference="REF-2").outcome == "conflict"
    assert [operation(books, id)["status"] for id in ("op-1", "op-2")] == ["PENDING"] * 2


def test_matched_by_session_it_names_the_reference_of_the_operation(books: Books) -> None:
    create(books)
    assert receive(books) == Event("applied", "IP9BD7CJES6", "op-1", 1)
    assert only(books.notifications())["reference"] == "IP9BD7CJES6"


def test_the_session_alone_does_not_match(books: Books) -> None:
    create(books)
    assert receive(books, amount="50000.11").outcome == "unmatched"
    assert operation(books)["status"] == "PENDING"


def test_several_matches_are_said_and_nothing_changes(books: Books) -> None:
    create(books, "op-1", "REF-1")
    create(books, "op-2", "REF-2")
    event = receive(books)
    assert (event.outcome, event.operation_id) == ("several match", None)
    assert books.operations()["status"].tolist() == ["PENDING", "PENDING"]
    assert only(books.notifications())["matched_by"] == "session and amount"


@pytest.mark.parametrize("how", ["marker", "reference"])
def test_operations_of_one_session_are_told_apart(books: Books, how: str) -> None:
    # Under a cached token the transaction id may be the same for many operations.
    for number in ("1", "2"):
        create(books, f"op-{number}", f"REF-{number}")
    for number in ("1", "2"):
        marker = {"marker": f"op-{number}"} if how == "marker" else {"reference": f"REF-{number}"}
        event = receive(books, **marker)
        assert (event.outcome, event.operation_id) == ("applied", f"op-{number}")
    assert books.operations()["status"].tolist() == ["COMPLETED", "COMPLETED"]


def test_operations_of_one_session_are_told_apart_by_their_amounts(books: Books) -> None:
    create(books, "op-1", "REF-1")
    create(books, "op-2", "REF-2", body=BODY | {"amount": Decimal("7.00")})
    assert receive(books).operation_id == "op-1"
    assert receive(books, amount="7").operation_id == "op-2"
    assert receive(books, amount="7.00").outcome == "repeated"


def test_a_notification_of_nobodys_operation_is_kept_as_unmatched(books: Books) -> None:
    event = receive(books, reference="REF-9")
    assert event == Event("unmatched", "REF-9", None, 1)
    assert only(books.notifications())["outcome"] == "unmatched"


def test_another_environment_is_another_world(books: Books) -> None:
    create(books)
    for marker in (None, "op-1"):
        event = receive(books, reference="IP9BD7CJES6", environment="sandbox", marker=marker)
        assert event.outcome == "unmatched"
    assert operation(books)["status"] == "PENDING"
    assert receive(books, reference="IP9BD7CJES6").outcome == "applied"


# ---------------------------------------------------------------- notifications: applying


def test_a_repeated_notification_is_one(books: Books) -> None:
    create(books)
    assert receive(books).times == 1
    for times in (2, 3):
        event = receive(books, now=LATER + timedelta(hours=times))
        assert event == Event("repeated", "IP9BD7CJES6", "op-1", times)
    row = only(books.notifications())
    assert (row["times"], row["outcome"]) == (3, "applied")
    assert (row["received_at"], row["last_at"]) == (LATER, LATER + timedelta(hours=3))
    assert operation(books)["updated_at"] == LATER


@pytest.mark.parametrize("fields", [{"reference": "IP9BD7CJES6"}, {}])
def test_it_is_the_same_one_with_and_without_its_marker(
    books: Books, fields: dict[str, Any]
) -> None:
    create(books)
    outcomes = [receive(books, marker=m, **fields).outcome for m in ("op-1", None, "x", "op-1")]
    assert outcomes == ["applied", "repeated", "repeated", "repeated"]
    assert only(books.notifications())["times"] == 4


def test_equal_notifications_of_two_operations_are_two(books: Books) -> None:
    create(books, "op-1", "REF-1")
    create(books, "op-2", "REF-2")
    outcomes = [receive(books, marker=m).outcome for m in ("op-1", "op-2", "op-1", None)]
    assert outcomes == ["applied", "applied", "repeated", "several match"]


def test_one_that_came_before_its_operation_was_known_is_applied_when_it_comes_again(
    books: Books,
) -> None:
    assert receive(books, reference="IP9BD7CJES6").outcome == "unmatched"
    create(books)
    assert receive(books, reference="IP9BD7CJES6").outcome == "applied"
    assert operation(books)["status"] == "COMPLETED"


@pytest.mark.parametrize("final", FINAL)
def test_a_late_pending_changes_nothing(books: Books, final: str) -> None:
    create(books)
    receive(books, status=final)
    before = operation(books)
    assert receive(books, status="PENDING", now=LATER + timedelta(hours=1)).outcome == "late"
    assert operation(books) == before
    assert len(books.notifications()) == 2


@pytest.mark.parametrize(("first", "second"), [FINAL, FINAL[::-1]])
def test_another_final_status_is_a_conflict(books: Books, first: str, second: str) -> None:
    create(books)
    receive(books, status=first)
    assert receive(books, status=second).outcome == "conflict"
    assert operation(books)["status"] == first
    assert books.notifications()["outcome"].tolist() == ["applied", "conflict"]


def test_a_status_that_is_not_documented_is_kept_and_not_final(books: Books) -> None:
    create(books)
    assert receive(books, status="IN_REVIEW").outcome == "applied"
    assert operation(books)["status"] == "IN_REVIEW"
    assert receive(books).outcome == "applied"
    assert operation(books)["status"] == "COMPLETED"


@pytest.mark.parametrize(
    "difference",
    [
        {"amount": "50000.11"},
        {"amount": "5000010"},
        {"amount": 50000},
        {"currency": "MXN"},
        {"currency": "cop"},
    ],
)
def test_another_amount_or_currency_is_not_applied(
    books: Books, difference: dict[str, Any]
) -> None:
    create(books)
    for way in ({"marker": "op-1"}, {"reference": "IP9BD7CJES6"}):
        event = receive(books, **way, **difference)
        assert (event.outcome, event.operation_id) == ("amount differs", "op-1")
    assert operation(books)["status"] == "PENDING"


@pytest.mark.parametrize("amount", ["50000.1", "50000.10", "50000.100"])
def test_the_same_amount_in_another_writing_is_applied(books: Books, amount: str) -> None:
    create(books)
    assert receive(books, amount=amount, currency="COP").outcome == "applied"


def test_what_was_not_verified_is_kept_and_not_applied(books: Books) -> None:
    create(books)
    for times, outcome in ((1, "unverified"), (2, "repeated")):
        event = receive(books, verified=False, marker="op-1", reference="IP9BD7CJES6")
        assert (event.outcome, event.operation_id, event.times) == (outcome, None, times)
    assert operation(books)["status"] == "PENDING"
    assert only(books.notifications())["outcome"] == "unverified"


def test_an_unverified_one_does_not_stand_in_the_way_of_the_true_one(books: Books) -> None:
    create(books)
    receive(books, verified=False, marker="op-1")
    assert receive(books, marker="op-1").outcome == "applied"
    assert operation(books)["status"] == "COMPLETED"


@pytest.mark.parametrize(
    "body",
    [
        f"{SESSION}\nCOMPLETED".encode(),
        f'verified ["{SESSION}", "COMPLETED", "50000.10", null, null]'.encode(),
        json.dumps([SESSION, "COMPLETED", "50000.10", None, None]).encode(),
    ],
)
def test_no_body_of_a_stranger_passes_for_the_true_one(books: Books, body: bytes) -> None:
    create(books)
    books.receive(body, None, verified=False, marker=None, environment="local", now=NOW)
    assert receive(books).outcome == "applied"
    assert operation(books)["status"] == "COMPLETED"


# ---------------------------------------------------------------- notification before answer


def lose(books: Books) -> None:
    books.lost("op-1", "The answer was lost.", session_id=SESSION, now=NOW)


def leave_sending(books: Books) -> None:
    """The process is still waiting for the answer."""


def find_none(books: Books) -> None:
    lose(books)
    books.resolve("op-1", created=None)


@pytest.mark.parametrize("before", [lose, leave_sending, find_none])
def test_a_notification_proves_that_the_operation_exists(
    books: Books, before: Callable[[Books], None]
) -> None:
    begin(books)
    before(books)
    event = receive(books, marker="op-1", reference="IP9BD7CJES6")
    assert event.outcome == "applied"
    row = operation(books)
    assert (row["state"], row["status"], row["error"]) == ("created", "COMPLETED", None)
    assert row["reference"] == "IP9BD7CJES6"
    assert books.unknown().empty
    # Above all: the key does not charge the customer again.
    assert begin(books, "op-2") == Entry("op-1", {"data": {"reference": "IP9BD7CJES6"}})


def test_an_answer_that_comes_after_its_notification_keeps_the_status(books: Books) -> None:
    begin(books)
    receive(books, marker="op-1")
    answer = {"data": {"reference": "IP9BD7CJES6", "urlCheckout": "https://x.example"}}
    books.created("op-1", answer, reference="IP9BD7CJES6", session_id=SESSION, now=LATER)
    row = operation(books)
    assert (row["state"], row["status"]) == ("created", "COMPLETED")
    assert (row["reference"], row["session_id"]) == ("IP9BD7CJES6", SESSION)
    assert begin(books, "op-2") == Entry("op-1", answer)


def test_a_time_out_after_the_notification_does_not_undo_its_proof(books: Books) -> None:
    begin(books)
    receive(books, marker="op-1", reference="IP9BD7CJES6")
    lose(books)
    row = operation(books)
    assert (row["state"], row["status"]) == ("created", "COMPLETED")
    assert books.unknown().empty


# ---------------------------------------------------------------- balances


def balance(**summary: Any) -> Balance:
    return Balance.read({"data": {"merchant_id": "MCH-COL-29ZTP4", "balance_summary": summary}})


def test_balances_are_kept_as_they_came(books: Books) -> None:
    books.save_balance(
        balance(total_payin="34490.00", net_balance=-215520), environment="local", now=NOW
    )
    row = only(books.balances())
    assert (row["total_payin"], row["net_balance"]) == (Decimal("34490.00"), Decimal("-215520.00"))
    assert (row["total_settled"], row["merchant_id"]) == (None, "MCH-COL-29ZTP4")
    assert row["taken_at"] == NOW


@pytest.mark.parametrize("amount", ["34490.005", "1e30", "99999999999999999"])
def test_a_balance_that_is_no_exact_amount_is_not_rounded_into_one(
    books: Books, amount: str
) -> None:
    books.save_balance(
        balance(total_payin=amount, total_payout="1.00"), environment="local", now=NOW
    )
    row = only(books.balances())
    assert (row["total_payin"], row["total_payout"]) == (None, Decimal("1.00"))


# ---------------------------------------------------------------- opening


def test_books_in_a_file_are_found_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'books.db'}"
    first = Books(url)
    create(first)
    first.close()
    second = Books(url)
    assert only(second.operations())["reference"] == "IP9BD7CJES6"
    assert receive(second).outcome == "applied"
    second.close()


def test_books_in_memory_are_each_their_own() -> None:
    first, second = Books(), Books()
    create(first)
    assert second.operations().empty


def test_ctrl_c_does_not_empty_books_in_memory() -> None:
    books = Books()
    begin(books)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    event.listen(Engine, "after_cursor_execute", stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            books.operations()
    finally:
        event.remove(Engine, "after_cursor_execute", stop)
    assert operation(books)["state"] == "sending"


def test_corrupt_books_are_refused_and_left_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "books.db"
    rubbish = b"this is not a database " * 500
    file.write_bytes(rubbish)
    with pytest.raises(BooksError, match=r"cannot be opened: .*not a database"):
        Books(f"sqlite:///{file}")
    assert file.read_bytes() == rubbish


def test_books_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "no such folder" / "books.db"):
        with pytest.raises(BooksError, match=r"cannot be opened: .*unable to open"):
            Books(f"sqlite:///{place}")
    assert not (tmp_path / "no such folder").exists()


def test_an_operation_that_cannot_be_written_is_not_to_be_sent(tmp_path: Path) -> None:
    file = tmp_path / "books.db"
    books = Books(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as db:
        db.execute("DROP TABLE operations")
    with pytest.raises(BooksError, match=r"cannot be written: .* Nothing was sent\."):
        begin(books)
    books.close()


@pytest.mark.parametrize("url", ["books.db", "", "no such thing", "://", "mysterydb://x"])
def test_what_is_no_database_url_is_refused(url: str) -> None:
    with pytest.raises(BooksError, match="books: "):
        Books(url)


def test_a_password_in_a_url_is_never_shown() -> None:
    url = "postgresql://me:hunter22@127.0.0.1:1/books?connect_timeout=1"
    with pytest.raises(BooksError) as caught:
        Books(url)
    assert "hunter22" not in str(caught.value)
    with pytest.raises(BooksError) as caught:
        Books("me:hunter22@host")
    assert "hunter22" not in str(caught.value)


def test_the_repr_names_the_place(tmp_path: Path) -> None:
    assert repr(Books()) == "Books('sqlite://')"


# ---------------------------------------------------------------- the default ones


def test_local_keeps_its_books_in_memory_and_shares_them() -> None:
    config = Config()
    assert default_books(config) is default_books(Config())
    assert repr(default_books(config)) == "Books('sqlite://')"


class World:
    """Stands for a sandbox: books are told apart by it."""


def test_every_sandbox_has_books_of_its_own() -> None:
    first, second = World(), World()
    books = default_books(Config(origin=first))
    assert default_books(Config(origin=first)) is books
    assert default_books(Config(origin=second)) is not books


def test_outside_local_they_are_a_file_in_the_users_data_directory() -> None:
    books = default_books(Config(environment="sandbox"))
    begin(books, environment="sandbox")
    (file,) = (path for path in Path(os.environ["HOME"]).rglob("books.db"))
    assert file.parent.name == "pay88kit" or file.parent.parent.name == "pay88kit"
    if sys.platform != "win32":
        assert file.stat().st_mode & 0o777 == 0o600
    assert default_books(Config(environment="production")) is books
    books.close()


def test_pay88_books_names_them_for_every_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAY88_BOOKS", f" sqlite:///{tmp_path / 'mine.db'} ")
    books = default_books(Config())
    assert default_books(Config(environment="sandbox")) is books
    assert (tmp_path / "mine.db").is_file()
    assert not list(Path(os.environ["HOME"]).rglob("books.db"))
    books.close()


def test_a_dotenv_file_names_them_unless_the_environment_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text(f"PAY88_BOOKS=sqlite:///{(tmp_path / 'file.db').as_posix()}\n")
    default_books(Config()).close()
    assert (tmp_path / "file.db").is_file()
    # An empty one hides that of the file: books in memory.
    monkeypatch.setenv("PAY88_BOOKS", "")
    assert not default_books(Config()).lasting
    monkeypatch.setenv("PAY88_BOOKS", f"sqlite:///{(tmp_path / 'mine.db').as_posix()}")
    default_books(Config()).close()
    assert (tmp_path / "mine.db").is_file()


def test_another_amount_is_another_body_whatever_the_programs_precision(books: Books) -> None:
    from decimal import localcontext

    with localcontext(prec=4):
        create(books, key="order-1", body=BODY | {"amount": Decimal("1234567.10")})
        with pytest.raises(KeyConflict, match="another amount"):
            begin(books, "op-2", body=BODY | {"amount": Decimal("1234568.10")})
