"""``Pay88`` and ``AsyncPay88``: the verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack
from urllib.parse import urlsplit

import httpx

from pay88kit.client.core import Core
from pay88kit.client.flow import drive, drive_async
from pay88kit.client.logs import mask_http_logs
from pay88kit.client.transports import InProcess
from pay88kit.config import Config, SystemClock, is_loopback, no_certificates
from pay88kit.display import Row, Shown
from pay88kit.errors import ConfigError, InvalidRequest, MissingExtra, Problem
from pay88kit.models.answers import Answer, Balance, Cashout, Charge, Token
from pay88kit.models.requests import BankDetails, CashoutRequest, CashRequest, ChargeRequest
from pay88kit.policy import Policy

if TYPE_CHECKING:
    import ssl

    import pandas as pd

    from pay88kit.books import Books
    from pay88kit.client.many import Batch
    from pay88kit.sandbox import Sandbox

# A create that is answered late is worse than one that waits: its outcome would be unknown.
TIMEOUT = httpx.Timeout(30.0, connect=10.0)


class PayinFields(TypedDict, total=False):
    """The body of a charge or cash payment."""

    flow: str
    method_code: str
    method_category: str
    amount: int | str | Decimal
    currency: str
    country: str
    description: str
    customer_id: str
    notification_url: str
    return_url: str


class PayoutFields(TypedDict, total=False):
    """The body of a cashout."""

    flow: str
    method_code: str
    method_category: str
    amount: int | str | Decimal
    currency: str
    country: str
    description: str
    customer_id: str
    notification_url: str
    bank_details: BankDetails | Mapping[str, str]


class _Client(Shown):
    """What both clients are made from."""

    def __init__(
        self,
        config: Config | None,
        books: Books | str | Literal[False] | None,
        policy: Policy | None,
        operation_marker: bool,
        share_token: bool,
    ) -> None:
        mask_http_logs()
        self.config = _complete(config or Config())
        self._books = books
        self._core = Core(
            self.config,
            policy or Policy(),
            self._open_books,
            operation_marker=operation_marker,
            share_token=share_token,
        )

    @property
    def sandbox(self) -> Sandbox | None:
        """The local sandbox this client talks to in process; None elsewhere."""
        return self.config.origin  # type: ignore[no-any-return]

    @property
    def books(self) -> Books | None:
        """The merchant's own record, opened now if it was not yet; None with ``books=False``.

        Raises:
            MissingExtra: without the extra ``books``.
        """
        return self._open_books()

    @property
    def payouts_sent(self) -> int:
        """How many payouts this client has sent, whatever became of them.

        It grows when the answer is there, or none has come: a balance from before is out of date.
        """
        return self._core.payouts_sent

    def _open_books(self) -> Books | None:
        if self._books is False:
            return None
        if self._books is None or isinstance(self._books, str):
            try:
                from pay88kit.books import Books, default_books
            except MissingExtra as missing:
                missing.add_note("To go unrecorded instead: Pay88(…, books=False).")
                raise

            given = self._books
            self._books = default_books(self.config) if given is None else Books(given)
        return self._books

    @property
    def _leaves_machine(self) -> bool:
        # A proxy leads out of this machine; a sandbox served on it is not there.
        return not is_loopback(urlsplit(self.config.base_url).hostname or "")

    def _transport(self, given: Any) -> Any:
        if given is None and self.config.origin is not None:
            return InProcess(self.config.origin)
        return given

    def _batch(self, rows: Any, concurrency: int, max_wait: float | None) -> Batch:
        if not isinstance(concurrency, int) or concurrency < 1:
            fault = f"{concurrency} can send nothing."
            raise InvalidRequest(Problem("concurrency", fault, "Use a whole number, 1 or more."))
        if self.books is None:
            fault = "are kept in the books, and this client has none (books=False)."
            raise InvalidRequest(Problem("keys", fault, "Use books."))
        from pay88kit.client.many import Batch

        return Batch(self._core, rows, max_wait)

    def _options(self, timeout: Any, event_hooks: Any, proxy: Any, verify: Any) -> dict[str, Any]:
        if not verify or isinstance(verify, str):
            raise ConfigError(
                "verify: 88Pay's certificate is always checked. For an authority of your own give "
                "ssl.create_default_context(cafile=…)."
            )
        if verify is True and not self._leaves_machine:
            if self.config.base_url[:5] == "https":
                # Without trust_env httpx would not look at SSL_CERT_FILE.
                verify = httpx.create_ssl_context()
            elif proxy is None:
                # Nothing is encrypted, and loading certificates takes longer than the first call.
                verify = no_certificates()
        return {
            "timeout": timeout,
            "event_hooks": event_hooks,
            # A sandbox in this process is not behind one.
            "proxy": proxy if self.config.origin is None else None,
            "verify": verify,
            "trust_env": self._leaves_machine,
            # Credentials go to the one address that was configured.
            "follow_redirects": False,
        }

    def _rows(self) -> list[Row]:
        return self.config._rows()

    def __repr__(self) -> str:
        # A traceback may show a client that could not be made.
        return f"{type(self).__name__}({getattr(self, 'config', None)!r})"


def _complete(config: Config) -> Config:
    """The configuration with the embedded sandbox's credentials, where that is meant."""
    if config.embedded and config.origin is None:
        from pay88kit.sandbox import shared

        names = ("api_key", "merchant_id", "webhook_secret")
        given = {name: getattr(config, name) for name in names if getattr(config, name)}
        if not isinstance(config.clock, SystemClock):
            given["clock"] = config.clock
        return shared().config.replace(**given)
    missing = config.missing()
    if missing:
        variables = " and ".join(f"PAY88_{name.upper()}" for name in missing)
        raise ConfigError(
            f"{' and '.join(missing)}: not set for {config.environment}. Set {variables} in the "
            f"environment or in a .env file, or pass Config({missing[0]}=…). Without an account, "
            f"leave PAY88_ENVIRONMENT and PAY88_BASE_URL unset: the local sandbox needs none."
        )
    return config


