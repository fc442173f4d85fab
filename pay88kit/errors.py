"""Everything that can go wrong, as a tree: base → connection → status → one class per status.

An error says what happened, where, and what to do next. It carries what a program needs as
attributes, and never a secret: of a session id only the tail is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar


class Pay88Error(Exception):
    """The base of every error of this package."""

    def __reduce__(self) -> Any:
        # An error that a worker process raises must arrive in its parent.
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[Pay88Error], args: tuple[Any, ...], state: dict[str, Any]) -> Pay88Error:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


# ---------------------------------------------------------------- before anything is sent


class WrongUse(Pay88Error):
    """The kit was asked for something that cannot be; nothing was begun. Exit code 2."""


class ConfigError(WrongUse):
    """The configuration cannot be used: unknown environment, missing or unfitting credentials."""


class MissingExtra(WrongUse, ImportError):
    """A part of the kit was called whose packages are not installed."""

    def __init__(self, extra: str, module: str) -> None:
        self.extra = extra
        self.module = module
        super().__init__(
            f"This needs the package {module!r}, which is not installed. "
            f'Install it with: pip install "pay88kit[{extra}]"'
        )


class PortInUse(WrongUse):
    """Another program listens on the port that was asked for."""

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__(
            f"Port {port} is in use by another program. Choose another one with --port "
            f"(port= in Python), or stop that program."
        )


@dataclass(frozen=True)
class Problem:
    """One fault in a request: which field, what is wrong with it, and the cure."""

    field: str
    fault: str
    cure: str

    def __str__(self) -> str:
        return f"{self.field}: {self.fault} {self.cure}"


class InvalidRequest(Pay88Error):
    """The request breaks a rule that is known beforehand; nothing was sent.

    ``problems`` holds every fault that was found, not only the first.
    """

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))

    @property
    def field(self) -> str:
        """The field of the first problem."""
        return self.problems[0].field


class KeyConflict(Pay88Error):
    """The key of a create is in the books already, for another request body."""

    def __init__(self, key: str, operation: str, fields: Sequence[str] = ()) -> None:
        self.key = key
        self.operation = operation
        self.fields = tuple(fields)
        other = f"another {', '.join(fields)}" if fields else "other contents"
        super().__init__(
            f"The key {key!r} was used before for a {operation} with {other}. "
            f"A key names one order: use a new key for a new order, or repeat the same request."
        )


# ---------------------------------------------------------------- on the way


class ConnectionFailed(Pay88Error):
    """88Pay gave no usable answer to a call that changes nothing, or was not reached at all.

    ``sent`` tells whether the request may have reached 88Pay.
    """

    def __init__(self, operation: str, reason: str, *, sent: bool = False) -> None:
        self.operation = operation
        self.reason = reason
        self.sent = sent
        super().__init__(f"{operation}: {reason}")


class MalformedAnswer(ConnectionFailed):
    """The answer is not what 88Pay documents: not JSON, or without the fields that it must have."""


class OutcomeUnknown(Pay88Error):
    """A create was sent, and whether 88Pay accepted it is not known.

    88Pay documents neither an idempotency key nor a transaction look-up. Sending the create again
    could charge the customer a second time, so the kit does not.

    ``marker`` is the operation id that the kit added to the ``notification_url``: a notification
    that carries it proves that the operation exists.
    """

    def __init__(
        self, operation: str, reason: str, *, key: str | None = None, marker: str | None = None
    ) -> None:
        self.operation = operation
        self.reason = reason
        self.key = key
        self.marker = marker
        named = f" (key {key!r})" if key else ""
        super().__init__(
            f"{operation}{named}: {reason} 88Pay may or may not have accepted it. Do not send it "
            f"again. Wait for its notification, or look for it in 88Pay's dashboard, and then "
            f"record what you found with books.resolve(…)."
        )


# ---------------------------------------------------------------- answered, with an error


class StatusError(Pay88Error):
    """88Pay answered with an error status.

    ``status_code`` is the HTTP status, ``message`` 88Pay's own words, ``operation`` what was
    asked, ``session_tail`` the last four characters of the session id (None without one), and
    ``body`` the decoded answer.
    """

    advice: ClassVar[str] = ""

    def __init__(
        self,
        operation: str,
        status_code: int,
        message: str,
        *,
        session_tail: str | None = None,
        body: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.operation = operation
        self.status_code = status_code
        self.message = message
        self.session_tail = session_tail
        self.body = dict(body or {})
        self.retry_after = retry_after
        session = f" [session …{session_tail}]" if session_tail else ""
        advice = f"\n{self.advice}" if self.advice else ""
        super().__init__(f"{operation}: {status_code} {message}{session}{advice}")


class BadRequest(StatusError):
    """400: a parameter is invalid. Never retried."""

    advice = "Correct the field that the message names. The same request will fail again."


class Unauthorized(StatusError):
    """401: wrong key or merchant id, or a token or session id that is not valid (any more)."""

    advice = "Check the API key, the merchant id and the environment they belong to."


class Forbidden(StatusError):
    """403: the account is suspended, or this is not yours to see."""

    advice = "Stop here. If the merchant id is your own, contact 88Pay's support."


class NotFound(StatusError):
    """404: 88Pay does not know this address."""

    advice = "Check the path and the base URL."


class UnprocessableEntity(StatusError):
    """422: understood, but against a business rule. Never retried."""

    advice = "The message names the rule. Repeating the request helps only when that has changed."


class RateLimited(StatusError):
    """429: too many requests. ``retry_after`` says in how many seconds one will be accepted.

    ``sent`` is False when the client did not even send it, because it counts along.
    """

    def __init__(self, *args: Any, sent: bool = True, **named: Any) -> None:
        self.sent = sent
        super().__init__(*args, **named)

    @property
    def advice(self) -> str:  # type: ignore[override]
        """When to try again."""
        wait = "a minute" if self.retry_after is None else f"{self.retry_after} s"
        return f"Wait {wait}; this request was not accepted, so it is safe to send it again."


class ServerError(StatusError):
    """5xx: a temporary fault on 88Pay's side."""

    advice = "Usually temporary. A read may be tried again; a create may have been accepted."


class InternalServerError(ServerError):
    """500."""


class BadGateway(ServerError):
    """502."""


class ServiceUnavailable(ServerError):
    """503."""


class GatewayTimeout(ServerError):
    """504."""


STATUS_ERRORS: dict[int, type[StatusError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    422: UnprocessableEntity,
    429: RateLimited,
    500: InternalServerError,
    502: BadGateway,
    503: ServiceUnavailable,
    504: GatewayTimeout,
}


def status_error(status_code: int) -> type[StatusError]:
    """The class for an HTTP status: its own, else the family's."""
    fallback = ServerError if status_code >= 500 else StatusError
    return STATUS_ERRORS.get(status_code, fallback)


# ---------------------------------------------------------------- tables and books


class FrameError(Pay88Error, ValueError):
    """A value cannot become part of an exact table; the message names its row and column."""


class BooksError(Pay88Error):
    """The merchant's own record cannot be opened, or does not allow what was asked."""


# ---------------------------------------------------------------- notifications


class WebhookRefused(Pay88Error):
    """A notification that must not be believed. ``reason`` says why, in one word of an enum."""

    def __init__(self, reason: Any, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


# ---------------------------------------------------------------- extras


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Turn the failed import of an extra's package into :class:`MissingExtra`."""
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name == "pay88kit":
            raise
        raise MissingExtra(extra, name) from None
