"""The client's rules, as pure functions and values: how long a token serves, what may be retried.

88Pay documents neither an idempotency key nor a transaction look-up. So a *create* is sent again
only when it surely did not happen; a *read* (token, balance) changes nothing and may be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# 88Pay asks clients to use a token of 60 s for 50 s (documented); for another lifetime the kit
# keeps the same share of it (assumed).
TOKEN_SHARE = 50 / 60

CREATES = frozenset({"charge", "cash", "cashout"})
READS = frozenset({"token", "balance"})
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


@dataclass(frozen=True)
class Decision:
    """A step, and how long to wait before it, in seconds."""

    step: Step
    wait: float = 0.0


@dataclass(frozen=True)
class Policy:
    """What is retried, and after how long. Immutable; give the client another one to change it.

    ``backoff`` holds the waits in seconds before the retries of one call; 88Pay suggests
    1, 2, 4, 8 s and at most three retries, which is read as three, after 1, 2 and 4 s.
    ``max_wait`` is the longest time in seconds to wait for a place under 88Pay's rate limits:
    a 429 with a longer ``Retry-After`` is raised as :class:`~pay88kit.errors.RateLimited`.
    """

    backoff: tuple[float, ...] = (1.0, 2.0, 4.0)
    max_wait: float = 0.0

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
            return self._again(retries)
        if failure is Failure.STATUS and status_code < 400:
            # A redirect is not followed; what became of a create there is not known.
            return Decision(Step.RAISE if read else Step.UNKNOWN)
        if failure is Failure.STATUS and status_code < 500:
            if status_code == 401 and operation != "token" and renewals == 0:
                return Decision(Step.RENEW)
            if status_code == 429 and retry_after is not None and retries < len(self.backoff):
                fits = retry_after <= self.max_wait
                return Decision(Step.RETRY, retry_after) if fits else Decision(Step.RAISE)
            sure = read or status_code in REFUSALS
            return Decision(Step.RAISE if sure else Step.UNKNOWN)
        if read:
            return self._again(retries)
        return Decision(Step.UNKNOWN)

    def _again(self, retries: int) -> Decision:
        if retries < len(self.backoff):
            return Decision(Step.RETRY, self.backoff[retries])
        return Decision(Step.RAISE)


def usable_seconds(expires_in: float | None) -> float:
    """For how many seconds after it was asked for a token is used: 50 of its 60."""
    return (60 if expires_in is None else max(0.0, expires_in)) * TOKEN_SHARE
