"""The client's rules, as pure functions and values: how long a token serves, what may be retried.

88Pay documents neither an idempotency key nor a transaction look-up. So a *create* is sent again
only when it surely did not happen; a *read* (token, balance) changes nothing and may be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

# 88Pay asks clients to use a token of 60 s for 50 s (documented); for another lifetime the kit
# keeps the same share of it (assumed).
TOKEN_SHARE = 50 / 60

CREATES = frozenset({"charge", "cash", "cashout"})
READS = frozenset({"token", "balance"})
# A token that claims to live for longer is not believed, in seconds.
_LONGEST_LIFE = 86_400
# What surely means "not accepted": 88Pay's documented refusals, and HTTP's of a malformed request.
REFUSALS = frozenset({400, 401, 403, 404, 405, 413, 414, 415, 422, 429, 431})


class Failure(StrEnum):
    """How a call can fail, by what is known about the request."""

    NOT_SENT = "not sent"  # no connection: 88Pay never saw the request
    NO_ANSWER = "no answer"  # sent; time-out, or the connection broke
    BAD_ANSWER = "bad answer"  # answered with success, in a form that cannot be read
    STATUS = "status"  # answered with an error status


class Step(StrEnum):
    """What the client does next."""

    RETRY = "retry"
    RENEW = "renew"  # take a new token, then send once more
    RAISE = "raise"
    UNKNOWN = "unknown"  # raise OutcomeUnknown: it may have happened


_HAPPENINGS = (
    ("no connection", Failure.NOT_SENT, 0),
    ("400 invalid parameters", Failure.STATUS, 400),
    ("401 token invalid or expired", Failure.STATUS, 401),
    ("403 account suspended, no access", Failure.STATUS, 403),
    ("404 unknown resource", Failure.STATUS, 404),
    ("422 business rule violated", Failure.STATUS, 422),
    ("429 rate limit", Failure.STATUS, 429),
    ("another 4xx, such as 408", Failure.STATUS, 408),
    ("500, 502, 503, 504", Failure.STATUS, 500),
    ("a redirect (3xx)", Failure.STATUS, 302),
    ("time-out, or the connection broke", Failure.NO_ANSWER, 0),
    ("an answer that cannot be read", Failure.BAD_ANSWER, 200),
)


@dataclass(frozen=True)
class Decision:
    """A step, how long to wait before it, in seconds, and the reason in words."""

    step: Step
    wait: float = 0.0
    reason: str = field(default="", compare=False)


@dataclass(frozen=True)
class Policy:
    """What is retried, and how long a call may take. Immutable; give the client another one.

    Args:
        backoff: the waits in seconds before the retries of one call. 88Pay suggests 1, 2, 4, 8 s
            and at most three retries, which is read as three, after 1, 2 and 4 s.
        max_wait: the longest time in seconds that one call waits for a place under 88Pay's rate
            limits. When it would be longer, :class:`~pay88kit.RateLimited` says when it could go.
        deadline: the longest time in seconds for everything else in one call: the token, every
            attempt, the waits between them.
        pace: whether the client keeps to the rate limits by itself. Without it 88Pay's 429 does.
        reuse_tokens: False takes a new token for each call. 88Pay's pages say both; one session
            per operation tells its notifications apart, and costs ten operations a minute at most.

    Subclass it and override :meth:`decide` for other rules. Whatever a subclass raises, a create
    that may have happened ends as :class:`~pay88kit.OutcomeUnknown`, so that its key is not free.
    """

    backoff: tuple[float, ...] = (1.0, 2.0, 4.0)
    max_wait: float = 60.0
    deadline: float = 90.0
    pace: bool = True
    reuse_tokens: bool = True

    def decide(
        self,
        operation: str,
        failure: Failure,
        *,
        status_code: int = 0,
        retries: int = 0,
        renewals: int = 0,
        retry_after: float | None = None,
    ) -> Decision:
        """The next step after a failed attempt.

        ``retries`` and ``renewals`` count what this call has done so far. An operation that is
        neither a known read nor a known create may change something, so it counts as a create.
        """
        read = operation in READS or operation.startswith("GET ")
        if failure is Failure.NOT_SENT:
            return self._again(retries, "88Pay never saw it")
        if failure is Failure.STATUS and status_code < 400:
            if read:
                return Decision(Step.RAISE, reason="a redirect is not followed")
            return Decision(Step.UNKNOWN, reason="what became of it there is not known")
        if failure is Failure.STATUS and status_code < 500:
            return self._refused(operation, status_code, retries, renewals, retry_after, read=read)
        if read:
            return self._again(retries, "it changes nothing, so it may be repeated")
        return Decision(Step.UNKNOWN, reason="88Pay may have accepted it")

    def table(self) -> list[dict[str, str]]:
        """These rules as rows for people: what happened, what a read and a create do, and why."""
        rows = []
        for what, failure, status_code in _HAPPENINGS:
            row = {"what happened": what}
            for kind, operation in (("read", "balance"), ("create", "charge")):
                decision = self.decide(
                    operation, failure, status_code=status_code,
                    retry_after=self.max_wait if status_code == 429 else None,
                )  # fmt: skip
                row[kind] = self._in_words(decision, status_code)
                row[f"why ({kind})"] = decision.reason
            rows.append(row)
        return rows

    def _in_words(self, decision: Decision, status_code: int) -> str:
        if decision.step is Step.RETRY and status_code == 429:
            return f"again after Retry-After, up to {self.max_wait:g} s"
        if decision.step is Step.RETRY:
            waits = ", ".join(f"{wait:g}" for wait in self.backoff)
            return f"again after {waits} s"
        return {
            Step.RENEW: "once more with a new token",
            Step.RAISE: "error",
            Step.UNKNOWN: "OutcomeUnknown, never again",
        }[decision.step]

    def _refused(
        self,
        operation: str,
        status_code: int,
        retries: int,
        renewals: int,
        retry_after: float | None,
        *,
        read: bool,
    ) -> Decision:
        if status_code == 401 and operation != "token" and renewals == 0:
            return Decision(Step.RENEW, reason="the token was not valid any more")
        if status_code == 401:
            return Decision(Step.RAISE, reason="a new token would be refused as well")
        if status_code == 429 and retry_after is not None and retries < len(self.backoff):
            if retry_after <= self.max_wait:
                return Decision(Step.RETRY, retry_after, "it was not accepted, and 88Pay says when")
            return Decision(Step.RAISE, reason="the wait is longer than max_wait")
        if read or status_code in REFUSALS:
            return Decision(Step.RAISE, reason="it was refused, and would be again")
        return Decision(Step.UNKNOWN, reason="this status does not say what became of it")

    def _again(self, retries: int, reason: str) -> Decision:
        if retries < len(self.backoff):
            return Decision(Step.RETRY, self.backoff[retries], reason)
        return Decision(Step.RAISE, reason="the retries are used up")


def may_have_happened(failure: Failure, status_code: int) -> bool:
    """Whether a create may have been accepted although it failed so."""
    if failure is Failure.STATUS:
        return status_code not in REFUSALS
    return failure is not Failure.NOT_SENT


def usable_seconds(expires_in: float | None) -> float:
    """For how many seconds after it was asked for a token is used: 50 of its 60."""
    life = 60 if expires_in is None else min(max(0, expires_in), _LONGEST_LIFE)
    return life * TOKEN_SHARE
