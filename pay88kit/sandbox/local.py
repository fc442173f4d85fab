"""The sandbox as its users meet it in Python."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pay88kit import money
from pay88kit.config import BASE_URLS, KEY_PREFIXES, Config, fault_of_time
from pay88kit.errors import WrongUse
from pay88kit.sandbox import console
from pay88kit.sandbox.api import Api
from pay88kit.sandbox.clock import END, EPOCH, START, SandboxClock
from pay88kit.sandbox.control import Control
from pay88kit.sandbox.courier import Courier
from pay88kit.sandbox.limits import LIMITS
from pay88kit.sandbox.links import BrowserLink
from pay88kit.sandbox.origin import is_foreign, only_here
from pay88kit.sandbox.pages import Pages
from pay88kit.sandbox.reply import Ask, Reply, as_json, error
from pay88kit.sandbox.store import Store, StoreFailed
from pay88kit.sandbox.world import DEFAULT_MERCHANT, World
from pay88kit.serving import Server

Limits = Mapping[str, tuple[int, int]]


class Sandbox:
    """A local 88Pay for learning and for tests. Simulated data, not 88Pay.

    The same seed and the same calls give the same references, sessions, tokens and times. It
    works in process, without a socket: ``Pay88(sandbox.config)``. Use it as a context manager, or
    :meth:`close` it.

    Args:
        seed: of every id and key.
        limits: ``{family: (per minute, per hour)}`` with the families ``token``, ``transactions``
            and ``balance``; 88Pay's documented ones by default; None lifts them.
        clock: ``"manual"`` moves only when told (:attr:`clock`), ``"real"`` runs.
        start: when a manual clock begins; 2026-01-15T12:00:00Z by default.
        control: whether the control side answers over HTTP.
        deliver_anywhere: whether notifications leave this machine. Only for your own addresses.
        db: a file that keeps everything, so that a sandbox which is started again, even after it
            was killed, goes on where it stopped; its seed and its time count then. By default
            nothing is kept.
        transaction_ids: what a notification's ``transaction_id`` is, which 88Pay does not document:
            ``"operation"``, an id of its own, or ``"session"``, that of the create.
        environment: ``"production"`` rehearses the day of going live: its :attr:`config` says
            ``production`` and has an invented ``sk_live_`` key. Such a sandbox stays in this
            process: it is reached by ``Pay88(sandbox.config)`` only, and is neither served, shown
            nor kept in a file.

    Raises:
        WrongUse: production with ``db`` or ``deliver_anywhere``.
        StoreUnusable: ``db`` is something else's file, damaged, or in use.
    """

    def __init__(
        self,
        seed: int = 88,
        limits: Limits | None = LIMITS,
        *,
        clock: str = "manual",
        start: datetime | None = None,
        control: bool = True,
        deliver_anywhere: bool = False,
        db: Path | str | None = None,
        transaction_ids: str = "operation",
        environment: str = "local",
    ) -> None:
        if environment not in ("local", "production"):
            raise ValueError(
                f'environment: {environment!r} is unknown. Use "local" or "production".'
            )
        self._environment = environment
        if db is not None or deliver_anywhere:
            self._stays_if_live("leave out db and deliver_anywhere")
        if clock not in ("manual", "real"):
            raise ValueError(f'clock: {clock!r} is unknown. Use "manual" or "real".')
        if start is not None:
            if clock != "manual":
                raise ValueError("start: a real clock shows the time as it is. Leave it out.")
            if (fault := fault_of_time(start)) or not EPOCH <= start < END:
                bounds = f"must lie between {EPOCH:%Y-%m-%d} and {END:%Y-%m-%d}."
                raise ValueError(f"start: {fault or bounds}")
        if transaction_ids not in ("operation", "session"):
            raise ValueError(
                f'transaction_ids: {transaction_ids!r} is unknown. Use "operation" or "session".'
            )
        self._store = None if db is None else Store(db)
        self._courier = Courier(anywhere=deliver_anywhere)
        merged = None if limits is None else {**LIMITS, **limits}
        self._world = World(
            seed,
            limits=merged,
            manual=clock == "manual",
            start=(start or START).astimezone(UTC),
            courier=self._courier,
            store=self._store,
            session_ids=transaction_ids == "session",
            key_prefix=KEY_PREFIXES[environment],
        )
        self._address = BASE_URLS["local"]
        self._api = Api(self._world, lambda: self._address)
        self._control = Control(self._world, self._api)
        self._pages = Pages(self._world)
        self._has_control = control
        self._viewer: Server | None = None
        self._viewer_lock = threading.Lock()
        self._viewer_key = secrets.token_urlsafe(16)

    # -- as 88Pay

    @property
    def config(self) -> Config:
        """The configuration with which a client or an inbox belongs to this sandbox."""
        return self.config_for(DEFAULT_MERCHANT)

    def config_for(self, merchant_id: str) -> Config:
        """The configuration of one of its merchants."""
        merchant = self._world.merchants[merchant_id]
        return Config(
            environment=self._environment,
            # Nobody's address, so that not even a mistake reaches the real production.
            base_url=BASE_URLS["local"],
            api_key=merchant.api_key,
            merchant_id=merchant.merchant_id,
            webhook_secret=merchant.webhook_secret,
            clock=self.clock,
            origin=self,
        )

    @property
    def clock(self) -> SandboxClock:
        """The one clock: ``.now()``, ``.advance(seconds)``, ``.set(moment)``."""
        return self._world.clock

    def handle(self, ask: Ask) -> Reply:
        """Answer a request, whichever way it came."""
        try:
            return self._handle(ask)
        except StoreFailed as failed:
            # Not kept, so not acknowledged.
            return error(503, str(failed))

    def _handle(self, ask: Ask) -> Reply:
        if not ask.path.startswith("/api/") and is_foreign(ask):
            return error(403, "origin: another site's page may not change anything here.")
        if ask.path.startswith(console.HOME) or ask.path == console.HOME.rstrip("/"):
            if not self._has_control and ask.path != "/_sandbox/health":
                return error(404, "path: this sandbox was started without its control side.")
            if console.serves(ask.path):
                return console.answer(ask)
            return self._control.answer(ask)
        if self._pages.serves(ask.path):
            return self._pages.answer(ask)
        if ask.path == "/openapi.json":
            return self._describe(ask)
        return self._api.answer(ask)

    def _describe(self, ask: Ask) -> Reply:
        if ask.method != "GET":
            return error(405, "method: use GET.", {"Allow": "GET"})
        from pay88kit.sandbox.openapi import document  # a sandbox that nobody asks starts without

        return as_json(200, document(self._address, control=self._has_control))

    def routes(self) -> list[tuple[str, str]]:
        """What it answers for programs: method and path, ``{}`` for what differs. The pages for
        people are not among them."""
        ours = self._control.routes() if self._has_control else [("GET", "/_sandbox/health")]
        return [*self._api.routes(), *ours, ("GET", "/openapi.json")]

    def operation_id(self) -> str:
        """An id for the client's next operation, from the seed."""
        with self._world.lock:
            return self._world.ids.uuid("operation")

    # -- what customers, banks and time do

    def complete(self, reference: Any) -> dict[str, Any]:
        """The customer pays, or the bank pays out. Returns after the first notification attempt.

        Here and below, ``reference`` may also be the answer that carries it.
        """
        return self._control.finish(_reference(reference), "COMPLETED")

    def reject(self, reference: Any) -> dict[str, Any]:
        """The customer declines, or the bank refuses. Returns after the first attempt."""
        return self._control.finish(_reference(reference), "REJECTED")

    def expire(self, reference: Any) -> dict[str, Any]:
        """The time to pay is over: REJECTED. Returns after the first attempt."""
        return self._control.finish(_reference(reference), "REJECTED", expired=True)

    def settle(self, amount: int | str | Decimal, merchant_id: str | None = None) -> dict[str, Any]:
        """Move available funds to the merchant's bank."""
        return self._control.move("settlements", money.exact(amount), merchant_id)

    def charge_fees(
        self, amount: int | str | Decimal, merchant_id: str | None = None
    ) -> dict[str, Any]:
        """Take fees out of what is available."""
        return self._control.move("fees", money.exact(amount), merchant_id)

    def hold_reserves(
        self, amount: int | str | Decimal, merchant_id: str | None = None
    ) -> dict[str, Any]:
        """Hold a reserve back from what is available."""
        return self._control.move("reserves", money.exact(amount), merchant_id)

    def scenario(self, name: str, merchant_id: str | None = None) -> dict[str, Any]:
        """Empty a merchant's ledger and play a situation of 88Pay's balance page.

        ``profitable``, ``advance``, ``settled``, ``pending``, ``fees``, ``empty`` or ``low``.
        """
        return self._control.scenario(name, merchant_id)

    def fault(self, operation: str, kind: str, **fields: Any) -> dict[str, Any]:
        """Make calls fail on purpose.

        Args:
            operation: ``token``, ``charges``, ``cash``, ``cashout-bank-transfer``, ``balance``, or
                ``*`` for all.
            kind: ``status``, ``latency``, ``drop_before`` (not accepted), ``drop_after`` (accepted,
                and the answer is lost) or ``malformed``.
            fields: ``times`` (1; None for all), ``rate`` (0 to 1, from the seed), ``sequence`` (of
                ``"fail"`` and ``"pass"``); ``status``, ``message``, ``retry_after``; ``seconds``.
        """
        return self._control.fault(_as_json({"operation": operation, "kind": kind, **fields}))

    def clear_faults(self) -> None:
        """End every fault."""
        self._control.clear_faults()

    def plan(self, reference: Any, steps: list[dict[str, Any]]) -> dict[str, Any]:
        """Script a transaction's notifications; see :class:`~pay88kit.sandbox.plans.Step`.

        The plan starts when the transaction becomes final, or now if it is.
        """
        return self._control.plan(_reference(reference), _as_json(steps))

    def reset(self, seed: int | None = None) -> None:
        """Begin again, as new."""
        self._world.reset(self._world.seed if seed is None else seed)

    def merchant(self, **fields: Any) -> dict[str, Any]:
        """Make a merchant, or change a known one: ``merchant_id``, ``country``, ``currency``,
        ``credit_limit``, ``suspended``, ``limits``."""
        return self._control.set_merchant(fields)[1]

    # -- what it knows

    def transactions(self, merchant_id: str | None = None) -> list[dict[str, Any]]:
        """All transactions, status included."""
        return self._control.transactions(merchant_id)

    def transaction(self, reference: Any) -> dict[str, Any]:
        """One transaction."""
        return self._control.transaction(_reference(reference))

    def merchants(self) -> list[dict[str, Any]]:
        """Its merchants, with their keys."""
        return self._control.merchants()

    def webhooks(self, reference: Any = None) -> list[dict[str, Any]]:
        """Every attempt to deliver a notification."""
        return self._control.webhooks(None if reference is None else _reference(reference))

    def resend(self, delivery_id: int) -> dict[str, Any]:
        """Send a notification again. Returns after the attempt."""
        return self._control.resend(delivery_id)

    def requests(self) -> list[dict[str, Any]]:
        """What was asked and answered on 88Pay's paths, secrets masked."""
        return self._api.requests()

    # -- for others

    @property
    def app(self) -> Any:
        """The ASGI application, for a server of your own. It answers under every name (``Host``):
        which ones are good is that server's to say.

        Raises:
            WrongUse: this sandbox plays production.
        """
        self._stays_if_live("use Pay88(sandbox.config)")
        from pay88kit.sandbox.app import make_app

        return make_app(self.handle)

    def _server(self, port: int = 0, **here: str | None) -> Server:
        """A server on loopback, whose control side no other site's page reaches."""
        self._stays_if_live("use Pay88(sandbox.config)")
        from pay88kit.sandbox.app import make_app

        no_http = error(400, "request: this is no HTTP request; send one that is well formed.")
        return Server(make_app(only_here(self.handle, **here)), port, not_http=no_http.body)

    @contextmanager
    def serve(self, port: int = 0, *, public_prefix: str | None = None) -> Iterator[str]:
        """Serve on 127.0.0.1 from a thread; yields the address, and is ready by then.

        ``public_prefix`` is what addresses in answers start with, where a proxy stands before it.
        The control side answers under this machine's names and the one in ``public_prefix``.

        Raises:
            PortInUse: another program has the port.
            WrongUse: this sandbox plays production.
        """
        server = self._server(port, prefix=public_prefix)
        before, self._address = self._address, (public_prefix or server.url).rstrip("/")
        try:
            yield server.url
        finally:
            self._address = before
            server.close()

    def show_checkout(self, charge: Any) -> BrowserLink:
        """A link to the page where the customer pays, for the browser that shows this notebook."""
        address = charge.url_checkout or charge.voucher_url or charge.qr_code_url
        if not address:
            raise ValueError(
                f"{charge.reference} has no page: its customer pays by a bank transfer. "
                f"Use sandbox.complete({charge.reference!r})."
            )
        kind, code = address.rsplit("/", 2)[-2:]
        return BrowserLink(f"Open the page of {charge.reference}", self._view(), f"/{kind}/{code}")

    def show_console(self) -> BrowserLink:
        """A link to the console, for the browser that shows this notebook.

        The console shows transactions, notifications and requests as they come, and moves the
        clock.

        Raises:
            WrongUse: this sandbox was started without its control side.
        """
        if not self._has_control:
            raise WrongUse("The console needs the control side: Sandbox(control=True).")
        # A proxy's outside name is not known here, so the link brings a key of its own.
        path = f"/{self._viewer_key}{console.HOME}"
        return BrowserLink("Open the sandbox's console", self._view(), path)

    def _stays_if_live(self, instead: str) -> None:
        """Keep what plays production inside of this process.

        Raises:
            WrongUse: this sandbox plays production.
        """
        if self._environment == "production":
            raise WrongUse(
                f"environment: a sandbox that plays production stays in this process; {instead}."
            )

    def _view(self) -> int:
        """The port of a server for this notebook's links; addresses in answers stay as they are."""
        with self._viewer_lock:
            if self._viewer is None:
                self._viewer = self._server(key=self._viewer_key)
            return self._viewer.port

    def close(self) -> None:
        """Stop what runs in the background."""
        self.clock.close()
        self._courier.close()
        if self._viewer is not None:
            self._viewer.close()
            self._viewer = None
        if self._store is not None:
            self._store.close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        kind = "manual" if self.clock.manual else "real"
        plays = "" if self._environment == "local" else f"plays {self._environment}, "
        return (
            f"Sandbox({plays}seed={self._world.seed}, clock={kind}, "
            f"{self.clock.now():%Y-%m-%dT%H:%M:%SZ})"
        )


def _reference(given: Any) -> str:
    """A reference, or the one that an answer carries."""
    return str(getattr(given, "reference", given))


def _as_json(value: Any) -> Any:
    """Python's numbers as they come out of a request's body."""
    return money.loads(json.dumps(value, default=str))


_shared: Sandbox | None = None
_shared_lock = threading.Lock()


def shared() -> Sandbox:
    """The process's own sandbox, seed 88, that every ``Pay88()`` without settings talks to."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Sandbox(seed=88)
        return _shared
