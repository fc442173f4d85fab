"""One notification that was accepted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pay88kit import money
from pay88kit.display import Row, Shown
from pay88kit.webhooks import Notification


class Received(Shown):
    """A notification that was accepted, and what became of it in the books.

    ``key`` is your own name for the operation, as it was given to the create, and ``operation``
    says what it is: ``charge``, ``cash`` or ``cashout``; ``id`` is the same
    for every repeat of it and at every attempt of a handler, in every process.
    ``outcome`` is one of :class:`pay88kit.books.Event`'s. ``body`` is the text as it came; a purge
    of the books empties it, and ``notification`` is None then.
    """

    #: 88Pay's token covers the transaction id and the amount, not the status: a status is likely,
    #: never proven. Compare with the balance before you hand out what cannot be taken back.
    status_proven = False

    def __init__(
        self, at: datetime, notification: Notification | None, event: Any, body: str
    ) -> None:
        self.id: str = event.id
        self.key: str | None = event.key
        self.operation: str | None = event.operation
        self.at = at
        self.notification = notification
        self.outcome: str = event.outcome
        self.times: int = event.times
        self.status = notification.status if notification else None
        self.transaction_id = notification.transaction_id if notification else None
        self.reference: str | None = event.reference
        self.amount = notification.amount if notification else None
        self.currency = notification.currency if notification else None
        self.body = body

    def record(self) -> dict[str, Any]:
        """One row of a table."""
        return {
            "received_at": self.at,
            "key": self.key,
            "reference": self.reference,
            "status": self.status,
            "amount": self.amount,
            "currency": self.currency,
            "outcome": self.outcome,
            "times": self.times,
            "transaction_id": self.transaction_id,
        }

    def cells(self) -> dict[str, str]:
        """The same as texts, the currency behind the amount, without what is missing."""
        shown = self.record() | {
            "received_at": f"{self.at:%Y-%m-%d %H:%M:%S} UTC",
            "amount": money.show(self.amount, self.currency),
        }
        shown.pop("currency")
        return {name: str(value) for name, value in shown.items() if value is not None}

    def _rows(self) -> list[Row]:
        rows = dict(self.cells())
        if "status" in rows:
            rows["status"] += " (likely: 88Pay's token does not cover the status)"
        return list(rows.items())

    def __repr__(self) -> str:
        return f"Received({self.reference}, {self.status}, {self.outcome})"

    def _title(self) -> str:
        return "Notification"
