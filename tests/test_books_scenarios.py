"""An answer is lost, and what then finds the operation: the whole way, through a local 88Pay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from books_support import only

from pay88kit import Books, Inbox, OutcomeUnknown, Pay88, Sandbox

ORDER: dict[str, Any] = {
    "method_code": "PSE",
    "amount": "50000.50",
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
}
Shop = Callable[..., "Merchant"]


class Merchant:
    """A client and an inbox with the same books."""

    def __init__(self, sandbox: Sandbox, books: Books, marked: bool, stack: ExitStack) -> None:
        self.sandbox = sandbox
        self.books = books
        self.client = stack.enter_context(
            Pay88(sandbox.config, books=books, operation_marker=marked)
        )
        self.inbox = stack.enter_context(Inbox(sandbox.config, books=books))

    def charge(self, key: str, **changes: Any) -> str:
        given = ORDER | {"notification_url": self.inbox.url} | changes
        return self.client.charge(**given, key=key).reference

    def lose(self, key: str, **changes: Any) -> str:
        """88Pay accepts a charge, and the answer never comes; its reference on the ledger."""
        known = {row["reference"] for row in self.sandbox.transactions()}
        self.sandbox.fault("charges", "drop_after")
        with pytest.raises(OutcomeUnknown):
            self.charge(key, **changes)
        (new,) = (
            row["reference"] for row in self.sandbox.transactions() if row["reference"] not in known
        )
        return str(new)

    def complete(self, reference: str) -> str:
        """The customer pays; what became of the notification."""
        seen = len(self.books.notifications())
        self.sandbox.complete(reference)
        return str(self.inbox.wait(seen + 1)[-1].outcome)

    def row(self, key: str) -> dict[Any, Any]:
        frame = self.books.operations()
        return only(frame[frame["key"] == key])


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    with ExitStack() as stack:

        def open_shop(*, marked: bool, transaction_ids: str) -> Merchant:
            sandbox = stack.enter_context(Sandbox(limits=None, transaction_ids=transaction_ids))
            books = stack.enter_context(closing(Books(database_url)))
            return Merchant(sandbox, books, marked, stack)

        yield open_shop


@pytest.mark.parametrize("transaction_ids", ["operation", "session"])
def test_a_lost_answer_is_found_by_its_marker(shop: Shop, transaction_ids: str) -> None:
    # Two under one session with one amount: only the marker tells them apart.
    merchant = shop(marked=True, transaction_ids=transaction_ids)
    first, second = merchant.lose("order-1"), merchant.lose("order-2")
    assert list(merchant.books.unknown()["key"]) == ["order-1", "order-2"]
    assert merchant.complete(second) == "applied"
    assert list(merchant.books.unknown()["key"]) == ["order-1"]
    row = merchant.row("order-2")
    assert (row["state"], row["status"], row["reference"]) == ("created", "COMPLETED", second)
    assert only(merchant.books.notifications())["matched_by"] == "marker"
    # The key is worth its reference now, and charges nobody.
    assert merchant.charge("order-2") == second
    with pytest.raises(OutcomeUnknown):
        merchant.charge("order-1")
    assert merchant.complete(first) == "applied"
    assert merchant.charge("order-1") == first
    assert len(merchant.sandbox.transactions()) == 2


def test_a_recorded_reference_finds_its_operation(shop: Shop) -> None:
    merchant = shop(marked=False, transaction_ids="session")
    first, second = merchant.charge("order-1"), merchant.charge("order-2")
    assert merchant.complete(second) == "applied"
    assert only(merchant.books.notifications())["matched_by"] == "reference"
    assert merchant.row("order-2")["status"] == "COMPLETED"
    assert merchant.row("order-1")["status"] == "PENDING"
    assert merchant.complete(first) == "applied"


def test_a_reference_that_a_person_recorded_finds_its_operation(shop: Shop) -> None:
    merchant = shop(marked=False, transaction_ids="operation")
    lost = merchant.lose("order-1")
    merchant.books.resolve("order-1", created=lost)
    assert merchant.complete(lost) == "applied"
    assert only(merchant.books.notifications())["matched_by"] == "reference"
    assert merchant.row("order-1")["status"] == "COMPLETED"


def test_a_lost_answer_is_found_by_session_and_amount(shop: Shop) -> None:
    merchant = shop(marked=False, transaction_ids="session")
    first = merchant.lose("order-1")
    second = merchant.lose("order-2", amount="7000")
    assert merchant.complete(second) == "applied"
    assert only(merchant.books.notifications())["matched_by"] == "session and amount"
    assert merchant.row("order-2")["reference"] == second
    assert list(merchant.books.unknown()["key"]) == ["order-1"]
    assert merchant.complete(first) == "applied"
    assert merchant.charge("order-1") == first
    assert len(merchant.sandbox.transactions()) == 2


def test_of_two_in_one_session_the_one_with_another_reference_does_not_fit(shop: Shop) -> None:
    merchant = shop(marked=False, transaction_ids="session")
    accepted, lost = merchant.charge("order-1"), merchant.lose("order-2")
    assert merchant.complete(lost) == "applied"
    assert merchant.row("order-2")["reference"] == lost
    assert merchant.row("order-1")["status"] == "PENDING"
    assert merchant.complete(accepted) == "applied"


def test_more_than_one_that_fits_is_said_and_left_to_a_person(shop: Shop) -> None:
    merchant = shop(marked=False, transaction_ids="session")
    first, second = merchant.lose("order-1"), merchant.lose("order-2")
    assert merchant.complete(first) == "several match"
    kept = only(merchant.books.notifications())
    assert (kept["outcome"], kept["operation_id"]) == ("several match", None)
    assert (kept["matched_by"], kept["reference"]) == ("session and amount", first)
    assert list(merchant.books.unknown()["key"]) == ["order-1", "order-2"]
    # The person resolves one; then its next notification, and the other one's, are clear.
    merchant.books.resolve("order-1", created=first)
    merchant.sandbox.resend(merchant.sandbox.webhooks()[0]["id"])
    assert merchant.row("order-1")["status"] == "COMPLETED"
    assert list(merchant.books.unknown()["key"]) == ["order-2"]
    merchant.books.resolve("order-2", created=second)
    assert merchant.complete(second) == "applied"
    assert merchant.books.unknown().empty
    assert len(merchant.sandbox.transactions()) == 2


def test_without_evidence_it_stays_unknown_until_a_person_resolves_it(shop: Shop) -> None:
    merchant = shop(marked=False, transaction_ids="operation")
    lost = merchant.lose("order-1")
    assert merchant.complete(lost) == "unmatched"
    merchant.sandbox.fault("charges", "drop_before")
    with pytest.raises(OutcomeUnknown):
        merchant.charge("order-2")
    assert list(merchant.books.unknown()["key"]) == ["order-1", "order-2"]
    merchant.books.resolve("order-1", created=lost)
    merchant.books.resolve("order-2", created=None)
    assert merchant.charge("order-1") == lost
    assert merchant.charge("order-2") != lost
    assert list(merchant.books.operations()["state"]) == ["created", "created"]
    assert len(merchant.sandbox.transactions()) == 2
