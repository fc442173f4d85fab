"""Books of another version: upgraded where they are, or refused by name and left alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
import sqlalchemy as sql
from books_support import BODY, PASSED, begin, create, only, receive
from processes import Ended, at_once

from pay88kit import Books, OutcomeUnknown
from pay88kit.errors import BooksError
from pay88kit.models.answers import Balance


def engine(url: str) -> sql.Engine:
    """The database without the kit."""
    return sql.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))


def change(url: str, *statements: str) -> None:
    db = engine(url)
    with db.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    db.dispose()


def version(url: str) -> tuple[str, bool]:
    """The recorded version, and whether operations have deadlines."""
    db = engine(url)
    with db.begin() as connection:
        found = connection.exec_driver_sql("SELECT value FROM meta").scalar_one()
    names = {column["name"] for column in sql.inspect(db).get_columns("operations")}
    db.dispose()
    return found, "deadline" in names


def make_version_3(url: str) -> None:
    """Books without evidence: one operation sent, one accepted, one unverified notification."""
    with closing(Books(url)) as books:
        begin(books, "op-0", deadline=PASSED)
        create(books)
        receive(books, verified=False, status="PENDING")
    change(
        url,
        "DROP TABLE evidence",
        "DROP TABLE movements",
        "DROP INDEX notifications_left_over",
        "ALTER TABLE balances DROP COLUMN last_notification",
        "ALTER TABLE balances DROP COLUMN limits",
        "ALTER TABLE balances DROP COLUMN alerts",
        "UPDATE meta SET value = '3'",
    )
    assert version(url) == ("3", True)


def make_version_2(url: str) -> None:
    """Books without handlers."""
    make_version_3(url)
    change(
        url,
        "DROP TABLE handlings",
        'ALTER TABLE notifications DROP COLUMN "authorization"',
        "ALTER TABLE notifications DROP COLUMN marker",
        "UPDATE meta SET value = '2'",
    )
    assert version(url) == ("2", True)


def make_version_1(url: str) -> None:
    """Books as the kit's first version left them."""
    make_version_2(url)
    change(
        url,
        "ALTER TABLE operations DROP COLUMN deadline",
        "UPDATE meta SET value = '1'",
    )
    assert version(url) == ("1", False)


@pytest.mark.parametrize("make", [make_version_1, make_version_2, make_version_3])
def test_books_of_an_older_version_are_upgraded_where_they_are(
    database_url: str, make: Callable[[str], None]
) -> None:
    make(database_url)
    with closing(Books(database_url)) as books:
        assert version(database_url) == ("4", True)
        assert only(books.unknown())["id"] == "op-0"
        assert receive(books).outcome == "applied"
        with pytest.raises(OutcomeUnknown):
            begin(books, "op-2")
        assert begin(books, "op-3", key="order-2").answer is None
        assert begin(books, "op-4", key="order-2").busy
        assert len(books.operations()) == 3
        assert list(books.notifications()["outcome"]) == ["unverified", "applied"]
        assert len(books.handlings.frame()) == 0
        assert len(books.evidence.frame()) == 0
        assert len(books.movements()) == 0
        books.save_balance(
            Balance(merchant_id="M"), environment="local", now=PASSED,
            report={"limits": "some", "alerts": "[]"},
        )  # fmt: skip
        kept = books.reported(environment="local", merchant_id="M", limits="some")
        assert kept is not None
        assert kept["alerts"] == "[]"
    indexes = sql.inspect(engine(database_url)).get_indexes("handlings")
    assert "handlings_by_time" in {index["name"] for index in indexes}
    indexes = sql.inspect(engine(database_url)).get_indexes("notifications")
    assert "notifications_left_over" in {index["name"] for index in indexes}


def test_an_upgrade_that_fails_changes_nothing(database_url: str) -> None:
    make_version_1(database_url)
    change(database_url, "ALTER TABLE operations RENAME TO away")
    with pytest.raises(BooksError, match="cannot be opened"):
        Books(database_url)
    change(database_url, "ALTER TABLE away RENAME TO operations")
    assert version(database_url) == ("1", False)


@pytest.mark.parametrize("old", [True, False])
def test_processes_that_open_books_at_once_make_or_upgrade_them_once(
    database_url: str, old: bool
) -> None:
    if old:
        make_version_1(database_url)
    imports = "import sys, psycopg; from pay88kit import Books"
    ended = at_once(4, imports, "", "Books(sys.argv[1]); print('open')", database_url)
    assert ended == [Ended(0, "open\n", "")] * 4
    assert version(database_url) == ("4", True)


@pytest.mark.parametrize("other", ["99", "0", ""])
def test_books_of_a_version_that_nobody_knows_are_refused_and_left_as_they_are(
    database_url: str, other: str
) -> None:
    Books(database_url).close()
    change(database_url, f"UPDATE meta SET value = '{other}'")  # noqa: S608
    with pytest.raises(BooksError, match=f"has schema version {other}, this kit knows 4"):
        Books(database_url)
    assert version(database_url) == (other, True)


def test_a_database_that_cannot_be_reached_is_named(database_url: str) -> None:
    url = database_url.replace("/books", "/no_such_folder/books", 1)
    with pytest.raises(BooksError, match=r"books: .* cannot be opened: .*\."):
        Books(url).begin(
            "charge", BODY, id="x", environment="local", merchant_id="M", key=None, now=PASSED
        )
