"""What is asked of a merchant's endpoint: each probe says what is sent, what is owed, and why.

Only what 88Pay documents can fail an endpoint: 200 within five seconds to a valid notification, no
200 to one that 88Pay's own check refuses, repeats accepted. Where 88Pay is silent, or its own check
lets something through, a probe is at most doubtful.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto


class Verdict(StrEnum):
    """What a probe found."""

    PASSES = "passes"
    FAILS = "fails"
    DOUBTFUL = "doubtful"
    NOT_OBSERVABLE = "not observable from outside"


class Kind(Enum):
    """How a call was answered."""

    OK = "200"
    SUCCESS = "a 2xx that is not 200"
    REDIRECT = "3xx"
    REFUSED = "4xx"
    ERROR = "5xx"
    LATE = "no answer in time"
    DROPPED = "no answer"


class Token(Enum):
    """With which token a notification is sent."""

    VALID = auto()
    MISSING = auto()
    FOREIGN = auto()
    STALE = auto()
    FUTURE = auto()
    OTHER_TRANSACTION = auto()


class Body(Enum):
    """What a notification's body is."""

    PLAIN = auto()
    OTHER_AMOUNT = auto()
    UNKNOWN_FIELDS = auto()
    BROKEN = auto()
    LARGE = auto()


@dataclass(frozen=True)
class Call:
    """One request to the endpoint."""

    status: str = "COMPLETED"
    token: Token = Token.VALID
    body: Body = Body.PLAIN
    method: str = "POST"


Rule = Mapping[Kind, Verdict]


def _rule(otherwise: Verdict, **named: Verdict) -> Rule:
    return {kind: named.get(kind.name, otherwise) for kind in Kind}


_PASSES, _FAILS, _DOUBTFUL = Verdict.PASSES, Verdict.FAILS, Verdict.DOUBTFUL
# 88Pay documents 200 for what is valid: everything else is a failed delivery.
ACCEPT = _rule(_FAILS, OK=_PASSES)
# What 88Pay's check refuses must not be answered 200. A 5xx is a fault of the endpoint's own.
REFUSE = _rule(_FAILS, REFUSED=_PASSES, SUCCESS=_DOUBTFUL, REDIRECT=_DOUBTFUL)
# A server that refuses a large body may close the connection before its answer is read.
TOO_LARGE = _rule(_DOUBTFUL, REFUSED=_PASSES, ERROR=_FAILS, LATE=_FAILS)
BETTER_ACCEPT = _rule(_DOUBTFUL, OK=_PASSES)
BETTER_REFUSE = _rule(_DOUBTFUL, REFUSED=_PASSES)
IN_TIME = _rule(_PASSES, LATE=_FAILS, DROPPED=Verdict.NOT_OBSERVABLE)


@dataclass(frozen=True)
class Probe:
    """One question to an endpoint.

    ``calls`` are sent one after another, ``together`` all at the same moment. ``rule`` gives the
    verdict on each answer, the worst one counts. ``fulfilments`` is how often the transaction may
    be fulfilled in all (None: not counted), ``taken_back`` the verdict where that count falls. What
    is ``counted`` shows in that count only: the answer alone never passes.
    ``follows`` names probes: where one of them fails in the same way, this one shows no new fault.
    ``signed`` probes show nothing where the endpoint expects another signature.
    """

    name: str
    sent: str
    expected: str
    why: str
    fix: str
    basis: str
    rule: Rule
    calls: tuple[Call, ...] = (Call(),)
    fulfilments: int | None = 0
    together: bool = False
    counted: bool = False
    documented: bool = True
    signed: bool = True
    taken_back: Verdict = Verdict.FAILS
    follows: tuple[str, ...] = ()


_ANSWER_200 = "88Pay documents: answer 200 within 5 seconds; any other status is a failed delivery."
_OWN_CHECK = (
    "88Pay documents the check: decrypt the token; its transaction_id and transaction_amount must "
    "equal the body's, its ts must be at most 5 minutes old."
)
_REPEATS = "88Pay documents: duplicates happen, be idempotent."
_SILENT = "88Pay does not document this."
_RETRIES = "88Pay counts anything but 200 as a failed delivery and tries again, up to 10 times."
_REFUSED = "any 4xx within 5 seconds"
_DONE = Call()

