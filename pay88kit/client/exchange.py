"""One call to 88Pay: a place under the limits, a token, the request; then decide, and read."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx

from pay88kit import money
from pay88kit.client.flow import Flow, Record, Send, Wait
from pay88kit.client.pace import Pace, whole_number
from pay88kit.client.shared_pace import SharedPace
from pay88kit.client.shared_token import SharedToken
from pay88kit.client.tokens import Kept, TokenCache
from pay88kit.config import Config
from pay88kit.display import one_line
from pay88kit.errors import (
    ConnectionFailed,
    MalformedAnswer,
    OutcomeUnknown,
    Pay88Error,
    status_error,
)
from pay88kit.limits import Place
from pay88kit.models.answers import Token
from pay88kit.policy import (
    CREATES,
    Failure,
    Policy,
    Step,
    may_have_happened,
    usable_seconds,
)
from pay88kit.version import __version__

PATHS = {
    "token": "/api/auth/token",
    "charge": "/api/transactions/charges",
    "cash": "/api/transactions/cash",
    "cashout": "/api/transactions/cashout-bank-transfer",
    "balance": "/api/balance",
}
# The kind of failure, by what httpx knows of the request. All others: it may have arrived.
_NOT_SENT = (
    httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError,
    httpx.UnsupportedProtocol,
)  # fmt: skip
_SECRET_LENGTH = 8
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
    """A successful exchange: the decoded answer, the session under which it happened, and when its
    request left.
    """

    raw: dict[str, Any] = field(repr=False)
    session_id: str | None
    left_at: float


@dataclass(frozen=True)
class _Failed:
    failure: Failure
    error: Pay88Error
    status_code: int = 0
    retry_after: float | None = None


@dataclass
class _Budget:
    """What is left for one call: its end, and the seconds that it may wait for places.

    The end is in real time, since a network is: a sandbox's clock may be moved by others meanwhile.
    """

    ends: float
    patience: float
    #: From then on the books call it unknown. By the machine's time: a machine that slept may be
    #: late by that, and not by ``ends``.
    given_up_at: datetime | None = None

    @property
    def left(self) -> float:
        """For how many seconds it may go on."""
        return self.ends - time.monotonic()

    def waited_for_a_place(self, seconds: float, began: float) -> None:
        """That is bounded by itself, and does not use the deadline up."""
        self.patience -= seconds
        self.ends += time.monotonic() - began

    def waited(self, seconds: float, began: float) -> None:
        """That counts, even where a sandbox's clock made it pass at once."""
        self.ends -= max(0.0, seconds - (time.monotonic() - began))


