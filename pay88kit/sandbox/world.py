"""What exists in the local 88Pay: merchants, sessions, transactions, notifications.

Everything here happens under :attr:`World.lock`, but for the notification attempts themselves:
nothing is locked while one is under way.
"""

from __future__ import annotations

import base64
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pay88kit import money, webhooks
from pay88kit.config import Secret
from pay88kit.errors import Pay88Error, needs
from pay88kit.models.countries import CURRENCIES
from pay88kit.models.methods import METHODS, Method
from pay88kit.sandbox.clock import SandboxClock, iso
from pay88kit.sandbox.courier import Courier, Result
from pay88kit.sandbox.ids import LETTERS, Ids
from pay88kit.sandbox.ledger import Ledger
from pay88kit.sandbox.limits import Window
from pay88kit.sandbox.reply import Ask, Reply

DEFAULT_MERCHANT = "MCH-COL-29ZTP4"
TOKEN_LIFE = timedelta(seconds=60)
# 88Pay retries up to ten times; the waits between are not documented. Assumed.
RETRY_WAITS = (10, 30, 60, 300, 600, 1_800, 3_600, 7_200, 14_400, 28_800)
# Only these are kept of what was asked and answered, so that memory stays flat.
KEPT_REQUESTS = 1_000

Limits = Mapping[str, tuple[int, int]]


class Conflict(Pay88Error):
    """The transaction has a final status already."""


@dataclass
class Merchant:
    """One merchant with its own keys, limits, credit and money."""

    merchant_id: str
    api_key: str
    webhook_secret: str
    country: str
    currency: str
    suspended: bool = False
    windows: dict[str, Window] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)

    def limit(self, limits: Limits | None) -> None:
        """Set the rate limits; None lifts them all."""
        self.windows = {family: Window(*bounds) for family, bounds in (limits or {}).items()}

    def record(self) -> dict[str, Any]:
        """As the control side shows it."""
        return {
            "merchant_id": self.merchant_id,
            "api_key": Secret(self.api_key),
            "webhook_secret": Secret(self.webhook_secret),
            "country": self.country,
            "currency": self.currency,
            "credit_limit": as_text(self.ledger.credit_limit),
            "suspended": self.suspended,
        }


@dataclass(frozen=True)
class Session:
    """A token's other half."""

    session_id: str
    merchant_id: str
    expires: datetime


@dataclass
class Transaction:
    """A payin or payout. ``code`` is the last part of its checkout or voucher address."""

    serial: int
    reference: str
    transaction_id: str
    merchant_id: str
    flow: str
    method: Method
    amount: int
    currency: str
    country: str
    customer_id: str
    description: str
    notification_url: str | None
    return_url: str | None
    code: str
    payment_code: str
    created_at: datetime
    updated_at: datetime
    status: str = "PENDING"

    def record(self) -> dict[str, Any]:
        """As the control side shows it."""
        return {
            "reference": self.reference,
            "transaction_id": self.transaction_id,
            "merchant_id": self.merchant_id,
            "flow": self.flow,
            "method_code": self.method.code,
            "method_category": self.method.category,
            "status": self.status,
            "amount": as_text(self.amount),
            "currency": self.currency,
            "country": self.country,
            "customer_id": self.customer_id,
            "description": self.description,
            "created_at": iso(self.created_at),
            "updated_at": iso(self.updated_at),
        }


@dataclass
class Attempt:
    """One delivery of a notification: what was sent, and what the endpoint answered."""

    serial: int
    reference: str
    number: int
    at: datetime
    url: str
    body: dict[str, Any]
    result: Result = field(default_factory=lambda: Result(None, "", None, "under way"))

    def record(self) -> dict[str, Any]:
        """As the control side shows it."""
        return {
            "id": self.serial,
            "reference": self.reference,
            "attempt": self.number,
            "at": iso(self.at),
            "url": self.url,
            "request_body": self.body,
            "status_code": self.result.status_code,
            "response_body": self.result.response_body,
            "latency_ms": self.result.latency_ms,
            "outcome": self.result.outcome,
        }


