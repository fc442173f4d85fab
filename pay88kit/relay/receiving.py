"""Sees what a receiver is sent and what it answers, for somebody who watches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, Protocol

from pay88kit import money
from pay88kit.config import Secret
from pay88kit.webhooks import MAX_BODY

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_AT_ONCE = 32


class Keep(Protocol):
    """Checks and keeps a notification, as :meth:`pay88kit.Inbox.receive` does."""

    def __call__(self, body: bytes, authorization: str | None, *, marker: str | None) -> Any:
        """What was kept; a refusal is raised."""


@dataclass(frozen=True)
class Heard:
    """A request that came, and what it was answered.

    ``kept`` is what became of it in the books, None where it was not acknowledged; then ``reason``
    says why. ``query`` is the address's, as it came.
    """

    number: int
    at: datetime
    query: str
    body: bytes = field(repr=False)
    authorization: Secret | None
    content_type: str | None
    status_code: int
    reason: str
    kept: Any


class Watch:
    """Stands around a receiver: ``watch.app(make_app(watch.put(inbox.receive)))``.

    Args:
        hand_over: is given each request just before it is answered; it must return at once.
        now: the time that counts.
    """

    def __init__(self, hand_over: Callable[[Heard], object], now: Callable[[], datetime]) -> None:
        self._hand_over = hand_over
        self._now = now
        self._numbers = count(1)
        self._pool = ThreadPoolExecutor(_AT_ONCE, "pay88-keep")
        # Of the request that is being answered: what its keeping will come to.
        self._keeping: ContextVar[list[asyncio.Future[Any]]] = ContextVar("keeping")

    def put(self, keep: Keep) -> Callable[[bytes, str | None, str | None], asyncio.Future[Any]]:
        """``keep`` as something that ends later, and whose end is noticed here."""

        def put(body: bytes, authorization: str | None, marker: str | None) -> asyncio.Future[Any]:
            kept = asyncio.wrap_future(self._pool.submit(keep, body, authorization, marker=marker))
            self._keeping.get().append(kept)
            return kept

        return put

    def app(self, inner: App) -> App:
        """``inner``, watched."""

        async def app(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return await inner(scope, receive, send)
            number, at = next(self._numbers), self._now()
            body, answer, kept = bytearray(), list[Message](), list[asyncio.Future[Any]]()
            self._keeping.set(kept)

            async def reading() -> Message:
                message = await receive()
                # What is too large is refused; its beginning says enough.
                body.extend(message.get("body", b"")[: MAX_BODY - len(body)])
                return message

            async def answering(message: Message) -> None:
                answer.append(message)

            await inner(scope, reading, answering)
            if not answer:
                return None  # the caller went away
            status: int = answer[0]["status"]
            text = b"".join(message.get("body", b"") for message in answer)
            # The first of each name counts.
            headers = {name.lower(): value.decode("latin-1")
                       for name, value in reversed(scope["headers"])}  # fmt: skip
            authorization = headers.get(b"authorization")
            self._hand_over(
                Heard(
                    number,
                    at,
                    scope["query_string"].decode("latin-1"),
                    bytes(body),
                    None if authorization is None else Secret(authorization),
                    headers.get(b"content-type"),
                    status,
                    "" if status == 200 else _reason(text),
                    kept[0].result() if status == 200 else None,
                )
            )
            # Only now: what was answered is surely handed over.
            for message in answer:
                await send(message)
            return None

        return app

    def close(self) -> None:
        """End its threads, when what they keep is kept."""
        self._pool.shutdown()


def _reason(answer: bytes) -> str:
    try:
        said = money.loads(answer)
    except ValueError:
        return ""
    return str(said.get("reason", "")) if isinstance(said, dict) else ""