class Pay88(_Client):
    """A client of 88Pay. With nothing set it talks to the sandbox inside the kit.

    It keeps its connections: make one and use it everywhere, from any thread.

    Args:
        config: which 88Pay, and as whom; by default from environment variables and ``.env``.
        books: where creates are recorded: :class:`~pay88kit.Books`, a database URL, or False for
            nowhere. By default ``PAY88_BOOKS``, else in memory for ``local`` and in your user data
            directory elsewhere.
        policy: what is retried, and how long to wait; see :class:`~pay88kit.Policy`.
        operation_marker: whether an operation id is added to each ``notification_url``, so that
            a notification can be matched even when the answer to the create was lost.
        share_token: whether processes of this user with the same credentials share one token, in
            a file of mode 0600. The kit's reports do.
        transport: an httpx transport of your own.
        timeout: of one attempt, in seconds, or an ``httpx.Timeout``.
        event_hooks: httpx's; what they see holds secrets.
        proxy: a proxy's address; without it the usual environment variables count.
        verify: an ``ssl.SSLContext``, for a certificate authority of your own.

    Raises:
        ConfigError: credentials are missing or do not fit the environment, or ``verify`` would
            switch the check of 88Pay's certificate off.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        books: Books | str | Literal[False] | None = None,
        policy: Policy | None = None,
        operation_marker: bool = True,
        share_token: bool = False,
        transport: httpx.BaseTransport | None = None,
        timeout: float | httpx.Timeout = TIMEOUT,
        event_hooks: Mapping[str, list[Callable[..., Any]]] | None = None,
        proxy: str | None = None,
        verify: ssl.SSLContext | Literal[True] = True,
    ) -> None:
        super().__init__(config, books, policy, operation_marker, share_token)
        self._http = httpx.Client(
            transport=self._transport(transport),
            **self._options(timeout, event_hooks, proxy, verify),
        )
        if not isinstance(self._http._transport, InProcess):
            from pay88kit.client.deadline import bound

            bound(self._http)

    def token(self, *, fresh: bool = False) -> Token:
        """A token that is usable now; the kept one, unless ``fresh``."""
        return drive(self._core.token(fresh=fresh), self._http)

    def charge(
        self,
        request: ChargeRequest | None = None,
        /,
        *,
        key: str | None = None,
        extra: Mapping[str, Any] | None = None,
        check: bool = True,
        **fields: Unpack[PayinFields],
    ) -> Charge:
        """Ask a customer for money (payin, ``POST /api/transactions/charges``).

        Args:
            request: the body as a model, instead of or under keywords.
            key: your own name for this charge, such as the order number. The same key never
                charges twice: a repeated call returns the recorded answer.
            extra: body fields that the kit does not know.
            check: False sends the body without the kit's checks.
            fields: the body; see :class:`~pay88kit.ChargeRequest`. ``flow`` and
                ``method_category`` follow from ``method_code``.

        Raises:
            InvalidRequest: a rule is broken; nothing was sent.
            StatusError: 88Pay refused it; there is no charge.
            OutcomeUnknown: it may have been accepted. Never just send it again.
            KeyConflict: the key was used for another body.
        """
        flow = self._core.create("charge", request, fields, key=key, extra=extra, check=check)
        return drive(flow, self._http)  # type: ignore[no-any-return]

    def charge_many(
        self,
        rows: pd.DataFrame | Iterable[Mapping[str, Any]],
        *,
        concurrency: int = 8,
        max_wait: float | None = None,
        progress: bool | None = None,
    ) -> pd.DataFrame:
        """Charge many customers, each under a key of its own, some at the same time.

        It keeps to the rate limits for as long as that takes. Ctrl-C ends what is under way and
        records it; the same call again goes on where it stopped, and repeats no charge.

        Args:
            rows: a table, or an iterable of mappings, each with a ``key`` and a charge's fields.
            concurrency: how many are under way at once.
            max_wait: the longest time in seconds that one row waits for its place; no bound
                by default.
            progress: whether a bar is shown; by default where somebody watches.

        Returns:
            A row for each row, in their order: ``key``, ``state`` (``created``, ``refused``,
            ``unknown``, ``invalid``, ``not sent``), the answer's fields, ``error``.

        Raises:
            InvalidRequest: a row without a key, or two with the same; nothing was sent.
            Unauthorized, Forbidden, BooksError: what would stop all others; what was done by then
                is in the books.
            MissingExtra: without the extras ``books`` and ``frames``.
        """
        return self._batch(rows, concurrency, max_wait).run(self._http, concurrency, progress)

    def cash(
        self,
        request: CashRequest | None = None,
        /,
        *,
        key: str | None = None,
        extra: Mapping[str, Any] | None = None,
        check: bool = True,
        **fields: Unpack[PayinFields],
    ) -> Charge:
        """Ask for a payment at a counter (payin, ``POST /api/transactions/cash``).

        88Pay documents only path and purpose: the kit sends the body of a charge (assumed).
        Arguments and errors are those of :meth:`charge`; ``method_code`` is CASH by default.
        """
        flow = self._core.create("cash", request, fields, key=key, extra=extra, check=check)
        return drive(flow, self._http)  # type: ignore[no-any-return]

    def cashout(
        self,
        request: CashoutRequest | None = None,
        /,
        *,
        key: str | None = None,
        extra: Mapping[str, Any] | None = None,
        check: bool = True,
        **fields: Unpack[PayoutFields],
    ) -> Cashout:
        """Send money to a bank account (payout, ``POST /api/transactions/cashout-bank-transfer``).

        88Pay documents only path and purpose: the body is assumed. Arguments and errors are those
        of :meth:`charge`; ``bank_details`` names the recipient's account.
        """
        flow = self._core.create("cashout", request, fields, key=key, extra=extra, check=check)
        return drive(flow, self._http)  # type: ignore[no-any-return]

    def balance(self, merchant_id: str | None = None) -> Balance:
        """The merchant's balance (``POST /api/balance``); of another merchant it is refused."""
        return drive(self._core.balance(merchant_id), self._http)

    def request(
        self, method: str, path: str, *, json: Any = None, params: Mapping[str, str] | None = None
    ) -> Answer:
        """Any authenticated call. Nothing is checked or recorded."""
        return drive(self._core.request(method, path, json, params), self._http)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Pay88:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class AsyncPay88(_Client):
    """The same client for asyncio; see :class:`Pay88` for arguments and errors."""

    def __init__(
        self,
        config: Config | None = None,
        *,
        books: Books | str | Literal[False] | None = None,
        policy: Policy | None = None,
        operation_marker: bool = True,
        share_token: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float | httpx.Timeout = TIMEOUT,
        event_hooks: Mapping[str, list[Callable[..., Any]]] | None = None,
        proxy: str | None = None,
        verify: ssl.SSLContext | Literal[True] = True,
    ) -> None:
        super().__init__(config, books, policy, operation_marker, share_token)
        self._http = httpx.AsyncClient(
            transport=self._transport(transport),
            **self._options(timeout, event_hooks, proxy, verify),
        )

    async def token(self, *, fresh: bool = False) -> Token:
        """See :meth:`Pay88.token`."""
        return await drive_async(self._core.token(fresh=fresh), self._http)

    async def charge(
        self,
        request: ChargeRequest | None = None,
        /,
        *,
        key: str | None = None,
        extra: Mapping[str, Any] | None = None,
        check: bool = True,
        **fields: Unpack[PayinFields],
    ) -> Charge:
        """See :meth:`Pay88.charge`."""
        flow = self._core.create("charge", request, fields, key=key, extra=extra, check=check)
        return await drive_async(flow, self._http)

    async def charge_many(
        self,
        rows: pd.DataFrame | Iterable[Mapping[str, Any]],
        *,
        concurrency: int = 8,
        max_wait: float | None = None,
        progress: bool | None = None,
    ) -> pd.DataFrame:
        """See :meth:`Pay88.charge_many`. A task that is cancelled ends what is under way first."""
        batch = self._batch(rows, concurrency, max_wait)
        return await batch.run_async(self._http, concurrency, progress)

    async def cash(
        self,
        request: CashRequest | None = None,
        /,
        *,
        key: str | None = None,
        extra: Mapping[str, Any] | None = None,
        check: bool = True,
        **fields: Unpack[PayinFields],
    ) -> Charge:
        """See :meth:`Pay88.cash`."""
        flow = self._core.create("cash", request, fields, key=key, extra=extra, check=check)
        return await drive_async(flow, self._http)

    async def cashout(
        self,
        request: CashoutRequest | None = None,
        /,
        *,
        key: str | None = None,
        extra: Mapping[str, Any] | None = None,
        check: bool = True,
        **fields: Unpack[PayoutFields],
    ) -> Cashout:
        """See :meth:`Pay88.cashout`."""
        flow = self._core.create("cashout", request, fields, key=key, extra=extra, check=check)
        return await drive_async(flow, self._http)

    async def balance(self, merchant_id: str | None = None) -> Balance:
        """See :meth:`Pay88.balance`."""
        return await drive_async(self._core.balance(merchant_id), self._http)

    async def request(
        self, method: str, path: str, *, json: Any = None, params: Mapping[str, str] | None = None
    ) -> Answer:
        """See :meth:`Pay88.request`."""
        return await drive_async(self._core.request(method, path, json, params), self._http)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncPay88:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()
