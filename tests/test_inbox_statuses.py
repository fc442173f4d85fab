"""What 88Pay's notifications may do to an operation, in whatever order they come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inbox_support import SECRET, accepted, body_of, token_of

from pay88kit import Books, Config, Inbox, WebhookRefused, webhooks

FINAL = ("COMPLETED", "REJECTED")


@pytest.fixture
def books(database_url: str) -> Iterator[Books]:
    with closing(Books(database_url)) as books:
        accepted(books, 1)
        yield books


# ---------------------------------------------------------------- in any order

said = st.tuples(
    st.sampled_from(["PENDING", "COMPLETED", "REJECTED", "IN_REVIEW"]),
    st.sampled_from(["50000", "50000.00", "1"]),
    st.sampled_from([None, "COP", "USD"]),
)


@settings(max_examples=100)
@given(orders=st.lists(said, min_size=1, max_size=8))
def test_a_status_never_goes_backwards(orders: list[tuple[str, str, str | None]]) -> None:
    with closing(Books()) as books, Inbox(secret=SECRET, books=books) as inbox:
        accepted(books, 1)
        status, seen = "PENDING", set()
        for name, amount, currency in orders:
            body = body_of(status=name, amount=amount)
            if currency:
                body["transaction_currency"] = currency
            received = inbox.receive(json.dumps(body).encode(), token_of(body))
            fits = amount != "1" and currency != "USD"
            # A wrong one that comes first must not take the place of the right one.
            event = (name, "1" if amount == "1" else "50000", currency)
            if event in seen:
                expected = "repeated"
            elif not fits:
                expected = "amount differs"
            elif status in FINAL:
                expected = "conflict" if name in FINAL and name != status else "late"
            else:
                expected = "applied"
            seen.add(event)
            assert received.outcome == expected
            if expected == "applied":
                status = name
            assert books.operations()["status"][0] == status
        frame = books.notifications()
        assert len(frame) == len(seen)
        assert int(frame["times"].sum()) == len(orders)


def test_every_event_says_that_its_status_is_not_proven(books: Books) -> None:
    with Inbox(secret=SECRET, books=books) as inbox:
        body = body_of()
        received = inbox.receive(json.dumps(body).encode(), token_of(body))
        assert received.status_proven is False
        for shown in (str(received), received._repr_html_()):
            assert "token does not cover the status" in shown.replace("&#x27;", "'")
        assert received.record()["status"] == "COMPLETED"


# ---------------------------------------------------------------- unverified, and checked again


def their_cipher(token: str, secret: str) -> bytes:
    """Another way to encrypt the same claims, backwards for a change."""
    if not token.startswith("v2."):
        raise ValueError("not ours")
    return webhooks.decrypt_jwe(token.removeprefix("v2.")[::-1], secret)


def theirs(body: dict[str, Any], **kwargs: Any) -> str:
    return "Bearer v2." + token_of(body, **kwargs).removeprefix("Bearer ")[::-1]


def send(inbox: Inbox, body: dict[str, Any], token: str, **kwargs: Any) -> str:
    return inbox.receive(json.dumps(body).encode(), token, **kwargs).outcome


def test_what_was_not_understood_is_received_when_it_is(books: Books) -> None:
    with Inbox(secret=SECRET, books=books) as inbox:
        shipped: list[Any] = []

        @inbox.on("COMPLETED")
        def ship(event: Any) -> None:
            shipped.append((event.reference, event.outcome))

        body = body_of()
        del body["transaction_reference"]
        # Only its address says which operation it is for.
        assert send(inbox, body, theirs(body), marker="op-1") == "unverified"
        forged = body_of(status="REJECTED")
        assert send(inbox, forged, "Bearer v2.nonsense") == "unverified"
        stale = body_of(2)
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        assert send(inbox, stale, theirs(stale, now=hour_ago)) == "unverified"
        inbox.wait_for_handlers()
        assert (shipped, books.operations()["status"][0]) == ([], "PENDING")

        nothing = inbox.recheck()
        assert set(nothing["reason"]) == {"cannot decrypt"}
        found = inbox.recheck(their_cipher)
        assert list(found["outcome"]) == ["applied", "unverified", "unverified"]
        assert list(found["reason"])[1:] == ["cannot decrypt", "too old"]
        inbox.wait_for_handlers()
        assert shipped == [("REF-1", "applied")]
        assert books.operations()["status"][0] == "COMPLETED"
        assert sorted(books.notifications()["outcome"]) == ["applied", "unverified", "unverified"]
        # Once more, there is nothing new in it.
        assert list(inbox.recheck(their_cipher)["outcome"]) == ["unverified"] * 2


def test_its_age_is_judged_at_the_time_at_which_it_came(books: Books) -> None:
    clock = Moving()
    config = Config(environment="sandbox", webhook_secret=SECRET, clock=clock)
    with Inbox(config, books=books) as inbox:
        body = body_of()
        assert send(inbox, body, theirs(body, now=clock.now())) == "unverified"
        came = clock.now()
        clock.moment += timedelta(days=3)
        assert list(inbox.recheck(their_cipher)["outcome"]) == ["applied"]
        (row,) = books.notifications().to_dict("records")
        assert row["received_at"] == came


class Moving:
    """A clock for an inbox, which waits in real time."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 15, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return 0.0

    def wait_until(self, moment: float) -> None:
        raise AssertionError

    async def wait_until_async(self, moment: float) -> None:
        raise AssertionError


