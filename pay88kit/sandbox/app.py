"""The sandbox over HTTP: an ASGI application that hands each request on and writes the answer back.

Without a web framework: there is nothing to route, since every path and every method gets an
answer in 88Pay's form, and what a framework does for each request would take as long as the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from pay88kit.errors import needs
from pay88kit.sandbox.reply import MAX_BODY, Ask, Reply, too_large

with needs("server"):
    from starlette.concurrency import run_in_threadpool

# ASGI's own names.
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def make_app(handle: Callable[[Ask], Reply]) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The ASGI application around ``handle``."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _answer_others(scope["type"], receive, send)
            return
        body = await _read(receive)
        if body is None:
            return
        query = scope["query_string"]
        ask = Ask(
            scope["method"],
            scope["path"],
            dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {},
            _headers(scope["headers"]),
            body,
        )
        if len(body) > MAX_BODY:
            ask.body, ask.too_large = b"", True
        # 88Pay's own paths answer at once; the others may wait for a notification attempt.
        if ask.path.startswith("/api/"):
            reply = handle(ask)
        elif ask.too_large:
            reply = too_large()
        else:
            reply = await run_in_threadpool(handle, ask)
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if reply.lost:
            await _hang_up(receive)
            return
        content = b"" if ask.method == "HEAD" else reply.body
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in reply.headers.items()
        ]
        headers.append((b"content-length", b"%d" % len(content)))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return app


async def _read(receive: Receive) -> bytes | None:
    """The body, cut soon after what the sandbox takes; None when the client has gone."""
    body = b""
    more = True
    while more and len(body) <= MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name; of two with one name the first counts."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(list(raw))}


async def _answer_others(kind: str, receive: Receive, send: Send) -> None:
    """What is no request: a websocket, and a server's own start and end."""
    if kind == "lifespan":
        for moment in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{moment}.complete"})
    else:
        # Refused before it opens.
        await send({"type": "websocket.close", "code": 1000})


async def _hang_up(receive: Receive) -> None:
    """Close the connection without an answer, as a broken network would."""
    # ASGI has no word for this; uvicorn's receive belongs to the object that has the connection.
    connection = getattr(receive, "__self__", None)
    if connection is None or not hasattr(connection, "transport"):
        raise RuntimeError("Faults that drop an answer need uvicorn.")
    connection.transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
