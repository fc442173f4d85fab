"""The ASGI application: what a request is answered.

Plain ASGI, without lifespan events: a mounted application is not told of them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from pay88kit.errors import Pay88Error, WebhookRefused
from pay88kit.webhooks import MARKER, MAX_BODY, Incoming

PATH = "/webhooks/88pay"
# 88Pay's sample acknowledgement.
RECEIVED = {"received": True}
# Real seconds, of the five that 88Pay waits.
WITHIN = 4.0
# A body that is too large is read and thrown away up to here: a sender that is cut off in the
# middle does not see its answer.
DRAINED = 4 * 1024 * 1024

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Keep = Callable[[bytes, "str | None", "str | None"], "asyncio.Future[Any]"]


def make_app(
    keep: Keep, tap: Callable[[Incoming], None]
) -> Callable[[Message, Receive, Send], Awaitable[None]]:
    """The application, for any path.

    ``keep`` is given body, ``Authorization`` and marker; it raises a refusal, or its future ends
    when the notification is committed.
    """

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await _serve(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})

    async def _serve(scope: Message, receive: Receive, send: Send) -> None:
        try:
            body = await _body(receive)
        except _Gone:
            return None
        # The first of each name counts.
        headers = {name.decode("latin-1").lower(): value.decode("latin-1")
                   for name, value in reversed(scope["headers"])}  # fmt: skip
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        marker = query.get(MARKER, [None])[0]
        if body is None:
            return await _answer(send, 413, f"body larger than {MAX_BODY // 1024} KiB")
        tap(Incoming(scope["method"], headers, body, marker))
        if scope["method"] != "POST":
            return await _answer(send, 405, "only POST is taken", (b"allow", b"POST"))
        if not _is_json(headers.get("content-type")):
            return await _answer(send, 415, "content type is not application/json")
        try:
            kept = keep(body, headers.get("authorization"), marker)
            # What takes longer is kept later, and 88Pay's next attempt is a repeat of it.
            async with asyncio.timeout(WITHIN):
                await kept
        except WebhookRefused as refusal:
            return await _answer(send, 400 if refusal.reason.malformed else 401, refusal.reason)
        except (Pay88Error, TimeoutError):
            # Not kept, so not acknowledged: 88Pay will try again.
            return await _answer(send, 503, "could not be kept")
        return await _answer(send, 200)

    return app


def _is_json(content_type: str | None) -> bool:
    """Whether a body may be JSON by its ``Content-Type``.

    88Pay documents ``application/json``. Without the header the body itself decides: a true
    notification is worth more than a header that a proxy lost.
    """
    media = (content_type or "application/json").partition(";")[0].strip().lower()
    kind, _, name = media.partition("/")
    return kind == "application" and (name == "json" or name.endswith("+json"))


class _Gone(Exception):
    """The caller went away before its request was complete."""


async def _body(receive: Receive) -> bytes | None:
    """The body, or None when it is too large."""
    body, size, more = b"", 0, True
    while more and size <= DRAINED:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY:
            body += part
        more = message.get("more_body", False)
    return body if size <= MAX_BODY else None


def _json(told: object) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode()


_RECEIVED = _json(RECEIVED)


async def _answer(send: Send, status: int, reason: str = "", *headers: tuple[bytes, bytes]) -> None:
    body = _RECEIVED if status == 200 else _json({"received": False, "reason": str(reason)})
    length = str(len(body)).encode()
    start = [(b"content-type", b"application/json"), (b"content-length", length), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return
