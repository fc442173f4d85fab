"""The sandbox over HTTP: a Starlette app that hands each request on and writes the answer back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pay88kit.errors import needs
from pay88kit.sandbox.reply import MAX_BODY, Ask, Reply, error

with needs("server"):
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response


class _Endpoint:
    """Every path and every method, so that every answer has 88Pay's form."""

    def __init__(self, handle: Callable[[Ask], Reply]) -> None:
        self._handle = handle

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            # A websocket: refused before it opens.
            await send({"type": "websocket.close", "code": 1000})
            return
        request = Request(scope, receive)
        try:
            body = await _read(request)
        except ClientDisconnect:
            return
        if body is None:
            reply = error(413, f"body: too large; send at most {MAX_BODY // 1024} KiB.")
        else:
            ask = Ask(
                method=request.method,
                path=scope["path"],
                query=dict(request.query_params),
                headers=dict(request.headers),
                body=body,
            )
            # 88Pay's own paths answer at once; the others may wait for a notification attempt.
            if ask.path.startswith("/api/"):
                reply = self._handle(ask)
            else:
                reply = await run_in_threadpool(self._handle, ask)
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if reply.lost:
            await _hang_up(receive)
            return
        content = b"" if request.method == "HEAD" else reply.body
        await Response(content, reply.status, reply.headers)(scope, receive, send)


async def _hang_up(receive: Any) -> None:
    """Close the connection without an answer, as a broken network would."""
    # ASGI has no word for this; uvicorn's receive belongs to the object that has the connection.
    connection = getattr(receive, "__self__", None)
    if connection is None or not hasattr(connection, "transport"):
        raise RuntimeError("Faults that drop an answer need uvicorn.")
    connection.transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read(request: Request) -> bytes | None:
    """The body, or None when it is larger than the sandbox takes."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            return None
    return body


def make_app(handle: Callable[[Ask], Reply]) -> Starlette:
    """The ASGI application around ``handle``."""
    app = Starlette()
    # Not a route for every path: one with a line break in it would match none.
    app.router.default = _Endpoint(handle)
    return app
