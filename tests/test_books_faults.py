"""Books that cannot be written: a clear error, and nothing is sent."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from books_support import create

from pay88kit import Books, Pay88, Sandbox
from pay88kit.errors import BooksError

ORDER: dict[str, Any] = {
    "method_code": "PSE",
    "amount": 50_000,
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
    "notification_url": "https://shop.example/hook",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Books with one operation in them."""
    path = tmp_path / "books.db"
    with closing(Books(f"sqlite:///{path}")) as books:
        create(books)
    return path


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as world:
        yield world


def refused(sandbox: Sandbox, books: Books) -> str:
    """What a client of these books says; 88Pay hears nothing of it, not even for a token."""
    with Pay88(sandbox.config, books=books) as client, pytest.raises(BooksError) as caught:
        client.charge(**ORDER, key="order-1")
    assert sandbox.transactions() == []
    assert sandbox.requests() == []
    return str(caught.value)


def test_a_locked_file(sandbox: Sandbox, file: Path) -> None:
    url = f"sqlite:///{file}?timeout=0.1"
    with closing(Books(url)) as books:
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert refused(sandbox, books) == (
                f"books: {url} cannot be written: database is locked. Another program is writing "
                f"to it: end that program, or try again. Nothing was sent."
            )
            # Whoever only reads is not in the way of it.
            assert len(books.operations()) == 1
        with Pay88(sandbox.config, books=books) as client:
            assert client.charge(**ORDER, key="order-1").reference


@pytest.mark.parametrize("how", ["mode=ro", "immutable=1"])
def test_a_read_only_file(sandbox: Sandbox, file: Path, how: str) -> None:
    with closing(Books(f"sqlite:///file:{file}?{how}&uri=true")) as books:
        said = refused(sandbox, books)
        assert "cannot be written: attempt to write a readonly database. Give this program" in said
        assert said.endswith("the right to write there, or name other books. Nothing was sent.")
        assert len(books.operations()) == 1


def test_a_disk_that_has_no_page_left(sandbox: Sandbox, file: Path) -> None:
    def limit(connection: Any, _: Any) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    sql.event.listen(sql.Engine, "connect", limit)
    try:
        books = Books(f"sqlite:///{file}")
        long = ORDER | {"description": "x" * 200, "customer_id": "y" * 20_000}
        with Pay88(sandbox.config, books=books) as client, pytest.raises(BooksError) as caught:
            client.charge(**long)
    finally:
        sql.event.remove(sql.Engine, "connect", limit)
    assert sandbox.requests() == []
    assert str(caught.value) == (
        f"books: sqlite:///{file} cannot be written: database or disk is full. Free some space on "
        f"its disk. Nothing was sent."
    )
    books.close()


FULL = """
import resource, sys
from pay88kit import Books, Pay88, Sandbox
from pay88kit.errors import BooksError
books = Books(sys.argv[1])
with Sandbox(limits=None) as sandbox, Pay88(sandbox.config, books=books) as client:
    import test_books_faults
    # From here on no file of this process may grow, as on a disk without space.
    resource.setrlimit(resource.RLIMIT_FSIZE, (64_000, resource.RLIM_INFINITY))
    accepted = 0
    try:
        while True:
            client.charge(**test_books_faults.ORDER)
            accepted += 1
    except BooksError as error:
        print(error)
    print(accepted == len(sandbox.transactions()), accepted < 1000)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's size")
def test_a_file_that_cannot_grow(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, f"sqlite:///{file}"],
        cwd=Path(__file__).parent, env=os.environ | {"PYTHONPATH": "."},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said, counted = done.stdout.splitlines()
    assert "cannot be written: disk I/O error. Look at its disk: it may be full" in said
    assert said.endswith("Nothing was sent.")
    assert counted == "True True"


# ---------------------------------------------------------------- PostgreSQL


def test_a_locked_table_of_postgresql(sandbox: Sandbox, postgres: Any) -> None:
    with postgres.database() as url, postgres.connect(url) as other:
        books = Books(f"{url}&options=-c%20lock_timeout%3D100")
        other.execute("LOCK TABLE operations IN ACCESS EXCLUSIVE MODE")
        said = refused(sandbox, books)
        assert "cannot be written: canceling statement due to lock timeout. Another" in said
        other.rollback()
        with Pay88(sandbox.config, books=books) as client:
            assert client.charge(**ORDER).reference
        books.close()


def test_a_lock_is_not_waited_for_for_ever(
    postgres: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pay88kit.books.database.PATIENCE", 1)
    with postgres.database() as url, postgres.connect(url) as other, closing(Books(url)) as books:
        other.execute("LOCK TABLE operations IN ACCESS EXCLUSIVE MODE")
        assert "lock timeout" in refused(sandbox, books)


def test_a_read_only_postgresql(sandbox: Sandbox, postgres: Any) -> None:
    with postgres.database() as url:
        Books(url).close()
        with closing(Books(f"{url}&options=-c%20default_transaction_read_only%3Don")) as books:
            said = refused(sandbox, books)
            assert "cannot execute INSERT in a read-only transaction. Give this program" in said
            assert books.operations().empty


def test_a_connection_that_the_server_ended_is_made_again(sandbox: Sandbox, postgres: Any) -> None:
    with postgres.database() as url, closing(Books(url)) as books:
        with postgres.connect(url) as other:
            ended = other.execute(
                "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()
        assert ended[0] >= 1
        with Pay88(sandbox.config, books=books) as client:
            assert client.charge(**ORDER).reference


def test_a_server_that_is_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(BooksError, match=r"cannot be opened: .*Look whether the server runs"):
        Books(f"postgresql://me@/books?host={tmp_path}")


def test_a_database_that_is_not_there(postgres: Any) -> None:
    with postgres.database() as url, pytest.raises(BooksError, match="Create it first"):
        Books(url.replace("/books_", "/other_"))
