"""The inbox as an ASGI application, in a merchant's own service."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from inbox_support import SECRET, accepted, body_of, headers_of, post_all, shop, until
from starlette.applications import Starlette

from pay88kit import Books, Inbox

posix = pytest.mark.skipif(os.name == "nt", reason="kills a group of processes")


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox(secret=SECRET, books="sqlite://") as inbox:
        yield inbox


def ask(inbox: Inbox, method: str = "POST", body: Any = None, **headers: str) -> httpx.Response:
    """One request to a service that has the inbox mounted, without lifespan events."""
    service = Starlette()
    service.mount("/webhooks", inbox.app)

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(service)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
            content = body if isinstance(body, bytes) else json.dumps(body or body_of()).encode()
            return await http.request(method, "/webhooks/88pay", content=content, headers=headers)

    return asyncio.run(run())


# ---------------------------------------------------------------- mounted


def test_mounted_it_opens_no_port() -> None:
    before = set(threading.enumerate())
    with Inbox(secret=SECRET, books="sqlite://", public_url="https://shop.example") as inbox:
        assert ask(inbox, **headers_of(body_of())).json() == {"received": True}
        assert inbox.url == "https://shop.example/webhooks/88pay"
        assert {thread.name for thread in set(threading.enumerate()) - before} == {"pay88-writer"}


# A service without any other part of the kit, and what its first notification loads.
FIRST = """
import asyncio, json, sys
from pay88kit import Inbox
from pay88kit.inbox import app as answering

answering.WITHIN = 60
secret, books, body, headers, looked_at = json.loads(sys.argv[1])
inbox = Inbox(secret=secret, books=books)
if looked_at:
    inbox.books
app = inbox.app
before = set(sys.modules)
scope = {
    "type": "http", "method": "POST", "query_string": b"",
    "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
}
said = []

async def receive():
    return {"type": "http.request", "body": body.encode()}

async def send(message):
    said.append(message)

