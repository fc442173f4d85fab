"""What is recorded of a notification: whose it is, and whether its status counts.

Every function takes the connection of a transaction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sql

from pay88kit import money
from pay88kit.books.operations import as_created, change
from pay88kit.books.tables import FINAL, handlings, notifications, operations
from pay88kit.webhooks import Notification


@dataclass(frozen=True)
class Event:
    """What became of a notification.

    ``outcome``: ``applied``; ``repeated``; ``unmatched`` (no operation of ours fits);
    ``several match``; ``late`` (the status was final already); ``conflict`` (another final
    status); ``amount differs``; ``unverified`` (its token was not checked).
    """

    outcome: str
    reference: str | None
    operation_id: str | None
    times: int
    #: The same for every repeat, and for no other notification.
    id: str = field(default="", compare=False)
    #: The merchant's own name for the operation, if it has one.
    key: str | None = field(default=None, compare=False)


def nobody(outcome: str, status: str | None) -> Iterable[str]:
    """No handlers."""
    return ()


@dataclass(frozen=True)
class Arrival:
    """A notification as it came.

    ``notification`` is what :func:`pay88kit.webhooks.parse` made of the body, or None; ``marker``
    the operation that its address names; ``authorization`` its header, which is kept while the
    notification is unverified; ``hand_to`` names the handlers that an event of an outcome and a
    status is for.
    """

    body: bytes
    notification: Notification | None
    verified: bool
    marker: str | None
    environment: str
    now: datetime
    authorization: str | None = field(default=None, repr=False)
    hand_to: Callable[[str, str | None], Iterable[str]] = nobody

    @property
    def whose(self) -> str:
        """What notifications of one operation share; where two transactions meet, their order."""
        n = self.notification
        return self.marker or (n and (n.reference or n.transaction_id)) or ""


# Written once: to put a statement together takes longer than to run it.


def _by(*columns: str, where: tuple[Any, ...] = ()) -> Any:
    its = operations.c
    needed = (its.id, its.key, its.reference, its.amount, its.currency, its.status, its.state)
    given = [its[name] == sql.bindparam(name) for name in ("environment", *columns)]
    # Always in one order, so that two transactions cannot wait for each other.
    found = sql.select(*needed).where(*given, *where).order_by(its.number)
    return found.with_for_update()


_BY_MARKER = _by("id")
_BY_REFERENCE = _by("reference")
_BY_SESSION = _by("session_id", "amount")
# What has another reference is another operation.
_BY_SESSION_WITHOUT_REFERENCE = _by(
    "session_id", "amount", where=(operations.c.reference.is_(None),)
)
_COUNT = (
    notifications.update()
    .where(
        notifications.c.environment == sql.bindparam("its_environment"),
        notifications.c.event == sql.bindparam("its_event"),
    )
    .values(times=notifications.c.times + 1, last_at=sql.bindparam("last_at"))
    .returning(notifications.c.reference, notifications.c.operation_id, notifications.c.times)
)
_INSERT = notifications.insert()
_SET_STATUS = operations.update().where(operations.c.id == sql.bindparam("its_id"))


def receive(db: Any, arrival: Arrival) -> Event:
    """Keep a notification, and apply its status to the operation it belongs to."""
    notification = arrival.notification
    matched_by: str | None = None
    matches: list[Any] = []
    if arrival.verified and notification is not None:
        matched_by, matches = _match(db, notification, arrival)
    found = matches[0] if len(matches) == 1 else None
    identity = _identity(arrival, found)
    key = found["key"] if found else None
    repeated = _repeat(db, identity, arrival, key)
    if repeated is not None:
        return repeated
    if not arrival.verified or notification is None:
        outcome = "unverified"
    elif len(matches) > 1:
        outcome = "several match"
    elif found is None:
        outcome = "unmatched"
    else:
        outcome = _apply(db, notification, found, arrival.now)
    reference = found["reference"] if found else None
    if notification is not None:
        reference = reference or notification.reference
    id = found["id"] if found else None
    status = notification.status if notification else None
    unverified = outcome == "unverified"
    kept = db.execute(
        _INSERT,
        {
            "environment": arrival.environment,
            "event": identity,
            "transaction_id": notification.transaction_id if notification else None,
            "status": status,
            "amount": notification.amount if notification else None,
            "currency": notification.currency if notification else None,
            "reference": reference,
            "operation_id": id,
            "matched_by": matched_by,
            "outcome": outcome,
            "times": 1,
            "body": arrival.body.decode("utf-8", "backslashreplace"),
            "authorization": arrival.authorization if unverified else None,
            "marker": arrival.marker if unverified else None,
            "received_at": arrival.now,
            "last_at": arrival.now,
        },
    )
    _hand_over(db, kept.inserted_primary_key[0], arrival.hand_to(outcome, status))
    return Event(outcome, reference, id, 1, identity, key)


def _hand_over(db: Any, notification_id: int, handlers: Iterable[str]) -> None:
    """Leave an event to its handlers, in the transaction that keeps it."""
    now = datetime.now(UTC)
    rows = [
        {"notification_id": notification_id, "handler": name, "state": "due", "attempts": 0,
         "due_at": now, "updated_at": now}
        for name in handlers
    ]  # fmt: skip
    if rows:
        db.execute(handlings.insert(), rows)


def unverified(db: Any, environment: str) -> list[Any]:
    """What can be checked again, oldest first."""
    column = notifications.c
    query = (
        sql.select(notifications)
        .where(
            column.environment == environment,
            column.outcome == "unverified",
            column.authorization.is_not(None),
            column.body != "",
        )
        .order_by(column.id)
    )
    return list(db.execute(query).mappings())


def receive_again(db: Any, id: int, arrival: Arrival) -> Event | None:
    """Receive what was unverified as what it is; None when another process was quicker."""
    gone = db.execute(
        notifications.delete().where(
            notifications.c.id == id, notifications.c.outcome == "unverified"
        )
    )
    if not gone.rowcount:
        return None
    db.execute(handlings.delete().where(handlings.c.notification_id == id))
    return receive(db, arrival)


def _match(db: Any, notification: Notification, arrival: Arrival) -> tuple[str | None, list[Any]]:
    """The operations that a notification may mean, and by what they were found.

    By the marker in its address, then by reference, then by session and amount: the first way that
    finds any decides. They are locked until the transaction ends.
    """
    marker, reference = arrival.marker, notification.reference
    ways: dict[str, tuple[Any, dict[str, Any]] | None] = {
        "marker": (_BY_MARKER, {"id": marker}) if marker else None,
        "reference": (_BY_REFERENCE, {"reference": reference}) if reference else None,
        "session and amount": (
            _BY_SESSION_WITHOUT_REFERENCE if reference else _BY_SESSION,
            {"session_id": notification.transaction_id, "amount": notification.amount},
        ),
    }
    for name, way in ways.items():
        if way is not None:
            query, values = way
            given = {"environment": arrival.environment, **values}
            found = list(db.execute(query, given).mappings())
            if found:
                return name, found
    return None, []


def _identity(arrival: Arrival, found: Any) -> str:
    """What a repeated notification shares with the first one.

    Under one session there may be many operations, so the transaction id is not enough: the
    operation that was found counts too. Where none was, the marker stands for it.
    """
    n = arrival.notification
    # What was not verified may say anything: all of it makes the event. Without its token, a
    # forged one that comes first would take the place of the true one.
    seen = b"unverified " + arrival.body
    if arrival.authorization is not None:
        seen += b" " + arrival.authorization.encode("utf-8", "backslashreplace")
    if arrival.verified and n is not None:
        whose = found["id"] if found else arrival.marker
        parts = (
            n.transaction_id, n.status, money.to_text(n.amount), n.currency, n.reference, whose
        )  # fmt: skip
        seen = b"verified " + json.dumps(parts).encode()
    return hashlib.sha256(seen).hexdigest()


def _repeat(db: Any, identity: str, arrival: Arrival, key: str | None) -> Event | None:
    """Count a notification that is here already; None when it is new."""
    whose = {"its_environment": arrival.environment, "its_event": identity}
    counted = db.execute(_COUNT, {**whose, "last_at": arrival.now}).first()
    if counted is None:
        return None
    reference, operation_id, times = counted
    return Event("repeated", reference, operation_id, times, identity, key)


def _apply(db: Any, notification: Notification, found: Any, now: datetime) -> str:
    reference = notification.reference
    if reference and found["reference"] and reference != found["reference"]:
        # The marker stands in an address, which the token does not cover.
        return "conflict"
    if notification.amount != found["amount"] or (
        notification.currency and notification.currency != found["currency"]
    ):
        return "amount differs"
    if found["status"] in FINAL:
        if notification.status in FINAL and notification.status != found["status"]:
            return "conflict"
        return "late"
    values: dict[str, Any] = {"status": notification.status, "updated_at": now}
    if found["state"] == "created":
        db.execute(_SET_STATUS, {**values, "its_id": found["id"]})
    else:
        # The answer to the create was lost, or someone looked too early: its notification
        # proves that it exists, and the key must not send it a second time.
        values |= as_created(found["reference"] or reference)
        change(db, found["id"], **values)
    return "applied"
