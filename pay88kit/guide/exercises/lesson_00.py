"""Exercises of lesson 00: start here."""

from __future__ import annotations

from collections.abc import Callable

from pay88kit.client import Pay88
from pay88kit.guide.exercises.exercise import (
    NOTHING,
    WHOLE,
    Exercise,
    Kind,
    NotYet,
    compare,
    of_type,
    shown,
)
from pay88kit.guide.exercises.world import as_asked, local, pending_order, so_far, transaction
from pay88kit.inbox import Inbox, Received
from pay88kit.language import N_
from pay88kit.models.answers import Charge

_ABOUT_STATUSES = {
    "charged": "Accepted is not paid: nobody has decided yet.",
    "paid": "88Pay documents three statuses: PENDING, COMPLETED and REJECTED.",
    "declined": "Declined is final: no customer will pay this transaction any more.",
}
_ABOUT_FIELDS = {
    "description": "The description tells two orders of one customer apart.",
    "amount": "Amounts are in pesos, not in cents. A wrong zero is real money.",
    "customer_id": "It is the same customer. With another id you would ask somebody else to pay.",
    "notification_url": "88Pay tells that address how the payment ended, not your inbox.",
}


def _statuses(answer: tuple[object, object, object], client: Pay88, inbox: Inbox) -> str:
    sandbox = local(client)
    first, second = (pending_order(client, inbox.url).reference for _ in range(2))
    seen: dict[str, object] = {
        "charged": (transaction(client, first) or {})["status"],
        "paid": sandbox.complete(first)["status"],
        "declined": sandbox.reject(second)["status"],
    }
    guesses = dict(zip(seen, answer, strict=True))
    return compare(guesses, seen, "the status that 88Pay has", _ABOUT_STATUSES)


def _second_charge(answer: object, client: Pay88, inbox: Inbox) -> str:
    local(client)
    charge = of_type(answer, Charge, "the answer of client.charge(…)", WHOLE)
    wanted = {
        "description": "Order 1002",
        "amount": 25_000,
        "customer_id": "customer-7",
        "method_code": "PSE",
        "currency": "COP",
        "country": "COL",
        "notification_url": inbox.url,
    }
    as_asked(client, charge.reference, wanted, _ABOUT_FIELDS)
    again = so_far(client, "charges for Order 1002", description="Order 1002")
    return f"88Pay has {charge.reference}: 25,000 COP for Order 1002{again}"


def _what_happened(answer: Callable[[Received], object], client: Pay88, inbox: Inbox) -> str:
    sandbox = local(client)
    told = []
    for decide, status in ((sandbox.complete, "COMPLETED"), (sandbox.reject, "REJECTED")):
        reference = pending_order(client, inbox.url).reference
        decide(reference)
        said = answer(inbox.wait(reference=reference)[0])
        if not isinstance(said, (tuple, list)) or tuple(said) != (reference, status):
            raise NotYet(
                f"{shown(said)} for {reference}, which is {status}",
                "its reference and its status, in this order",
                _not_both(said, reference, status),
            )
        told.append(f"{reference} is {status}")
    return ", ".join(told)


def _not_both(said: object, reference: str, status: str) -> str:
    """What is wrong with an answer that does not have both."""
    if said is None:
        return NOTHING
    if not isinstance(said, (tuple, list)) or len(said) != 2:
        return "Return two values with a comma between them: one without the other is not enough."
    if tuple(said) == (status, reference):
        return "Both are there, in the other order. Whoever calls the function relies on it."
    if said[1] != status:
        return "Not every payment ends the same way: read the status from this notification."
    return "This is not the reference of this transaction: read it from this notification."


