"""What is recorded of a notification: whose it is, and whether its status counts.

Every function takes the connection of a transaction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sql

from pay88kit import money
from pay88kit.books.operations import as_created, change, merge_imported
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
    #: What the operation is: ``charge``, ``cash`` or ``cashout``, if there is one.
    operation: str | None = field(default=None, compare=False)


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
    def trusted(self) -> Notification | None:
        """The notification, where its token was checked."""
        return self.notification if self.verified else None

    @property
    def whose(self) -> str:
        """What notifications of one operation share; where two transactions meet, their order."""
        n = self.notification
        return self.marker or (n and (n.reference or n.transaction_id)) or ""


# Written once: to put a statement together takes longer than to run it.


_NEEDED = [
    operations.c[name]
    for name in (
        "id", "environment", "operation", "key", "reference", "amount", "currency", "status",
        "state",
    )
]  # fmt: skip


def _find(*where: Any) -> Any:
    # Always in one order, so that two transactions cannot wait for each other.
    found = sql.select(*_NEEDED).where(*where).order_by(operations.c.number)
    return found.with_for_update()


def _by(*columns: str, where: tuple[Any, ...] = ()) -> Any:
    given = [operations.c[name] == sql.bindparam(name) for name in ("environment", *columns)]
    return _find(*given, *where)


def _among(column: Any, name: str) -> Any:
    return column.in_(sql.bindparam(name, expanding=True))


# By the id alone, which is unique: with the environment SQLite would read all that is in it.
_BY_MARKER = _find(_among(operations.c.id, "markers"))
_BY_REFERENCE = _by("reference")
_BY_SESSION = _by("session_id", "amount")
# What has another reference is another operation.
_BY_SESSION_WITHOUT_REFERENCE = _by(
    "session_id", "amount", where=(operations.c.reference.is_(None),)
)
_HERE = (
    sql.select(*(notifications.c[name] for name in (
        "id", "environment", "event", "reference", "operation_id", "times"
    )))
    .where(
        _among(notifications.c.environment, "environments"),
        _among(notifications.c.event, "events"),
    )
    .order_by(notifications.c.id)
    .with_for_update()
)  # fmt: skip
_INSERT = notifications.insert()
_COUNT = notifications.update().where(notifications.c.id == sql.bindparam("its_id"))
_SET_STATUS = operations.update().where(operations.c.id == sql.bindparam("its_id"))
_HAND_OVER = handlings.insert().values(
    notification_id=sql.select(notifications.c.id)
    .where(
        notifications.c.environment == sql.bindparam("its_environment"),
        notifications.c.event == sql.bindparam("its_event"),
    )
    .scalar_subquery()
)


@dataclass(frozen=True)
class _Matched:
    """A notification, the operations that it may mean, and by what they were found."""

    arrival: Arrival
    by: str | None = None
    operations: Sequence[dict[str, Any]] = ()

    @property
    def found(self) -> dict[str, Any] | None:
        """The operation, if there is just one."""
        return self.operations[0] if len(self.operations) == 1 else None


def receive(db: Any, arrivals: Sequence[Arrival]) -> list[Event]:
    """Keep notifications, and apply each one's status to the operation it belongs to.

    Those that name their operation, as nearly all do, are looked up and written together. The
    others are taken after them and one by one: what one changes decides what the next one matches.
    """
    marked = _by_marker(db, arrivals)
    together: dict[int, _Matched] = {}
    for number, arrival in enumerate(arrivals):
        operation = marked.get((arrival.environment, arrival.marker))
        if arrival.trusted is None:
            together[number] = _Matched(arrival)
        elif operation is not None:
            together[number] = _Matched(arrival, "marker", [operation])
    events = dict(zip(together, _keep(db, list(together.values())), strict=True))
    for number, arrival in enumerate(arrivals):
        if number not in together:
            events[number] = _keep(db, [_match(db, arrival)])[0]
    return [events[number] for number in range(len(arrivals))]


def _keep(db: Any, matched: Sequence[_Matched]) -> list[Event]:
    """Decide about them one after the other, then write it all."""
    identities = [_identity(each.arrival, each.found) for each in matched]
    here = _here(db, matched, identities)
    new: list[dict[str, Any]] = []
    repeated: dict[int, dict[str, Any]] = {}
    statuses: dict[str, dict[str, Any]] = {}
    handed: list[dict[str, Any]] = []
    events: list[Event] = []
    for each, identity in zip(matched, identities, strict=True):
        arrival, found = each.arrival, each.found
        known = (found["key"], found["operation"]) if found else (None, None)
        row = here.get((arrival.environment, identity))
        if row is not None:
            row["times"] += 1
            row["last_at"] = arrival.now
            if "id" in row:
                repeated[row["id"]] = row
            event = Event(
                "repeated", row["reference"], row["operation_id"], row["times"], identity, *known
            )
            events.append(event)
            continue
        # The reference as it is before this one is applied.
        row = _new_row(each, identity)
        if arrival.trusted is None:
            outcome = "unverified"
            row |= {"authorization": arrival.authorization, "marker": arrival.marker}
        elif found is None:
            outcome = "several match" if each.operations else "unmatched"
        else:
            outcome = _apply(db, arrival.trusted, found, arrival.now, statuses)
        row["outcome"] = outcome
        new.append(row)
        here[arrival.environment, identity] = row
        handed += _handed(row, arrival.hand_to(outcome, row["status"]))
        events.append(Event(outcome, row["reference"], row["operation_id"], 1, identity, *known))
    counted = [
        {"its_id": id, "times": row["times"], "last_at": row["last_at"]}
        for id, row in repeated.items()
    ]
    for statement, rows in (
        (_INSERT, new), (_COUNT, counted), (_SET_STATUS, list(statuses.values())),
        (_HAND_OVER, handed),
    ):  # fmt: skip
        if rows:
            db.execute(statement, rows)
    return events


def _new_row(matched: _Matched, identity: str) -> dict[str, Any]:
    """The row of a notification that is not here yet; its outcome is still to be decided."""
    arrival, found, notification = matched.arrival, matched.found, matched.arrival.notification
    reference = found["reference"] if found else None
    if notification is not None:
        reference = reference or notification.reference
    return {
        "environment": arrival.environment,
        "event": identity,
        "transaction_id": notification.transaction_id if notification else None,
        "status": notification.status if notification else None,
        "amount": notification.amount if notification else None,
        "currency": notification.currency if notification else None,
        "reference": reference,
        "operation_id": found["id"] if found else None,
        "matched_by": matched.by,
        "times": 1,
        "body": arrival.body.decode("utf-8", "backslashreplace"),
        "authorization": None,
        "marker": None,
        "received_at": arrival.now,
        "last_at": arrival.now,
    }


def _handed(row: dict[str, Any], handlers: Iterable[str]) -> list[dict[str, Any]]:
    """What leaves an event to its handlers, in the transaction that keeps it."""
    now = datetime.now(UTC)
    return [
        {"its_environment": row["environment"], "its_event": row["event"], "handler": name,
         "state": "due", "attempts": 0, "due_at": now, "updated_at": now}
        for name in handlers
    ]  # fmt: skip


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
    return receive(db, [arrival])[0]


def _by_marker(db: Any, arrivals: Sequence[Arrival]) -> dict[Any, dict[str, Any]]:
    """The operations that the addresses of notifications name, by environment and marker.

    Those and what :func:`_match` finds are locked until the transaction ends.
    """
    markers = {each.marker for each in arrivals if each.marker and each.trusted is not None}
    if not markers:
        return {}
    rows = db.execute(_BY_MARKER, {"markers": list(markers)}).mappings()
    return {(row["environment"], row["id"]): dict(row) for row in rows}


def _match(db: Any, arrival: Arrival) -> _Matched:
    """The operations that a notification may mean, where its address names none.

    By reference, then by session and amount: the first way that finds any decides.
    """
    notification = arrival.trusted
    assert notification is not None  # noqa: S101 - the rest is not matched
    reference = notification.reference
    ways: dict[str, tuple[Any, dict[str, Any]] | None] = {
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
            found = [dict(row) for row in db.execute(query, given).mappings()]
            if found:
                return _Matched(arrival, name, found)
    return _Matched(arrival)


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


def _here(
    db: Any, matched: Sequence[_Matched], identities: Sequence[str]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Those of them that are here already, by environment and identity."""
    if not matched:
        return {}
    environments = sorted({each.arrival.environment for each in matched})
    rows = db.execute(_HERE, {"environments": environments, "events": identities}).mappings()
    return {(row["environment"], row["event"]): dict(row) for row in rows}


