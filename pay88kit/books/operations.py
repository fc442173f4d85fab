"""What is recorded of a create: its states, and what a key that was used before means.

    sending ─→ created      88Pay's answer, or a notification
            ─→ refused      it surely does not exist; the same key may be sent again
            ─→ unknown      no answer, or none before the deadline
    unknown ─→ created, refused      by a notification, a late answer or a person

Every function takes the connection of a transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError

from pay88kit import money
from pay88kit.books import fingerprint
from pay88kit.books.database import Database
from pay88kit.books.tables import FINAL, notifications, operations
from pay88kit.errors import BooksError, KeyConflict, OutcomeUnknown

column = operations.c
# Fields of the body that have a column of their own.
_COPIED = ("method_code", "currency", "country", "customer_id", "description")
# How the ids of rows begin that only a file has told of.
IMPORTED = "file-"
_OVERDUE = "No answer came before its deadline."


@dataclass(frozen=True)
class Entry:
    """What the books say of an operation about to be sent.

    ``id`` marks it; with ``deadline`` it tells this sending from a later one of the same key.
    ``answer`` is the recorded answer when the key was used before, and then
    nothing is to be sent. ``busy``: another caller is sending it at this moment, so nothing is to
    be sent now; wait a little and ask again.
    """

    id: str
    answer: dict[str, Any] | None = None
    busy: bool = False
    deadline: datetime | None = field(default=None, compare=False)


def begin(database: Database, row: dict[str, Any]) -> Entry:
    """Commit ``row`` as about to be sent, or say what its key was used for."""
    for _ in range(3):
        try:
            with database.writing() as db:
                db.execute(operations.insert(), row)
            return Entry(row["id"], deadline=row["deadline"])
        except IntegrityError:
            # Its key is known, or its id: a new local sandbox of the same seed draws the ids that
            # these books have seen before.
            with database.writing() as db:
                found = _of_key(db, row)
                answer = None if found is None else _again(db, found, row)
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        row = row | {"id": str(uuid.uuid4())}
    raise BooksError(f"books: {database.shown} takes neither this operation nor any other.")


def new_row(body: Mapping[str, Any], now: datetime, **fields: Any) -> dict[str, Any]:
    """The row of an operation that is about to be sent."""
    return {
        **fields,
        "state": "sending",
        "request": money.dumps(dict(body)),
        "created_at": now,
        "updated_at": now,
        "amount": exact_or_none(body.get("amount")),
        **{name: _text_or_none(body.get(name)) for name in _COPIED},
    }


def _of_key(db: Any, row: Mapping[str, Any]) -> Any:
    """The operation that has the key of ``row``, locked; None where there is none."""
    if row["key"] is None:
        return None
    same = [column[n] == row[n] for n in ("environment", "merchant_id", "operation", "key")]
    return db.execute(sql.select(operations).where(*same).with_for_update()).mappings().first()


def _again(db: Any, found: Any, row: Mapping[str, Any]) -> Entry | Exception:
    """What a second caller of a key is told; an error as a value, so that the change is kept."""
    different = fingerprint.differences(found["request"], row["request"])
    if different is not None:
        return KeyConflict(row["key"], row["operation"], different)
    if found["state"] == "created":
        return Entry(found["id"], money.loads(found["answer"]))
    if found["state"] == "refused":
        # It surely does not exist: the same key may be tried again, by the one that finds it so.
        kept = {name: row[name] for name in row if name not in ("id", "created_at")}
        change(db, found["id"], error=None, **kept)
        return Entry(found["id"], deadline=row["deadline"])
    found = seen_now(found)
    if found["state"] == "sending":
        return Entry(found["id"], busy=True)
    change(db, found["id"], "sending", state="unknown", error=found["error"])
    reason = "It was sent before, and no answer is recorded."
    return OutcomeUnknown(row["operation"], reason, key=row["key"], marker=found["id"])


def seen_now(row: Mapping[str, Any]) -> dict[str, Any]:
    """An operation as it is at this moment: what is overdue is unknown, written so or not.

    ``updated_at`` stays: nothing has happened to it but time, and that is not the client's clock.
    """
    deadline = row["deadline"]
    overdue = row["state"] == "sending" and (deadline is None or deadline <= datetime.now(UTC))
    return {**row, "state": "unknown", "error": _OVERDUE} if overdue else dict(row)


def change(db: Any, id: str, *states_before: str, **values: Any) -> None:
    """Change one operation, if it is in one of these states (any, when none is named)."""
    here = operations.update().where(column.id == sql.bindparam("its_id"))
    if states_before:
        here = here.where(column.state.in_(states_before))
    # Given beside the statement, plain values cost half: SQLAlchemy need not look at each.
    computed = {n: value for n, value in values.items() if isinstance(value, sql.ClauseElement)}
    plain = {n: value for n, value in values.items() if n not in computed}
    db.execute(here.values(computed) if computed else here, {**plain, "its_id": id})


def end(db: Any, id: str, deadline: datetime | None, *states_before: str, **values: Any) -> bool:
    """Record what became of one sending; False when its key has been sent anew since.

    A caller may outlive its deadline: a person resolves the key, another caller sends it, and then
    the first one's answer comes. ``deadline`` is that of the sending, None for whichever it is.
    """
    if deadline is not None:
        row = db.execute(sql.select(column.deadline).where(column.id == id).with_for_update())
        if row.scalar() != deadline:
            return False
    change(db, id, *states_before, **values)
    return True


@cache
def _imported() -> Any:
    """The query for the imported rows of an operation's reference. Every create asks it."""
    twin = operations.alias().c
    own: Any = sql.bindparam("own")
    same = [twin[n] == column[n] for n in ("environment", "merchant_id", "amount", "currency")]
    # Of a PAYIN in a file it is not known whether it was a charge or a cash payment.
    same.append((twin.operation == "cashout") == (column.operation == "cashout"))
    its = (twin.id, twin.key, twin.status, twin.updated_at)
    return (
        sql.select(
            column.key, column.status,
            *(each.label(f"its_{each.name}") for each in its),
            (twin.operation == column.operation).label("same_kind"),
            # No condition: SQLite would look for the merchant, and read all that it has.
            sql.and_(*same).label("same"),
        )
        .where(column.id == own, twin.id != own, twin.id.startswith(IMPORTED))
        .where(twin.reference == column.reference)
        .with_for_update()
    )  # fmt: skip


