"""A time out of the books: the right rows, found by an index and not by reading all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sql
from books_support import BODY, NOW, begin

from pay88kit import Books
from pay88kit.books import tables
from pay88kit.errors import BooksError
from pay88kit.models.answers import Balance

MERCHANT = "MCH-COL-29ZTP4"
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def books(database_url: str) -> Iterator[Books]:
    with closing(Books(database_url)) as books:
        yield books


@contextmanager
def plans(books: Books) -> Iterator[list[str]]:
    """How the database does what it is asked meanwhile, in its own words."""
    found: list[str] = []
    engine = books._database._engine
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "

    def look(
        connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool
    ) -> None:
        if statement.startswith("SELECT") and not many:
            beside = cursor.connection.cursor()
            beside.execute(explain + statement, values)
            found.append(" ".join(str(row) for row in beside.fetchall()))

    sql.event.listen(engine, "before_cursor_execute", look)
    yield found
    sql.event.remove(engine, "before_cursor_execute", look)


def fill(books: Books, count: int = 20_000) -> None:
    """Operations of a year and a half, an hour and a bit apart; and as many notifications."""
    with books._database.writing() as db:
        rows = [
            {"id": f"op-{n}", "environment": "production", "merchant_id": MERCHANT,
             "operation": "charge", "state": "created", "status": "COMPLETED", "request": "{}",
             "reference": f"R{n}", "created_at": START + timedelta(minutes=40 * n),
             "updated_at": START + timedelta(minutes=40 * n)}
            for n in range(count)
        ]  # fmt: skip
        db.execute(tables.operations.insert(), rows)
        heard = [
            {"environment": "production", "event": f"{n}", "status": "COMPLETED",
             "outcome": "applied" if n % 1000 else "unmatched", "times": 1, "body": "{}",
             "operation_id": f"op-{n}", "received_at": START, "last_at": START}
            for n in range(count)
        ]  # fmt: skip
        db.execute(tables.notifications.insert(), heard)
    if books._database._kind == "postgresql":
        with books._database.writing() as db:
            db.exec_driver_sql("ANALYZE")


def test_a_month_is_found_by_its_index(books: Books) -> None:
    fill(books)
    end = START + timedelta(days=31)
    with plans(books) as found:
        month = books.operations(START, end, environment="production", merchant_id=MERCHANT)
    (plan,) = found
    assert "operations_by_time" in plan
    assert "SCAN operations" not in plan
    assert list(month["reference"]) == [f"R{n}" for n in range(31 * 36)]


def test_the_first_and_the_last_snapshot_are_found_by_their_index(books: Books) -> None:
    with plans(books) as found:
        books.accounts.snapshot("production", MERCHANT, before=NOW, last=True)
        books.balances(NOW, environment="production", merchant_id=MERCHANT)
    for plan in found:
        if books._database._kind == "sqlite":  # PostgreSQL reads an empty table as it is
            assert "balances_by_time" in plan


def test_notifications_left_over_are_found_among_many_by_their_index(books: Books) -> None:
    fill(books)
    with plans(books) as found:
        left = books.accounts.left_over("production", MERCHANT, "COP")
    assert left == []
    (plan,) = found
    assert "notifications_left_over" in plan


def test_a_range_has_its_start_and_not_its_end(books: Books) -> None:
    for n in range(4):
        begin(books, f"op-{n}", key=f"order-{n}", now=NOW + timedelta(hours=n))
        balance = Balance.read({"data": {"merchant_id": "M", "balance_summary": {}}})
        books.save_balance(balance, environment="local", now=NOW + timedelta(hours=n))
    start, end = NOW + timedelta(hours=1), NOW + timedelta(hours=3)
    assert list(books.operations(start, end)["id"]) == ["op-1", "op-2"]
    assert list(books.operations(end=start)["id"]) == ["op-0"]
    assert list(books.operations(start)["id"]) == ["op-1", "op-2", "op-3"]
    assert list(books.balances(start, end)["taken_at"]) == [start, NOW + timedelta(hours=2)]


def test_environments_and_merchants_narrow(books: Books) -> None:
    begin(books, "op-1")
    begin(books, "op-2", environment="sandbox")
    begin(books, "op-3", merchant_id="MCH-MEX-AAAAAA")
    assert list(books.operations(environment="local")["id"]) == ["op-1", "op-3"]
    assert list(books.operations(merchant_id=MERCHANT)["id"]) == ["op-1", "op-2"]
    assert list(books.operations(environment="local", merchant_id=MERCHANT)["id"]) == ["op-1"]


def test_a_time_without_a_zone_is_refused(books: Books) -> None:
    begin(books, body=BODY)
    for name in ("start", "end"):
        with pytest.raises(BooksError, match=f"{name} has no time zone"):
            books.operations(**{name: datetime(2026, 1, 1)})


@pytest.mark.parametrize("asked", ["operations", "balances"])
def test_what_is_no_range_is_refused_not_empty(books: Books, asked: str) -> None:
    with pytest.raises(BooksError, match="start is after end"):
        getattr(books, asked)(NOW, NOW - timedelta(seconds=1))
    assert getattr(books, asked)(NOW, NOW).empty
    for moment, name in ((NOW.date(), "date"), (NOW.isoformat(), "str")):
        with pytest.raises(BooksError, match=f"start is a {name}, not a datetime. Give one: "):
            getattr(books, asked)(moment)
