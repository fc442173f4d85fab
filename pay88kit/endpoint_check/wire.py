"""The way to the endpoint: one request, one answer, within a time that is always real."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from urllib.parse import SplitResult, urlsplit

import httpx

from pay88kit.config import SECRET_SHAPES, is_loopback
from pay88kit.display import one_line
from pay88kit.endpoint_check.notification import Ready, Transaction
from pay88kit.endpoint_check.probes import Kind, Verdict
from pay88kit.endpoint_check.said import Said, Sentence, Told, say
from pay88kit.errors import ConnectionFailed, WrongUse

# What is read of an answer, and what is shown of it.
MOST_READ, MOST_SHOWN = 64 * 1024, 160
EXPIRES_SOON = timedelta(days=14)
_AGENT = "pay88kit webhook check"


@dataclass(frozen=True)
class Answer:
    """What came back. ``text`` is the endpoint's, on one line and without secrets.

    Where nothing came in time it is the limit in seconds, where nothing came at all the reason.
    """

    kind: Kind
    status: int | None
    seconds: float
    text: str = ""

    def told(self) -> Told:
        """The answer in words."""
        if self.kind is Kind.LATE:
            return say(Sentence.LATE, seconds=self.text)
        if self.kind is Kind.DROPPED:
            return say(Sentence.DROPPED, reason=self.text)
        if self.kind is Kind.REDIRECT and self.text:
            return say(Sentence.REDIRECTED, status=str(self.status), address=self.text)
        return f"{self.status} {self.text}".strip()


class Unreachable(Exception):
    """No connection to the endpoint."""


class Uncounted(Exception):
    """The endpoint's count of fulfilments was not to be had."""

    def __init__(self, said: Said) -> None:
        super().__init__(str(said))
        self.said = said


def parts_of(url: str, name: str = "url") -> SplitResult:
    """The parts of a web address.

    Raises:
        WrongUse: it is none, or has a password in it.
    """
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise WrongUse(f"{name}: this is no web address. Use one such as https://shop.example/hook")
    if parts.username is not None or parts.password is not None:
        # It would be shown wherever the address is.
        raise WrongUse(f"{name}: leave the user name and password out of the address.")
    return parts


def shown(parts: SplitResult) -> str:
    """An address as it may be shown: its query may hold a secret."""
    return one_line(parts._replace(query="…" if parts.query else "", fragment="").geturl())


class Mask:
    """Takes secrets out of a stranger's text, and brings it onto one line."""

    def __init__(self, secret: str, tokens: Iterable[str]) -> None:
        self._secret = secret
        self._tokens = tokens

    def __call__(self, text: str) -> str:
        """``text`` as it may be shown."""
        for hidden in (self._secret, *self._tokens):
            if len(hidden) >= 4:
                text = text.replace(hidden, "…")
        text = one_line(SECRET_SHAPES.sub("…", text).strip())
        # Cut after masking: half a secret would not be found.
        return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"


