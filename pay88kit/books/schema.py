"""The version of the tables: made where there are none, upgraded where they are older."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sql
from sqlalchemy.schema import CreateIndex, CreateTable

from pay88kit.books.database import Database
from pay88kit.books.tables import (
    SCHEMA_VERSION,
    evidence,
    handlings,
    meta,
    movements,
    notifications,
    tables,
)
from pay88kit.errors import BooksError

# By the version that they lead away from.
_UPGRADES: dict[str, tuple[str, tuple[sql.Executable, ...]]] = {
    "1": ("2", (sql.text("ALTER TABLE operations ADD COLUMN deadline VARCHAR(27)"),)),
    "2": (
        "3",
        (
            sql.text('ALTER TABLE notifications ADD COLUMN "authorization" TEXT'),
            sql.text("ALTER TABLE notifications ADD COLUMN marker TEXT"),
            CreateTable(handlings),
            *(CreateIndex(index) for index in handlings.indexes),
        ),
    ),
    "3": (
        "4",
        (
            CreateTable(evidence),
            CreateTable(movements),
            sql.text("ALTER TABLE balances ADD COLUMN last_notification INTEGER"),
            sql.text("ALTER TABLE balances ADD COLUMN limits TEXT"),
            sql.text("ALTER TABLE balances ADD COLUMN alerts TEXT"),
            *(CreateIndex(index) for index in notifications.indexes),
        ),
    ),
}
_IS_VERSION = meta.c.name == "schema_version"


def prepare(database: Database) -> None:
    """Make sure that the tables are there, of this version.

    Raises:
        BooksError: they are of a version that this kit does not know.
    """
    # Most books are there already, and some may only be read.
    with database.reading("opened") as db:
        if _version(db) == SCHEMA_VERSION:
            return
    with database.opening() as db:
        # Another process may have been quicker.
        found = _version(db)
        if found is None:
            for statement in _statements(db.dialect):
                db.exec_driver_sql(statement)
            db.execute(meta.insert().values(name="schema_version", value=SCHEMA_VERSION))
            return
        while found in _UPGRADES:
            found, changes = _UPGRADES[found]
            for change in changes:
                db.execute(change)
            db.execute(meta.update().where(_IS_VERSION).values(value=found))
        if found != SCHEMA_VERSION:
            raise BooksError(
                f"books: {database.shown} has schema version {found}, this kit knows "
                f"{SCHEMA_VERSION}. Use the version of pay88kit that made it, or other books."
            )


# By the kind of database. To word them takes longer than to carry them out.
_worded: dict[str, list[str]] = {}


def _statements(dialect: Any) -> list[str]:
    if dialect.name not in _worded:
        made: list[Any] = []
        for table in tables.sorted_tables:
            made.append(CreateTable(table, if_not_exists=True))
            made += [CreateIndex(index, if_not_exists=True) for index in table.indexes]
        _worded[dialect.name] = [str(each.compile(dialect=dialect)) for each in made]
    return _worded[dialect.name]


def _version(db: Any) -> str | None:
    if not sql.inspect(db).has_table(meta.name):
        return None
    version: str | None = db.scalar(sql.select(meta.c.value).where(_IS_VERSION))
    return version