EXERCISES = (
    Exercise(
        id="00.1",
        kind=Kind.PREDICT,
        title=N_("Three moments, three statuses"),
        task=(
            "Which status has a transaction right after the charge (`charged`), after the customer "
            "has paid (`paid`), and after another customer has declined (`declined`)? Write each "
            "as text, in capital letters. The check plays it with two new orders."
        ),
        answer="(charged, paid, declined)",
        needs=("client", "inbox"),
        starter="charged = ...\npaid = ...\ndeclined = ...",
        solution='charged = "PENDING"\npaid = "COMPLETED"\ndeclined = "REJECTED"',
        wrong=(
            'charged = "COMPLETED"\npaid = "COMPLETED"\ndeclined = "REJECTED"',
            'charged = "PENDING"\npaid = "PAID"\ndeclined = "REJECTED"',
            'charged = "PENDING"\npaid = "COMPLETED"\ndeclined = "PENDING"',
            'charged = "pending"\npaid = "completed"\ndeclined = "rejected"',
            'charged = "PENDING"\npaid = "COMPLETED"\ndeclined = "DECLINED"',
        ),
        hints=(
            "The picture at the top of this page has all three words.",
            "The charge is PENDING. The customer's decision makes it COMPLETED or REJECTED.",
        ),
        why="A charge that was accepted is not paid. Wait for its status.",
        check=_statuses,
    ),
    Exercise(
        id="00.2",
        kind=Kind.CALL,
        title=N_("A charge of your own"),
        task=(
            "Charge the same customer for a second order, *Order 1002*: this time 25,000 pesos. "
            "The other fields stay as they were."
        ),
        answer="second",
        needs=("client", "inbox"),
        starter="second = ...",
        solution=(
            "second = client.charge(\n"
            '    method_code="PSE",\n'
            "    amount=25_000,\n"
            '    currency="COP",\n'
            '    country="COL",\n'
            '    description="Order 1002",\n'
            '    customer_id="customer-7",\n'
            "    notification_url=inbox.url,\n"
            ")"
        ),
        wrong=(
            "second = charge",
            'second = client.charge(\n    method_code="PSE",\n    amount=2_500_000,\n'
            '    currency="COP",\n    country="COL",\n    description="Order 1002",\n'
            '    customer_id="customer-7",\n    notification_url=inbox.url,\n)',
            'second = client.charge(\n    method_code="PSE",\n    amount=25_000,\n'
            '    currency="COP",\n    country="COL",\n    description="Order 1002",\n'
            '    customer_id="customer-8",\n    notification_url=inbox.url,\n)',
            'second = client.charge(\n    method_code="PSE",\n    amount=25_000,\n'
            '    currency="COP",\n    country="COL",\n    description="Order 1002",\n'
            '    customer_id="customer-7",\n'
            '    notification_url="https://shop.example/webhooks/88pay",\n)',
            'second = {"amount": 25_000}',
        ),
        hints=(
            "Copy the call of the first charge, and give the answer another name.",
            "Change amount=25_000 and description. Everything else is the same.",
        ),
        why="Each order is a charge of its own, with a reference of its own.",
        check=_second_charge,
    ),
    Exercise(
        id="00.3",
        kind=Kind.EVENT,
        title=N_("Which payment, and how did it end?"),
        task=(
            "Write `what_happened(event)`. It takes a notification, as the inbox shows it, and "
            "returns two things: the transaction's reference and its status, in this order. The "
            "check gives it one payment that was paid and one that was declined."
        ),
        answer="what_happened",
        needs=("client", "inbox"),
        starter="def what_happened(event): ...",
        solution="def what_happened(event):\n    return event.reference, event.status",
        wrong=(
            "def what_happened(event):\n    return charge.reference, event.status",
            'def what_happened(event):\n    return event.reference, "COMPLETED"',
            "def what_happened(event):\n    return event.status",
            "def what_happened(event):\n    return event.status, event.reference",
            "def what_happened(event):\n    print(event.reference, event.status)",
        ),
        hints=(
            "A notification has the same reference as its charge. Both are read with a dot.",
            "return event.reference, event.status",
        ),
        why="Read both from the notification: it may come late, and for another order.",
        check=_what_happened,
    ),
)