ANSWER_TIME = Probe(
    "answer_time",
    sent="a valid COMPLETED notification",
    expected="an answer within 5 seconds",
    why="After 5 seconds 88Pay gives the delivery up and repeats it, though the work may be done.",
    fix="Keep the notification, answer 200, and do the slow work afterwards, in a queue.",
    basis=_ANSWER_200,
    rule=IN_TIME,
    fulfilments=None,
    signed=False,
)
TLS = Probe(
    "tls",
    sent="a TLS handshake, where the address is https",
    expected="a certificate that is valid for this host, and TLS 1.2 or newer",
    why="A caller that checks certificates cannot deliver to this address.",
    fix="Install a certificate of a public authority for this host, with its whole chain, and "
    "renew it in time.",
    basis="88Pay documents: notification_url is a public HTTPS address.",
    rule=ACCEPT,
    calls=(),
    fulfilments=None,
    signed=False,
)
LARGE_BODY = Probe(
    "large_body",
    sent="a valid notification whose body is 1 MiB",
    expected="a refusal, such as 413",
    why="Anybody can call a public address; bodies without a limit fill the memory.",
    fix="Refuse what is longer than about 64 KiB with 413, before it is read whole.",
    basis=f"{_SILENT} A 5xx shows that the endpoint broke.",
    rule=TOO_LARGE,
    calls=(Call(body=Body.LARGE),),
    fulfilments=1,
    documented=False,
    signed=False,
)

