"""What the checks share: the local sandbox behind the lesson's client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pay88kit.client import Pay88
from pay88kit.guide.exercises.exercise import NeedsLocal, NotYet, shown
from pay88kit.models.answers import Charge
from pay88kit.sandbox import Sandbox
from pay88kit.sandbox.reply import Ask

# How the keys of a check's own operations begin.
KEY = "your-turn-"


def local(client: Pay88) -> Sandbox:
    """The sandbox that the client talks to.

    Raises:
        NeedsLocal: the client talks to 88Pay.
    """
    if client.sandbox is None:
        raise NeedsLocal
    return client.sandbox


def transaction(client: Pay88, reference: str) -> dict[str, Any] | None:
    """The sandbox's own record of a transaction, or None when it has no such one."""
    known = local(client).transactions()
    return next((t for t in known if t["reference"] == reference), None)


def as_asked(
    client: Pay88, reference: str, wanted: Mapping[str, object], why: Mapping[str, str]
) -> None:
    """Compare the request that created a transaction with what the task asks for.

    ``wanted`` are its fields, ``why`` says for some of them why a wrong one matters.

    Raises:
        NotYet: there was no such request, or a field of it is another.
    """
    body = _request(client, reference)
    if body is None:
        raise NotYet(
            f"88Pay has no transaction {reference}",
            "one that was sent",
            "An answer proves something only when 88Pay itself gave it.",
        )
    for name, value in wanted.items():
        given = body.get(name)
        if name == "notification_url":
            # The client has added the operation's id to it.
            given = str(given).partition("?")[0]
        if given != value:
            raise NotYet(
                f"88Pay has {reference}, and its {name} is {_plain(given)}",
                f"{name} is {_plain(value)}",
                why.get(name),
            )


def _request(client: Pay88, reference: str) -> dict[str, Any] | None:
    """The body of the request that created a transaction."""
    for exchange in reversed(local(client).requests()):
        if (exchange["response_body"] or {}).get("data", {}).get("reference") == reference:
            body: dict[str, Any] = exchange["request_body"]
            return body
    return None


def _plain(value: object) -> str:
    return f"{value:,}" if isinstance(value, (int, Decimal)) else shown(value)


def so_far(client: Pay88, what: str, **fields: object) -> str:
    """A sentence when several transactions have these fields: each try has really made one."""
    every = local(client).transactions()
    count = sum(all(t[name] == value for name, value in fields.items()) for t in every)
    return f". There are {count} {what} now, one for each try" if count > 1 else ""


def new_key(client: Pay88) -> str:
    """A key that no operation has yet: a check may run many times in one kernel."""
    return f"{KEY}{len(client.books.operations()) if client.books else 0}"


def paid_order(client: Pay88, notification_url: str, amount: int = 50_000) -> Charge:
    """A new order, charged under a key of its own and paid by the customer."""
    charge = pending_order(client, notification_url, amount)
    local(client).complete(charge.reference)
    return charge


def pending_order(client: Pay88, notification_url: str, amount: int = 50_000) -> Charge:
    """A new order, charged under a key of its own; the customer has not decided."""
    return client.charge(
        key=new_key(client),
        method_code="PSE",
        amount=amount,
        currency="COP",
        country="COL",
        description="Your turn",
        customer_id="customer-7",
        notification_url=notification_url,
    )


def available(client: Pay88) -> Decimal:
    """What can be paid out now; the local sandbox always says."""
    return client.balance().total_available or Decimal(0)


def ask_balance(client: Pay88, headers: Mapping[str, str]) -> tuple[int, str]:
    """A balance request with just these headers: 88Pay's status and message."""
    asked = {str(name).lower(): str(value) for name, value in headers.items()}
    query = {"id": client.config.merchant_id or ""}
    reply = local(client).handle(Ask("POST", "/api/balance", query, asked))
    return reply.status, json.loads(reply.body)["message"]
