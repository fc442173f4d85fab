"""The notifications that are sent: invented transactions, drawn from a seed, signed as asked."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pay88kit.config import Clock, Secret
from pay88kit.endpoint_check.probes import Body, Call, Token
from pay88kit.errors import Pay88Error

# Takes what pay88kit.webhooks.sign takes; gives back the Authorization header, or the token alone.
Signer = Callable[..., str]

STALE = timedelta(minutes=10)
AHEAD = timedelta(hours=1)
LARGE = 1024 * 1024
# References and customers of these transactions can be told from real ones.
PREFIX, CUSTOMER = "CHECK", "pay88-check"


class SignerFailed(Pay88Error):
    """The function that was given to sign did not give a header."""


@dataclass(frozen=True)
class Transaction:
    """An invented transaction. ``amount`` is in COP, as text, as 88Pay sends it."""

    reference: str
    id: str
    amount: str

    @classmethod
    def of(cls, seed: str, name: str) -> Transaction:
        """The transaction of one probe."""
        draw = random.Random(f"{seed}/{name}")  # noqa: S311 - reproducible, no secret
        tail = "".join(draw.choices(string.ascii_uppercase + string.digits, k=6))
        number = uuid.UUID(int=draw.getrandbits(128), version=4)
        return cls(f"{PREFIX}{tail}", f"sess_{number}", str(draw.randrange(10, 100) * 1000))


@dataclass(frozen=True)
class Ready:
    """A request, ready to be sent. Its headers hold a token, so they stay out of its repr."""

    method: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Writer:
    """Writes the requests of one check."""

    def __init__(self, seed: str, secret: str, signer: Signer, clock: Clock) -> None:
        self._seed = seed
        self._secret = Secret(secret)
        self._foreign = Secret(hashlib.sha256(f"foreign/{seed}".encode()).hexdigest())
        self._signer = signer
        self._clock = clock
        self._date = clock.now()
        self.tokens: set[str] = set()

    def write(self, call: Call, transaction: Transaction) -> Ready:
        """The request of ``call`` for ``transaction``.

        Raises:
            SignerFailed: there is no token for it.
        """
        if call.method == "GET":
            return Ready("GET", {}, b"")
        headers = {"Content-Type": "application/json"}
        if call.token is not Token.MISSING:
            headers["Authorization"] = self._authorization(call.token, transaction)
        return Ready(call.method, headers, self._body(call, transaction))

    def _body(self, call: Call, transaction: Transaction) -> bytes:
        amount = transaction.amount
        if call.body is Body.OTHER_AMOUNT:
            amount = f"{amount}0"
        fields: dict[str, Any] = {
            "transaction_date": f"{self._date:%Y-%m-%d %H:%M:%S}",
            "transaction_status": call.status,
            "transaction_id": transaction.id,
            "transaction_amount": amount,
            "transaction_payment_method": "CREDIT_CARD",
            # From here on as the local sandbox does; 88Pay's further fields are not known.
            "transaction_reference": transaction.reference,
            "transaction_currency": "COP",
            "transaction_country": "COL",
            "transaction_customer_id": CUSTOMER,
        }
        if call.body is Body.UNKNOWN_FIELDS:
            fields |= {"transaction_new_field": None, "check": {"seed": self._seed, "list": [1]}}
        if call.body is Body.LARGE:
            fields["transaction_note"] = ""
            fields["transaction_note"] = "x" * (LARGE - len(json.dumps(fields)))
        body = json.dumps(fields).encode()
        return body[: len(body) // 2] if call.body is Body.BROKEN else body

    def _authorization(self, token: Token, transaction: Transaction) -> str:
        secret = self._foreign if token is Token.FOREIGN else self._secret
        now = self._clock.now()
        now += {Token.STALE: -STALE, Token.FUTURE: AHEAD}.get(token, timedelta())
        id = transaction.id
        if token is Token.OTHER_TRANSACTION:
            id = Transaction.of(self._seed, f"another than {id}").id
        header = _sign(self._signer, id, transaction.amount, secret, now)
        self.tokens.add(header.partition(" ")[2])
        return header


def _sign(signer: Signer, id: str, amount: str, secret: Secret, now: datetime) -> str:
    # Drawn from what is signed: with one secret a nonce must not serve two contents.
    content = f"{id}/{amount}/{int(now.timestamp() * 1000)}"
    nonce = hmac.new(secret.encode(), content.encode(), "sha256").digest()[:12]
    try:
        header = signer(id, amount, secret, now=now, nonce=nonce)
    except (ImportError, Pay88Error):
        raise
    except Exception as error:
        # A stranger's function; its message may hold the secret.
        raise SignerFailed(f"signer: it raised {type(error).__name__}.") from None
    if not isinstance(header, str) or not (header.isascii() and header.isprintable() and header):
        raise SignerFailed("signer: it must give back the Authorization header as printable text.")
    return header if " " in header else f"Bearer {header}"