class Exchange:
    """Sends calls by the policy, with tokens and places of its own."""

    def __init__(self, config: Config, policy: Policy, *, share_token: bool) -> None:
        self._config = config
        self._clock = config.clock
        self._policy = policy
        self._tokens = TokenCache(config.clock)
        # A sandbox in this process is nobody else's, and its time is its own.
        self._shares = share_token and config.origin is None
        self._pace = Pace(config.clock, SharedPace(config) if self._shares else None)
        self._shared: SharedToken | None = None
        self._refused: Token | None = None
        self._counting = threading.Lock()
        #: How many payouts have left, whatever became of them.
        self.payouts_sent = 0

    def token(self, *, fresh: bool = False) -> Flow[Token]:
        """A token that is usable now."""
        if fresh:
            self._tokens.drop()
        return (yield from self._take_token(self._new_budget(), fresh=fresh)).token

    def send(
        self,
        call: Call,
        sessions: list[str | None] | None = None,
        *,
        budget: _Budget | None = None,
        patience: float = math.inf,
        given_up_at: datetime | None = None,
    ) -> Flow[Done]:
        """Send until there is an answer, or the policy says to stop.

        ``sessions`` receives the session of every attempt: the last one is known even when no
        answer comes. ``patience`` may lower the policy's ``max_wait``. Nothing leaves after
        ``given_up_at``.
        """
        budget = budget or self._new_budget(patience, given_up_at)
        retries = renewals = 0
        while True:
            place = yield from self._enter(call.operation, budget)
            try:
                kept = token = None
                if call.operation != "token":
                    kept = yield from self._take_token(budget)
                    token = kept.token
                self._check_time(call.operation, budget)
            except BaseException:
                self._pace.leave(call.operation, place, sent=False)
                raise
            if token is not None and sessions is not None:
                sessions.append(token.session_id)
            try:
                outcome = yield from self._attempt(call, token, place, budget)
            finally:
                if call.operation == "cashout":
                    with self._counting:
                        self.payouts_sent += 1
            if isinstance(outcome, Done):
                return outcome
            decision = self._policy.decide(
                call.operation,
                outcome.failure,
                status_code=outcome.status_code,
                retries=retries,
                renewals=renewals,
                retry_after=outcome.retry_after,
            )
            error = outcome.error
            if call.operation in CREATES and may_have_happened(
                outcome.failure, outcome.status_code
            ):
                # Whatever the policy says: it is neither sent again nor called a refusal.
                raise OutcomeUnknown(call.operation, _reason(error)) from None
            if sessions is not None and decision.step in (Step.RENEW, Step.RETRY):
                # It surely did not happen; from here on it is not on its way.
                sessions.clear()
            if decision.step is Step.RENEW:
                # The refusal of one whose time was over by then says nothing of the next one.
                renewals += kept is None or self._clock.monotonic() < kept.until
                self._drop(token)
            elif decision.step is Step.RETRY:
                retries += 1
                limited = outcome.status_code == 429
                if decision.wait > (budget.patience if limited else budget.left - self._last):
                    raise error from None
                began = time.monotonic()
                until = self._clock.monotonic() + decision.wait
                yield Wait(self._clock, until, "88Pay asks to wait" if limited else "")
                count = budget.waited_for_a_place if limited else budget.waited
                count(decision.wait, began)
            elif decision.step is Step.UNKNOWN and call.operation in CREATES:
                raise OutcomeUnknown(call.operation, _reason(error)) from None
            else:
                raise error from None

    def ready(self, operation: str, patience: float) -> Flow[None]:
        """Wait until a place is free, without taking it."""
        if self._policy.pace:
            place, _ = yield from self._pace.enter(operation, patience)
            self._pace.leave(operation, place, sent=False)

    # -- time

    def _new_budget(
        self, patience: float = math.inf, given_up_at: datetime | None = None
    ) -> _Budget:
        ends = time.monotonic() + self._policy.deadline
        return _Budget(ends, min(patience, self._policy.max_wait), given_up_at)

    @property
    def _last(self) -> float:
        # What leaves in the last moment is hardly answered in time, and a create would be unknown.
        return self._policy.deadline / 10

    def _enter(self, operation: str, budget: _Budget) -> Flow[Place | None]:
        if not self._policy.pace:
            return None
        began = time.monotonic()
        place, waited = yield from self._pace.enter(operation, budget.patience)
        budget.waited_for_a_place(waited, began)
        return place

    def _check_time(self, operation: str, budget: _Budget) -> None:
        late = budget.given_up_at is not None and datetime.now(UTC) >= budget.given_up_at
        if late or budget.left < self._last:
            reason = (
                f"The deadline of {self._policy.deadline:g} s has passed; nothing was sent. Try "
                f"again, or give the client a policy with a longer deadline."
            )
            raise ConnectionFailed(operation, reason)

    # -- tokens

    def _take_token(self, budget: _Budget, *, fresh: bool = False) -> Flow[Kept]:
        if not self._policy.reuse_tokens:
            return (yield from self._ask_for_token(budget))
        fetch = self._ask_for_token(budget) if fresh else self._fetch(budget)
        return (yield from self._tokens.get(fetch))

    def _ask_for_token(self, budget: _Budget) -> Flow[Kept]:
        done = yield from self.send(Call("token", "POST", PATHS["token"]), budget=budget)
        token = Token.read(done.raw)
        if not (_fits_a_header(token.access_token) and _fits_a_header(token.session_id)):
            raise MalformedAnswer(
                "token", "The answer has no usable access_token or session_id.", sent=True
            )
        # 88Pay counts the 60 seconds from some moment after that one.
        return Kept(token, done.left_at + usable_seconds(token.expires_in))

    def _fetch(self, budget: _Budget) -> Flow[Kept]:
        """A token from 88Pay, or the one that another process has fetched."""
        if not self._shares:
            return (yield from self._ask_for_token(budget))
        shared = self._shared = self._shared or SharedToken(self._config)
        lock = Record(shared.acquire, whole=False)
        try:
            yield lock
            found = shared.read(other_than=self._refused)
            if found is not None:
                token, left = found
                return Kept(token, self._clock.monotonic() + left)
            kept = yield from self._ask_for_token(budget)
            shared.write(kept.token, kept.until - self._clock.monotonic())
            return kept
        finally:
            if lock.done:
                shared.release()

    def _drop(self, token: Token | None) -> None:
        self._refused = token
        self._tokens.drop(token)

    # -- one attempt

    def _attempt(
        self, call: Call, token: Token | None, place: Place | None, budget: _Budget
    ) -> Flow[Done | _Failed]:
        operation = call.operation
        left_at = self._clock.monotonic()
        try:
            response = yield Send(self._build(call, token), budget.left)
        except _NOT_SENT as problem:
            self._pace.leave(operation, place, sent=False)
            reason = _no_connection(self._config.base_url, problem)
            return _Failed(Failure.NOT_SENT, ConnectionFailed(operation, reason))
        except httpx.RequestError as problem:
            self._pace.leave(operation, place)
            reason = f"No answer came ({type(problem).__name__})."
            return _Failed(Failure.NO_ANSWER, ConnectionFailed(operation, reason, sent=True))
        except BaseException:
            self._pace.leave(operation, place)
            raise
        raw = _decode(response.content)
        retry_after = whole_number(response.headers.get("retry-after"))
        if retry_after is None and response.status_code == 429:
            # 88Pay's body says it too.
            retry_after = whole_number(str((raw or {}).get("retry_after")))
        self._pace.leave(operation, place, response.status_code, response.headers, retry_after)
        session_id = token.session_id if token else None
        if not response.is_success:
            return self._refusal(call, response, raw, retry_after, token)
        if raw is None:
            error = MalformedAnswer(operation, "The answer is not a JSON object.", sent=True)
            return _Failed(Failure.BAD_ANSWER, error)
        return Done(self._clean_all(raw, token), session_id, left_at)

    def _build(self, call: Call, token: Token | None) -> httpx.Request:
        if token is None:
            headers = {
                # Not made into plain text here, where a traceback might show it.
                "x-api-key": self._config.api_key or "",
                "x-merchant-id": self._config.merchant_id or "",
            }
        else:
            headers = token.headers
        content = None
        if call.json is not None:
            headers |= {"Content-Type": "application/json"}
            content = money.dumps(plain(call.json)).encode()
        url = self._config.base_url + call.path
        if call.params:
            url += ("&" if "?" in url else "?") + urlencode(call.params)
        return httpx.Request(call.method, url, headers=_ALWAYS | headers, content=content)

    def _refusal(
        self,
        call: Call,
        response: httpx.Response,
        raw: dict[str, Any] | None,
        retry_after: int | None,
        token: Token | None,
    ) -> _Failed:
        said = (raw or {}).get("message")
        message = said if isinstance(said, str) else response.reason_phrase or "without a message"
        session_id = token.session_id if token else None
        error = status_error(response.status_code)(
            call.operation,
            response.status_code,
            # Cut after cleaning: half a secret would not be found.
            one_line(self._clean(message, token))[:500],
            session_tail=session_id[-4:] if session_id else None,
            body=self._clean_all(raw, token),
            retry_after=retry_after,
        )
        return _Failed(Failure.STATUS, error, response.status_code, retry_after)

    def _clean(self, text: str, token: Token | None) -> str:
        """88Pay's words, without our own secrets should it repeat them."""
        config = self._config
        secrets = [config.api_key, config.webhook_secret]
        if token is not None:
            secrets += [token.access_token, token.session_id]
        for secret in secrets:
            # A short one would be found in amounts and names.
            if secret and len(secret) >= _SECRET_LENGTH:
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


def _no_connection(address: str, problem: Exception) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(problem):
        return (
            f"The certificate of {address} was not accepted; nothing was sent. Behind a proxy with "
            f"an authority of its own, name that in SSL_CERT_FILE or give verify=."
        )
    return (
        f"No connection to {address} ({type(problem).__name__}). Check the network and the base "
        f"URL; nothing was sent."
    )


def _fits_a_header(text: str | None) -> bool:
    return bool(text) and text is not None and text.isascii() and text.isprintable()


def plain(value: Any) -> Any:
    """Models inside a body as plain data."""
    if hasattr(value, "model_dump"):
        return value.model_dump(exclude_none=True)
    return value


def _decode(content: bytes) -> dict[str, Any] | None:
    try:
        raw = money.loads(content)
    except ValueError:
        return None
    return raw if isinstance(raw, dict) else None


def _reason(error: Pay88Error) -> str:
    reason = getattr(error, "reason", None)
    if reason is None:
        reason = f"88Pay answered {getattr(error, 'status_code', 'with an error')}."
    return str(reason)