def test_a_forged_one_that_comes_first_does_not_take_the_place_of_the_true_one(
    books: Books,
) -> None:
    with Inbox(secret=SECRET, books=books) as inbox:
        body = body_of()
        assert send(inbox, body, "Bearer v2.guess") == "unverified"
        token = theirs(body)
        assert send(inbox, body, token) == "unverified"
        assert send(inbox, body, token) == "repeated"
        assert sorted(inbox.recheck(their_cipher)["outcome"]) == ["applied", "unverified"]


def test_sent_again_with_a_new_token_it_becomes_one_event(books: Books) -> None:
    with Inbox(secret=SECRET, books=books) as inbox:
        body = body_of()
        for _ in range(3):
            assert send(inbox, body, theirs(body)) == "unverified"
        assert list(inbox.recheck(their_cipher)["outcome"]) == ["applied", "repeated", "repeated"]
        (row,) = books.notifications().to_dict("records")
        assert (row["outcome"], row["times"]) == ("applied", 3)


def test_once_confirmed_what_does_not_decrypt_is_refused(books: Books) -> None:
    config = Config(environment="sandbox", webhook_secret=SECRET)
    kwargs: dict[str, Any] = {"decrypt": their_cipher, "on_unverified": "refuse"}
    with Inbox(config, books=books, **kwargs) as inbox:
        body = body_of()
        with pytest.raises(WebhookRefused, match="cannot decrypt"):
            send(inbox, body, token_of(body))
        assert send(inbox, body, theirs(body)) == "applied"


def test_tokens_stay_out_of_frames_and_are_gone_when_they_are_used(
    books: Books, database_url: str
) -> None:
    with Inbox(secret=SECRET, books=books) as inbox:
        body = body_of()
        token = theirs(body)
        send(inbox, body, token)
        (kept,) = books.unverified("sandbox")
        assert kept["authorization"] == token
        shown = books.notifications().to_string() + inbox.frame().to_string() + repr(inbox)
        assert token not in shown
        inbox.recheck(their_cipher)
        assert books.unverified("sandbox") == []


def test_a_purge_removes_the_token_of_what_was_never_understood(books: Books) -> None:
    with Inbox(secret=SECRET, books=books) as inbox:
        send(inbox, body_of(), "Bearer v2.nonsense")
        later = datetime.now(UTC) + timedelta(days=1)
        assert books.purge(before=later) == 1
        assert books.unverified("sandbox") == []
        assert len(inbox.recheck()) == 0
