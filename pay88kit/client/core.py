"""What a call does, step by step: build → send → decide → read → record."""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from posixpath import normpath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pay88kit.client.exchange import PATHS, Call, Exchange, plain
from pay88kit.client.flow import Flow, Record, Wait
from pay88kit.config import Config, SystemClock, is_loopback
from pay88kit.display import one_line
from pay88kit.errors import InvalidRequest, OutcomeUnknown, Pay88Error, Problem
from pay88kit.models.answers import Answer, Balance, Cashout, Charge, Token
from pay88kit.models.requests import check as check_body
from pay88kit.models.requests import complete
from pay88kit.policy import Policy
from pay88kit.webhooks import marked

if TYPE_CHECKING:
    from pay88kit.books import Books, Entry

_OPERATIONS = {path: operation for operation, path in PATHS.items()}
_ANSWERS: Mapping[str, type[Charge] | type[Cashout]] = {
    "charge": Charge,
    "cash": Charge,
    "cashout": Cashout,
}
# Not a warning: one that is turned into an error would hide what became of the money.
_log = logging.getLogger("pay88kit")
_REAL = SystemClock()
# Between the commit of an operation and the clock that its exchange starts, in seconds.
_SPARE = 5.0
_DAY = 86_400.0
# Of a reference, in a line of the log: 88Pay's have eleven characters.
_SHOWN = 100


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
        share_token: bool,
    ) -> None:
        self.config = config
        self._open_books = open_books
        self._marks = operation_marker
        self._exchange = Exchange(config, policy, share_token=share_token)
        # For how long, in seconds, an operation may be under way: then its sender has ended.
        longest = policy.max_wait + policy.deadline + min(_SPARE, policy.deadline / 2)
        self._longest = min(longest, _DAY)

    @property
    def payouts_sent(self) -> int:
        """How many payouts have left, whatever became of them."""
        return self._exchange.payouts_sent

    # -- the verbs

    def token(self, *, fresh: bool = False) -> Flow[Token]:
        """A token that is usable now."""
        return (yield from self._exchange.token(fresh=fresh))

    def balance(self, merchant_id: str | None) -> Flow[Balance]:
        """The balance of the merchant."""
        asked = {"id": merchant_id or str(self.config.merchant_id)}
        call = Call("balance", "POST", PATHS["balance"], params=asked)
        return Balance.read((yield from self._exchange.send(call)).raw)

    def request(self, method: str, path: str, json: Any, params: Any) -> Flow[Answer]:
        """Any authenticated call."""
        method = method.upper()
        if not path.startswith("/"):
            raise InvalidRequest(Problem("path", f"{path!r} is no path.", "Begin it with a slash."))
        if "#" in path:
            raise InvalidRequest(Problem("path", "has a # in it.", "Write %23, or leave it out."))
        # However it is written: a create is counted, and not sent twice.
        bare = normpath(unquote(path.partition("?")[0]))
        operation = _OPERATIONS.get(bare, "") if method == "POST" else ""
        call = Call(operation or f"{method} {path}", method, path, json, params)
        return Answer.read((yield from self._exchange.send(call)).raw)

    def create(
        self,
        operation: str,
        request: Any,
        fields: Mapping[str, Any],
        *,
        key: str | None,
        extra: Mapping[str, Any] | None,
        check: bool,
        patience: float = math.inf,
    ) -> Flow[Any]:
        """A charge, cash payment or cashout: recorded, sent once, recorded again.

        ``patience`` may lower the policy's ``max_wait``.
        """
        body = self._body(operation, request, fields, extra, check)
        books = self._open_books()
        if key is not None and not _is_name(key):
            fault = "is not a name."
            raise InvalidRequest(Problem("key", fault, "Use text of 1 to 255 characters."))
        if books is None and key is not None:
            fault = "is kept in the books, and this client has none (books=False)."
            raise InvalidRequest(Problem("key", fault, "Leave the key out, or use books."))
        marker = self._new_id()
        entry: Entry | None = None
        if books is not None:
            entry = yield from self._begin(books, operation, body, marker, key)
            if entry.answer is not None:
                return _ANSWERS[operation].read(entry.answer)
            marker = entry.id
        call = Call(operation, "POST", PATHS[operation], self._marked(body, marker))
        sessions: list[str | None] = []
        try:
            done = yield from self._exchange.send(
                call, sessions, patience=patience, given_up_at=entry.deadline if entry else None
            )
            answer = self._read(operation, done.raw)
        except Exception as error:
            if isinstance(error, OutcomeUnknown):
                error = OutcomeUnknown(operation, error.reason, key=key, marker=marker)
            elif sessions and not isinstance(error, Pay88Error):
                reason = f"The exchange broke off ({type(error).__name__})."
                error = OutcomeUnknown(operation, reason, key=key, marker=marker)
            if books and entry:
                yield Record(self._failed(books, entry, error, sessions))
            raise error from None
        except BaseException:
            if books and entry:
                self._interrupted(books, entry, sessions)
            raise
        if books and entry:
            record = Record(self._succeeded(books, entry, answer, str(done.session_id)))
            try:
                yield record
            except BaseException:
                if not record.done:
                    # Stopped in the middle of it: its reference is known nowhere else.
                    record.work()
                raise
        return answer

    def ready(self, operation: str, patience: float) -> Flow[None]:
        """Wait until an operation may go under the rate limits; see :class:`Pace`."""
        return self._exchange.ready(operation, patience)

    def _begin(
        self, books: Books, operation: str, body: dict[str, Any], marker: str, key: str | None
    ) -> Flow[Entry]:
        """Commit that it is about to be sent. Where another caller is sending it, wait for that."""
        pause = 0.02
        # Its deadline may be far away: the machine's time was set back, or its caller had longer.
        gives_up = _REAL.monotonic() + self._longest
        while True:
            record = Record(
                lambda: books.begin(
                    operation,
                    body,
                    id=marker,
                    environment=self.config.environment,
                    merchant_id=str(self.config.merchant_id),
                    key=key,
                    now=self.config.clock.now(),
                    deadline=datetime.now(UTC) + timedelta(seconds=self._longest),
                )
            )
            try:
                entry: Entry = yield record
            except BaseException:
                begun = record.done
                if begun is not None and begun.answer is None and not begun.busy:
                    self._interrupted(books, begun, [])
                raise
            if not entry.busy:
                return entry
            if _REAL.monotonic() > gives_up:
                reason = "Another caller is still sending it, as the books say."
                raise OutcomeUnknown(operation, reason, key=key, marker=entry.id)
            # In real time, whatever the sandbox's clock says: the other one is at work now.
            yield Wait(_REAL, _REAL.monotonic() + pause)
            pause = min(2 * pause, 0.5)

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
        body = complete(operation, {name: plain(value) for name, value in given.items()})
        if check:
            body = check_body(operation, body, loopback=self._is_near)
            for name in body.keys() & (extra or {}).keys():
                fault = "is a field that the kit knows, so extra= may not change it."
                raise InvalidRequest(Problem(name, fault, f"Give {name}= itself, or check=False."))
        body |= extra or {}
        unfit = _unfit(body)
        if unfit:
            # Not even without the checks: what is sent would not be what was meant.
            raise InvalidRequest(unfit)
        return body

    @property
    def _is_near(self) -> bool:
        """Whether this 88Pay delivers to this machine: a sandbox in the kit, or served on it."""
        if self.config.environment == "production":
            return False
        host = urlsplit(self.config.base_url).hostname or ""
        return self.config.environment == "local" or is_loopback(host)

    def _marked(self, body: dict[str, Any], marker: str) -> dict[str, Any]:
        url = body.get("notification_url")
        if not self._marks or not isinstance(url, str):
            return body
        try:
            return body | {"notification_url": marked(url, marker)}
        except ValueError:
            return body  # only with check=False

    def _new_id(self) -> str:
        origin = self.config.origin
        return str(origin.operation_id()) if origin is not None else str(uuid.uuid4())

    # -- reading and recording

    def _read(self, operation: str, raw: dict[str, Any]) -> Charge | Cashout:
        data = raw.get("data")
        reference = data.get("reference") if isinstance(data, Mapping) else None
        # A database's index holds no endless one. 88Pay's have eleven characters.
        if not isinstance(reference, str) or not reference.strip() or len(reference) > 255:
            raise OutcomeUnknown(operation, "The answer has no reference.")
        return _ANSWERS[operation].read(raw)

    def _failed(
        self, books: Books, entry: Entry, error: BaseException, sessions: list[str | None]
    ) -> Callable[[], None]:
        now = self.config.clock.now()

        def write() -> None:
            try:
                if isinstance(error, OutcomeUnknown | InterruptedError):
                    reason = error.reason if isinstance(error, OutcomeUnknown) else str(error)
                    session_id = sessions[-1] if sessions else None
                    books.lost(
                        entry.id, reason, session_id=session_id, now=now, deadline=entry.deadline
                    )
                else:
                    said = str(error).partition("\n")[0] or type(error).__name__
                    books.refused(entry.id, said, now=now, deadline=entry.deadline)
            except Exception as problem:
                # What became of the request must reach the caller whatever happens here.
                _log.error("This could not be recorded: %s: %s", error, problem)

        return write

    def _interrupted(self, books: Books, entry: Entry, sessions: list[str | None]) -> None:
        """Record that a caller was stopped. Once it was on its way, it may have been accepted."""
        stopped: Exception = Pay88Error("Interrupted before it was sent.")
        if sessions:
            stopped = InterruptedError("Interrupted before the answer came.")
        self._failed(books, entry, stopped, sessions)()

    def _succeeded(
        self, books: Books, entry: Entry, answer: Charge | Cashout, session_id: str
    ) -> Callable[[], bool]:
        reference = one_line(answer.reference)[:_SHOWN]

        def write() -> bool:
            try:
                its_own = books.created(
                    entry.id,
                    answer.raw,
                    reference=answer.reference,
                    session_id=session_id,
                    now=self.config.clock.now(),
                    deadline=entry.deadline,
                )
            except Exception as error:
                # 88Pay has accepted it: the reference must reach the caller whatever happens here.
                _log.error(
                    "%s was accepted by 88Pay, but could not be recorded: %s", reference, error
                )
            else:
                if not its_own:
                    _log.error(
                        "%s was accepted by 88Pay after its key was sent again: look whether its "
                        "customer is charged twice.",
                        reference,
                    )
            return True

        return write


def _is_name(key: Any) -> bool:
    if not isinstance(key, str) or not key.strip() or len(key) > 255:
        return False
    # What no database stores is written in another way there, which may be another key.
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in key)


def _unfit(value: Any, path: str = "") -> Problem | None:
    """The first thing in a body that cannot be sent exactly as it is, or None."""
    if isinstance(value, float):
        fault = "is a float, which cannot hold money exactly."
        return Problem(path, fault, "Use an int or a Decimal.")
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    elif isinstance(value, int | Decimal) and not _writable(value):
        return Problem(path, "is not a number that can be written out.", "Use a smaller number.")
    elif not (value is None or isinstance(value, str | int | Decimal)):
        fault = f"is a {type(value).__name__}, which JSON does not have."
        return Problem(path, fault, "Use text, an int, a Decimal, a list or a dictionary.")
    for name, item in items:
        found = _unfit(item, f"{path}.{name}" if path else str(name))
        if found:
            return found
    return None


def _writable(number: int | Decimal) -> bool:
    # What is recorded is read again, and neither Python nor the kit reads thousands of digits.
    if isinstance(number, int):
        return number.bit_length() < 1_300
    return number.is_finite() and -400 < number.adjusted() < 400
