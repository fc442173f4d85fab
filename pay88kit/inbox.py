"""A receiver of 88Pay's notifications: checks each one, keeps it, and only then answers 200.

    inbox = Inbox(client.config)
    client.charge(…, notification_url=inbox.url)
    inbox.wait(1)

``inbox.app`` is an ASGI application, for a server of your own.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pay88kit import money, webhooks
from pay88kit.config import Config, Secret, environment_is_set
from pay88kit.display import Row, Shown
from pay88kit.errors import BooksError, ConfigError, Pay88Error, WebhookRefused, needs
from pay88kit.frames import to_frame
from pay88kit.serving import Server
from pay88kit.webhooks import MARKER, MAX_BODY, Decrypt, Notification, Reason

if TYPE_CHECKING:
    import pandas as pd

    from pay88kit.books import Books

PATH = "/webhooks/88pay"
# 88Pay's sample acknowledgement.
RECEIVED = {"received": True}


class Received(Shown):
    """A notification that was accepted, and what became of it in the books.

    ``outcome`` is one of :class:`pay88kit.books.Event`'s. The token of a notification does not
    cover its status, so ``status`` is likely, not proven: compare with the balance.
    """

    def __init__(self, at: datetime, notification: Notification | None, event: Any) -> None:
        self.at = at
        self.notification = notification
        self.outcome: str = event.outcome
        self.times: int = event.times
        self.status = notification.status if notification else None
        self.transaction_id = notification.transaction_id if notification else None
        self.reference: str | None = event.reference
        self.amount = notification.amount if notification else None
        self.currency = notification.currency if notification else None

    @property
    def identity(self) -> tuple[Any, ...]:
        """What a repeated notification shares with the first one."""
        return self.transaction_id, self.status, self.reference, self.amount

    def record(self) -> dict[str, Any]:
        """One row of a table."""
        return {
            "received_at": self.at,
            "reference": self.reference,
            "status": self.status,
            "amount": self.amount,
            "currency": self.currency,
            "outcome": self.outcome,
            "times": self.times,
            "transaction_id": self.transaction_id,
        }

    def _rows(self) -> list[Row]:
        shown = self.record() | {
            "received_at": f"{self.at:%Y-%m-%d %H:%M:%S} UTC",
            "amount": money.show(self.amount, self.currency),
        }
        shown.pop("currency")  # it stands behind the amount
        return [(name, str(value)) for name, value in shown.items() if value is not None]

    def __repr__(self) -> str:
        return f"Received({self.reference}, {self.status}, {self.outcome})"

    def _title(self) -> str:
        return "Notification"


class Inbox:
    """Receives notifications on 127.0.0.1, from a thread; listens when the constructor returns.

    Args:
        config: whose secret and clock count; by default the environment's, and in ``local`` the
            embedded sandbox's. Give ``client.config``.
        secret: the webhook secret, instead of the configuration's.
        books: where notifications are kept; by default those that the client of this process uses.
        port: 0 takes a free one.
        public_url: the address under which 88Pay reaches this inbox, where a tunnel leads to it.
        decrypt: another way to decrypt the token; 88Pay's cipher is not documented.
        on_unverified: what to do outside ``local`` with a notification whose token cannot be
            decrypted. ``"keep"`` stores it, applies nothing and answers 200, because the cipher
            here is a guess and a refusal would use up 88Pay's retries; ``"refuse"`` answers 401.

    Raises:
        ConfigError: there is no webhook secret.
        PortInUse: another program has the port.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        secret: str | None = None,
        books: Books | str | None = None,
        port: int = 0,
        public_url: str | None = None,
        decrypt: Decrypt | None = None,
        on_unverified: Literal["keep", "refuse"] = "keep",
    ) -> None:
        self.config = _config(config, secret)
        found = Secret(secret) if secret else self.config.webhook_secret
        if not found:
            raise ConfigError(
                "webhook_secret: not set. Set PAY88_WEBHOOK_SECRET, or pass Inbox(secret=…). "
                "Without an account, leave PAY88_ENVIRONMENT unset: the local sandbox needs none."
            )
        self._secret: Secret = found
        self._given_books = books
        self._books: Books | None = None
        self._decrypt = decrypt
        # In `local` the cipher is the sandbox's own, so what does not decrypt is forged.
        self._keeps = on_unverified == "keep" and self.config.environment != "local"
        self._received: list[Received] = []
        # Anybody may call; the list of refusals must not fill the memory.
        self._refused: deque[dict[str, Any]] = deque(maxlen=1_000)
        self._arrived = threading.Condition()
        self._opening = threading.Lock()
        self._public_url = public_url
        self.app = _make_app(self)
        self._server = Server(self.app, port)

    @property
    def url(self) -> str:
        """The address to give as ``notification_url``."""
        return (self._public_url or self._server.url).rstrip("/") + PATH

    @property
    def books(self) -> Books:
        """Where notifications are kept."""
        from pay88kit.books import Books, default_books

        with self._opening:
            if self._books is None:
                given = self._given_books
                if given is None:
                    self._books = default_books(self.config)
                else:
                    self._books = Books(given) if isinstance(given, str) else given
            return self._books

    def receive(
        self, body: bytes, authorization: str | None, *, marker: str | None = None
    ) -> Received:
        """Check and keep one notification.

        Raises:
            WebhookRefused: it is malformed or forged; nothing was kept.
            BooksError: it could not be kept, so it must not be acknowledged.
        """
        now = self.config.clock.now()
        notification: Notification | None
        verified = True
        try:
            notification = webhooks.verify(
                body, authorization, self._secret, now=now, decrypt=self._decrypt
            )
        except WebhookRefused as refusal:
            if not (self._keeps and refusal.reason is Reason.CANNOT_DECRYPT):
                self._note_refusal(now, refusal)
                raise
            notification, verified = webhooks.parse(body), False
        try:
            event = self.books.receive(
                body,
                notification,
                verified=verified,
                marker=marker,
                environment=self.config.environment,
                now=now,
            )
        except Pay88Error:
            raise
        except Exception as error:
            # Whatever the database says: not kept.
            raise BooksError(f"books: the notification could not be kept: {error}") from error
        received = Received(now, notification, event)
        with self._arrived:
            self._received.append(received)
            self._arrived.notify_all()
        return received

    def _note_refusal(self, now: datetime, refusal: WebhookRefused) -> None:
        with self._arrived:
            self._refused.append(
                {"received_at": now, "reason": str(refusal.reason), "detail": refusal.detail}
            )
            self._arrived.notify_all()

    def wait(
        self,
        n: int = 1,
        timeout: float = 10.0,
        *,
        reference: str | None = None,
        status: str | None = None,
    ) -> list[Received]:
        """Wait until ``n`` different notifications have come; returns them, oldest first.

        ``reference`` and ``status`` count only those that fit. A repeated notification is one.
        ``timeout`` is in real seconds.

        Raises:
            Pay88Error: they did not come in time; the message says what did.
        """
        limit = time.monotonic() + timeout

        def fitting() -> list[Received]:
            return [
                received
                for received in self._received
                if received.outcome != "repeated"
                and reference in (None, received.reference)
                and status in (None, received.status)
            ]

        with self._arrived:
            self._arrived.wait_for(
                lambda: len(fitting()) >= n, timeout=max(0.0, limit - time.monotonic())
            )
            found = fitting()
            refused = [entry["reason"] for entry in self._refused]
        if len(found) < n:
            told = f" Refused: {', '.join(refused)}." if refused else ""
            raise Pay88Error(
                f"{len(found)} of {n} notifications came within {timeout:g} s.{told} Has the "
                f"operation a final status yet, and does its notification_url lead here?"
            )
        return found

    def frame(self) -> pd.DataFrame:
        """The different notifications that came to this inbox; ``times`` counts repeats."""
        columns = ("received_at", "reference", "status", "amount", "currency", "outcome", "times")
        with self._arrived:
            times = {r.identity: r.times for r in self._received}
            rows = [
                r.record() | {"times": times[r.identity]}
                for r in self._received
                if r.outcome != "repeated"
            ]
        return to_frame(rows, columns)

    def refused(self) -> pd.DataFrame:
        """The calls that were refused, with the reason of each."""
        with self._arrived:
            return to_frame(list(self._refused), ("received_at", "reason", "detail"))

    def close(self) -> None:
        """Stop listening."""
        self._server.close()

    def __enter__(self) -> Inbox:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Inbox({self.config.environment}, {len(self._received)} received)"


def _config(config: Config | None, secret: str | None) -> Config:
    if config is None and secret is not None and not environment_is_set():
        return Config(environment="sandbox", webhook_secret=secret)
    config = config or Config()
    if config.embedded and config.origin is None and secret is None and not config.webhook_secret:
        from pay88kit.sandbox import shared

        return shared().config
    return config


def _make_app(inbox: Inbox) -> Any:
    with needs("server"):
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import Request
        from starlette.responses import JSONResponse, Response
        from starlette.routing import Route

    def refuse(status: int, reason: str) -> Response:
        return JSONResponse({"received": False, "reason": reason}, status)

    async def receive(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY:
                return refuse(413, f"body larger than {MAX_BODY // 1024} KiB")
        authorization = request.headers.get("authorization")
        marker = request.query_params.get(MARKER)
        try:
            await run_in_threadpool(inbox.receive, body, authorization, marker=marker)
        except WebhookRefused as refusal:
            return refuse(400 if refusal.reason.malformed else 401, str(refusal.reason))
        except Pay88Error:
            # Not kept, so not acknowledged: 88Pay will try again.
            return refuse(503, "could not be kept")
        return JSONResponse(RECEIVED)

    return Starlette(routes=[Route("/{path:path}", receive, methods=["POST"])])
