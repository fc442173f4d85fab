"""``--db FILE``: what was acknowledged survives, however the process ends."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import BALANCE, MERCHANT, caller

from pay88kit import Config, Inbox, Pay88, Sandbox, WrongUse
from pay88kit.cli import main

ORDER: dict[str, Any] = {
    "flow": "PAYIN",
    "method_code": "PSE",
    "method_category": "BANK",
    "amount": 50_000,
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
}


def fields() -> dict[str, Any]:
    return {k: v for k, v in ORDER.items() if k not in ("flow", "method_category")}


@contextmanager
def running(db: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """``pay88 sandbox --db``, killed at the end if it still runs."""
    command = [sys.executable, "-m", "pay88kit", "sandbox", "--port", "0", "--db", str(db)]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        settings = {}
        for line in process.stdout:
            name, equals, value = line.strip().partition("=")
            if equals:
                settings[name] = value
            if line.startswith("Stop it"):
                break
        try:
            yield process, settings
        finally:
            process.kill()


def test_a_sandbox_goes_on_where_it_stopped(tmp_path: Path) -> None:
    db = tmp_path / "sandbox.db"
    with Sandbox(seed=7, db=db) as first:
        client = Pay88(first.config, books=False)
        paid = client.charge(notification_url="https://shop.example/hook", **fields())
        open_ = client.cash(
            notification_url="https://shop.example/hook", **(fields() | {"method_code": "CASH"})
        )
        first.complete(paid.reference)
        first.merchant(merchant_id="MCH-MEX-1", country="MEX", credit_limit="100.50", limits=None)
        first.clock.advance(5)
        before = (first.merchants(), first.transactions(), first.webhooks(), first.clock.now())
        token = client.token()
    with Sandbox(db=db) as second:
        after = (second.merchants(), second.transactions(), second.webhooks(), second.clock.now())
        assert after == before
        again = Pay88(second.config, books=False)
        assert again.balance().total_payin == 50_000
        # The token lives on, and ids are not used twice.
        with second.serve() as url:
            asked = httpx.post(
                f"{url}/api/balance", params={"id": "MCH-COL-29ZTP4"}, headers=token.headers
            )
        assert asked.status_code == 200
        more = again.charge(notification_url="https://shop.example/hook", **fields())
        assert more.reference not in (paid.reference, open_.reference)
        # What was scheduled before falls due now.
        second.clock.advance(72 * 3600)
        assert second.transaction(open_.reference)["status"] == "REJECTED"


@pytest.mark.parametrize("moved", [0, 90])
def test_the_time_at_which_it_began_is_kept(tmp_path: Path, moved: int) -> None:
    db, begin = tmp_path / "sandbox.db", datetime(2025, 1, 1, tzinfo=UTC)
    with Sandbox(db=db, start=begin) as first:
        if moved:
            first.clock.advance(moved)
        seconds = first.clock.monotonic()
    with Sandbox(db=db) as second:
        assert second.clock.now() == begin + timedelta(seconds=moved)
        assert second.clock.monotonic() == seconds
        second.reset()
        assert second.clock.now() == begin
    with Sandbox(db=db, start=begin + timedelta(days=9)) as third:
        assert third.clock.now() == begin


def test_the_same_calls_give_the_same_with_and_without_a_break(tmp_path: Path) -> None:
    def story(sandbox: Sandbox) -> list[str]:
        client = Pay88(sandbox.config, books=False)
        url = "https://shop.example/hook"
        return [client.charge(notification_url=url, **fields()).reference for _ in range(3)]

    with Sandbox(seed=3) as whole:
        expected = story(whole) + story(whole)
    with Sandbox(seed=3, db=tmp_path / "db") as first:
        told = story(first)
    with Sandbox(seed=3, db=tmp_path / "db") as second:
        assert told + story(second) == expected


def test_a_notification_still_owed_is_sent_after_a_new_start(tmp_path: Path) -> None:
    db = tmp_path / "sandbox.db"
    with Sandbox(db=db) as first, Inbox(first.config, secret="of somebody else") as stranger:
        url = stranger.url
        port = int(url.rpartition(":")[2].partition("/")[0])
        client = Pay88(first.config, books=False)
        charge = client.charge(notification_url=url, **fields())
        first.complete(charge.reference)
        assert [a["outcome"] for a in first.webhooks()] == ["refused"]
        first.plan(charge.reference, [{"after": 5, "status": "PENDING"}])
    with Sandbox(db=db) as second, Inbox(second.config, port=port, books="sqlite://") as inbox:
        second.clock.advance(10)
        assert [received.status for received in inbox.wait(2)] == ["PENDING", "COMPLETED"]
        second.clock.advance(86_400)
        assert len(second.webhooks()) == 3


def test_used_places_of_a_limit_stay_used(tmp_path: Path) -> None:
    db = tmp_path / "sandbox.db"
    with Sandbox(db=db) as first:
        shop = caller(first)
        for _ in range(9):
            assert shop.token().status_code == 200
        first.clock.advance(20)
        assert shop.token().headers["x-ratelimit-remaining"] == "0"
    with Sandbox(db=db) as second:
        shop = caller(second)
        refused = shop.token()
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "40"
        second.clock.advance(40)
        # The ninth and the tenth were taken at different times.
        assert shop.token().headers["x-ratelimit-remaining"] == "8"


def test_the_hour_is_kept_too_and_its_rows_do_not_grow_in_number(tmp_path: Path) -> None:
    db = tmp_path / "sandbox.db"
    limits = {"balance": (2, 3)}
    for passed in range(3):
        with Sandbox(limits=limits, db=db) as sandbox:
            shop = caller(sandbox)
            for _ in range(3):
                sandbox.clock.advance(60)
                answer = shop.post(BALANCE, params={"id": MERCHANT})
                assert answer.status_code == 200, passed
            sandbox.clock.advance(60)
        with Sandbox(db=db) as sandbox:
            refused = caller(sandbox).post(BALANCE, params={"id": MERCHANT})
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == str(3_600 - 3 * 60)
            sandbox.clock.advance(3_600)
    with sqlite3.connect(db) as file:
        names = "SELECT count(*) FROM kept WHERE kind = 'place' AND name LIKE '%balance%'"
        assert file.execute(names).fetchone() == (3,)
    file.close()


def test_limits_that_were_set_anew_start_empty_after_a_break_too(tmp_path: Path) -> None:
    db = tmp_path / "sandbox.db"
    with Sandbox(db=db) as first:
        for _ in range(10):
            caller(first).token()
        first.merchant(merchant_id=MERCHANT, limits={"token": [10, 100]})
    with Sandbox(db=db) as second:
        assert caller(second).token().headers["x-ratelimit-remaining"] == "9"


def test_a_reset_empties_the_file(tmp_path: Path) -> None:
    db = tmp_path / "sandbox.db"
    with Sandbox(db=db) as first:
        Pay88(first.config, books=False).charge(
            notification_url="https://shop.example/hook", **fields()
        )
        first.reset(seed=9)
        key = first.config.api_key
    with Sandbox(db=db) as second:
        assert second.transactions() == []
        assert second.config.api_key == key


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no SIGKILL")
def test_five_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    db = tmp_path / "sandbox.db"
    charged: set[str] = set()
    completed: set[str] = set()

    def load(settings: dict[str, str], enough: threading.Event) -> None:
        config = Config(
            base_url=settings["PAY88_BASE_URL"],
            api_key=settings["PAY88_API_KEY"],
            merchant_id=settings["PAY88_MERCHANT_ID"],
        )
        base, mine = settings["PAY88_BASE_URL"], 0
        with httpx.Client(base_url=base) as http, Pay88(config, books=False) as client:
            try:
                headers = client.token().headers
                while True:
                    # Nobody listens there, so that every notification stays owed.
                    body = ORDER | {"notification_url": "http://127.0.0.1:9/hook"}
                    answer = http.post("/api/transactions/charges", json=body, headers=headers)
                    reference = answer.json()["data"]["reference"]
                    charged.add(reference)
                    done = http.post(f"/_sandbox/transactions/{reference}/complete")
                    assert done.status_code == 200
                    completed.add(reference)
                    mine += 1
                    if mine == 15:
                        enough.set()
            except httpx.HTTPError:
                return

    for _ in range(5):
        with running(db, "--no-limits") as (process, settings):
            events = [threading.Event() for _ in range(3)]
            workers = [threading.Thread(target=load, args=(settings, e)) for e in events]
            for worker in workers:
                worker.start()
            for event in events:
                assert event.wait(60)
            process.send_signal(signal.SIGKILL)
            process.wait()
            for worker in workers:
                worker.join()

    assert len(completed) >= 5 * 3 * 15
    with Sandbox(limits=None, clock="real", db=db) as sandbox:
        known = {t["reference"]: t for t in sandbox.transactions()}
        assert charged <= known.keys()
        assert {known[reference]["status"] for reference in completed} == {"COMPLETED"}
        assert len(known) == len({t["transaction_id"] for t in known.values()})
        total = 50_000 * sum(t["status"] == "COMPLETED" for t in known.values())
        assert Pay88(sandbox.config, books=False).balance().total_payin == total
        # Every notification was tried, and is owed still.
        told = {attempt["reference"] for attempt in sandbox.webhooks()}
        assert completed <= told
        before = len(sandbox.webhooks())
        sandbox.clock.advance(10)
        assert len(sandbox.webhooks()) > before


def test_two_sandboxes_cannot_share_a_file(tmp_path: Path) -> None:
    db = tmp_path / "sandbox.db"
    with running(db), pytest.raises(WrongUse, match="another sandbox is using it"):
        Sandbox(db=db)


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\x00" + b"x" * 500]
)
def test_a_file_that_is_no_sandboxs_is_refused_and_left_alone(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.db"
    file.write_bytes(content)
    assert main(["sandbox", "--port", "0", "--db", str(file)]) == 2
    error = capsys.readouterr().err
    assert str(file) in error
    assert "left as it is" in error
    assert file.read_bytes() == content
    assert list(tmp_path.glob("mine.db*")) == [file]


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "books.db"
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE operations (id INTEGER)")
    other.close()
    before = file.read_bytes()
    with pytest.raises(WrongUse, match="no sandbox's file"):
        Sandbox(db=file)
    assert file.read_bytes() == before


def test_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.db"
    Sandbox(db=file).close()
    with sqlite3.connect(file) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(WrongUse, match="version 99"):
        Sandbox(db=file)
