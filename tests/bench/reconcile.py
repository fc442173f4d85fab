"""Reconciling books of many operations, and a month out of them."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pay88kit import Books
from pay88kit.balance import reconcile
from pay88kit.models.answers import Balance
from tests.bench.measure import Row, in_turns, say

MERCHANT = "MCH-COL-29ZTP4"
START = datetime(2026, 1, 1, tzinfo=UTC)
# A year of them, whatever their number.
YEAR = timedelta(days=365)
FULL, TENTH = 1_000_000, 100_000
ROUNDS = 3  # of what takes seconds


def speed() -> Iterator[Row]:
    """Both sizes in turns; the second goal is that ten times as many take ten times as long."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = {}
        for count in (FULL, TENTH):
            say(f"bench: writing books of {count:,} operations …")
            sizes[count] = written(Path(folder) / f"{count}.db", count)
        with closing(sizes[FULL]) as full, closing(sizes[TENTH]) as tenth:
            took = in_turns(
                {"full": lambda: _seconds(full), "tenth": lambda: _seconds(tenth)}, ROUNDS
            )
            yield Row("reconciling 1,000,000 operations", took["full"], "s", "10 s", 10, "≤ 1")
            yield Row(
                "reconciling 1,000,000 operations", took["full"], "s", "100,000 of them",
                took["tenth"], "≤ 12",
            )  # fmt: skip
            # The same number of rows out of both.
            rows = in_turns(
                {"full": lambda: _range(full, 30), "tenth": lambda: _range(tenth, 300)}, ROUNDS
            )
            yield Row(
                "a month out of 1,000,000 rows", rows["full"], "s", "as many out of 100,000",
                rows["tenth"], "≤ 1.5",
            )  # fmt: skip


def written(file: Path, count: int) -> Books:
    """Books of a year: nine in ten completed, the others rejected, pending or unknown."""
    books = Books(f"sqlite:///{file}")
    opening = {"total_payin": "0", "total_payout": "0", "total_settled": "0",
               "total_available": "0", "net_balance": 0}  # fmt: skip
    books.save_balance(_balance(opening), environment="production", now=START)
    with closing(sqlite3.connect(file)) as db, db:
        db.executemany(
            "INSERT INTO operations (id, environment, merchant_id, operation, key, reference, "
            "session_id, state, status, method_code, amount, currency, country, customer_id, "
            "description, request, answer, created_at, updated_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (_operation(number, count) for number in range(count)),
        )
        db.executemany(
            "INSERT INTO notifications (environment, event, transaction_id, status, amount, "
            "currency, reference, operation_id, matched_by, outcome, times, body, received_at, "
            "last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (_notification(number, count) for number in range(count)),
        )
    return books


def _operation(number: int, count: int) -> tuple[Any, ...]:
    at = _at(number, count)
    status = {0: "PENDING", 1: "REJECTED"}.get(number % 20, "COMPLETED")
    kind = "cashout" if number % 10 == 3 else "charge"
    state = "unknown" if number % 10_000 == 0 else "created"
    text = f'{{"description": "Order {number}", "customer_id": "customer-{number % 999}"}}' * 3
    return (
        f"op-{number}", "production", MERCHANT, kind, f"order-{number}", f"IP{number:09}",
        f"sess_{number // 50}", state, None if state == "unknown" else status, "PSE",
        _cents(number), "COP", "COL", f"customer-{number % 999}", f"Order {number}", text, text,
        at, at,
    )  # fmt: skip


def _notification(number: int, count: int) -> tuple[Any, ...]:
    at = _at(number, count)
    stranger = number % 5_000 == 0
    body = f'{{"transaction_id": "sess_{number}", "transaction_status": "COMPLETED"}}' * 4
    return (
        "production", f"{number:064}", f"sess_{number // 50}", "COMPLETED", _cents(number), "COP",
        f"XX{number:09}" if stranger else f"IP{number:09}", None if stranger else f"op-{number}",
        None if stranger else "marker", "unmatched" if stranger else "applied", 1, body, at, at,
    )  # fmt: skip


def _cents(number: int) -> int:
    return 1_000_000 + number * 7_919 % 9_000_000


def _at(number: int, count: int) -> str:
    return f"{START + YEAR * (number + 1) / count:%Y-%m-%dT%H:%M:%S.%f}Z"


def _balance(figures: dict[str, Any]) -> Balance:
    return Balance.read({"data": {"merchant_id": MERCHANT, "balance_summary": figures}})


def _seconds(books: Books) -> float:
    figures = {"total_payin": "900000000.00", "total_payout": "100000000.00",
               "total_settled": "0.00", "total_available": "790000000.00",
               "net_balance": 800000000}  # fmt: skip
    began = time.perf_counter()
    result = reconcile(books, _balance(figures), environment="production", now=START + YEAR)
    took = time.perf_counter() - began
    if sum(part.amount for part in result.items) != result.gap:
        raise AssertionError("the parts are not the gap")
    return took


def _range(books: Books, days: int) -> float:
    start = START + timedelta(days=30)
    end = start + timedelta(days=days)
    began = time.perf_counter()
    frame = books.operations(start, end, environment="production", merchant_id=MERCHANT)
    took = time.perf_counter() - began
    if not 80_000 < len(frame) < 85_000:
        raise AssertionError(f"{len(frame)} rows")
    return took
