"""What asks: a client whose calls are watched, an inbox, and the history of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import httpx

from pay88kit import money
from pay88kit.client.exchange import PATHS
from pay88kit.config import Config, Secret
from pay88kit.errors import ConfigError, InvalidRequest, Pay88Error, Problem
from pay88kit.frames import to_frame
from pay88kit.guide.evidence import witness_of
from pay88kit.guide.explore import form as forms
from pay88kit.guide.explore import snippets
from pay88kit.guide.explore.exchange import Call, Exchange
from pay88kit.guide.explore.history import History
from pay88kit.guide.lesson import lesson_config, watched
from pay88kit.inbox import Inbox
from pay88kit.models.answers import Answer, Token

if TYPE_CHECKING:
    import pandas as pd

    from pay88kit.guide.explore.console import Console
    from pay88kit.sandbox import Sandbox

_PLAYS = ("complete", "reject", "expire")
_COLUMNS = ("received_at", "reference", "status", "amount", "currency", "outcome", "times")


class Explorer:
    """Ask 88Pay something, and see both sides. Use it as a context manager, or :meth:`close` it.

    The sandbox of this process is served while it is open, so that what you copy reaches it.

    Args:
        config: which 88Pay; by default a lesson's: the local sandbox unless you chose another.
        public_url: outside ``local``, the public address that leads to an inbox here. Without it
            there is no inbox there.

    Raises:
        ConfigError: the environment is production; or credentials are missing.
    """

    def __init__(self, config: Config | None = None, *, public_url: str | None = None) -> None:
        config = config or lesson_config()
        if config.environment == "production":
            raise ConfigError("environment: exploring creates charges, so production is refused.")
        self._wire = _Wire()
        self.client = watched(config, event_hooks=self._wire.hooks)
        #: What was asked so far.
        self.history = History()
        #: The receiver of notifications, or None where none can be reached.
        self.inbox: Inbox | None = None
        config = self.client.config
        if config.webhook_secret and (config.environment == "local" or public_url):
            port = 0 if public_url else None
            self.inbox = Inbox(
                config, port=port, public_url=public_url, watch=witness_of(config).received
            )
        self._open = ExitStack()
        #: Where programs outside of this one find 88Pay.
        self.address = config.base_url
        if self.sandbox is not None:
            self.address = self._open.enter_context(self.sandbox.serve())

    @property
    def sandbox(self) -> Sandbox | None:
        """The local sandbox, or None elsewhere."""
        return self.client.sandbox

    def environment(self) -> dict[str, str]:
        """The variables that a copied program reads. Their values are masked in a repr."""
        config = self.client.config
        values = (config.api_key or "", config.merchant_id or "")
        return {name: Secret(value) for name, value in zip(snippets.NEEDS, values, strict=True)}

    # -- asking

    def form(self, operation: str, **given: Any) -> forms.Form:
        """The fields of an operation with their values, choices, limits and help.

        Raises:
            InvalidRequest: there is no such operation.
        """
        url = self.inbox.url if self.inbox else forms.ANY_URL
        merchant = str(self.client.config.merchant_id)
        return forms.form(operation, given, notification_url=url, merchant_id=merchant)

    def send(
        self,
        operation: str,
        *,
        check: bool = True,
        extra: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Exchange:
        """Fill the form of an operation and send it; a field given as None is left out.

        Whatever comes of it is in the exchange that is returned: an error of the kit's too.

        Args:
            operation: ``token``, ``charge``, ``cash``, ``cashout`` or ``balance``.
            check: False sends what the kit would refuse.
            extra: body fields that the kit does not know.
            fields: what differs from :meth:`form`.

        Raises:
            InvalidRequest: there is no such operation.
        """
        body = self.form(operation, **fields).body()
        work: Callable[[], Answer]
        if operation == "token":

            def work() -> Answer:
                return self.client.token(fresh=True)

        elif operation == "balance":

            def work() -> Answer:
                return self.client.balance(body.get("merchant_id"))

        else:
            verb = getattr(self.client, operation)

            def work() -> Answer:
                return verb(check=check, extra=extra, **body)  # type: ignore[no-any-return]

        return self._keep(operation, work, notification_url=body.get("notification_url"))

    def raw(
        self, method: str, path: str, *, json: Any = None, params: Mapping[str, str] | None = None
    ) -> Exchange:
        """Send anything with a token: no check, no record in the books."""

        def work() -> Answer:
            if not (method.isascii() and method.isalpha()):
                fault = f"{method[:40]!r} is not an HTTP method."
                raise InvalidRequest(Problem("method", fault, "Use one such as GET or POST."))
            try:
                snippets.pretty(json)
            except TypeError as error:
                raise InvalidRequest(Problem("json", f"{error}.", "Change that value.")) from None
            asked = snippets.target(path)
            return self.client.request(method.upper(), asked, json=json, params=params)

        return self._keep(f"{method.upper()} {path}", work)

    def _keep(
        self, operation: str, work: Callable[[], Answer], *, notification_url: Any = None
    ) -> Exchange:
        self._wire.begin()
        answer, error = None, None
        try:
            answer = work()
        except Pay88Error as problem:
            error = problem
        request = sent = None
        last = self._wire.last
        # A token that was refused is not what was asked for.
        if last is not None and (operation == "token" or last.url.path != PATHS["token"]):
            sent = money.loads(last.content) if last.content else None
            body = sent
            if notification_url is not None and isinstance(sent, dict):
                # Without the kit's marker: a copy is another operation.
                body = sent | {"notification_url": notification_url}
            parts = urlsplit(str(last.url))
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            address = quote(self.address, safe=":/[]")
            request = snippets.Request(address, last.method, snippets.target(target), body)
        exchange = Exchange(
            self.history.next_number(),
            self.client.config.clock.now(),
            operation,
            request=request,
            sent=sent,
            answer=answer,
            error=error,
            calls=self._wire.calls(),
            secrets=self._secrets(),
        )
        self.history.add(exchange)
        return exchange

    def _secrets(self) -> frozenset[str]:
        config = self.client.config
        known = {config.api_key, config.webhook_secret, *self._wire.secrets}
        # A short one would be found in amounts and names.
        return frozenset(str(secret) for secret in known if secret and len(secret) >= 8)

    # -- the customer, time, and what the webhook brought

    def play(self, what: str, exchange: Exchange | None = None, *, after: float = 0) -> str:
        """Play the customer of an exchange, by default of the last with a transaction.

        Only the local sandbox can be played; elsewhere it says what to do instead.

        Args:
            what: ``complete``, ``reject`` or ``expire``.
            exchange: whose transaction.
            after: how many seconds pass on the sandbox's clock before.

        Returns:
            What became of it, in words.
        """
        made = [each for each in self.history if each.reference]
        exchange = exchange or (made[-1] if made else None)
        if exchange is None or exchange.reference is None:
            return "There is no transaction yet. Send a charge first."
        if self.sandbox is None:
            page = getattr(exchange.answer, "url_checkout", None)
            where = f"on its page {page}" if page else "as 88Pay's answer says"
            return f"{exchange.reference}: pay it {where}; its webhook brings what became of it."
        if what not in _PLAYS:
            raise InvalidRequest(
                Problem("what", f"{what!r} is unknown.", f"Use one of: {', '.join(_PLAYS)}.")
            )
        self.sandbox.clock.advance(after)
        try:
            done = getattr(self.sandbox, what)(exchange.reference)
        except (Pay88Error, ValueError) as error:
            return str(error)
        return f"{exchange.reference}: {done['status']}"

    def notifications(self) -> pd.DataFrame:
        """What the webhook brought, a row for each different notification."""
        return to_frame([], _COLUMNS) if self.inbox is None else self.inbox.frame()

    # -- shown

    def console(self) -> Console:
        """The same as a form of widgets.

        Raises:
            MissingExtra: without the extra ``guide``.
        """
        from pay88kit.guide.explore.console import Console

        return Console(self)

    def close(self) -> None:
        """Stop serving and receiving."""
        self._open.close()
        if self.inbox is not None:
            self.inbox.close()
        self.client.close()

    def __enter__(self) -> Explorer:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Explorer({self.client.config.environment}, {len(self.history)} exchanges)"


class _Wire:
    """What goes over the wire during one call of the client."""

    def __init__(self) -> None:
        self._requests: list[httpx.Request] = []
        self._statuses: dict[int, int] = {}
        self.secrets: set[str] = set()

    def begin(self) -> None:
        self._requests, self._statuses = [], {}

    @property
    def hooks(self) -> dict[str, list[Callable[..., Any]]]:
        return {"request": [self._asked], "response": [self._answered]}

    def _asked(self, request: httpx.Request) -> None:
        self._requests.append(request)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.secrets |= {bearer, request.headers.get("x-session-id", "")}

    def _answered(self, response: httpx.Response) -> None:
        self._statuses[len(self._requests) - 1] = response.status_code
        if response.request.url.path == PATHS["token"] and response.is_success:
            with suppress(Pay88Error, ValueError, httpx.RequestError):
                token = Token.read(money.loads(response.read()))
                self.secrets |= {token.access_token or "", token.session_id or ""}

    @property
    def last(self) -> httpx.Request | None:
        return self._requests[-1] if self._requests else None

    def calls(self) -> tuple[Call, ...]:
        return tuple(
            Call(request.method, request.url.raw_path.decode(), self._statuses.get(number))
            for number, request in enumerate(self._requests)
        )
