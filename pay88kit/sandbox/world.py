"""What exists in the local 88Pay: merchants, sessions, transactions, notifications.

Everything here happens under :attr:`World.lock`. When it is let go, what was changed is kept, and
then the notifications leave: nothing is locked while an attempt is under way.
"""

from __future__ import annotations

import base64
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from pay88kit import money, webhooks
from pay88kit.config import KEY_PREFIXES, Secret
from pay88kit.errors import Pay88Error, needs
from pay88kit.models.countries import CURRENCIES
from pay88kit.models.methods import METHODS, Method
from pay88kit.sandbox.clock import START, SandboxClock, iso
from pay88kit.sandbox.courier import Courier, Result
from pay88kit.sandbox.faults import Fault
from pay88kit.sandbox.ids import LETTERS, Ids
from pay88kit.sandbox.ledger import Ledger
from pay88kit.sandbox.limits import Window
from pay88kit.sandbox.plans import PLAIN, Step
from pay88kit.sandbox.reply import Ask, Reply
from pay88kit.sandbox.store import Store

DEFAULT_MERCHANT = "MCH-COL-29ZTP4"
TOKEN_LIFE = timedelta(seconds=60)
# 88Pay retries up to ten times; the waits between are not documented. Assumed.
RETRY_WAITS = (10, 30, 60, 300, 600, 1_800, 3_600, 7_200, 14_400, 28_800)
# Only these are kept of what was asked and answered, so that memory stays flat.
KEPT_REQUESTS = 1_000
UNDER_WAY = "under way"

Limits = Mapping[str, tuple[int, int]]


class Conflict(Pay88Error):
    """The transaction has a final status already."""


@dataclass
class Merchant:
    """One merchant with its own keys, limits, credit and money."""

    serial: int
    merchant_id: str
    api_key: str
    webhook_secret: str
    country: str
    currency: str
    suspended: bool = False
    windows: dict[str, Window] = field(default_factory=dict)
    times_limited: int = 0
    ledger: Ledger = field(default_factory=Ledger)

    def limit(self, limits: Limits | None) -> None:
        """Set the rate limits, with every place free; None lifts them all."""
        self.windows = {family: Window(*bounds) for family, bounds in (limits or {}).items()}
        self.times_limited += 1

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


@dataclass(slots=True)
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
    deposit_address: str | None = None
    expired: bool = False

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
    retry: bool = True
    result: Result = field(default_factory=lambda: Result(None, "", None, UNDER_WAY))

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


@dataclass(frozen=True)
class Owed:
    """A notification that is still to be sent: a retry, or a step of a plan."""

    serial: int
    reference: str
    due: datetime
    number: int
    step: Step


class Guard:
    """The world's lock. When its last holder lets go, ``leave`` is called under it."""

    def __init__(self, lock: threading.RLock, leave: Callable[[], None]) -> None:
        self._lock = lock
        self._leave = leave
        self._depth = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        self._depth += 1

    def __exit__(self, *error: object) -> None:
        try:
            if self._depth == 1:
                self._leave()
        finally:
            self._depth -= 1
            self._lock.release()