class World:
    """The whole state, made anew from a seed."""

    def __init__(self, seed: int, *, limits: Limits | None, manual: bool, courier: Courier) -> None:
        self.lock = threading.RLock()
        self.clock = SandboxClock(manual=manual, lock=self.lock)
        self.courier = courier
        self.limits = limits
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Begin again, as new."""
        with self.lock:
            self.seed = seed
            self.ids = Ids(seed)
            self.merchants: dict[str, Merchant] = {}
            self.sessions: dict[str, Session] = {}
            self.transactions: dict[str, Transaction] = {}
            self.codes: dict[str, Transaction] = {}
            self.attempts: list[Attempt] = []
            self.requests: deque[tuple[datetime, Ask, Reply]] = deque(maxlen=KEPT_REQUESTS)
            self._serial = 0
            self._signer: Callable[[bytes], bytes] | None = None
            self.clock.clear()
            self.add_merchant(DEFAULT_MERCHANT)

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial

    # -- merchants and sessions

    def add_merchant(
        self, merchant_id: str | None = None, country: str = "COL", currency: str | None = None
    ) -> Merchant:
        """A new merchant with a key and a webhook secret of its own."""
        merchant = Merchant(
            merchant_id=merchant_id or f"MCH-{country}-{self.ids.text('merchant', 6)}",
            api_key="sk_test_" + self.ids.text("api key", 32, LETTERS + LETTERS.lower()),
            webhook_secret="whsec_" + self.ids.text("secret", 32, LETTERS + LETTERS.lower()),
            country=country,
            currency=currency or CURRENCIES.get(country, ("USD",))[0],
        )
        merchant.limit(self.limits)
        self.merchants[merchant.merchant_id] = merchant
        return merchant

    def open_session(self, merchant: Merchant) -> tuple[str, Session]:
        """A token, and the session that belongs to it."""
        now = self.clock.now()
        session = Session(
            f"sess_{self.ids.uuid('session')}", merchant.merchant_id, now + TOKEN_LIFE
        )
        issued = int(now.timestamp())
        # Two tokens of one second would be equal: the documented claims are only these three,
        # and the signature is deterministic. So what makes a token unique is in its header.
        header = {"alg": "ES256", "typ": "JWT", "jti": self.ids.text("token", 12)}
        claims = {
            "merchant_id": merchant.merchant_id,
            "iat": issued,
            "exp": issued + int(TOKEN_LIFE.total_seconds()),
        }
        signed = f"{_segment(header)}.{_segment(claims)}"
        token = f"{signed}.{_base64(self._sign(signed.encode()))}"
        if len(self.sessions) > 1_000:
            self.sessions = {t: s for t, s in self.sessions.items() if s.expires > now}
        self.sessions[token] = session
        return token, session

    def _sign(self, data: bytes) -> bytes:
        """An ES256 signature, the same for the same data: 64 bytes, r and s."""
        if self._signer is None:
            with needs("server"):
                from cryptography.hazmat.primitives import hashes
                from cryptography.hazmat.primitives.asymmetric import ec, utils
            number = self.ids.stream("signing key").getrandbits(255) + 1
            key = ec.derive_private_key(number, ec.SECP256R1())
            algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)

            def signer(data: bytes) -> bytes:
                r, s = utils.decode_dss_signature(key.sign(data, algorithm))
                return r.to_bytes(32, "big") + s.to_bytes(32, "big")

            self._signer = signer
        return self._signer(data)

    # -- transactions

    def create(
        self,
        merchant: Merchant,
        method: Method,
        *,
        flow: str,
        amount: int,
        currency: str,
        country: str,
        customer_id: str,
        description: str,
        notification_url: str | None = None,
        return_url: str | None = None,
    ) -> Transaction:
        """A new PENDING transaction.

        Raises:
            Refused: a payout that funds and credit do not cover.
        """
        if flow == "PAYOUT":
            merchant.ledger.hold(amount)
        now = self.clock.now()
        reference = self._unused(lambda: "IP" + self.ids.text("reference", 9), self.transactions)
        code = self._unused(lambda: self.ids.text("code", 7), self.codes)
        transaction = Transaction(
            serial=self._next_serial(),
            reference=reference,
            transaction_id=f"sess_{self.ids.uuid('transaction')}",
            merchant_id=merchant.merchant_id,
            flow=flow,
            method=method,
            amount=amount,
            currency=currency,
            country=country,
            customer_id=customer_id,
            description=description,
            notification_url=notification_url,
            return_url=return_url,
            code=code,
            payment_code="88PAY" + self.ids.text("payment code", 9, "0123456789"),
            created_at=now,
            updated_at=now,
        )
        self.transactions[reference] = self.codes[code] = transaction
        if flow == "PAYIN":
            self.clock.call_at(
                now + method.expires, transaction.serial, lambda: self._expire(transaction)
            )
        return transaction

    @staticmethod
    def _unused(draw: Callable[[], str], taken: Mapping[str, Any]) -> str:
        while (name := draw()) in taken:
            pass
        return name

    def _expire(self, transaction: Transaction) -> tuple[str, Iterable[Future[Any]]] | None:
        if (
            transaction.status != "PENDING"
            or self.transactions.get(transaction.reference) is not transaction
        ):
            return None
        return f"{transaction.reference} expired", self.finish(transaction, "REJECTED")

    def finish(self, transaction: Transaction, status: str) -> list[Future[Any]]:
        """Give a pending transaction its final status; the first notification leaves at once.

        Returns the attempt under way, for the caller to wait for once it holds no lock.

        Raises:
            Conflict: the status is final already.
        """
        with self.lock:
            if transaction.status != "PENDING":
                raise Conflict(f"{transaction.reference} is {transaction.status}, which is final.")
            transaction.status = status
            transaction.updated_at = self.clock.now()
            self._book(transaction)
            return self.notify(transaction)

    def _book(self, transaction: Transaction) -> None:
        merchant = self.merchants[transaction.merchant_id]
        if transaction.currency != merchant.currency:
            return  # a balance counts the merchant's own currency only (assumed)
        completed = transaction.status == "COMPLETED"
        if transaction.flow == "PAYIN":
            merchant.ledger.payin += transaction.amount if completed else 0
        elif completed:
            merchant.ledger.pay_out(transaction.amount)
        else:
            merchant.ledger.release(transaction.amount)

    # -- notifications

    def notify(
        self, transaction: Transaction, number: int = 1, *, retry: bool = True
    ) -> list[Future[Any]]:
        """Start attempt ``number`` of the notification of a transaction's present status.

        ``retry`` says whether a failed attempt is followed by the next one.
        """
        if transaction.notification_url is None:
            return []
        with self.lock:
            attempt = Attempt(
                serial=len(self.attempts) + 1,
                reference=transaction.reference,
                number=number,
                at=self.clock.now(),
                url=transaction.notification_url,
                body=notification_body(transaction),
            )
            self.attempts.append(attempt)
            headers = {
                "Content-Type": "application/json",
                "Authorization": webhooks.sign(
                    attempt.body["transaction_id"],
                    attempt.body["transaction_amount"],
                    self.merchants[transaction.merchant_id].webhook_secret,
                    now=attempt.at,
                    nonce=self.ids.nonce("notification"),
                ),
            }
            sent = self.courier.send(
                attempt.url,
                money.dumps(attempt.body).encode(),
                headers,
                lambda result: self._ended(transaction, attempt, result, retry),
            )
            if sent is None:
                return []
            self.clock.track(sent)
            return [sent]

    def _ended(
        self, transaction: Transaction, attempt: Attempt, result: Result, retry: bool
    ) -> None:
        with self.lock:
            attempt.result = result
            if not (retry and result.retry) or attempt.number > len(RETRY_WAITS):
                return

            def again() -> tuple[str, Iterable[Future[Any]]] | None:
                if self.transactions.get(transaction.reference) is not transaction:
                    return None
                what = f"{transaction.reference} notification, attempt {attempt.number + 1}"
                return what, self.notify(transaction, attempt.number + 1)

            wait = timedelta(seconds=RETRY_WAITS[attempt.number - 1])
            self.clock.call_at(attempt.at + wait, attempt.serial, again)

    # -- the other terms of the balance

    def empty(self, merchant: Merchant, credit_limit: int = 0) -> None:
        """Forget a merchant's money and transactions, and set its credit."""
        kept = {r: t for r, t in self.transactions.items() if t.merchant_id != merchant.merchant_id}
        self.transactions = kept
        self.codes = {transaction.code: transaction for transaction in kept.values()}
        merchant.ledger = Ledger(credit_limit=credit_limit)

    def play(self, merchant: Merchant, flow: str, amount: int, status: str = "COMPLETED") -> None:
        """A transaction from its creation to its status, without a notification."""
        code = {"COL": "PSE", "MEX": "SPEI"}.get(merchant.country, "BANK_TRANSFER")
        transaction = self.create(
            merchant,
            METHODS["BANK_TRANSFER" if flow == "PAYOUT" else code],
            flow=flow,
            amount=amount,
            currency=merchant.currency,
            country=merchant.country,
            customer_id="scenario",
            description="Played by a scenario",
        )
        if status != "PENDING":
            self.finish(transaction, status)


def notification_body(transaction: Transaction) -> dict[str, Any]:
    """What 88Pay tells the merchant. The last four fields are the sandbox's own (assumed)."""
    amount = as_text(transaction.amount)
    code = transaction.method.code
    return {
        "transaction_date": f"{transaction.updated_at:%Y-%m-%d %H:%M:%S}",
        "transaction_status": transaction.status,
        "transaction_id": transaction.transaction_id,
        "transaction_amount": amount.removesuffix(".00"),
        "transaction_payment_method": "CREDIT_CARD" if code == "CARDS" else code,
        "transaction_reference": transaction.reference,
        "transaction_currency": transaction.currency,
        "transaction_country": transaction.country,
        "transaction_customer_id": transaction.customer_id,
    }


def as_text(cents: int) -> str:
    """Cents as ``"1234.56"``."""
    return money.to_text(money.from_cents(cents))


def _segment(part: Mapping[str, Any]) -> str:
    return _base64(json.dumps(part, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
