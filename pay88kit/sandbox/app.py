"""The sandbox over HTTP: a Starlette app that hands each request on and writes the answer back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pay88kit.errors import needs
from pay88kit.sandbox.reply import MAX_BODY, Ask, Reply, error

with needs("server"):
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response
    from starlette.routing import Route


class _Endpoint:
    """Every path and every method, so that every answer has 88Pay's form."""

    def __init__(self, handle: Callable[[Ask], Reply]) -> None:
        self._handle = handle

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
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
        content = b"" if request.method == "HEAD" else reply.body
        await Response(content, reply.status, reply.headers)(scope, receive, send)


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
    return Starlette(routes=[Route("/{path:path}", _Endpoint(handle))])
