"""The inbox itself: what the rest of the kit and its users see."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, cast

from pay88kit import webhooks
from pay88kit.config import Config, Secret, environment_is_set
from pay88kit.errors import BooksError, ConfigError, Pay88Error, WebhookRefused, WrongUse
from pay88kit.frames import to_frame
from pay88kit.inbox.app import PATH, make_app
from pay88kit.inbox.handlers import Function, Handlers, Retries
from pay88kit.inbox.log import MOST, Log
from pay88kit.inbox.received import Received
from pay88kit.inbox.writer import Writer
from pay88kit.serving import Server
from pay88kit.webhooks import Decrypt, Incoming, Reason

if TYPE_CHECKING:
    import pandas as pd

    from pay88kit.books import Arrival, Books
    from pay88kit.inbox.widget import LiveTable

_logger = logging.getLogger("pay88kit.inbox")


class Inbox:
    """Receives notifications: mounted in your own service, or from a thread on 127.0.0.1.

    Mounted, ``app.mount("/webhooks", inbox.app)``, it opens no port. Otherwise it listens as soon
    as its address is asked for (``inbox.url``), or at once where ``port`` is given.

    Args:
        config: whose secret and clock count; by default the environment's, and in ``local`` the
            embedded sandbox's. Give ``client.config``.
        secret: the webhook secret, instead of the configuration's.
        books: where notifications are kept; by default those that the client of this process uses.
        port: listen on it at once; 0 takes a free one.
        public_url: the address under which 88Pay reaches this inbox: your service's, or a tunnel's
            that leads to ``port``. ``/webhooks/88pay`` is added to it.
        decrypt: another way to decrypt the token; 88Pay's cipher is not documented.
        on_unverified: what to do outside ``local`` with a notification whose token cannot be
            decrypted. ``"keep"`` stores it, applies nothing and answers 200, because the cipher
            here is a guess and a refusal would use up 88Pay's retries. Once a true notification
            was verified, or :meth:`recheck` has shown that your ``decrypt`` reads what was kept,
            confirm it: ``"refuse"`` answers 401.
        retries: when a handler that failed is tried again.
        tap: is given every request before it is checked, from the receiver's thread. It holds the
            token: do not print or keep it.
        watch: is given every notification after it was kept, repeats too, from the receiver's
            thread and before 88Pay is answered, so it must be quick. For looking on, in this
            process only: what it raises is dropped. What must be done belongs in a handler, see
            :meth:`on`.

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
        port: int | None = None,
        public_url: str | None = None,
        decrypt: Decrypt | None = None,
        on_unverified: Literal["keep", "refuse"] = "keep",
        retries: Retries | None = None,
        tap: Callable[[Incoming], None] | None = None,
        watch: Callable[[Received], None] | None = None,
    ) -> None:
        secret = Secret(secret) if secret else None  # a traceback shows local variables
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
        self._opening = threading.Lock()
        self._log = Log()
        self._watch = watch or (lambda received: None)
        self._writer = Writer(self._keep)
        self._handlers = Handlers(lambda: self.books, self.config.environment, retries or Retries())
        self._app = make_app(self._put_from_loop, tap or (lambda request: None))
        self._public_url = public_url
        self._server: Server | None = None
        self._listens = port is not None or public_url is None
        if port is not None:
            self._listen(port)

    # -- where it is

    @property
    def app(self) -> Any:
        """The ASGI application, to be mounted. It takes a notification under any path.

        To ask for it loads what the first notification needs, and opens the books.
        """
        self._prepare()
        self._handlers.serve()
        return self._app

    def _prepare(self) -> None:
        """Do now what the first notification would wait for: 88Pay gives its answer five seconds.

        Raises nothing: a service may start before its database does.
        """
        try:
            if self._decrypt is None:
                with suppress(ValueError):  # no token; its packages are there now
                    webhooks.decrypt_jwe("", self._secret)
            if self._books is None and self.books.lasting:
                # A server that forks its workers now would leave one connection to all of them.
                self.books.close()
        except Pay88Error as error:
            _logger.warning("No notification can be kept yet: %s", error)

    @property
    def url(self) -> str:
        """The address to give as ``notification_url``."""
        if self._listens:
            self._listen(0)
        base = self._public_url or (self._server.url if self._server else "")
        return base.rstrip("/") + PATH

    def _listen(self, port: int) -> None:
        self._prepare()
        with self._opening:
            if self._server is None:
                self._server = Server(self._app, port)
        self._handlers.serve()

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

    # -- receiving

    def receive(
        self, body: bytes, authorization: str | None, *, marker: str | None = None
    ) -> Received:
        """Check and keep one notification.

        ``app`` does this for you; a service that is not ASGI calls it in its own route.

        Raises:
            WebhookRefused: it is malformed or forged; nothing was kept.
            BooksError: it could not be kept, so it must not be acknowledged.
        """
        authorization = None if authorization is None else Secret(authorization)
        self._handlers.serve()
        arrival = self._check(body, authorization, marker)
        return cast("Received", self._writer.put(arrival).result())

    def _put_from_loop(
        self, body: bytes, authorization: str | None, marker: str | None
    ) -> asyncio.Future[Any]:
        return self._writer.put_from_loop(self._check(body, authorization, marker))

    def _check(self, body: bytes, authorization: str | None, marker: str | None) -> Arrival:
        from pay88kit.books import Arrival

        authorization = None if authorization is None else Secret(authorization)
        now = self.config.clock.now()
        verified = True
        try:
            notification = webhooks.verify(
                body, authorization, self._secret, now=now, decrypt=self._decrypt
            )
        except WebhookRefused as refusal:
            if not (self._keeps and refusal.reason is Reason.CANNOT_DECRYPT):
                self._log.refuse(now, refusal)
                raise
            notification, verified = webhooks.parse(body), False
        environment, hand_to = self.config.environment, self._handlers.names_for
        return Arrival(
            body, notification, verified, marker, environment, now, authorization, hand_to
        )

    def _keep(self, arrivals: Sequence[Arrival]) -> list[Received | Exception]:
        """Commit; only then is anybody told."""
        kept: list[Received | Exception] = []
        for arrival, event in zip(arrivals, self.books.receive_all(arrivals), strict=True):
            if isinstance(event, Pay88Error):
                kept.append(event)
            elif isinstance(event, Exception):
                # Whatever the database says: not kept.
                kept.append(BooksError(f"books: the notification could not be kept: {event}"))
            else:
                body = arrival.body.decode("utf-8", "backslashreplace")
                kept.append(Received(arrival.now, arrival.notification, event, body))
        self._tell(*(each for each in kept if isinstance(each, Received)))
        return kept

    def _tell(self, *received: Received) -> None:
        # First: who waits for a notification finds what was made of it.
        for each in received:
            # It is kept already: what an onlooker raises must not make it look lost.
            with suppress(Exception):
                self._watch(each)
        self._log.add(*received)
        self._handlers.wake()

    def recheck(self, decrypt: Decrypt | None = None) -> pd.DataFrame:
        """Check again what is kept as unverified; returns a row for each, with its ``outcome``.

        What its token proves now is received as if it came then: its age is judged at the time at
        which it came, its operation is found, handlers get it. The rest stays as it is, and
        ``reason`` says why. Nothing is sent. ``decrypt`` is tried instead of this inbox's own.
        """
        decrypt = decrypt or self._decrypt
        rows = []
        for row in self.books.unverified(self.config.environment):
            body, at = row["body"].encode(), row["received_at"]
            told = {"received_at": at, "transaction_id": row["transaction_id"]}
            try:
                notification = webhooks.verify(
                    body, row["authorization"], self._secret, now=at, decrypt=decrypt
                )
            except WebhookRefused as refusal:
                rows.append(told | {"outcome": "unverified", "reason": str(refusal.reason)})
                continue
            arrival = self._arrival_again(body, notification, row)
            event = self.books.receive_again(row["id"], arrival)
            if event is not None:
                rows.append(told | {"outcome": event.outcome, "reference": event.reference})
                self._tell(Received(at, notification, event, row["body"]))
        return to_frame(rows, ("received_at", "transaction_id", "reference", "outcome", "reason"))

    def _arrival_again(self, body: bytes, notification: Any, row: Any) -> Arrival:
        from pay88kit.books import Arrival

        return Arrival(
            body, notification, True, row["marker"], self.config.environment, row["received_at"],
            hand_to=self._handlers.names_for,
        )  # fmt: skip

    # -- handlers

    def on(self, *wanted: str) -> Callable[[Function], Function]:
        """Register a function, ``def`` or ``async def``, that is given each event.

            @inbox.on("COMPLETED")
            def ship(event):
                …

        ``wanted`` are statuses, and only what was **applied** to an operation counts; without any,
        every event that was applied. Outcomes are taken too: ``on("conflict", "amount differs")``,
        ``"late"``, ``"unmatched"``, ``"several match"``, ``"unverified"``. A repeat is not handed
        over again.

        It runs after the commit and in the background, one worker at a time for an event, in any
        process that has it under this name; an ``async def`` in an event loop of its own. When it
        raises, it is tried again after 1 s, 5 s, 30 s, 5 min and 30 min, and then it has failed:
        see :meth:`failed`. When its process dies, another one takes over a minute later. So it
        may run **more than once** for one event: make it idempotent, by ``event.id`` or by the
        state of your order.

        Raises:
            WrongUse: the name is taken or there is none, or ``wanted`` can never come.
        """
        return lambda function: self._handlers.add(function, wanted)

    def wait_for_handlers(self, timeout: float = 10.0) -> None:
        """Wait until the handlers have nothing more to do. ``timeout`` is in real seconds.

        Raises:
            Pay88Error: one still runs, or waits to be tried again.
        """
        self._handlers.wait(timeout)

    def handlings(self) -> pd.DataFrame:
        """Which handler has which event: due, running, done or failed. From the books."""
        return self.books.handlings.frame()

    def failed(self) -> pd.DataFrame:
        """Where a handler has failed for good, with its last error."""
        return self.books.handlings.frame("failed")

    def run_again(self, event: str | None = None) -> int:
        """Give what has failed to its handlers once more; returns how many.

        ``event`` is the id of one event; without it, all that :meth:`failed` shows.
        """
        count = self.books.handlings.run_again(
            event, environment=self.config.environment, now=datetime.now(UTC)
        )
        self._handlers.wake()
        return count

    # -- looking on

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
        What came to this process counts, the last 1,000 of it. ``timeout`` is in real seconds.

        Raises:
            Pay88Error: they did not come in time; the message says what did.
        """
        if n > MOST:
            raise WrongUse(f"n: an inbox remembers the last {MOST:,}; the books have all of them.")

        def fitting() -> list[Received]:
            return [
                received
                for received in self._log.received()
                if received.outcome != "repeated"
                and reference in (None, received.reference)
                and status in (None, received.status)
            ]

        self._log.wait_for(lambda: len(fitting()) >= n, timeout)
        found = fitting()
        if len(found) < n:
            refused = [entry["reason"] for entry in self._log.refused()]
            told = f" Refused: {', '.join(refused)}." if refused else ""
            raise Pay88Error(
                f"{len(found)} of {n} notifications came within {timeout:g} s.{told} Has the "
                f"operation a final status yet, and does its notification_url lead here?"
            )
        return found

    async def __aiter__(self) -> AsyncIterator[Received]:
        """Every different notification, from the first one on; ends when the inbox is closed.

        The loop may be the one that serves ``app``, or any other.
        """
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # that loop is closed
                loop.call_soon_threadsafe(woken.set)

        with self._log.listening(wake):
            position = 0
            while True:
                woken.clear()
                # Asked first: what came before it was closed is still handed out.
                closed = self._log.closed
                fresh, position = self._log.since(position)
                for received in fresh:
                    if received.outcome != "repeated":
                        yield received
                if closed:
                    return
                await woken.wait()

    def frame(self) -> pd.DataFrame:
        """The different notifications that came to this inbox; ``times`` counts repeats."""
        columns = ("received_at", "reference", "status", "amount", "currency", "outcome", "times")
        came = self._log.received()
        times = {received.id: received.times for received in came}
        rows = [
            received.record() | {"times": times[received.id]}
            for received in came
            if received.outcome != "repeated"
        ]
        return to_frame(rows, columns)

    def widget(self) -> LiveTable:
        """A live table for JupyterLab: a row for each notification, its body one click away.

        In a terminal, ``print(inbox.widget())`` shows it as text, as it is now.

        Raises:
            MissingExtra: without the extra ``guide``.
        """
        from pay88kit.inbox.widget import LiveTable

        return LiveTable(self._log)

    def refused(self) -> pd.DataFrame:
        """The calls that were refused, with the reason of each."""
        return to_frame(self._log.refused(), ("received_at", "reason", "detail"))

    def close(self) -> None:
        """Stop listening. Handlers that run go on; what is still due stays in the books."""
        if self._server is not None:
            self._server.close()
        self._writer.close()
        self._handlers.close()
        self._log.close()

    def __enter__(self) -> Inbox:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Inbox({self.config.environment}, {self._log.count} received)"


def _config(config: Config | None, secret: str | None) -> Config:
    if config is None and secret is not None and not environment_is_set():
        return Config(environment="sandbox", webhook_secret=secret)
    config = config or Config()
    if config.embedded and config.origin is None and secret is None and not config.webhook_secret:
        from pay88kit.sandbox import shared

        return shared().config
    return config