def _apply(
    db: Any,
    notification: Notification,
    found: dict[str, Any],
    now: datetime,
    statuses: dict[str, dict[str, Any]],
) -> str:
    """Apply a status to ``found``; ``statuses`` collects what is to be written."""
    reference = notification.reference
    if reference and found["reference"] and reference != found["reference"]:
        # The marker stands in an address, which the token does not cover.
        return "conflict"
    if notification.amount != found["amount"] or (
        notification.currency and notification.currency != found["currency"]
    ):
        return "amount differs"
    if found["state"] != "created":
        # The answer to the create was lost, or someone looked too early: its notification
        # proves that it exists, and the key must not send it a second time.
        values = as_created(found["reference"] or reference)
        change(db, found["id"], **values)
        merged = merge_imported(db, found["id"]) or {}
        # The next one for it meets it as it is now.
        found |= {name: its for name, its in (values | merged).items() if name in found}
        if merged.get("status") == notification.status:
            # A file said so before, but of an operation that had no name of its own.
            return "applied"
    if found["status"] in FINAL:
        if notification.status in FINAL and notification.status != found["status"]:
            return "conflict"
        return "late"
    statuses[found["id"]] = {
        "status": notification.status, "updated_at": now, "its_id": found["id"]
    }  # fmt: skip
    found["status"] = notification.status
    return "applied"