asyncio.run(app(scope, receive, send))
loaded = {name for name in set(sys.modules) - before if not name.startswith("encodings.")}
print(json.dumps([said[0]["status"], sorted(loaded)]))
"""


@pytest.mark.parametrize("looked_at", [False, True])
def test_the_first_notification_waits_for_no_import(database_url: str, looked_at: bool) -> None:
    """On a busy machine they take longer than 88Pay waits."""
    body = body_of()
    given = json.dumps([SECRET, database_url, json.dumps(body), headers_of(body), looked_at])
    done = subprocess.run(
        [sys.executable, "-c", FIRST, given], stdout=subprocess.PIPE, text=True, check=True
    )
    assert json.loads(done.stdout) == [200, []]


def test_mounting_opens_the_books_and_leaves_no_connection(database_url: str) -> None:
    """A server that loads the service first and forks its workers then must not share one."""
    before = set(threading.enumerate())
    with Inbox(secret=SECRET, books=database_url) as inbox:
        inbox.app  # noqa: B018
        assert inbox._books is not None
        assert set(threading.enumerate()) == before
        assert inbox.books._database._engine.pool.checkedin() == 0
        assert ask(inbox, **headers_of(body_of())).status_code == 200


def test_a_service_may_start_before_its_database(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "later"
    with Inbox(secret=SECRET, books=f"sqlite:///{folder / 'books.db'}") as inbox:
        inbox.app  # noqa: B018
        assert "No notification can be kept yet: books: sqlite:///" in caplog.text
        assert ask(inbox, **headers_of(body_of())).status_code == 503
        folder.mkdir()
        assert ask(inbox, **headers_of(body_of())).status_code == 200


def test_it_listens_when_its_address_is_asked_for() -> None:
    with Inbox(secret=SECRET, books="sqlite://") as inbox:
        names = {thread.name for thread in threading.enumerate()}
        url = inbox.url
        (started,) = {thread.name for thread in threading.enumerate()} - names
        assert f":{started.removeprefix('pay88-')}/" in url == inbox.url


def test_it_answers_lifespan_events_and_closes_websockets(inbox: Inbox) -> None:
    async def run(kind: str, *events: str) -> list[str]:
        waiting = [{"type": event} for event in events]
        told: list[str] = []

        async def receive() -> Any:
            return waiting.pop(0)

        async def send(message: Any) -> None:
            told.append(message["type"])

        await inbox.app({"type": kind}, receive, send)
        return told

    events = ("lifespan.startup", "lifespan.shutdown")
    assert asyncio.run(run("lifespan", *events)) == [f"{event}.complete" for event in events]
    assert asyncio.run(run("websocket", "websocket.connect")) == ["websocket.close"]


@posix
@pytest.mark.parametrize("framework", ["starlette.applications", "fastapi"])
def test_two_workers_share_one_record(database_url: str, tmp_path: Path, framework: str) -> None:
    if framework == "fastapi":
        pytest.importorskip("fastapi")
    numbers = range(60)
    with closing(Books(database_url)) as books, shop(tmp_path, database_url, 2, framework) as made:
        accepted(books, *numbers)
        made.start()
        made.hold.touch()
        # Each twice, so that the two workers get the same one.
        answers = post_all(made.url, [body_of(number) for number in numbers for _ in range(2)])
        assert Counter(answer.status_code for answer in answers) == {200: 120}
        frame = books.notifications()
        assert len(frame) == 60
        assert set(frame["times"]) == {2}
        assert set(frame["outcome"]) == {"applied"}
        with Inbox(secret=SECRET, books=books) as looking:
            looking.on("COMPLETED")(named_as_in_the_shop())
            # Neither of them can do it alone, as long as none ends.
            until(lambda: len({process for process, _, _ in made.shipped()}) == 2)
            made.hold.unlink()
            looking.wait_for_handlers(60)
        shipped = made.shipped()
        assert Counter(reference for _, reference, _ in shipped) == {
            f"REF-{number}": 1 for number in numbers
        }


def named_as_in_the_shop() -> Any:
    def ship(event: Any) -> None:
        raise AssertionError("this process does not serve")

    ship.__qualname__ = "ship"
    return ship


# ---------------------------------------------------------------- what is answered


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON",
     "application/vnd.88pay+json", None],
)  # fmt: skip
def test_json_is_taken_by_any_of_its_names(inbox: Inbox, content_type: str | None) -> None:
    headers = headers_of(body_of())
    del headers["Content-Type"]
    if content_type:
        headers["Content-Type"] = content_type
    assert ask(inbox, **headers).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/xml", "json", "text/json-no"],
)  # fmt: skip
def test_another_content_type_is_named_and_nothing_is_kept(inbox: Inbox, content_type: str) -> None:
    answer = ask(inbox, **headers_of(body_of()) | {"Content-Type": content_type})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["reason"]
    assert len(inbox.books.notifications()) == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_only_post_is_taken(inbox: Inbox, method: str) -> None:
    answer = ask(inbox, method, **headers_of(body_of()))
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert len(inbox.books.notifications()) == 0


@pytest.mark.parametrize("size", [64 * 1024 + 1, 1024 * 1024])
def test_too_large_a_body_is_told_so_to_a_sender_that_sends_it_first(
    inbox: Inbox, size: int
) -> None:
    with httpx.Client(trust_env=False) as http:
        answer = http.post(inbox.url, content=b"x" * size, headers=headers_of(body_of()))
    assert (answer.status_code, answer.json()["received"]) == (413, False)


def test_books_that_take_too_long_are_answered_503_and_the_retry_is_a_repeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pay88kit.inbox.app.WITHIN", 0.3)
    url = f"sqlite:///{tmp_path / 'books.db'}"
    body = body_of()
    with Inbox(secret=SECRET, books=url) as inbox, closing(Books(url)) as books:
        accepted(books, 1)
        with another_program(tmp_path):
            assert ask(inbox, body=body, **headers_of(body)).status_code == 503
        inbox.wait(1)
        assert ask(inbox, body=body, **headers_of(body)).status_code == 200
        assert list(books.notifications()["times"]) == [2]


@contextmanager
def another_program(folder: Path) -> Iterator[sqlite3.Connection]:
    """Its transaction: as long as it lasts, nobody else writes."""
    with closing(sqlite3.connect(folder / "books.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")


# ---------------------------------------------------------------- many at once


def test_one_that_cannot_be_kept_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How many transactions it takes is what test_books_groups.py looks at.
    monkeypatch.setattr("pay88kit.inbox.app.WITHIN", 120)
    monkeypatch.setattr("pay88kit.books.record._WORTH_TRYING", 120)
    url = f"sqlite:///{tmp_path / 'books.db'}?timeout=120"
    numbers = range(40)
    with Inbox(secret=SECRET, books=url) as inbox, closing(Books(url)) as books:
        accepted(books, *numbers)
        with another_program(tmp_path) as db:
            db.execute(
                "CREATE TRIGGER no BEFORE INSERT ON notifications WHEN NEW.reference = 'REF-7' "
                "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
            )
        with another_program(tmp_path):
            # All of them wait, and are committed together.
            sending = threading.Thread(
                target=lambda: answers.extend(
                    post_all(inbox.url, [body_of(number) for number in numbers], 40)
                )
            )
            answers: list[httpx.Response] = []
            sending.start()
            # The writer has taken the first of them, and waits for the other program.
            until(lambda: inbox._writer._waiting.qsize() >= 39)
            assert answers == []
        sending.join()
        assert Counter(answer.status_code for answer in answers) == {200: 39, 503: 1}
        assert set(books.notifications()["reference"]) == {f"REF-{n}" for n in numbers if n != 7}
        assert set(books.notifications()["times"]) == {1}


# ---------------------------------------------------------------- looking on, from asyncio


def test_async_for_gives_each_event_once_and_ends_when_closed() -> None:
    async def run() -> list[str | None]:
        with Inbox(secret=SECRET, books="sqlite://") as inbox:
            first = asyncio.create_task(collect(inbox))
            async with httpx.AsyncClient(trust_env=False) as http:
                for number in (1, 2, 2, 3):
                    body = body_of(number)
                    await http.post(inbox.url, content=json.dumps(body), headers=headers_of(body))
            # From the first event on, also for who comes late.
            late = asyncio.create_task(collect(inbox))
            await asyncio.sleep(0)
            await asyncio.to_thread(inbox.close)
            assert await asyncio.wait_for(late, 5) == await asyncio.wait_for(first, 5)
            return await first

    async def collect(inbox: Inbox) -> list[str | None]:
        return [event.reference async for event in inbox]

    assert asyncio.run(run()) == ["REF-1", "REF-2", "REF-3"]


def test_async_for_in_the_loop_that_serves_the_application(inbox: Inbox) -> None:
    async def run() -> str | None:
        transport = httpx.ASGITransport(inbox.app)
        body = body_of(5)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:

            async def first() -> str | None:
                async for event in inbox:
                    return event.reference
                return None

            waiting = asyncio.create_task(first())
            await asyncio.sleep(0)
            answer = await http.post("/x", content=json.dumps(body), headers=headers_of(body))
            assert answer.status_code == 200
            return await asyncio.wait_for(waiting, 5)

    assert asyncio.run(run()) == "REF-5"
