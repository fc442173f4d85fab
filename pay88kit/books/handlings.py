"""Who does what after a notification: handlings, claimed one at a time, for a time.

A handling is one event for one handler. It was written in the transaction that kept the event, so
nothing between the two can lose it. Whoever claims it has it until its lease ends; a worker that
died does not renew its lease, and another one takes over. So it runs at least once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql

from pay88kit.books.database import Database
from pay88kit.books.tables import HANDLING_COLUMNS, handlings, notifications, operations
from pay88kit.frames import to_frame

if TYPE_CHECKING:
    import pandas as pd

_handling, _notification = handlings.c, notifications.c
_OPEN = ("due", "running")
# More than may wait for another handler of their event at one time.
_CANDIDATES = 50
_ERROR = 500


@dataclass(frozen=True)
class Handling:
    """A handling that was claimed, and the event's row as it stands in the books.

    ``attempts`` counts this one; it also tells this claim from a later one. ``key`` and
    ``operation`` are those of the event's operation.
    """

    id: int
    handler: str
    attempts: int
    row: Any
    key: str | None
    operation: str | None


class Handlings:
    """The handlings of one database. Every time is real time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self, handlers: Collection[str], most: int, *, environment: str, now: datetime,
        until: datetime,
    ) -> Handling | None:  # fmt: skip
        """Take the next handling that is due for one of ``handlers``; None when there is none.

        While a handler has an event, no other one gets it. What was tried ``most`` times, the last
        of them by a worker that died, is given up.
        """
        query = (
            self._joined(_handling.id, _handling.notification_id)
            .where(
                _notification.environment == environment,
                _handling.handler.in_(handlers),
                _handling.state.in_(_OPEN),
                _handling.due_at <= now,
            )
            .order_by(_handling.due_at, _handling.id)
            .limit(_CANDIDATES)
        )
        with self._database.reading() as db:
            candidates = db.execute(query).all()
        for id, event in candidates:
            with self._database.writing() as db:
                claimed = _take(db, id, event, most, now, until)
            if claimed is not None:
                return claimed
        return None

    def renew(self, handling: Handling, *, until: datetime) -> None:
        """Keep a handling for longer."""
        self._change(handling, due_at=until)

    def end(
        self, handling: Handling, state: str, *, now: datetime, due_at: datetime | None = None,
        error: str | None = None,
    ) -> None:  # fmt: skip
        """Give a handling back: ``done``, ``failed``, or ``due`` again at ``due_at``.

        One whose lease ended, and that somebody else has now, stays theirs.
        """
        error = error and error[:_ERROR]
        self._change(handling, state=state, due_at=due_at or now, last_error=error, updated_at=now)

    def _change(self, handling: Handling, **values: Any) -> None:
        mine = (
            _handling.id == handling.id,
            _handling.state == "running",
            _handling.attempts == handling.attempts,
        )
        with self._database.writing() as db:
            db.execute(handlings.update().where(*mine).values(values))

    def run_again(self, event: str | None, *, environment: str, now: datetime) -> int:
        """Make what failed due again, of one event or of all; returns how many."""
        its = sql.select(_notification.id).where(_notification.environment == environment)
        if event is not None:
            its = its.where(_notification.event == event)
        failed = (_handling.state == "failed", _handling.notification_id.in_(its))
        values = {"state": "due", "attempts": 0, "due_at": now, "updated_at": now}
        with self._database.writing() as db:
            return int(db.execute(handlings.update().where(*failed).values(values)).rowcount)

    def count_open(self, handlers: Collection[str], *, environment: str) -> int:
        """How many are due, now or later, or running."""
        query = self._joined(sql.func.count()).where(
            _notification.environment == environment,
            _handling.handler.in_(handlers),
            _handling.state.in_(_OPEN),
        )
        with self._database.reading() as db:
            return int(db.scalar(query))

    def frame(self, state: str | None = None) -> pd.DataFrame:
        """Every handling, or those of one state, oldest first."""
        query = self._joined(handlings, *(_notification[name] for name in _OF_THE_EVENT))
        if state is not None:
            query = query.where(_handling.state == state)
        with self._database.reading() as db:
            rows = [dict(row) for row in db.execute(query.order_by(_handling.id)).mappings()]
        return to_frame(rows, HANDLING_COLUMNS)

    @staticmethod
    def _joined(*columns: Any) -> Any:
        joined = handlings.join(notifications, _notification.id == _handling.notification_id)
        return sql.select(*columns).select_from(joined)


_OF_THE_EVENT = [name for name in HANDLING_COLUMNS if name not in _handling]


def _take(
    db: Any, id: int, event: int, most: int, now: datetime, until: datetime
) -> Handling | None:
    # Here those that want this event queue up. Only then is it looked at who has it: in
    # PostgreSQL a query sees what was committed before it began.
    query = sql.select(notifications).where(_notification.id == event).with_for_update()
    row = db.execute(query).mappings().first()
    siblings = db.execute(sql.select(handlings).where(_handling.notification_id == event))
    found = {sibling["id"]: sibling for sibling in siblings.mappings()}
    mine = found.get(id)
    taken = any(each["state"] == "running" and each["due_at"] > now for each in found.values())
    if row is None or mine is None or taken or mine["state"] not in _OPEN or mine["due_at"] > now:
        return None
    given_up = mine["attempts"] >= most
    values: dict[str, Any] = {"updated_at": now}
    if given_up:
        values |= {"state": "failed", "last_error": "its worker died each time"}
    else:
        values |= {"state": "running", "attempts": mine["attempts"] + 1, "due_at": until}
    db.execute(handlings.update().where(_handling.id == id).values(values))
    if given_up:
        return None
    its = sql.select(operations.c.key, operations.c.operation)
    known = db.execute(its.where(operations.c.id == row["operation_id"])).first() or (None, None)
    return Handling(id, mine["handler"], values["attempts"], row, *known)
