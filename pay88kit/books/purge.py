"""Removes customers' data, and leaves what the accounts need and what a key stands for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sql

from pay88kit import money
from pay88kit.books import fingerprint
from pay88kit.books.database import Database
from pay88kit.books.tables import FINAL, handlings, notifications, operations

# In one transaction: nobody else can write while it lasts.
_AT_ONCE = 500

_operation, _notification = operations.c, notifications.c
_is_final = sql.or_(
    _operation.state == "refused",
    sql.and_(_operation.state == "created", _operation.status.in_(FINAL)),
)


def purge(database: Database, before: datetime) -> int:
    """Empty the personal columns of what has ended; see :meth:`pay88kit.Books.purge`."""
    done = 0
    while True:
        with database.writing() as db:
            rows = _purge_operations(db, before)
        done += rows
        if rows < _AT_ONCE:
            break
    with database.writing() as db:
        done += _purge_notifications(db, before)
    database.forget()
    return done


def _purge_operations(db: Any, before: datetime) -> int:
    ended = [_is_final, _operation.updated_at < before]
    due = (
        sql.select(operations)
        .where(*ended, sql.not_(fingerprint.is_sealed(_operation.request)))
        .order_by(_operation.number)
        .limit(_AT_ONCE)
        .with_for_update()
    )
    rows = db.execute(due).mappings().all()
    for row in rows:
        values = {
            "customer_id": None,
            "description": None,
            "request": fingerprint.seal(row["request"]),
            "answer": _without_persons(row),
            # It may repeat what the request said.
            "error": None,
        }
        db.execute(operations.update().where(_operation.number == row["number"]).values(values))
    return len(rows)


def _without_persons(row: Any) -> str | None:
    """An answer that says which operation it was, and nothing of its customer."""
    if row["answer"] is None:
        return None
    kept = {name: row[name] for name in ("reference", "amount", "currency")}
    return money.dumps({"data": {n: value for n, value in kept.items() if value is not None}})


def _purge_notifications(db: Any, before: datetime) -> int:
    its_operation_is_open = (
        sql.select(_operation.id)
        .where(_operation.id == _notification.operation_id, sql.not_(_is_final))
        .exists()
    )
    due = sql.and_(
        _notification.last_at < before,
        _notification.body != "",
        sql.not_(its_operation_is_open),
        # A handler may still need its text.
        sql.not_(_its_handlings(handlings.c.state.in_(("due", "running")))),
    )
    # An unverified one is recognised by its body alone, and a hash of that could be tried out.
    event = sql.case(
        (
            _notification.outcome == "unverified",
            sql.literal("purged ") + sql.cast(_notification.id, sql.String),
        ),
        else_=_notification.event,
    )
    # A handler's error may repeat what the notification said.
    forget = handlings.update().values(last_error=None)
    its_notification_is_due = sql.select(_notification.id).where(due)
    db.execute(forget.where(handlings.c.notification_id.in_(its_notification_is_due)))
    values = {"body": "", "event": event, "authorization": None, "marker": None}
    return int(db.execute(notifications.update().where(due).values(values)).rowcount)


def _its_handlings(*which: Any) -> Any:
    query = sql.select(handlings.c.id).where(handlings.c.notification_id == _notification.id)
    return query.where(*which).exists()