def merge_imported(db: Any, id: str) -> dict[str, Any] | None:
    """Make one of an operation and the row that a file has told of it; its values afterwards.

    A file cannot know of which operation a reference is, while the answer to the create is lost.
    So when an operation receives its reference, and an imported row of the same merchant has it,
    that row goes, and the operation takes its status and time. None where there is no such row, or
    where direction, amount, currency or key contradict each other.
    """
    rows = db.execute(_imported(), {"own": id}).all()
    found = next((row for row in rows if row.same), None)
    if found is None:
        return None
    if found.its_key and (found.key not in (None, found.its_key) or not found.same_kind):
        return None
    db.execute(operations.delete().where(column.id == found.its_id))
    whose = notifications.c.operation_id
    db.execute(notifications.update().where(whose == found.its_id).values(operation_id=id))
    values = {"key": found.key or found.its_key}
    if found.status not in FINAL:
        values |= {"status": found.its_status, "updated_at": found.its_updated_at}
    change(db, id, **values)
    return values


def keep_apart(db: Any, id: str, **values: Any) -> str:
    """Keep an operation that exists beside the one that has taken over its key; its new id."""
    row = db.execute(sql.select(operations).where(column.id == id)).mappings().one()
    left_out = ("number", "id", "key", "deadline", "session_id", "answer")
    kept = {name: row[name] for name in row if name not in left_out}
    error = f"Accepted after its key {row['key']!r} was sent again: it may be charged twice."
    row = kept | values | {"id": str(uuid.uuid4()), "status": "PENDING", "error": error}
    db.execute(operations.insert().values(row))
    return str(row["id"])


def as_created(reference: str | None) -> dict[str, Any]:
    """The values of an operation that exists, where 88Pay's own answer to it is not known."""
    return {
        "state": "created",
        "reference": reference,
        "answer": money.dumps({"data": {"reference": reference}}),
        "error": None,
    }


def or_pending() -> Any:
    """The status that a notification has brought already, else that of every new operation."""
    return sql.func.coalesce(column.status, "PENDING")


def resolve(
    db: Any,
    key: str,
    *,
    created: str | None,
    environment: str | None,
    operation: str | None,
    now: datetime,
) -> None:
    """Record what a person found out; see :meth:`pay88kit.Books.resolve`."""
    asked = [sql.or_(column.key == key, column.id == key)]
    for name, value in (("environment", environment), ("operation", operation)):
        if value is not None:
            asked.append(column[name] == value)
    query = sql.select(operations).where(*asked).order_by(column.number).with_for_update()
    fitting = [seen_now(row) for row in db.execute(query).mappings()]
    found = [row for row in fitting if row["state"] == "unknown"]
    if len(found) != 1:
        raise BooksError(
            f"books: {len(found)} unknown operations have the key {key!r}; there must be one. "
            + _how_to_name_one(found, fitting)
        )
    values: dict[str, Any] = {"state": "refused", "error": "resolved: 88Pay has none"}
    if created is not None:
        values = as_created(created) | {"status": or_pending()}
    change(db, found[0]["id"], updated_at=now, **values)
    if created is not None and merge_imported(db, found[0]["id"]) is None:
        _refuse_two(db, found[0], created)


def _refuse_two(db: Any, found: Mapping[str, Any], reference: str) -> None:
    """Refuse a reference under which a file has told of something else."""
    its = (column.operation, column.amount, column.currency, column.key)
    where = [column[name] == found[name] for name in ("environment", "merchant_id")]
    where += [column.reference == reference, column.id.startswith(IMPORTED)]
    other = db.execute(sql.select(*its).where(*where)).first()
    if other is not None:
        key = f" with the key {other.key!r}" if other.key else ""
        own = found["key"] or found["id"]
        raise BooksError(
            f"books: an imported file has {reference} as a {other.operation} of "
            f"{money.show(other.amount, other.currency)}{key}, which {own!r} "
            f"is not. Find out whose reference it is; nothing was changed."
        )


def _how_to_name_one(found: list[Any], fitting: list[Any]) -> str:
    if found:
        listed = ", ".join(
            f"{row['operation']} {row['id']} ({row['environment']})" for row in found
        )
        return f"Add operation= or environment=, or give an id in place of the key: {listed}."
    states = ", ".join(f"{row['operation']} {row['id']} is {row['state']}" for row in fitting)
    listed = f" ({states})" if states else ""
    return f"books.unknown() lists those that can be resolved{listed}."


def exact_or_none(value: Any) -> Decimal | None:
    """An amount, or None for what is not one.

    With ``check=False`` anything may be sent; what is no amount is kept in ``request`` only.
    """
    try:
        return money.exact(value)
    except Exception:
        return None


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None
