"""Notifications as the kit makes them, with whatever is to be wrong about them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pay88kit import money, webhooks
from pay88kit.config import Secret
from pay88kit.errors import WrongUse


@dataclass(frozen=True)
class Outgoing:
    """A notification to send. Its token is made for ``transaction_id`` and ``amount``.

    The body need not say the same.
    """

    body: bytes = field(repr=False)
    transaction_id: str
    amount: str


def compose(
    *,
    status: str,
    amount: str,
    reference: str,
    transaction_id: str,
    now: datetime,
    fields: Mapping[str, Any] | None = None,
    without: Iterable[str] = (),
) -> Outgoing:
    """A notification with the documented fields, and those that the local sandbox adds (assumed).

    ``fields`` are added, or take the place of others; ``without`` leaves some out. Both change the
    body only, not what the token is made for.
    """
    said = {
        "transaction_date": f"{now:%Y-%m-%d %H:%M:%S}",
        "transaction_status": status,
        "transaction_id": transaction_id,
        "transaction_amount": amount,
        "transaction_payment_method": "CREDIT_CARD",
        "transaction_reference": reference,
        "transaction_currency": "COP",
        "transaction_country": "COL",
        "transaction_customer_id": "customer-1",
        **(fields or {}),
    }
    for name in without:
        said.pop(name, None)
    try:
        body = money.dumps(said).encode()
    except (TypeError, UnicodeEncodeError):
        raise WrongUse("field: a value has no exact JSON form.") from None
    return Outgoing(body, transaction_id, amount)


def read(body: bytes) -> Outgoing:
    """A notification that was received, to be sent again as it is.

    Raises:
        WebhookRefused: it is malformed.
    """
    fields = webhooks.parse(body).fields
    amount = fields["transaction_amount"]
    # The token repeats the amount as the body writes it.
    text = amount if isinstance(amount, str) else money.dumps(amount)
    return Outgoing(body, fields["transaction_id"], text)


def sign(notification: Outgoing, secret: str, now: datetime) -> Secret:
    """A fresh ``Authorization`` for a notification, under the kit's assumption of the cipher."""
    nonce = os.urandom(12)
    return Secret(
        webhooks.sign(
            notification.transaction_id, notification.amount, secret, now=now, nonce=nonce
        )
    )
