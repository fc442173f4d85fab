"""Exercises of lesson 04: webhooks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import httpx

from pay88kit import money, webhooks
from pay88kit.client import Pay88
from pay88kit.guide.exercises.exercise import Exercise, Kind, NotYet, compare, of_type, shown
from pay88kit.guide.exercises.world import local, paid_order, pending_order
from pay88kit.inbox import Inbox
from pay88kit.language import N_

# The invented notifications of this lesson are its only use, each with another moment or content.
_NONCE = b"only-for-now"


class _Call(NamedTuple):
    """A notification as it arrives: what an endpoint has to judge."""

    body: bytes
    token: str
    secret: str
    now: datetime


_ABOUT_ANSWERS = {
    "forged_gets": "The call is readable, but not 88Pay's: who sent it has not proved who it is.",
    "malformed_gets": "Nothing usable came: whoever sent it has to correct the request.",
    "repeated_gets": "It was received, and that is what 88Pay asks. Anything but 200 brings it "
    "again.",
}


def _genuine_call(client: Pay88, inbox: Inbox, decide: Callable[[str], object]) -> _Call:
    """A notification of a new charge that was decided, signed as the sandbox signs."""
    charge = pending_order(client, inbox.url)
    decide(charge.reference)
    received = inbox.wait(reference=charge.reference)[0]
    secret, now = str(client.config.webhook_secret), client.config.clock.now()
    token = webhooks.sign(str(received.transaction_id), "50000", secret, now=now, nonce=_NONCE)
    assert received.notification is not None  # noqa: S101 - it was verified
    return _Call(money.dumps(received.notification.fields).encode(), token, secret, now)


def _ships_once(answer: Callable[..., object], client: Pay88, inbox: Inbox) -> str:
    local(client)
    first, second = (
        inbox.wait(reference=paid_order(client, inbox.url).reference)[0] for _ in range(2)
    )
    shipped: list[str | None] = []
    for event in (first, second, first):
        answer(event, shipped)
    expected = [first.key, second.key]
    told = f"after {first.key}, {second.key} and {first.key} again: {shown(shipped)}"
    if sorted(map(str, shipped)) != sorted(map(str, expected)):
        raise NotYet(told, f"each order once: {expected}", _not_once(shipped, expected))
    return told


def _not_once(shipped: list[str | None], expected: list[str | None]) -> str | None:
    """What is wrong with a list of shipped orders; None for the repeat that was shipped again."""
    if not shipped:
        return "The list stayed empty: put the order on the list that the function was given."
    if any(order not in expected for order in shipped):
        return "There is something else on the list. The order number is event.key."
    if any(order not in shipped for order in expected):
        return "An order is missing, and its customer has paid. Each order has its own place."
    return None


def _statuses(answer: tuple[object, object, object], client: Pay88, inbox: Inbox) -> str:
    call = _genuine_call(client, inbox, local(client).complete)
    bodies = {
        "forged_gets": _forged(call.body),
        "malformed_gets": b"not a notification",
        "repeated_gets": call.body,
    }
    headers = {"Authorization": call.token}
    seen: dict[str, object] = {
        name: httpx.post(inbox.url, content=body, headers=headers).status_code
        for name, body in bodies.items()
    }
    guesses = dict(zip(seen, answer, strict=True))
    return compare(guesses, seen, "what the inbox answered", _ABOUT_ANSWERS)


def _tells_genuine(answer: Callable[..., object], client: Pay88, inbox: Inbox) -> str:
    sandbox = local(client)
    call = _genuine_call(client, inbox, sandbox.complete)
    other = _genuine_call(client, inbox, sandbox.reject)
    tries: tuple[tuple[str, _Call, bool, str], ...] = (
        (
            "a genuine call",
            call,
            True,
            "A customer has paid, and your shop would not know. Does verify get all four values?",
        ),
        (
            "a genuine call that says REJECTED",
            other,
            True,
            "Genuine means: from 88Pay. What became of the payment is another question.",
        ),
        (
            "a call without a token",
            call._replace(token=""),
            False,
            "Anybody who knows your address can send a body.",
        ),
        (
            "a call signed by a stranger",
            call._replace(secret="x" * 32),
            False,
            "Only a token that your own secret opens is 88Pay's.",
        ),
        (
            "a call with another amount",
            call._replace(body=_forged(call.body)),
            False,
            "The token is good, but for another amount: it has to be compared with the body.",
        ),
        (
            "a call with the token of another payment",
            call._replace(token=other.token),
            False,
            "Who has paid once could have every other order marked as paid.",
        ),
        (
            "a call of six minutes ago",
            call._replace(now=call.now + timedelta(minutes=6)),
            False,
            "Somebody may have recorded it. A token is good for five minutes.",
        ),
        (
            "a body that is not JSON",
            call._replace(body=b"hello"),
            False,
            "A body that cannot be read is not 88Pay's.",
        ),
    )
    for what, tried, right, why in tries:
        said = of_type(
            answer(*tried),
            bool,
            "the function returns True or False",
            "verify gives back the notification, or raises. Neither of them is True or False.",
        )
        if said is not right:
            raise NotYet(f"{said} for {what}", f"{right} for {what}", why)
    return "True for two genuine calls, False for six others"


def _forged(body: bytes) -> bytes:
    return body.replace(b'"50000"', b'"5000000"')


EXERCISES = (
    Exercise(
        id="04.1",
        kind=Kind.EVENT,
        title=N_("Ship each order once"),
        task=(
            "A handler may run twice for one event. Write `ship(event, shipped)`: it puts the "
            "order number, `event.key`, on the list `shipped`, and never twice. The check brings "
            "two paid orders, and one of them again."
        ),
        answer="ship",
        needs=("client", "inbox"),
        starter="def ship(event, shipped): ...",
        solution=(
            "def ship(event, shipped):\n"
            "    if event.key not in shipped:\n"
            "        shipped.append(event.key)"
        ),
        wrong=(
            "def ship(event, shipped):\n    shipped.append(event.key)",
            "def ship(event, shipped):\n    return [*shipped, event.key]",
            "def ship(event, shipped):\n"
            "    if event.reference not in shipped:\n"
            "        shipped.append(event.reference)",
            "def ship(event, shipped):\n    if not shipped:\n        shipped.append(event.key)",
            "def ship(event, shipped):\n    shipped.add(event.key)",
        ),
        hints=(
            "Look before you add: is the order already on the list?",
            "if event.key not in shipped: then shipped.append(event.key).",
        ),
        why="88Pay repeats a notification when your answer got lost. The parcel must not repeat.",
        check=_ships_once,
    ),
    Exercise(
        id="04.2",
        kind=Kind.PREDICT,
        title=N_("Which status does your endpoint answer?"),
        task=(
            "Three calls reach the inbox: one with a changed amount (`forged`), one that is no "
            "notification at all (`malformed`), and a genuine one that was already received "
            "(`repeated`). Which HTTP status does each get? The check sends all three."
        ),
        answer="(forged_gets, malformed_gets, repeated_gets)",
        needs=("client", "inbox"),
        starter="forged_gets = ...\nmalformed_gets = ...\nrepeated_gets = ...",
        solution="forged_gets = 401\nmalformed_gets = 400\nrepeated_gets = 200",
        wrong=(
            "forged_gets = 401\nmalformed_gets = 400\nrepeated_gets = 409",
            "forged_gets = 403\nmalformed_gets = 400\nrepeated_gets = 200",
            "forged_gets = malformed_gets = repeated_gets = 200",
            "forged_gets = 401\nmalformed_gets = 422\nrepeated_gets = 200",
            "forged_gets = malformed_gets = 401\nrepeated_gets = 200",
        ),
        hints=(
            "Two are refused, for two reasons. For the third, think of what 88Pay does when it "
            "does not get a 200.",
            "Forged: not authorised. Malformed: a bad request. Repeated: received, thank you.",
        ),
        why="A repeat that is not answered with 200 comes again, up to ten times.",
        check=_statuses,
    ),
    Exercise(
        id="04.3",
        kind=Kind.FAULT,
        title=N_("An endpoint that believes everybody"),
        task=(
            "This function decides whether a call is genuine. It is `True` for every stranger who "
            "knows the word Bearer:\n\n"
            "```python\n"
            "def genuine(body, token, secret, now):\n"
            '    return token.startswith("Bearer ")\n'
            "```\n\n"
            "Write it so that it is `True` for a genuine call and `False` for every other one. "
            "`webhooks.verify` raises `WebhookRefused`."
        ),
        answer="genuine",
        needs=("client", "inbox"),
        starter="def genuine(body, token, secret, now): ...",
        solution=(
            "def genuine(body, token, secret, now):\n"
            "    try:\n"
            "        webhooks.verify(body, token, secret, now=now)\n"
            "    except WebhookRefused:\n"
            "        return False\n"
            "    return True"
        ),
        wrong=(
            'def genuine(body, token, secret, now):\n    return token.startswith("Bearer ")',
            "def genuine(body, token, secret, now):\n"
            "    return webhooks.verify(body, token, secret, now=now)",
            "def genuine(body, token, secret, now):\n"
            "    try:\n"
            "        notification = webhooks.verify(body, token, secret, now=now)\n"
            "    except WebhookRefused:\n"
            "        return False\n"
            '    return notification.status == "COMPLETED"',
            "def genuine(body, token, secret, now):\n"
            "    try:\n"
            "        webhooks.verify(body, token, secret)\n"
            "    except Exception:\n"
            "        return False\n"
            "    return True",
            "def genuine(body, token, secret, now):\n"
            "    try:\n"
            "        webhooks.parse(body)\n"
            "    except WebhookRefused:\n"
            "        return False\n"
            "    return True",
            "def genuine(body, token, secret, now):\n"
            "    webhooks.verify(body, token, secret, now=now)\n"
            "    return True",
        ),
        hints=(
            "verify returns the notification or raises. Turn that into True and False.",
            "Call webhooks.verify(body, token, secret, now=now) in a try; return False in "
            "except WebhookRefused, and True after it.",
        ),
        why="Anybody can send a POST to your address, and many would like goods for nothing.",
        check=_tells_genuine,
    ),
)
