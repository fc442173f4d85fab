"""The sandbox's ASGI application, under any server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from pay88kit import Sandbox
from pay88kit.sandbox.app import make_app
from pay88kit.sandbox.reply import Ask, Reply

Message = dict[str, Any]


class Told:
    """A handler that keeps what it was asked."""

    def __init__(self, status: int = 200) -> None:
        self.asks: list[Ask] = []
        self.status = status

    def __call__(self, ask: Ask) -> Reply:
        self.asks.append(ask)
        return Reply(self.status, b"here", {"Content-Type": "text/plain", "X-Note": "né"})


def http_scope(**changes: Any) -> Message:
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/balance",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    return scope | changes


def run(app: Any, scope: Message, received: list[Message]) -> list[Message]:
    """What the application sends for what it receives."""
    sent: list[Message] = []
    waiting: Iterator[Message] = iter(received)

    async def receive() -> Message:
        return next(waiting)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_in_parts_is_one_body() -> None:
    told = Told()
    sent = run(make_app(told), http_scope(), [part(b"a", more=True), {"type": "http.request"}])
    assert told.asks[0].body == b"a"
    assert sent == [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/plain"),
                (b"x-note", b"n\xe9"),
                (b"content-length", b"4"),
            ],
        },
        {"type": "http.response.body", "body": b"here"},
    ]


def test_the_last_of_two_in_a_query_and_the_first_of_two_headers_count() -> None:
    told = Told()
    scope = http_scope(
        query_string=b"id=1&id=%C3%A9&empty=", headers=[(b"x-a", b"\xe9"), (b"x-a", b"2")]
    )
    run(make_app(told), scope, [part(b"")])
    assert told.asks[0].query == {"id": "é", "empty": ""}
    assert told.asks[0].headers == {"x-a": "é"}


@pytest.mark.parametrize("path", ["/api/balance", "/_sandbox/health"])
def test_what_is_too_large_is_read_no_further(path: str) -> None:
    told = Told()
    # A third part would be asked for in vain.
    parts = [part(b"x" * 64 * 1024, more=True), part(b"x", more=True)]
    sent = run(make_app(told), http_scope(path=path), parts)
    if path.startswith("/api/"):
        assert told.asks[0].too_large
        assert told.asks[0].body == b""
    else:
        assert told.asks == []
        assert sent[0]["status"] == 413


def test_a_client_that_leaves_before_its_body_is_whole_asked_nothing() -> None:
    told = Told()
    leaves = [part(b"{", more=True), {"type": "http.disconnect"}]
    assert run(make_app(told), http_scope(), leaves) == []
    assert told.asks == []


def test_head_has_no_body_to_announce() -> None:
    sent = run(make_app(Told()), http_scope(method="HEAD"), [part(b"")])
    assert (b"content-length", b"0") in sent[0]["headers"]
    assert sent[1]["body"] == b""


def test_a_server_may_tell_its_start_and_its_end() -> None:
    told = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    with Sandbox() as sandbox:
        sent = run(sandbox.app, {"type": "lifespan"}, told)
    assert [m["type"] for m in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_websocket_is_refused() -> None:
    with Sandbox() as sandbox:
        sent = run(sandbox.app, {"type": "websocket"}, [{"type": "websocket.connect"}])
    assert sent == [{"type": "websocket.close", "code": 1000}]