class Wire:
    """Sends to one endpoint, and reads its count of fulfilments. An asynchronous context."""

    def __init__(self, url: str, effects: str | None, limit: float, mask: Mask) -> None:
        self._url = url.strip()
        self._effects = (effects or "").strip()
        self._limit = limit
        self._mask = mask
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def __aenter__(self) -> Wire:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def send(self, ready: Ready) -> Answer:
        """Send a request and wait for its whole answer.

        Raises:
            Unreachable: there is no connection.
        """
        started = time.perf_counter()

        def answer(kind: Kind, status: int | None = None, text: str = "") -> Answer:
            return Answer(kind, status, time.perf_counter() - started, self._mask(text))

        try:
            async with asyncio.timeout(self._limit):
                status, text = await self._ask(self._url, ready.method, ready.headers, ready.body)
        except TimeoutError:
            return answer(Kind.LATE, text=f"{self._limit:g}")
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unreachable(_reason(error)) from None
        except (httpx.HTTPError, ssl.SSLError, OSError) as error:
            return answer(Kind.DROPPED, text=_reason(error))
        return answer(_kind(status), status, text)

    async def count(self, transaction: Transaction, *, new: bool = False) -> int:
        """How often the endpoint says it has fulfilled a transaction; ``new`` was never sent.

        Raises:
            Uncounted: the address for that does not give a number.
        """
        query = {"reference": transaction.reference, "transaction_id": transaction.id}
        url = str(httpx.URL(self._effects).copy_merge_params(query))
        try:
            async with asyncio.timeout(self._limit):
                status, text = await self._ask(url, "GET", {}, b"")
        except (TimeoutError, httpx.HTTPError, OSError) as error:
            raise Uncounted(say(Sentence.COUNT_SILENT, reason=_reason(error))) from None
        try:
            found = json.loads(text) if status == 200 else None
        except ValueError:
            found = None
        count = found.get("count") if isinstance(found, dict) else found
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise Uncounted(
                say(Sentence.COUNT_WRONG, status=str(status), text=repr(self._mask(text)))
            )
        if new and count:
            raise Uncounted(say(Sentence.COUNT_INVENTED, count=str(count)))
        return count

    async def tls(self) -> tuple[Verdict, Said]:
        """What a caller sees of the encryption."""
        parts = urlsplit(self._url)
        host = parts.hostname or ""
        if parts.scheme == "http":
            if is_loopback(host):
                return Verdict.NOT_OBSERVABLE, say(Sentence.PLAIN_HERE)
            return Verdict.FAILS, say(Sentence.PLAIN)
        try:
            async with asyncio.timeout(self._limit):
                _, writer = await asyncio.open_connection(
                    host, parts.port or 443, ssl=_trusted(), server_hostname=host
                )
        except ssl.SSLCertVerificationError as error:
            reason = self._mask(error.verify_message)
            return Verdict.FAILS, say(Sentence.CERTIFICATE_REFUSED, reason=reason)
        except ssl.SSLError as error:
            reason = self._mask(_reason(error))
            return Verdict.FAILS, say(Sentence.NOT_ENCRYPTED, reason=reason)
        except (TimeoutError, OSError) as error:
            # Behind a proxy, for instance. Whether anybody listens is seen by the calls.
            return Verdict.NOT_OBSERVABLE, say(Sentence.NO_CONNECTION, reason=_reason(error))
        session: ssl.SSLObject = writer.get_extra_info("ssl_object")
        version, until = session.version(), _until(session)
        writer.close()
        seen = {"version": str(version), "day": f"{until:%Y-%m-%d}"}
        if until - datetime.now(UTC) < EXPIRES_SOON:
            return Verdict.DOUBTFUL, say(Sentence.CERTIFICATE_ENDS, **seen)
        return Verdict.PASSES, say(Sentence.CERTIFICATE, **seen)

    async def _ask(
        self, url: str, method: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, str]:
        # Uncompressed: an answer must not unpack to more than what was read.
        own = {"User-Agent": _AGENT, "Accept-Encoding": "identity"}
        async with self._client(url).stream(
            method, url, headers=headers | own, content=body
        ) as response:
            data = b""
            # The status counts, also when the connection ends before the text does.
            with suppress(httpx.HTTPError):
                async for part in response.aiter_raw():
                    data += part
                    if len(data) > MOST_READ:
                        break
            location = response.headers.get("location")
            text = (
                location if response.is_redirect and location else data.decode("utf-8", "replace")
            )
            return response.status_code, text

    def _client(self, url: str) -> httpx.AsyncClient:
        parts = urlsplit(url)
        kind = "plain" if parts.scheme == "http" else "tls"
        here = is_loopback(parts.hostname or "")
        name = f"{kind} {here}"
        if name not in self._clients:
            # What is wrong with a certificate is said by the probe `tls`, once; the others then
            # judge the endpoint behind it. Loading certificates takes longer than many a check.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self._clients[name] = httpx.AsyncClient(
                verify=context,
                # Each call has a limit for all of it. A host that does not even take a
                # connection is away, not slow.
                timeout=httpx.Timeout(None, connect=0.8 * self._limit),
                follow_redirects=False,
                trust_env=not here,
                # A connection that the server closes between two calls would look like a fault.
                limits=httpx.Limits(max_keepalive_connections=0),
            )
        return self._clients[name]


def not_reached(url: str, reason: str) -> ConnectionFailed:
    """Nobody listens at ``url``."""
    return ConnectionFailed(
        "webhook check",
        f"no connection to {shown(urlsplit(url))} ({reason}). Start the endpoint, and check host "
        f"and port. Nothing was judged.",
    )


def _trusted() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _until(session: ssl.SSLObject) -> datetime:
    certificate = session.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)


def _kind(status: int) -> Kind:
    if status == 200:
        return Kind.OK
    return {2: Kind.SUCCESS, 3: Kind.REDIRECT, 4: Kind.REFUSED}.get(status // 100, Kind.ERROR)


def _reason(error: BaseException) -> str:
    """The cause in few words: what the system said, where it is behind it."""
    found = str(error) or type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno:
            found = os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)
        cause = cause.__cause__ or cause.__context__
    return one_line(found)
