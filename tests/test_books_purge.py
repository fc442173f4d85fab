"""Customers' data is removed for good; accounts and keys stay."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from books_support import BODY, LATER, NOW, PASSED, SESSION, begin, create, only, operation, receive
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pay88kit import Books, Pay88, Sandbox
from pay88kit.books import Entry
from pay88kit.errors import BooksError, KeyConflict

# After everything that has happened here.
AFTER = LATER + timedelta(days=1)
# Everything of a person that these tests write, and nothing else holds.
PERSON = "Ana-María-Canary"
PERSONAL: dict[str, Any] = BODY | {
    "customer_id": f"{PERSON} id",
    "description": f"{PERSON} order",
    "bank_details": {"holder_name": f"{PERSON} holder", "account_number": f"{PERSON} 99"},
}


@pytest.fixture
def books(database_url: str) -> Iterator[Books]:
    with closing(Books(database_url)) as opened:
        yield opened


def finish(books: Books, id: str = "op-1", reference: str = "REF-1", **changes: Any) -> None:
    """An operation that came to its end, with a person's data wherever they can be."""
    create(books, id, reference, body=PERSONAL, **changes)
    answer = {"data": {"reference": reference, "holder": f"{PERSON} answer", "amount": 5}}
    books.created(id, answer, reference=reference, session_id=SESSION, now=NOW)
    receive(books, reference=reference, customer=f"{PERSON} body")


def text_of(database_url: str, tmp_path: Path) -> bytes:
    """Everything that is in the database: the bytes of its files, or its rows."""
    if database_url.startswith("sqlite"):
        return b"".join(path.read_bytes() for path in sorted(tmp_path.glob("books.db*")))
    import psycopg

    with psycopg.connect(database_url) as db:
        tables = ("operations", "notifications", "balances", "meta")
        rows = [db.execute(f"SELECT * FROM {name}").fetchall() for name in tables]  # noqa: S608
    return str(rows).encode()


def test_nothing_of_the_customer_is_left(books: Books, database_url: str, tmp_path: Path) -> None:
    finish(books)
    begin(books, "op-2", body=PERSONAL, key="order-2")
    books.refused("op-2", f"charge: 400 {PERSON} is unknown", now=NOW)
    receive(books, reference="nobody's", customer=f"{PERSON} body")
    receive(books, verified=False, customer=f"{PERSON} body")
    canary, escaped = PERSON.encode(), PERSON.encode("ascii", "backslashreplace")
    before = text_of(database_url, tmp_path)
    assert canary in before or b"Canary" in before
    assert books.purge(before=AFTER) == 5
    left = text_of(database_url, tmp_path)
    for trace in (canary, escaped, b"Canary"):
        assert trace not in left
    assert b"REF-1" in left


