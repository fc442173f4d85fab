"""What shows that an item of 88Pay's checklist was done: one row for each item, place and kind.

Which items there are, and what counts for them, is the guide's business; here it is only kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError

from pay88kit.books.database import Database
from pay88kit.books.tables import EVIDENCE_COLUMNS, evidence
from pay88kit.frames import to_frame

if TYPE_CHECKING:
    import pandas as pd

_row = evidence.c


class Evidence:
    """The evidence in one database. Times are real time, whatever clock a sandbox has."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(
        self,
        item: int,
        kind: str,
        what: str,
        *,
        environment: str,
        merchant_id: str,
        now: datetime,
        reference: str | None = None,
        anew: bool = False,
    ) -> bool:
        """Keep a piece of evidence; returns whether it was written.

        The first one of its item, environment, merchant and kind stays, unless ``anew`` puts this
        one in its place.

        Raises:
            BooksError: it cannot be kept.
        """
        same = _same(item, kind, environment, merchant_id)
        known = sql.select(_row.id).where(same)
        if not anew:
            # Most is there already, and reading waits for nobody.
            with self._database.reading() as db:
                if db.scalar(known) is not None:
                    return False
        values = {
            "item": item, "kind": kind, "what": what, "environment": environment,
            "merchant_id": merchant_id, "reference": reference, "at": now,
        }  # fmt: skip
        try:
            with self._database.writing() as db:
                if anew:
                    db.execute(evidence.delete().where(same))
                elif db.scalar(known) is not None:
                    return False
                db.execute(evidence.insert().values(values))
        except IntegrityError:
            return False  # another process was quicker
        return True

    def remove(self, item: int, kind: str, *, environment: str, merchant_id: str) -> bool:
        """Take a piece of evidence away; returns whether it was there."""
        with self._database.writing() as db:
            found = db.execute(evidence.delete().where(_same(item, kind, environment, merchant_id)))
        return bool(found.rowcount)

    def frame(self) -> pd.DataFrame:
        """All of it, by item, the oldest first."""
        query = sql.select(evidence).order_by(_row.item, _row.at, _row.id)
        with self._database.reading() as db:
            rows = [dict(row) for row in db.execute(query).mappings()]
        return to_frame(rows, EVIDENCE_COLUMNS)


def _same(item: int, kind: str, environment: str, merchant_id: str) -> Any:
    return sql.and_(
        _row.item == item,
        _row.kind == kind,
        _row.environment == environment,
        _row.merchant_id == merchant_id,
    )
