"""Many charges at once: what became of each, and what happens when something stops them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from support import CHARGES

from pay88kit import (
    AsyncPay88,
    BooksError,
    Config,
    InvalidRequest,
    Pay88,
    Policy,
    Sandbox,
    Unauthorized,
)
from pay88kit.client.transports import InProcess

CHARGE: dict[str, Any] = {
    "method_code": "PSE",
    "amount": 50000,
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
    "notification_url": "https://shop.example/webhooks/88pay",
}


def rows(count: int) -> list[dict[str, Any]]:
    return [{"key": f"order-{number}", **CHARGE} for number in range(count)]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=None) as sandbox:
        yield sandbox


@pytest.fixture(params=["threads", "tasks"])
def charge_many(request: pytest.FixtureRequest, sandbox: Sandbox) -> Any:
    """``charge_many`` of either client, in its own sandbox unless a configuration is given."""

    def charge_many(given: Any, config: Config | None = None, **named: Any) -> pd.DataFrame:
        client = {
            name: named.pop(name) for name in ("books", "policy", "transport") if name in named
        }
        config = config or sandbox.config
        if request.param == "threads":
            with Pay88(config, **client) as threads:
                return threads.charge_many(given, **named)

        async def story() -> pd.DataFrame:
            async with AsyncPay88(config, **client) as tasks:
                return await tasks.charge_many(given, **named)

        return asyncio.run(story())

    return charge_many


def keys_of(sandbox: Sandbox) -> list[str]:
    """The customer of each transaction, who is named after the key."""
    return sorted(transaction["customer_id"] for transaction in sandbox.transactions())


# ---------------------------------------------------------------- what became of each


def test_the_outcomes_are_in_the_order_of_the_rows(charge_many: Any, sandbox: Sandbox) -> None:
    given = [row | {"customer_id": row["key"], "amount": n + 1} for n, row in enumerate(rows(50))]
    done = charge_many(given)
    assert list(done["key"]) == [row["key"] for row in given]
    assert set(done["state"]) == {"created"}
    assert list(done["amount"]) == [Decimal(n + 1) for n in range(50)]
    assert list(done["customer_id"]) == list(done["key"])
    assert done["url_checkout"].notna().all()
    assert done["error"].isna().all()
    assert list(done.columns)[:3] == ["key", "state", "reference"]
    assert done.columns[-1] == "error"
    assert set(done["reference"]) == {t["reference"] for t in sandbox.transactions()}


def test_the_same_call_again_charges_nobody(
    charge_many: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    books = f"sqlite:///{tmp_path / 'books.db'}"
    first = charge_many(rows(20), books=books)
    again = charge_many(rows(20), books=books)
    pd.testing.assert_frame_equal(first, again)
    assert len(sandbox.transactions()) == 20


def test_outcomes_of_every_kind(charge_many: Any, sandbox: Sandbox) -> None:
    given = [
        {**CHARGE, "key": "good"},
        {**CHARGE, "key": "invalid", "amount": "1.234"},
        {**CHARGE, "key": "lost"},
        {**CHARGE, "key": "refused"},
        {**CHARGE, "key": "good again"},
    ]
    sandbox.fault("charges", "status", status=422, message="No", sequence=["pass", "pass", "fail"])
    sandbox.fault("charges", "drop_after", sequence=["pass", "fail"])
    done = charge_many(given, concurrency=1).set_index("key")
    assert list(done["state"]) == ["created", "invalid", "unknown", "refused", "created"]
    assert list(done["reference"].notna()) == [True, False, False, False, True]
    assert "amount: 1.234" in done.loc["invalid", "error"]
    assert "422 No" in done.loc["refused", "error"]
    assert "books.resolve" in done.loc["lost", "error"]
    assert len(sandbox.transactions()) == 3


def test_what_could_not_be_sent_is_told_from_what_was_refused(charge_many: Any) -> None:
    config = Config("local", "http://127.0.0.1:9", "sk_test_abcdef", "MCH-COL-29ZTP4")
    done = charge_many(rows(3), config, books="sqlite://", policy=Policy(backoff=()))
    assert list(done["state"]) == ["not sent"] * 3
    assert "nothing was sent" in done["error"][0]


def test_a_row_that_would_wait_too_long_is_not_sent(charge_many: Any) -> None:
    with Sandbox() as sandbox:
        done = charge_many(rows(70), sandbox.config, max_wait=59)
        assert list(done["state"].value_counts()[["created", "not sent"]]) == [60, 10]
        assert "It could go at 12:01:00 UTC" in done[done["state"] == "not sent"]["error"].iloc[0]
        # Those ten go a minute later.
        sandbox.clock.advance(60)
        done = charge_many(rows(70), sandbox.config, max_wait=59)
        assert list(done["state"]) == ["created"] * 70
        assert {request["status_code"] for request in sandbox.requests()} == {200}


def test_with_a_token_for_each_the_tokens_limits_are_kept(charge_many: Any) -> None:
    with Sandbox() as sandbox:
        policy = Policy(reuse_tokens=False)
        done = charge_many(rows(120), sandbox.config, policy=policy, concurrency=1)
        assert list(done["state"]) == ["created"] * 120
        # 100 tokens an hour: the last 20 go in the second one.
        assert sandbox.clock.monotonic() == 3_660
        assert {request["status_code"] for request in sandbox.requests()} == {200}


# ---------------------------------------------------------------- what may be given


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([CHARGE], "row 1: has no key"),
        ([{**CHARGE, "key": None}], "row 1: has no key"),
        ([{**CHARGE, "key": 7}], "row 1: has no key"),
        ([{**CHARGE, "key": "a"}, {**CHARGE, "key": " "}], "row 2: has no key"),
        ([{**CHARGE, "key": "a"}, {**CHARGE, "key": "a"}], "row 2: has the same key as row 1: 'a'"),
        ([{**CHARGE, "key": "a"}, ("b", 5)], "row 2: is a tuple"),
        (["order-1"], "row 1: is a str"),
        (CHARGE, "row 1: is a str"),
        (pd.DataFrame([CHARGE]), "row 1: has no key"),
        (pd.DataFrame([{**CHARGE, "key": "a"}, CHARGE]), "row 2: has no key"),
    ],
)
def test_rows_that_cannot_be_told_apart_are_refused_before_anything_is_sent(
    charge_many: Any, sandbox: Sandbox, given: Any, problem: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        charge_many(given)
    assert problem in str(caught.value)
    assert sandbox.requests() == []


def test_no_rows_are_no_charges(charge_many: Any, sandbox: Sandbox) -> None:
    done = charge_many([])
    assert (len(done), list(done.columns)) == (0, ["key", "state", "reference", "error"])
    assert sandbox.requests() == []


def test_books_and_a_concurrency_are_needed(charge_many: Any, sandbox: Sandbox) -> None:
    with pytest.raises(InvalidRequest, match="books"):
        charge_many(rows(1), books=False)
    with pytest.raises(InvalidRequest, match="concurrency: 0"):
        charge_many(rows(1), concurrency=0)
    assert sandbox.requests() == []


def test_a_table_with_exact_amounts_and_missing_cells(charge_many: Any, sandbox: Sandbox) -> None:
    table = pd.DataFrame(rows(3)).drop(columns="amount")
    exact = pa.array([Decimal("0.10"), Decimal("50000.25"), Decimal("7")], pa.decimal128(18, 2))
    table["amount"] = pd.Series(pd.arrays.ArrowExtensionArray(exact))
    table["return_url"] = [None, "https://shop.example/thanks", pd.NA]
    table["method_category"] = [float("nan"), "BANK", None]
    done = charge_many(table)
    assert list(done["state"]) == ["created"] * 3
    assert sorted(t["amount"] for t in sandbox.transactions()) == ["0.10", "50000.25", "7.00"]


def test_numpys_numbers_are_numbers(charge_many: Any, sandbox: Sandbox) -> None:
    given = [row | {"amount": np.int64(50000), "key": np.str_(row["key"])} for row in rows(2)]
    done = charge_many(given)
    assert list(done["state"]) == ["created"] * 2
    # And those of a table are the same ones.
    pd.testing.assert_frame_equal(charge_many(pd.DataFrame(rows(2))), done)
    assert len(sandbox.transactions()) == 2


def test_an_amount_that_a_table_made_a_float_is_refused(charge_many: Any, sandbox: Sandbox) -> None:
    # One missing amount turns a column of whole numbers into floats.
    table = pd.DataFrame(rows(2)).astype({"amount": "float64"})
    table.loc[1, "amount"] = None
    done = charge_many(table)
    assert list(done["state"]) == ["invalid"] * 2
    assert 'Decimal("50000.0")' in done["error"][0]
    assert "amount" in done["error"][1]
    assert sandbox.transactions() == []


@pytest.mark.parametrize("value", [Decimal("sNaN"), np.array([1, 2]), [1], {"a": 1}, object()])
def test_a_cell_that_is_no_value_concerns_its_row_only(
    charge_many: Any, sandbox: Sandbox, value: Any
) -> None:
    given = rows(3)
    given[1]["description"] = value
    assert list(charge_many(given)["state"]) == ["created", "invalid", "created"]


def test_any_iterable_of_mappings(charge_many: Any, sandbox: Sandbox) -> None:
    assert list(charge_many(row for row in rows(3))["state"]) == ["created"] * 3
    assert list(charge_many(tuple(rows(3)))["state"]) == ["created"] * 3


# ---------------------------------------------------------------- what stops them all


def test_a_wrong_key_stops_them_soon(charge_many: Any, sandbox: Sandbox) -> None:
    config = sandbox.config.replace(api_key="sk_test_wrong")
    with pytest.raises(Unauthorized):
        charge_many(rows(200), config, concurrency=4)
    assert len(sandbox.requests()) <= 8


def test_books_that_fail_stop_them(charge_many: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "books.db"

    class Break(InProcess):
        """Takes the books away with the third charge."""

        charges = 0

        def _answer(self, request: httpx.Request, body: bytes) -> Any:
            if request.url.path == CHARGES:
                self.charges += 1
                if self.charges == 3:
                    import sqlite3

                    with sqlite3.connect(file) as db:
                        db.execute("DROP TABLE operations")
                    db.close()
            return super()._answer(request, body)

    with pytest.raises(BooksError, match="no such table"):
        charge_many(rows(100), books=f"sqlite:///{file}", transport=Break(sandbox), concurrency=1)
    assert len(sandbox.transactions()) == 3


# ---------------------------------------------------------------- stopped by a person

PROGRAM = """
import json, sys, threading
from pay88kit import Config, Pay88
url, api_key, merchant_id, books, count = sys.argv[1:]
config = Config("local", url, api_key, merchant_id)
charge = json.loads(sys.stdin.read())
rows = [{**charge, "key": f"order-{n}", "customer_id": f"order-{n}"} for n in range(int(count))]
with Pay88(config, books=books) as client:
    print("ready", flush=True)
    try:
        done = client.charge_many(rows, concurrency=4)
    except KeyboardInterrupt:
        names = [thread.name for thread in threading.enumerate()]
        print("interrupted", [name for name in names if name.startswith("pay88")], flush=True)
        sys.exit(130)
    print(",".join(done["state"]))
