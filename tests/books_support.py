"""What the tests of the books share: an operation, a notification, one row."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pay88kit import Books
from pay88kit.books import Entry, Event
from pay88kit.webhooks import parse

if TYPE_CHECKING:
    import pandas as pd

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
# Deadlines are real time.
PASSED, AHEAD = datetime(2026, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
SESSION = "sess_4e91a5c1-b7f2-4c64-91b1-3d204a5738b4"
BODY: dict[str, Any] = {
    "flow": "PAYIN",
    "method_code": "PSE",
    "amount": Decimal("50000.10"),
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
}


def begin(books: Books, id: str = "op-1", **changes: Any) -> Entry:
    given: dict[str, Any] = {
        "operation": "charge", "body": BODY, "environment": "local",
        "merchant_id": "MCH-COL-29ZTP4", "key": "order-1", "now": NOW, "deadline": AHEAD,
    } | changes  # fmt: skip
    return books.begin(given.pop("operation"), given.pop("body"), id=id, **given)


def create(
    books: Books, id: str = "op-1", reference: str = "IP9BD7CJES6", session: str = SESSION,
    **changes: Any,
) -> None:  # fmt: skip
    """An operation that 88Pay accepted."""
    begin(books, id, **({"key": f"key of {id}"} | changes))
    answer = {"status": "Success", "data": {"reference": reference, "amount": Decimal("50000.10")}}
    books.created(id, answer, reference=reference, session_id=session, now=NOW)


def receive(
    books: Books, *, verified: bool = True, marker: str | None = None, now: datetime = LATER,
    environment: str = "local", **changes: Any,
) -> Event:  # fmt: skip
    fields: dict[str, Any] = {
        "transaction_id": SESSION, "transaction_status": "COMPLETED",
        "transaction_amount": "50000.10",
    } | {f"transaction_{name}": value for name, value in changes.items()}  # fmt: skip
    body = json.dumps(fields).encode()
    return books.receive(
        body, parse(body), verified=verified, marker=marker, environment=environment, now=now
    )


def only(frame: pd.DataFrame) -> dict[Any, Any]:
    import pandas as pd  # costs the processes of a race a second each

    assert len(frame) == 1
    return {k: None if pd.isna(v) else v for k, v in frame.to_dict("records")[0].items()}


def operation(books: Books, id: str = "op-1") -> dict[Any, Any]:
    frame = books.operations()
    return only(frame[frame["id"] == id])
