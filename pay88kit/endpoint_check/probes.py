"""What is asked of a merchant's endpoint: each probe says what is sent, what is owed, and why.

Only what 88Pay documents can fail an endpoint: 200 within five seconds to a valid notification, no
200 to one that 88Pay's own check refuses, repeats accepted. Where 88Pay is silent, or its own check
lets something through, a probe is at most doubtful.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from pay88kit.language import N_


class Verdict(StrEnum):
    """What a probe found."""

    PASSES = N_("passes")
    FAILS = N_("fails")
    DOUBTFUL = N_("doubtful")
    NOT_OBSERVABLE = N_("not observable from outside")


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


_ANSWER_200 = N_(
    "88Pay documents: answer 200 within 5 seconds; any other status is a failed delivery."
)
_OWN_CHECK = N_(
    "88Pay documents the check: decrypt the token; its transaction_id and transaction_amount must "
    "equal the body's, its ts must be at most 5 minutes old."
)
_REPEATS = N_("88Pay documents: duplicates happen, be idempotent.")
_REFUSED = N_("any 4xx within 5 seconds")
_DONE = Call()

ANSWER_TIME = Probe(
    "answer_time",
    sent=N_("a valid COMPLETED notification"),
    expected=N_("an answer within 5 seconds"),
    why=N_(
        "After 5 seconds 88Pay gives the delivery up and repeats it, though the work may be done."
    ),
    fix=N_("Keep the notification, answer 200, and do the slow work afterwards, in a queue."),
    basis=_ANSWER_200,
    rule=IN_TIME,
    fulfilments=None,
    signed=False,
)
TLS = Probe(
    "tls",
    sent=N_("a TLS handshake, where the address is https"),
    expected=N_("a certificate that is valid for this host, and TLS 1.2 or newer"),
    why=N_("A caller that checks certificates cannot deliver to this address."),
    fix=N_(
        "Install a certificate of a public authority for this host, with its whole chain, and "
        "renew it in time."
    ),
    basis=N_("88Pay documents: notification_url is a public HTTPS address."),
    rule=ACCEPT,
    calls=(),
    fulfilments=None,
    signed=False,
)
LARGE_BODY = Probe(
    "large_body",
    sent=N_("a valid notification whose body is 1 MiB"),
    expected=N_("a refusal, such as 413"),
    why=N_("Anybody can call a public address; bodies without a limit fill the memory."),
    fix=N_("Refuse what is longer than about 64 KiB with 413, before it is read whole."),
    basis=N_("88Pay does not document this. A 5xx shows that the endpoint broke."),
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
        sent=N_("a valid COMPLETED notification"),
        expected="200",
        why=N_(
            "88Pay counts anything but 200 as a failed delivery and tries again, up to 10 times."
        ),
        fix=N_(
            "Answer 200 to every notification whose token is right, also where you do not know the "
            "transaction: keep it, and look into it later. Do not redirect."
        ),
        basis=_ANSWER_200,
        rule=ACCEPT,
        fulfilments=1,
    ),
    Probe(
        "rejected",
        sent=N_("a valid REJECTED notification"),
        expected=N_("200, and nothing is fulfilled"),
        why=N_(
            "88Pay counts anything but 200 as a failed delivery and tries again, up to 10 times. "
            "What was rejected has not been paid."
        ),
        fix=N_("Answer 200 and mark the order as not paid. Fulfil on COMPLETED only."),
        basis=N_(
            "88Pay documents: answer 200 within 5 seconds; any other status is a failed "
            "delivery. REJECTED means failed, expired or cancelled."
        ),
        rule=ACCEPT,
        calls=(Call("REJECTED"),),
        counted=True,
        follows=("completed",),
    ),
    Probe(
        "repeated",
        sent=N_("the same COMPLETED notification twice, one after the other"),
        expected=N_("200 both times, fulfilled once"),
        why=N_(
            "88Pay counts anything but 200 as a failed delivery and tries again, up to 10 times. "
            "An answer that was lost on the way brings the same notification again."
        ),
        fix=N_(
            "Remember which transaction you have fulfilled, under a unique key in your database. "
            "Answer 200 to a repeat and do nothing."
        ),
        basis=_REPEATS,
        rule=ACCEPT,
        calls=(_DONE, _DONE),
        fulfilments=1,
        counted=True,
        follows=("completed",),
    ),
    Probe(
        "simultaneous",
        sent=N_("the same COMPLETED notification twice at the same moment"),
        expected=N_("200 to both, fulfilled once"),
        why=N_("Two processes may each find the order unpaid, and both fulfil it."),
        fix=N_(
            "Let the database decide: a unique key on the transaction, or one UPDATE … WHERE "
            "status = 'PENDING' whose row count says who was first. Looking first and writing "
            "later is not enough."
        ),
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
        sent=N_("COMPLETED, then a late PENDING of the same transaction, then COMPLETED again"),
        expected=N_("200 each time, fulfilled once"),
        why=N_(
            "Notifications may arrive in another order. An order that falls back to PENDING is "
            "fulfilled a second time by the next repeat."
        ),
        fix=N_(
            "Never let a status go backwards: COMPLETED and REJECTED are kept when PENDING comes."
        ),
        basis=N_(
            "88Pay documents: duplicates happen, be idempotent. PENDING comes before COMPLETED. "
            "That their order may change on the way is assumed."
        ),
        rule=ACCEPT,
        calls=(_DONE, Call("PENDING"), _DONE),
        fulfilments=1,
        counted=True,
        follows=("repeated", "completed"),
    ),
    Probe(
        "rejected_after_completed",
        sent=N_("COMPLETED, then REJECTED of the same transaction, then COMPLETED again"),
        expected=N_("200 each time, fulfilled once"),
        why=N_(
            "The token does not cover the status, so a second, different final status proves "
            "nothing. Applied, it undoes a paid order, or the next repeat fulfils it twice."
        ),
        fix=N_(
            "Keep the first final status, answer 200, and have a person look at the conflict: "
            "compare with the balance."
        ),
        basis=N_(
            "88Pay documents: duplicates happen, be idempotent. That COMPLETED and REJECTED are "
            "final is assumed."
        ),
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
        sent=N_("a notification with a higher transaction_amount than its token's"),
        expected=_REFUSED,
        why=N_("Whoever copies a token can claim to have paid any amount."),
        fix=N_("Compare the token's transaction_amount with the body's, and with your own order."),
        basis=_OWN_CHECK,
        rule=REFUSE,
        calls=(Call(body=Body.OTHER_AMOUNT),),
        follows=("token_missing", "token_foreign"),
    ),
    Probe(
        "token_missing",
        sent=N_("a COMPLETED notification without an Authorization header"),
        expected=_REFUSED,
        why=N_("Anybody who knows the address can report a payment."),
        fix=N_("Answer 401 where there is no bearer token, before anything else is done."),
        basis=_OWN_CHECK,
        rule=REFUSE,
        calls=(Call(token=Token.MISSING),),
    ),
    Probe(
        "token_foreign",
        sent=N_("a COMPLETED notification whose token was made with another secret"),
        expected=_REFUSED,
        why=N_("Anybody who knows the address and the form of a token can report a payment."),
        fix=N_(
            "Answer 401 when the token does not decrypt with your own secret. If you keep what you "
            "cannot decrypt on purpose, because the cipher is not confirmed yet, refuse it once it "
            'is (Inbox: on_unverified="refuse").'
        ),
        basis=_OWN_CHECK,
        rule=REFUSE,
        calls=(Call(token=Token.FOREIGN),),
        follows=("token_missing",),
    ),
    Probe(
        "token_stale",
        sent=N_("a COMPLETED notification whose token is 10 minutes old"),
        expected=_REFUSED,
        why=N_("Who records one notification can send it again whenever it suits."),
        fix=N_(
            "Compare the token's ts (epoch milliseconds) with a clock that is set by NTP: at most "
            "5 minutes."
        ),
        basis=_OWN_CHECK,
        rule=REFUSE,
        calls=(Call(token=Token.STALE),),
        follows=("token_missing", "token_foreign"),
    ),
    Probe(
        "token_from_the_future",
        sent=N_("a COMPLETED notification whose token is dated in one hour"),
        expected=N_("better a 4xx: 88Pay's own check lets it through"),
        why=N_("A token from the future stays fresh for as long as its date is ahead."),
        fix=N_("Refuse a ts more than 5 minutes ahead of your clock, too."),
        basis=N_("88Pay's documented check does not refuse a time in the future."),
        rule=BETTER_REFUSE,
        calls=(Call(token=Token.FUTURE),),
        fulfilments=1,
        documented=False,
    ),
    Probe(
        "token_of_another_transaction",
        sent=N_("a COMPLETED notification with the valid token of another transaction"),
        expected=_REFUSED,
        why=N_("Who has paid once could have every other order marked as paid."),
        fix=N_("Compare the token's transaction_id with the body's."),
        basis=_OWN_CHECK,
        rule=REFUSE,
        calls=(Call(token=Token.OTHER_TRANSACTION),),
        follows=("token_missing", "token_foreign"),
    ),
    Probe(
        "unknown_fields",
        sent=N_("a valid COMPLETED notification with further fields, one of them nested"),
        expected="200",
        why=N_("88Pay's sample goes on with fields that the page does not name, and may get more."),
        fix=N_("Read the fields that you need, and let the others pass."),
        basis=N_(
            "88Pay documents: answer 200 within 5 seconds; any other status is a failed "
            "delivery. Its sample has further fields."
        ),
        rule=ACCEPT,
        calls=(Call(body=Body.UNKNOWN_FIELDS),),
        fulfilments=1,
        follows=("completed",),
    ),
    Probe(
        "unknown_status",
        sent=N_("a valid notification with a status that 88Pay does not document"),
        expected=N_("better 200, and nothing is fulfilled"),
        why=N_("A new status would be repeated ten times, and taken for paid it would cost money."),
        fix=N_("Keep it and answer 200. Fulfil on COMPLETED only."),
        basis=N_(
            "88Pay documents PENDING, COMPLETED and REJECTED, and not what a new one would need."
        ),
        rule=BETTER_ACCEPT,
        calls=(Call("UNDER_REVIEW"),),
        counted=True,
        documented=False,
        follows=("completed",),
    ),
    Probe(
        "broken_json",
        sent=N_("half of a JSON body, with a token that is valid for the whole"),
        expected=_REFUSED,
        why=N_("A 200 says that the notification was received. Nothing usable was."),
        fix=N_("Answer 400 when the body is not a JSON object with the fields that you need."),
        basis=_OWN_CHECK,
        rule=REFUSE,
        calls=(Call(body=Body.BROKEN),),
        signed=False,
    ),
    Probe(
        "get",
        sent=N_("a GET"),
        expected=N_("better a 4xx, such as 405"),
        why=N_("88Pay sends POST. An answer to everything hides that the address is wrong."),
        fix=N_("Accept POST only."),
        basis=N_("88Pay does not document this."),
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