"""


def in_a_program(sandbox: Sandbox, url: str, books: str, count: int) -> subprocess.Popen[str]:
    config = sandbox.config
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url, str(config.api_key), str(config.merchant_id), books,
         str(count)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert program.stdin is not None
    program.stdin.write(json.dumps(CHARGE))
    program.stdin.close()
    program.stdin = None
    return program


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX's SIGINT")
@pytest.mark.parametrize("when", ["charging", "waiting"])
def test_ctrl_c_stops_cleanly_and_the_same_call_goes_on(tmp_path: Path, when: str) -> None:
    limits = None if when == "charging" else {"transactions": (20, 1_000)}
    count, books = (200, f"sqlite:///{tmp_path / 'books.db'}")
    reached = threading.Event()
    with Sandbox(limits=limits, clock="real") as sandbox:

        def answer(ask: Any) -> Any:
            reply = handle(ask)
            if len(sandbox.transactions()) >= 20:
                reached.set()
            return reply

        handle = sandbox.handle
        sandbox.handle = answer  # type: ignore[method-assign]
        with sandbox.serve() as url:
            program = in_a_program(sandbox, url, books, count)
            assert reached.wait(120)
            if when == "waiting":
                # Until it has noticed that no place is left.
                assert program.poll() is None
            program.send_signal(signal.SIGINT)
            out, err = program.communicate(timeout=50)
            assert program.returncode == 130, err
            assert out == "ready\ninterrupted []\n"
            assert "Traceback" not in err
            done = len(sandbox.transactions())
            assert 20 <= done < count
            if when == "waiting":
                return
            assert keys_of(sandbox) == sorted({*keys_of(sandbox)})
            out, err = in_a_program(sandbox, url, books, count).communicate(timeout=180)
            assert out.splitlines()[1] == ",".join(["created"] * count), err
        assert keys_of(sandbox) == sorted(f"order-{number}" for number in range(count))


def test_a_cancelled_task_ends_what_is_under_way_and_the_same_call_goes_on(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    given = [row | {"customer_id": row["key"]} for row in rows(60)]
    books = f"sqlite:///{tmp_path / 'books.db'}"

    class Counting(InProcess):
        def __init__(self, sandbox: Sandbox, reached: asyncio.Event) -> None:
            super().__init__(sandbox)
            self.reached, self.charges = reached, 0

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await super().handle_async_request(request)
            self.charges += request.url.path == CHARGES
            if self.charges == 15:
                self.reached.set()
            await asyncio.sleep(0.001)
            return answer

    async def story() -> None:
        reached = asyncio.Event()
        async with AsyncPay88(
            sandbox.config, books=books, transport=Counting(sandbox, reached)
        ) as client:
            before = asyncio.all_tasks()
            batch = asyncio.create_task(client.charge_many(given, concurrency=4))
            await reached.wait()
            batch.cancel()
            with pytest.raises(asyncio.CancelledError):
                await batch
            assert client.books is not None
            operations = client.books.operations()
            assert set(operations["state"]) == {"created"}
            assert 15 <= len(operations) == len(sandbox.transactions()) < 60
            # Nothing runs on behind it.
            assert asyncio.all_tasks() == before
            done = await client.charge_many(given, concurrency=4)
            assert list(done["state"]) == ["created"] * 60

    asyncio.run(asyncio.wait_for(story(), 30))
    assert keys_of(sandbox) == sorted(row["key"] for row in given)


def test_a_task_cancelled_twice_stops_at_once_and_records_what_it_left(sandbox: Sandbox) -> None:
    class Stuck(InProcess):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await super().handle_async_request(request)
            if request.url.path == CHARGES:
                asked.set()
                await asyncio.Event().wait()
            return answer

    asked = asyncio.Event()

    async def story() -> None:
        async with AsyncPay88(sandbox.config, transport=Stuck(sandbox)) as client:
            batch = asyncio.create_task(client.charge_many(rows(10), concurrency=3))
            await asked.wait()
            batch.cancel()
            await asyncio.sleep(0.05)
            assert not batch.done()
            batch.cancel()
            with pytest.raises(asyncio.CancelledError):
                await batch
            assert client.books is not None
            while "sending" in set(client.books.operations()["state"]):
                await asyncio.sleep(0.01)
            assert list(client.books.operations()["state"]) == ["unknown"] * 3

    asyncio.run(asyncio.wait_for(story(), 60))


# ---------------------------------------------------------------- shown


class Screen:
    """What is written to a terminal, or to a file."""

    def __init__(self, *, terminal: bool) -> None:
        self.encoding, self.written, self._terminal = "utf-8", "", terminal

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        self.written += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize(
    ("terminal", "progress", "seen"),
    [(True, None, True), (False, None, False), (True, False, False), (False, True, True)],
)
def test_a_bar_is_shown_where_somebody_watches(
    charge_many: Any,
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    progress: bool | None,
    seen: bool,
) -> None:
    screen = Screen(terminal=terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    charge_many(rows(5), progress=progress)
    assert ("charges: 100%" in screen.written) is seen
    assert ("5/5" in screen.written) is seen


@pytest.mark.parametrize("wrong", [None, 7, "order-1001", b"order-1001"])
def test_what_has_no_rows_is_named(wrong: Any) -> None:
    with Pay88(books="sqlite://") as client, pytest.raises(InvalidRequest) as caught:
        client.charge_many(wrong, progress=False)
    assert caught.value.field == "rows"


@pytest.mark.parametrize("wrong", [0, -1, 1.5, None])
def test_a_concurrency_that_is_none_is_named(wrong: Any) -> None:
    with Pay88(books="sqlite://") as client, pytest.raises(InvalidRequest) as caught:
        client.charge_many([], concurrency=wrong, progress=False)
    assert caught.value.field == "concurrency"