# In the order in which they are sent. The large body is last: it may end the endpoint.
PROBES: tuple[Probe, ...] = (
    TLS,
    ANSWER_TIME,
    Probe(
        "completed",
        sent="a valid COMPLETED notification",
        expected="200",
        why=_RETRIES,
        fix="Answer 200 to every notification whose token is right, also where you do not know the "
        "transaction: keep it, and look into it later. Do not redirect.",
        basis=_ANSWER_200,
        rule=ACCEPT,
        fulfilments=1,
    ),
    Probe(
        "rejected",
        sent="a valid REJECTED notification",
        expected="200, and nothing is fulfilled",
        why=f"{_RETRIES} What was rejected has not been paid.",
        fix="Answer 200 and mark the order as not paid. Fulfil on COMPLETED only.",
        basis=f"{_ANSWER_200} REJECTED means failed, expired or cancelled.",
        rule=ACCEPT,
        calls=(Call("REJECTED"),),
        counted=True,
        follows=("completed",),
    ),
    Probe(
        "repeated",
        sent="the same COMPLETED notification twice, one after the other",
        expected="200 both times, fulfilled once",
        why=f"{_RETRIES} An answer that was lost on the way brings the same notification again.",
        fix="Remember which transaction you have fulfilled, under a unique key in your database. "
        "Answer 200 to a repeat and do nothing.",
        basis=_REPEATS,
        rule=ACCEPT,
        calls=(_DONE, _DONE),
        fulfilments=1,
        counted=True,
        follows=("completed",),
    ),
    Probe(
        "simultaneous",
        sent="the same COMPLETED notification twice at the same moment",
        expected="200 to both, fulfilled once",
        why="Two processes may each find the order unpaid, and both fulfil it.",
        fix="Let the database decide: a unique key on the transaction, or one UPDATE … WHERE "
        "status = 'PENDING' whose row count says who was first. Looking first and writing later "
        "is not enough.",
        basis=_REPEATS,
        rule=ACCEPT,
        calls=(_DONE, _DONE),
        together=True,
        fulfilments=1,
        counted=True,
        follows=("repeated", "completed"),
    ),
    Probe(
        "pending_after_completed",
        sent="COMPLETED, then a late PENDING of the same transaction, then COMPLETED again",
        expected="200 each time, fulfilled once",
        why="Notifications may arrive in another order. An order that falls back to PENDING is "
        "fulfilled a second time by the next repeat.",
        fix="Never let a status go backwards: COMPLETED and REJECTED are kept when PENDING comes.",
        basis=f"{_REPEATS} PENDING comes before COMPLETED. That their order may change on the "
        "way is assumed.",
        rule=ACCEPT,
        calls=(_DONE, Call("PENDING"), _DONE),
        fulfilments=1,
        counted=True,
        follows=("repeated", "completed"),
    ),
    Probe(
        "rejected_after_completed",
        sent="COMPLETED, then REJECTED of the same transaction, then COMPLETED again",
        expected="200 each time, fulfilled once",
        why="The token does not cover the status, so a second, different final status proves "
        "nothing. Applied, it undoes a paid order, or the next repeat fulfils it twice.",
        fix="Keep the first final status, answer 200, and have a person look at the conflict: "
        "compare with the balance.",
        basis=f"{_REPEATS} That COMPLETED and REJECTED are final is assumed.",
        rule=ACCEPT,
        calls=(_DONE, Call("REJECTED"), _DONE),
        fulfilments=1,
        counted=True,
        # Nothing that 88Pay documents says that a COMPLETED stands.
        taken_back=_DOUBTFUL,
        follows=("repeated", "pending_after_completed", "completed"),
    ),
    Probe(
        "amount_changed",
        sent="a notification with a higher transaction_amount than its token's",
        expected=_REFUSED,
        why="Whoever copies a token can claim to have paid any amount.",
        fix="Compare the token's transaction_amount with the body's, and with your own order.",
        basis=_OWN_CHECK,
        rule=REFUSE,
        calls=(Call(body=Body.OTHER_AMOUNT),),
        follows=("token_missing", "token_foreign"),
    ),
    Probe(
        "token_missing",
        sent="a COMPLETED notification without an Authorization header",
        expected=_REFUSED,
        why="Anybody who knows the address can report a payment.",
        fix="Answer 401 where there is no bearer token, before anything else is done.",
        basis=_OWN_CHECK,
        rule=REFUSE,
        calls=(Call(token=Token.MISSING),),
    ),
    Probe(
        "token_foreign",
        sent="a COMPLETED notification whose token was made with another secret",
        expected=_REFUSED,
        why="Anybody who knows the address and the form of a token can report a payment.",
        fix="Answer 401 when the token does not decrypt with your own secret. If you keep what you "
        "cannot decrypt on purpose, because the cipher is not confirmed yet, refuse it once it is "
        '(Inbox: on_unverified="refuse").',
        basis=_OWN_CHECK,
        rule=REFUSE,
        calls=(Call(token=Token.FOREIGN),),
        follows=("token_missing",),
    ),
    Probe(
        "token_stale",
        sent="a COMPLETED notification whose token is 10 minutes old",
        expected=_REFUSED,
        why="Who records one notification can send it again whenever it suits.",
        fix="Compare the token's ts (epoch milliseconds) with a clock that is set by NTP: at most "
        "5 minutes.",
        basis=_OWN_CHECK,
        rule=REFUSE,
        calls=(Call(token=Token.STALE),),
        follows=("token_missing", "token_foreign"),
    ),
    Probe(
        "token_from_the_future",
        sent="a COMPLETED notification whose token is dated in one hour",
        expected="better a 4xx: 88Pay's own check lets it through",
        why="A token from the future stays fresh for as long as its date is ahead.",
        fix="Refuse a ts more than 5 minutes ahead of your clock, too.",
        basis="88Pay's documented check does not refuse a time in the future.",
        rule=BETTER_REFUSE,
        calls=(Call(token=Token.FUTURE),),
        fulfilments=1,
        documented=False,
    ),
    Probe(
        "token_of_another_transaction",
        sent="a COMPLETED notification with the valid token of another transaction",
        expected=_REFUSED,
        why="Who has paid once could have every other order marked as paid.",
        fix="Compare the token's transaction_id with the body's.",
        basis=_OWN_CHECK,
        rule=REFUSE,
        calls=(Call(token=Token.OTHER_TRANSACTION),),
        follows=("token_missing", "token_foreign"),
    ),
    Probe(
        "unknown_fields",
        sent="a valid COMPLETED notification with further fields, one of them nested",
        expected="200",
        why="88Pay's sample goes on with fields that the page does not name, and may get more.",
        fix="Read the fields that you need, and let the others pass.",
        basis=f"{_ANSWER_200} Its sample has further fields.",
        rule=ACCEPT,
        calls=(Call(body=Body.UNKNOWN_FIELDS),),
        fulfilments=1,
        follows=("completed",),
    ),
    Probe(
        "unknown_status",
        sent="a valid notification with a status that 88Pay does not document",
        expected="better 200, and nothing is fulfilled",
        why="A new status would be repeated ten times, and taken for paid it would cost money.",
        fix="Keep it and answer 200. Fulfil on COMPLETED only.",
        basis="88Pay documents PENDING, COMPLETED and REJECTED, and not what a new one would need.",
        rule=BETTER_ACCEPT,
        calls=(Call("UNDER_REVIEW"),),
        counted=True,
        documented=False,
        follows=("completed",),
    ),
    Probe(
        "broken_json",
        sent="half of a JSON body, with a token that is valid for the whole",
        expected=_REFUSED,
        why="A 200 says that the notification was received. Nothing usable was.",
        fix="Answer 400 when the body is not a JSON object with the fields that you need.",
        basis=_OWN_CHECK,
        rule=REFUSE,
        calls=(Call(body=Body.BROKEN),),
        signed=False,
    ),
    Probe(
        "get",
        sent="a GET",
        expected="better a 4xx, such as 405",
        why="88Pay sends POST. An answer to everything hides that the address is wrong.",
        fix="Accept POST only.",
        basis=_SILENT,
        rule=BETTER_REFUSE,
        calls=(Call(method="GET"),),
        fulfilments=None,
        documented=False,
        signed=False,
    ),
    LARGE_BODY,
)
# For the question before anything is sent: the calls, and one look at the certificate.
MOST_CALLS = sum(len(probe.calls) for probe in PROBES) + 1
