"""A copy of the books in a file, and how the books find what a create needs."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql

from pay88kit import Books, BooksError, Pay88, Sandbox

ORDER: dict[str, Any] = {
    "method_code": "PSE", "amount": 50_000, "currency": "COP", "country": "COL",
    "description": "Order", "customer_id": "c", "notification_url": "http://127.0.0.1:9/hook",
}  # fmt: skip


def test_a_copy_has_all_and_goes_on_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    with Sandbox() as sandbox, Pay88(sandbox.config, books="sqlite://") as client:
        client.charge(key="order-1", **ORDER)
        client.books.copy_to(file)
        before = client.books.operations()
        client.charge(key="order-2", **ORDER)
        kept = Books(f"sqlite:///{file}")
        assert kept.operations().equals(before)
        with Pay88(sandbox.config, books=kept) as other:
            other.charge(key="order-3", **ORDER)
        assert list(kept.operations()["key"]) == ["order-1", "order-3"]
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("mine")
    with pytest.raises(BooksError, match=r"mine.txt cannot be made .* Name a new file"):
        Books().copy_to(file)
    assert file.read_text() == "mine"
    with pytest.raises(BooksError, match="Name a new file in a folder that is there"):
        Books().copy_to(tmp_path / "no" / "copy.db")


def test_what_cannot_be_copied_leaves_no_part_of_it(tmp_path: Path) -> None:
    damaged, file = tmp_path / "damaged.db", tmp_path / "copy.db"
    with Sandbox() as sandbox, Pay88(sandbox.config, books="sqlite://") as client:
        for number in range(20):
            client.charge(key=f"order-{number}", **ORDER)
        client.books.copy_to(damaged)
        whole = damaged.read_bytes()
        damaged.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
        with pytest.raises(BooksError, match=r"damaged.db cannot be copied"):
            Books(f"sqlite:///{damaged}").copy_to(file)
        assert not file.exists()
        client.books.copy_to(file)
    assert file.read_bytes() == whole


def test_books_in_postgresql_name_their_own_way(postgres: Any) -> None:
    with (
        postgres.database() as url,
        pytest.raises(BooksError, match=r"no SQLite database\. Copy it with pg_dump"),
    ):
        Books(url).copy_to("copy.db")


def test_a_create_reads_a_few_rows_however_many_there_are(tmp_path: Path) -> None:
    file = tmp_path / "books.db"
    asked: list[tuple[str, Any]] = []

    def note(*event: Any) -> None:
        asked.append((event[2], event[3]))

    with Sandbox() as sandbox, Pay88(sandbox.config, books=f"sqlite:///{file}") as client:
        client.books.operations()
        sql.event.listen(sql.Engine, "before_cursor_execute", note)
        try:
            client.charge(key="order-1", **ORDER)
        finally:
            sql.event.remove(sql.Engine, "before_cursor_execute", note)
    queries = [each for each in asked if each[0].startswith(("SELECT", "UPDATE"))]
    assert len(queries) >= 3
    with sqlite3.connect(file) as db:
        for query, values in queries:
            for *_, how in db.execute(f"EXPLAIN QUERY PLAN {query}", values):
                # By time are all of a merchant's; a scan would read those of everybody.
                assert "operations_by_time" not in how, query
                assert not how.startswith("SCAN"), query
    db.close()
