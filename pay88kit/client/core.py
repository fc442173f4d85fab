"""What a call does, step by step: build → send → decide → read → record."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpx

from pay88kit import money
from pay88kit.client.flow import Flow, Record, Send, Wait
from pay88kit.client.tokens import TokenCache
from pay88kit.config import Config
from pay88kit.display import one_line
from pay88kit.errors import (
    ConnectionFailed,
    InvalidRequest,
    MalformedAnswer,
    OutcomeUnknown,
    Pay88Error,
    Problem,
    status_error,
)
from pay88kit.models.answers import Answer, Balance, Cashout, Charge, Token
from pay88kit.models.requests import check as check_body
from pay88kit.models.requests import complete
from pay88kit.policy import CREATES, Failure, Policy, Step
from pay88kit.version import __version__
from pay88kit.webhooks import MARKER

if TYPE_CHECKING:
    from pay88kit.books import Books

PATHS = {
    "token": "/api/auth/token",
    "charge": "/api/transactions/charges",
    "cash": "/api/transactions/cash",
    "cashout": "/api/transactions/cashout-bank-transfer",
    "balance": "/api/balance",
}
_OPERATIONS = {path: operation for operation, path in PATHS.items()}
_ANSWERS: Mapping[str, type[Charge] | type[Cashout]] = {
    "charge": Charge,
    "cash": Charge,
    "cashout": Cashout,
}
# The kind of failure, by what httpx knows of the request. All others: it may have arrived.
_NOT_SENT = (
    httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError,
    httpx.UnsupportedProtocol,
)  # fmt: skip


# Not a warning: one that is turned into an error would hide what became of the money.
_log = logging.getLogger("pay88kit")
_ALWAYS = {"Accept": "application/json", "User-Agent": f"pay88kit/{__version__}"}


@dataclass(frozen=True)
class Call:
    """One request as it is asked for, before a token is put into it."""

    operation: str
    method: str
    path: str
    json: Any = None
    params: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Done:
    """A successful exchange: the decoded answer, and the session under which it happened."""

    raw: dict[str, Any]
    session_id: str | None


class Core:
    """The rules of the client, without knowing whether it is synchronous.

    ``books`` is opened when the first create needs it.
    """

    def __init__(
        self,
        config: Config,
        policy: Policy,
        open_books: Callable[[], Books | None],
        *,
        operation_marker: bool,
    ) -> None:
        self.config = config
        self._policy = policy
        self._open_books = open_books
        self._marks = operation_marker
        self._tokens = TokenCache(config.clock)

    # -- the verbs

    def token(self, *, fresh: bool = False) -> Flow[Token]:
        """A token that is usable now."""
        if fresh:
            self._tokens.drop()
        return (yield from self._tokens.get(self._fetch_token()))

    def balance(self, merchant_id: str | None) -> Flow[Balance]:
        """The balance of the merchant."""
        asked = {"id": merchant_id or str(self.config.merchant_id)}
        call = Call("balance", "POST", PATHS["balance"], params=asked)
        return Balance.read((yield from self._exchange(call)).raw)

    def request(self, method: str, path: str, json: Any, params: Any) -> Flow[Answer]:
        """Any authenticated call."""
        method = method.upper()
        if not path.startswith("/"):
            raise InvalidRequest(Problem("path", f"{path!r} is no path.", "Begin it with a slash."))
        if "#" in path:
            raise InvalidRequest(Problem("path", "has a # in it.", "Write %23, or leave it out."))
        operation = _OPERATIONS.get(path, "") if method == "POST" else ""
        call = Call(operation or f"{method} {path}", method, path, json, params)
        return Answer.read((yield from self._exchange(call)).raw)

    def create(
        self,
        operation: str,
        request: Any,
        fields: Mapping[str, Any],
        *,
        key: str | None,
        extra: Mapping[str, Any] | None,
        check: bool,
    ) -> Flow[Any]:
        """A charge, cash payment or cashout: recorded, sent once, recorded again."""
        body = self._body(operation, request, fields, extra, check)
        books = self._open_books()
        if key is not None and not (isinstance(key, str) and key.strip() and len(key) <= 255):
            fault = "is not a name."
            raise InvalidRequest(Problem("key", fault, "Use text of 1 to 255 characters."))
        if books is None and key is not None:
            fault = "is kept in the books, and this client has none (books=False)."
            raise InvalidRequest(Problem("key", fault, "Leave the key out, or use books."))
        marker = self._new_id()
        if books is not None:
            begin = Record(
                lambda: books.begin(
                    operation,
                    body,
                    id=marker,
                    environment=self.config.environment,
                    merchant_id=str(self.config.merchant_id),
                    key=key,
                    now=self.config.clock.now(),
                )
            )
            entry = yield begin
            if entry.answer is not None:
                return _ANSWERS[operation].read(entry.answer)
            marker = entry.id
        call = Call(operation, "POST", PATHS[operation], self._marked(body, marker))
        sessions: list[str | None] = []
        try:
            done = yield from self._exchange(call, sessions)
            answer = self._read(operation, done.raw)
        except Exception as error:
            if isinstance(error, OutcomeUnknown):
                error = OutcomeUnknown(operation, error.reason, key=key, marker=marker)
            elif sessions and not isinstance(error, Pay88Error):
                reason = f"The exchange broke off ({type(error).__name__})."
                error = OutcomeUnknown(operation, reason, key=key, marker=marker)
            if books is not None:
                yield Record(self._failed(books, marker, error, sessions))
            raise error from None
        except BaseException:
            # Interrupted or cancelled. Once it was on its way, it may have been accepted.
            if books is not None:
                stopped: Exception = Pay88Error("Interrupted before it was sent.")
                if sessions:
                    stopped = InterruptedError("Interrupted before the answer came.")
                self._failed(books, marker, stopped, sessions)()
            raise
        if books is not None:
            yield Record(self._succeeded(books, marker, answer, str(done.session_id)))
        return answer

    # -- building

    def _body(
        self,
        operation: str,
        request: Any,
        fields: Mapping[str, Any],
        extra: Mapping[str, Any] | None,
        check: bool,
    ) -> dict[str, Any]:
        given = dict(fields) if request is None else {**request.fields(), **fields}
        body = complete(operation, {name: _plain(value) for name, value in given.items()})
        if check:
            loopback = self.config.environment == "local"
            body = check_body(operation, body, loopback=loopback)
            for name in body.keys() & (extra or {}).keys():
                fault = "is a field that the kit knows, so extra= may not change it."
                raise InvalidRequest(Problem(name, fault, f"Give {name}= itself, or check=False."))
        body |= extra or {}
        float_at = _find_float(body)
        if float_at:
            # Not even without the checks: what is sent would not be what was meant.
            fault = "is a float, which cannot hold money exactly."
            raise InvalidRequest(Problem(float_at, fault, "Use an int or a Decimal."))
        return body

    def _marked(self, body: dict[str, Any], marker: str) -> dict[str, Any]:
        url = body.get("notification_url")
        if not self._marks or not isinstance(url, str):
            return body
        try:
            parts = urlsplit(url)
        except ValueError:
            return body  # only with check=False
        # The merchant's own query stays as it is written: it may be signed.
        query = f"{parts.query}&{MARKER}={marker}" if parts.query else f"{MARKER}={marker}"
        return body | {"notification_url": urlunsplit(parts._replace(query=query))}

    def _new_id(self) -> str:
        origin = self.config.origin
        return str(origin.operation_id()) if origin is not None else str(uuid.uuid4())

    # -- the exchange

    def _fetch_token(self) -> Flow[Token]:
        done = yield from self._exchange(Call("token", "POST", PATHS["token"]))
        token = Token.read(done.raw)
        if token.access_token is None or token.session_id is None:
            raise MalformedAnswer(
                "token", "The answer has no access_token or no session_id.", sent=True
            )
        return token

    def _exchange(self, call: Call, sessions: list[str | None] | None = None) -> Flow[Done]:
        """Send until there is an answer, or the policy says to stop.

        ``sessions`` receives the session of every attempt: the last one is known even when no
        answer comes.
        """
        retries = renewals = 0
        while True:
            token = None if call.operation == "token" else (yield from self.token())
            if token is not None and sessions is not None:
                sessions.append(token.session_id)
            outcome = yield from self._attempt(call, token)
            if isinstance(outcome, Done):
                return outcome
            failure, error, status_code, retry_after = outcome
            decision = self._policy.decide(
                call.operation,
                failure,
                status_code=status_code,
                retries=retries,
                renewals=renewals,
                retry_after=retry_after,
            )
            if decision.step is Step.RENEW:
                renewals += 1
                self._tokens.drop(token)
            elif decision.step is Step.RETRY:
                retries += 1
                clock = self.config.clock
                yield Wait(clock, clock.monotonic() + decision.wait)
            elif decision.step is Step.UNKNOWN and call.operation in CREATES:
                raise OutcomeUnknown(call.operation, _reason(error)) from None
            else:
                raise error from None

    def _attempt(
        self, call: Call, token: Token | None
    ) -> Flow[Done | tuple[Failure, Pay88Error, int, float | None]]:
        try:
            response = yield Send(self._build(call, token))
        except _NOT_SENT as problem:
            reason = (
                f"No connection to {self.config.base_url} ({type(problem).__name__}). Check the "
                f"network and the base URL; nothing was sent."
            )
            return Failure.NOT_SENT, ConnectionFailed(call.operation, reason), 0, None
        except httpx.RequestError as problem:
            reason = f"No answer came ({type(problem).__name__})."
            return Failure.NO_ANSWER, ConnectionFailed(call.operation, reason, sent=True), 0, None
        session_id = token.session_id if token else None
        raw = _decode(response.content)
        if not response.is_success:
            return self._refusal(call, response, raw, session_id, token)
        if raw is None:
            reason = "The answer is not a JSON object."
            return Failure.BAD_ANSWER, MalformedAnswer(call.operation, reason, sent=True), 0, None
        return Done(raw, session_id)

    def _build(self, call: Call, token: Token | None) -> httpx.Request:
        if token is None:
            headers = {
                # Not made into plain text here, where a traceback might show it.
                "x-api-key": self.config.api_key or "",
                "x-merchant-id": self.config.merchant_id or "",
            }
        else:
            headers = token.headers
        content = None
        if call.json is not None:
            headers |= {"Content-Type": "application/json"}
            content = money.dumps(_plain(call.json)).encode()
        url = self.config.base_url + call.path
        if call.params:
            url += ("&" if "?" in url else "?") + urlencode(call.params)
        return httpx.Request(call.method, url, headers=_ALWAYS | headers, content=content)

    def _refusal(
        self,
        call: Call,
        response: httpx.Response,
        raw: dict[str, Any] | None,
        session_id: str | None,
        token: Token | None,
    ) -> tuple[Failure, Pay88Error, int, float | None]:
        said = (raw or {}).get("message")
        message = said if isinstance(said, str) else response.reason_phrase or "without a message"
        retry_after = _seconds(response.headers.get("retry-after"))
        error = status_error(response.status_code)(
            call.operation,
            response.status_code,
            # Cut after cleaning: half a secret would not be found.
            one_line(self._clean(message, token))[:500],
            session_tail=session_id[-4:] if session_id else None,
            body=self._clean_all(raw, token),
            retry_after=retry_after,
        )
        return Failure.STATUS, error, response.status_code, retry_after

    def _clean(self, text: str, token: Token | None) -> str:
        """88Pay's words, without our own secrets should it repeat them."""
        config = self.config
        secrets = [config.api_key, config.webhook_secret]
        if token is not None:
            secrets += [token.access_token, token.session_id]
        for secret in filter(None, secrets):
            text = text.replace(str(secret), "…")
        return text

    def _clean_all(self, value: Any, token: Token | None) -> Any:
        """The same for a whole decoded answer."""
        if isinstance(value, str):
            return self._clean(value, token)
        if isinstance(value, dict):
            return {
                self._clean(name, token): self._clean_all(item, token)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self._clean_all(item, token) for item in value]
        return value

    # -- reading and recording

    def _read(self, operation: str, raw: dict[str, Any]) -> Charge | Cashout:
        data = raw.get("data")
        reference = data.get("reference") if isinstance(data, Mapping) else None
        if not isinstance(reference, str) or not reference:
            raise OutcomeUnknown(operation, "The answer has no reference.")
        return _ANSWERS[operation].read(raw)

    def _failed(
        self, books: Books, marker: str, error: BaseException, sessions: list[str | None]
    ) -> Callable[[], None]:
        now = self.config.clock.now()

        def write() -> None:
            try:
                if isinstance(error, OutcomeUnknown | InterruptedError):
                    reason = error.reason if isinstance(error, OutcomeUnknown) else str(error)
                    session_id = sessions[-1] if sessions else None
                    books.lost(marker, reason, session_id=session_id, now=now)
                else:
                    books.refused(marker, str(error).splitlines()[0], now=now)
            except Exception as problem:
                # What became of the request must reach the caller whatever happens here.
                _log.error("This could not be recorded: %s: %s", error, problem)

        return write

    def _succeeded(
        self, books: Books, marker: str, answer: Charge | Cashout, session_id: str
    ) -> Callable[[], None]:
        def write() -> None:
            try:
                books.created(
                    marker,
                    answer.raw,
                    reference=answer.reference,
                    session_id=session_id,
                    now=self.config.clock.now(),
                )
            except Exception as error:
                # 88Pay has accepted it: the reference must reach the caller whatever happens here.
                _log.error(
                    "%s was accepted by 88Pay, but could not be recorded: %s",
                    answer.reference,
                    error,
                )

        return write


def _plain(value: Any) -> Any:
    """Models inside a body as plain data."""
    if hasattr(value, "model_dump"):
        return value.model_dump(exclude_none=True)
    return value


def _find_float(value: Any, path: str = "") -> str | None:
    """The path of the first float in a body, or None."""
    if isinstance(value, float):
        return path
    items: Any = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for name, item in items:
        found = _find_float(item, f"{path}.{name}" if path else str(name))
        if found:
            return found
    return None


def _decode(content: bytes) -> dict[str, Any] | None:
    try:
        raw = money.loads(content)
    except ValueError:
        return None
    return raw if isinstance(raw, dict) else None


def _seconds(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def _reason(error: Pay88Error) -> str:
    reason = getattr(error, "reason", None)
    if reason is None:
        reason = f"88Pay answered {getattr(error, 'status_code', 'with an error')}."
    return str(reason)