class World:
    """The whole state, made anew from a seed, or as a store has kept it.

    ``session_ids`` makes a notification's ``transaction_id`` the session under which the operation
    was created; otherwise it is an id of its own. 88Pay does not document which it is. A
    merchant's key begins with ``key_prefix``.
    """

    def __init__(
        self,
        seed: int,
        *,
        limits: Limits | None,
        manual: bool,
        start: datetime = START,
        courier: Courier,
        store: Store | None = None,
        session_ids: bool = False,
        key_prefix: str = KEY_PREFIXES["local"],
    ) -> None:
        lock = threading.RLock()
        self.lock = Guard(lock, self._leave)
        self.clock = SandboxClock(
            manual=manual, start=start, lock=lock, guard=self.lock, moved=self._keep_clock
        )
        self.courier = courier
        self.limits = limits
        self.session_ids = session_ids
        self.key_prefix = key_prefix
        self._store = store
        self._changed: dict[tuple[str, str], Any] = {}
        self._outbox: list[tuple[Attempt, dict[str, str], Future[None]]] = []
        with self.lock:
            self._begin(seed)
            if store is None or not self._load(store):
                self._fill()

    def reset(self, seed: int) -> None:
        """Begin again, as new."""
        with self.lock:
            if self._store is not None:
                self._store.clear()
            self._changed.clear()
            self._begin(seed)
            self._fill()

    def _begin(self, seed: int) -> None:
        self.seed = seed
        self.ids = Ids(seed)
        self.merchants: dict[str, Merchant] = {}
        self.sessions: dict[str, Session] = {}
        self.transactions: dict[str, Transaction] = {}
        self.codes: dict[str, Transaction] = {}
        self.attempts: list[Attempt] = []
        self.owed: dict[int, Owed] = {}
        self.plans: dict[str, list[Step]] = {}
        self.faults: list[Fault] = []
        self.requests: deque[tuple[datetime, Ask, Reply]] = deque(maxlen=KEPT_REQUESTS)
        self._serial = 0
        self._signer: Callable[[bytes], bytes] | None = None
        self.clock.clear()

    def _fill(self) -> None:
        self._keep_clock()
        self.add_merchant(DEFAULT_MERCHANT)

    # -- keeping

    def keep(self, kind: str, name: str, thing: Any) -> None:
        """Note that ``thing`` has changed; None: that it is gone."""
        if self._store is not None:
            self._changed[kind, name] = thing

    def _keep_clock(self) -> None:
        self.keep("world", "clock", self.clock)

    def _leave(self) -> None:
        """Commit what was changed, and only then send what it causes."""
        while self._changed or self._outbox:
            if self._store is not None and self._changed:
                rows = {key: _row(thing) for key, thing in self._changed.items()}
                rows["world", "ids"] = {"seed": self.seed, "serial": self._serial, **self.ids.drawn}
                self._store.write(rows)
                self._changed.clear()
            # What is not sent, because it leads out of this machine, changes something at once.
            outbox, self._outbox = self._outbox, []
            for attempt, headers, done in outbox:
                self._send(attempt, headers, done)

    def _load(self, store: Store) -> bool:
        """Go on where the last process stopped; False: the store is new."""
        kept = dict(store.read("world"))
        if not kept:
            return False
        drawn = kept["ids"]
        self.seed, self._serial = drawn.pop("seed"), drawn.pop("serial")
        self.ids = Ids(self.seed, drawn)
        if "clock" in kept:
            self.clock.restore(kept["clock"])
        for name, row in sorted(store.read("merchant"), key=lambda item: item[1]["serial"]):
            self.merchants[name] = _merchant(row)
        for row in sorted((row for _, row in store.read("place")), key=lambda row: row["taken"]):
            merchant = self.merchants[row["merchant_id"]]
            # Setting the limits anew frees what was taken before.
            if row["times_limited"] == merchant.times_limited:
                window = merchant.windows[row["family"]]
                window.take(datetime.fromisoformat(row["at"]))
                window.taken = row["taken"]
        for name, row in store.read("session"):
            self.sessions[name] = _made(Session, row)
        for row in sorted((row for _, row in store.read("transaction")), key=_serial_of):
            transaction = _made(Transaction, row)
            self.transactions[transaction.reference] = transaction
            self.codes[transaction.code] = transaction
            if transaction.status == "PENDING" and transaction.flow == "PAYIN":
                self._schedule_expiry(transaction)
        for row in sorted((row for _, row in store.read("attempt")), key=_serial_of):
            attempt = _made(Attempt, row | {"result": Result(**row["result"])})
            self.attempts.append(attempt)
        for name, row in store.read("plan"):
            self.plans[name] = [Step(**step) for step in row["steps"]]
        for row in sorted((row for _, row in store.read("owed")), key=_serial_of):
            self._schedule(_made(Owed, row | {"step": Step(**row["step"])}))
        for attempt in self.attempts:
            if attempt.result.outcome == UNDER_WAY:
                # The process ended before the answer came: 88Pay would count it as failed.
                self._ended(attempt, Result(None, "", None, "no answer: interrupted"))
        return True

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial

    # -- merchants and sessions

    def add_merchant(
        self, merchant_id: str | None = None, country: str = "COL", currency: str | None = None
    ) -> Merchant:
        """A new merchant with a key and a webhook secret of its own."""
        merchant = Merchant(
            serial=self._next_serial(),
            merchant_id=merchant_id or f"MCH-{country}-{self.ids.text('merchant', 6)}",
            api_key=self.key_prefix + self.ids.text("api key", 32, LETTERS + LETTERS.lower()),
            webhook_secret="whsec_" + self.ids.text("secret", 32, LETTERS + LETTERS.lower()),
            country=country,
            currency=currency or CURRENCIES.get(country, ("USD",))[0],
        )
        merchant.limit(self.limits)
        self.merchants[merchant.merchant_id] = merchant
        self.changed(merchant)
        return merchant

    def changed(self, merchant: Merchant) -> None:
        """Note that a merchant, its money included, has changed."""
        self.keep("merchant", merchant.merchant_id, merchant)

    def take(self, merchant: Merchant, family: str, now: datetime) -> None:
        """Use a place under a merchant's rate limit, where there is one."""
        window = merchant.windows.get(family)
        if window is None:
            return
        window.take(now)
        # As many rows as places: each takes the row of one that is free again.
        row = window.taken % max(window.per_minute, window.per_hour, 1)
        place = {
            "merchant_id": merchant.merchant_id,
            "times_limited": merchant.times_limited,
            "family": family,
            "taken": window.taken,
            "at": now.isoformat(),
        }
        self.keep("place", f"{merchant.merchant_id} {family} {row}", place)

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
            for old in [t for t, s in self.sessions.items() if s.expires <= now]:
                del self.sessions[old]
                self.keep("session", old, None)
        self.sessions[token] = session
        self.keep("session", token, session)
        return token, session

    def _sign(self, data: bytes) -> bytes:
        """An ES256 signature, the same for the same data: 64 bytes, r and s."""
        if self._signer is None:
            with needs("server"):
                from cryptography.hazmat.primitives import hashes
                from cryptography.hazmat.primitives.asymmetric import ec, utils
            # Below the order of the curve, and the same however often the sandbox is started.
            number = int.from_bytes(Ids(self.seed).raw("signing key", 31)) + 1
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
        session_id: str | None = None,
    ) -> Transaction:
        """A new PENDING transaction.

        Raises:
            Refused: a payout that funds and credit do not cover.
        """
        if flow == "PAYOUT":
            merchant.ledger.hold(amount)
            self.changed(merchant)
        now = self.clock.now()
        while (reference := "IP" + self.ids.text("reference", 9)) in self.transactions:
            pass
        while (code := self.ids.text("code", 7)) in self.codes:
            pass
        own_id = f"sess_{self.ids.uuid('transaction')}"
        transaction = Transaction(
            serial=self._next_serial(),
            reference=reference,
            transaction_id=own_id if session_id is None or not self.session_ids else session_id,
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
            deposit_address="T" + self.ids.text("address", 33) if method.code == "USDT" else None,
        )
        self.transactions[reference] = self.codes[code] = transaction
        self.keep("transaction", reference, transaction)
        if flow == "PAYIN":
            self._schedule_expiry(transaction)
        return transaction

    def _schedule_expiry(self, transaction: Transaction) -> None:
        due = transaction.created_at + transaction.method.expires
        self.clock.call_at(due, transaction.serial, World._expire, self, transaction)

    def _expire(self, transaction: Transaction) -> tuple[str, Iterable[Future[Any]]] | None:
        if (
            transaction.status != "PENDING"
            or self.transactions.get(transaction.reference) is not transaction
        ):
            return None
        return f"{transaction.reference} expired", self.finish(
            transaction, "REJECTED", expired=True
        )

    def finish(
        self, transaction: Transaction, status: str, *, expired: bool = False
    ) -> list[Future[Any]]:
        """Give a pending transaction its final status; the first notification leaves at once.

        Returns the attempt under way, for the caller to wait for once it holds no lock.

        Raises:
            Conflict: the status is final already.
        """
        with self.lock:
            if transaction.status != "PENDING":
                raise Conflict(f"{transaction.reference} is {transaction.status}, which is final.")
            transaction.status = status
            transaction.expired = expired
            transaction.updated_at = self.clock.now()
            self._book(transaction)
            self.keep("transaction", transaction.reference, transaction)
            steps = self.plans.pop(transaction.reference, None)
            if steps is None:
                return self.notify(transaction)
            self.keep("plan", transaction.reference, None)
            return self.play_steps(transaction, steps)

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
        self.changed(merchant)

    # -- notifications

    def plan(self, transaction: Transaction, steps: list[Step]) -> list[Future[Any]]:
        """Script a transaction's notifications, in place of 88Pay's own.

        The plan starts when the transaction becomes final, or now if it is. Returns the attempts
        that have started.
        """
        with self.lock:
            if transaction.status != "PENDING":
                return self.play_steps(transaction, steps)
            self.plans[transaction.reference] = steps
            self.keep("plan", transaction.reference, {"steps": [asdict(step) for step in steps]})
            return []

    def play_steps(self, transaction: Transaction, steps: list[Step]) -> list[Future[Any]]:
        """Start what a plan wants now, and schedule the rest."""
        started: list[Future[Any]] = []
        now = self.clock.now()
        for step in sorted(steps, key=lambda step: step.after):
            for _ in range(step.times):
                if step.after == 0:
                    started += self.notify(transaction, step=step)
                else:
                    self._owe(transaction, now + timedelta(seconds=float(step.after)), 1, step)
        return started

    def notify(
        self, transaction: Transaction, number: int = 1, *, step: Step = PLAIN
    ) -> list[Future[Any]]:
        """Start attempt ``number`` of a notification of a transaction's present status.

        ``step`` says what is different from what 88Pay would send. The attempt leaves when the
        lock is let go; the future is done when it has ended.
        """
        if transaction.notification_url is None:
            return []
        with self.lock:
            body = notification_body(transaction, step)
            attempt = Attempt(
                serial=len(self.attempts) + 1,
                reference=transaction.reference,
                number=number,
                at=self.clock.now(),
                url=transaction.notification_url,
                body=body,
                retry=step.retry,
            )
            self.attempts.append(attempt)
            self.keep("attempt", str(attempt.serial), attempt)
            headers = {"Content-Type": "application/json"}
            if step.token != "missing":  # noqa: S105 - a kind of token
                headers["Authorization"] = self._token_for(transaction, attempt, step.token)
            done: Future[None] = Future()
            self.clock.track(done)
            self._outbox.append((attempt, headers, done))
            return [done]

    def _token_for(self, transaction: Transaction, attempt: Attempt, kind: str) -> str:
        """A notification's token: 88Pay's, or one that an endpoint must refuse."""
        merchant = self.merchants[transaction.merchant_id]
        shift = {"stale": -timedelta(minutes=10), "future": timedelta(minutes=10)}
        return webhooks.sign(
            "sess_of-another-transaction"
            if kind == "other_transaction"
            else str(attempt.body["transaction_id"]),
            "1.00" if kind == "other_amount" else str(attempt.body["transaction_amount"]),
            "the secret of somebody else" if kind == "foreign" else merchant.webhook_secret,
            now=attempt.at + shift.get(kind, timedelta(0)),
            nonce=self.ids.nonce("notification"),
        )

    def _send(self, attempt: Attempt, headers: dict[str, str], done: Future[None]) -> None:
        body = money.dumps(attempt.body).encode()
        sent = self.courier.send(
            attempt.url, body, headers, lambda result: self._ended(attempt, result)
        )
        if sent is None:
            done.set_result(None)
        else:
            sent.add_done_callback(lambda _: done.set_result(None))

    def _ended(self, attempt: Attempt, result: Result) -> None:
        with self.lock:
            attempt.result = result
            transaction = self.transactions.get(attempt.reference)
            if transaction is None:
                return
            self.keep("attempt", str(attempt.serial), attempt)
            if attempt.retry and result.retry and attempt.number <= len(RETRY_WAITS):
                wait = timedelta(seconds=RETRY_WAITS[attempt.number - 1])
                self._owe(transaction, attempt.at + wait, attempt.number + 1, PLAIN)

    def _owe(self, transaction: Transaction, due: datetime, number: int, step: Step) -> None:
        self._schedule(Owed(self._next_serial(), transaction.reference, due, number, step))

    def _schedule(self, owed: Owed) -> None:
        self.owed[owed.serial] = owed
        self.keep("owed", str(owed.serial), owed)

        def send() -> tuple[str, Iterable[Future[Any]]] | None:
            with self.lock:
                self.owed.pop(owed.serial, None)
                self.keep("owed", str(owed.serial), None)
                transaction = self.transactions.get(owed.reference)
                if transaction is None:
                    return None
                what = f"{owed.reference} notification, attempt {owed.number}"
                return what, self.notify(transaction, owed.number, step=owed.step)

        self.clock.call_at(owed.due, owed.serial, send)

    # -- the other terms of the balance

    def empty(self, merchant: Merchant, credit_limit: int = 0) -> None:
        """Forget a merchant's money and transactions, and set its credit."""
        kept = {r: t for r, t in self.transactions.items() if t.merchant_id != merchant.merchant_id}
        for reference in self.transactions.keys() - kept.keys():
            self.keep("transaction", reference, None)
        self.transactions = kept
        self.codes = {transaction.code: transaction for transaction in kept.values()}
        merchant.ledger = Ledger(credit_limit=credit_limit)
        self.changed(merchant)

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