def test_nothing_is_left_where_sqlite_does_not_overwrite_what_it_frees(tmp_path: Path) -> None:
    def careless(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA secure_delete = OFF")

    sql.event.listen(sql.Engine, "connect", careless)
    try:
        with closing(Books(f"sqlite:///{tmp_path / 'books.db'}")) as books:
            # Too long for one page.
            create(books, body=PERSONAL | {"note": f"{PERSON} " * 1000})
            receive(books)
            assert books.purge(before=AFTER) == 2
            assert b"Canary" not in text_of("sqlite", tmp_path)
    finally:
        sql.event.remove(sql.Engine, "connect", careless)


def test_what_the_accounts_need_stays(books: Books) -> None:
    finish(books)
    row, kept = operation(books), only(books.notifications())
    books.purge(before=AFTER)
    assert operation(books) == row | {"customer_id": None, "description": None}
    assert only(books.notifications()) == kept


def test_its_key_never_charges_again(books: Books) -> None:
    finish(books)
    books.purge(before=AFTER)
    known = {"reference": "REF-1", "amount": Decimal("50000.10"), "currency": "COP"}
    moved = PERSONAL | {"notification_url": "https://other.example/hook"}
    for body in (PERSONAL, moved, dict(reversed(PERSONAL.items()))):
        again = begin(books, "op-2", body=body, key="key of op-1")
        assert again == Entry("op-1", {"data": known})
    for change in ({"amount": 1}, {"description": "x"}, {"bank_details": {}}, {"new": None}):
        with pytest.raises(KeyConflict, match="with other contents"):
            begin(books, "op-2", body=PERSONAL | change, key="key of op-1")
    assert len(books.operations()) == 1


def test_a_purged_refused_operation_may_be_tried_again(books: Books) -> None:
    begin(books, body=PERSONAL)
    books.refused("op-1", "429", now=NOW)
    assert books.purge(before=AFTER) == 1
    assert begin(books, "op-2", body=PERSONAL) == Entry("op-1")
    assert operation(books)["customer_id"] == PERSONAL["customer_id"]
    with pytest.raises(KeyConflict, match="another amount"):
        begin(books, "op-2", body=PERSONAL | {"amount": 1})


def test_a_purged_notification_is_still_known(books: Books) -> None:
    finish(books)
    books.purge(before=AFTER)
    assert receive(books, reference="REF-1", customer="again").outcome == "repeated"
    assert receive(books, reference="REF-1", status="REJECTED").outcome == "conflict"
    assert operation(books)["status"] == "COMPLETED"


def test_what_is_open_is_not_purged(books: Books) -> None:
    create(books, "op-pending", "REF-1", body=PERSONAL)
    receive(books, reference="REF-1", status="IN_REVIEW", customer=PERSON)
    begin(books, "op-sending", body=PERSONAL, key="1")
    begin(books, "op-overdue", body=PERSONAL, key="2", deadline=PASSED)
    begin(books, "op-unknown", body=PERSONAL, key="3")
    books.lost("op-unknown", "lost", session_id=None, now=NOW)
    before = books.operations().to_dict("records")
    assert books.purge(before=AFTER) == 0
    assert books.operations().to_dict("records") == before
    assert begin(books, "op-9", body=PERSONAL, key="1").busy
    # Once it has ended, it goes too.
    receive(books, reference="REF-1")
    assert books.purge(before=AFTER) == 3
    assert operation(books, "op-pending")["customer_id"] is None


def test_only_what_is_older_is_purged_and_each_row_once(books: Books) -> None:
    finish(books, "op-1", "REF-1")
    receive(books, reference="REF-1", now=LATER + timedelta(hours=2))
    assert books.purge(before=LATER) == 0
    assert operation(books)["customer_id"] is not None
    assert books.purge(before=LATER + timedelta(hours=1)) == 1
    assert operation(books)["customer_id"] is None
    assert [books.purge(before=AFTER) for _ in range(2)] == [1, 0]


def test_many_are_purged_in_parts(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pay88kit.books.purge._AT_ONCE", 2)
    for number in range(5):
        finish(books, f"op-{number}", f"R{number}")
    assert books.purge(before=AFTER) == 10
    assert books.operations()["customer_id"].isna().all()


def test_a_time_without_a_zone_is_refused(books: Books) -> None:
    finish(books)
    with pytest.raises(BooksError, match=r"before has no time zone\. Give one: datetime\("):
        books.purge(before=datetime(2030, 1, 1))
    assert operation(books)["customer_id"] is not None


def test_who_reads_at_the_same_time_is_told_of(tmp_path: Path) -> None:
    file = tmp_path / "books.db"
    with closing(Books(f"sqlite:///{file}?timeout=0.1")) as books:
        finish(books)
        with closing(sqlite3.connect(file, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM operations").fetchone()
            with pytest.raises(BooksError, match=r"still .*End that program and purge again"):
                books.purge(before=AFTER)
        assert books.purge(before=AFTER) == 0
        assert b"Canary" not in b"".join(p.read_bytes() for p in tmp_path.glob("books.db*"))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(-100, 100, places=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
bodies = st.dictionaries(st.sampled_from("abcd"), values, max_size=3)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_purged_body_is_compared_as_it_was_before(data: st.DataObject) -> None:
    first = data.draw(bodies)
    second = data.draw(st.just(dict(reversed(first.items()))) | bodies)
    books = Books()
    begin(books, body=first)
    books.refused("op-1", "429", now=NOW)

    def conflicts() -> bool:
        try:
            begin(books, "op-2", body=second)
            books.refused("op-1", "429", now=NOW)
        except KeyConflict:
            return True
        return False

    before = conflicts()
    assert before == (conflicts_as_data(first, second))
    begin(books, body=first)
    books.refused("op-1", "429", now=NOW)
    assert books.purge(before=AFTER) == 1
    assert conflicts() == before
    books.close()


def conflicts_as_data(first: Any, second: Any) -> bool:
    """Whether two bodies differ, said in another way: every leaf by its type and value."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return (isinstance(value, bool), value)

    return bool(plain(first) != plain(second))


def test_a_client_repeats_a_purged_charge_with_its_reference() -> None:
    order: dict[str, Any] = {
        "method_code": "PSE", "amount": "50000.50", "currency": "COP", "country": "COL",
        "description": "Order 1001", "customer_id": "customer-7",
        "notification_url": "https://shop.example/hook",
    }  # fmt: skip
    with Sandbox() as sandbox, Pay88(sandbox.config, books="sqlite://") as client:
        first = client.charge(**order, key="order-1")
        books = client.books
        assert books is not None
        id = books.operations()["id"][0]
        receive(
            books, marker=id, reference=first.reference, amount="50000.50",
            environment="local", id="t",
        )  # fmt: skip
        assert books.purge(before=AFTER) == 2
        again = client.charge(**order, key="order-1")
        assert (again.reference, again.amount) == (first.reference, Decimal("50000.50"))
        assert len(sandbox.transactions()) == 1