def notification_body(transaction: Transaction, step: Step = PLAIN) -> dict[str, Any]:
    """What 88Pay tells the merchant. The last four fields are the sandbox's own (assumed)."""
    amount = as_text(transaction.amount)
    code = transaction.method.code
    return {
        "transaction_date": f"{transaction.updated_at:%Y-%m-%d %H:%M:%S}",
        "transaction_status": step.status or transaction.status,
        "transaction_id": transaction.transaction_id,
        "transaction_amount": step.amount or amount.removesuffix(".00"),
        "transaction_payment_method": "CREDIT_CARD" if code == "CARDS" else code,
        "transaction_reference": transaction.reference,
        "transaction_currency": transaction.currency,
        "transaction_country": transaction.country,
        "transaction_customer_id": transaction.customer_id,
        **step.fields,
    }


def as_text(cents: int) -> str:
    """Cents as ``"1234.56"``."""
    return money.to_text(money.from_cents(cents))


def _segment(part: Mapping[str, Any]) -> str:
    return _base64(json.dumps(part, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# ---------------------------------------------------------------- as rows of a store


def _row(thing: Any) -> dict[str, Any] | None:
    """A thing of the world as JSON."""
    if thing is None or isinstance(thing, dict):
        return thing
    if isinstance(thing, SandboxClock):
        return thing.state()
    row = {f.name: getattr(thing, f.name) for f in fields(thing) if f.name != "windows"}
    if isinstance(thing, Merchant):
        row["limits"] = {name: (w.per_minute, w.per_hour) for name, w in thing.windows.items()}
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Method):
        return value.code
    if isinstance(value, Ledger | Result | Step):
        return {name: _plain(item) for name, item in asdict(value).items()}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


_MOMENTS = ("created_at", "updated_at", "expires", "at", "due")


def _made(kind: Any, row: dict[str, Any]) -> Any:
    """A thing of the world from its row."""
    row = {name: datetime.fromisoformat(v) if name in _MOMENTS else v for name, v in row.items()}
    if "method" in row:
        row["method"] = METHODS[row["method"]]
    return kind(**row)


def _merchant(row: dict[str, Any]) -> Merchant:
    windows = {name: Window(*bounds) for name, bounds in row.pop("limits").items()}
    return Merchant(**(row | {"ledger": Ledger(**row["ledger"]), "windows": windows}))


def _serial_of(row: dict[str, Any]) -> int:
    return int(row["serial"])
