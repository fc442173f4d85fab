"""The merchant's own record: operations, notifications, balances.

88Pay documents no way to list transactions, so this is the only list there is. An operation is
written **before** its request leaves, a notification **before** it is acknowledged.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import uuid
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.config import Config
from pay88kit.errors import BooksError, KeyConflict, OutcomeUnknown, needs
from pay88kit.frames import to_frame

with needs("books"):
    import sqlalchemy as sql
    from sqlalchemy import event
    from sqlalchemy.exc import IntegrityError, SQLAlchemyError
    from sqlalchemy.pool import StaticPool

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = "1"
FINAL = ("COMPLETED", "REJECTED")


class _Cents(sql.TypeDecorator[Decimal]):
    """An exact amount, stored as whole cents: neither database has another exact way in common."""

    impl = sql.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Any) -> int | None:
        return None if value is None else money.to_cents(value)

    def process_result_value(self, value: int | None, dialect: Any) -> Decimal | None:
        return None if value is None else money.from_cents(value)


class _Moment(sql.TypeDecorator[datetime]):
    """A time in UTC as ISO 8601 text of one length, which sorts as the times do."""

    impl = sql.String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> str | None:
        return None if value is None else f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"

    def process_result_value(self, value: str | None, dialect: Any) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


class _Text(sql.TypeDecorator[str]):
    """Text that may be a stranger's: no database stores half a surrogate pair, or all a NUL."""

    impl = sql.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        if value is None:
            return None
        return value.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


_tables = sql.MetaData()
_text = _Text

_meta = sql.Table(
    "meta",
    _tables,
    sql.Column("name", sql.String(40), primary_key=True),
    sql.Column("value", _text, nullable=False),
)
_operations = sql.Table(
    "operations",
    _tables,
    # In the order of their writing, which many may share a time with.
    sql.Column("number", sql.Integer, primary_key=True),
    sql.Column("id", sql.String(64), nullable=False, unique=True),
    sql.Column("environment", sql.String(20), nullable=False),
    sql.Column("merchant_id", sql.String(64), nullable=False),
    sql.Column("operation", sql.String(20), nullable=False),
    sql.Column("key", sql.String(255)),
    sql.Column("reference", _text),
    sql.Column("session_id", _text),
    sql.Column("state", sql.String(20), nullable=False),
    sql.Column("status", _text),
    sql.Column("method_code", _text),
    sql.Column("amount", _Cents),
    sql.Column("currency", _text),
    sql.Column("country", _text),
    sql.Column("customer_id", _text),
    sql.Column("description", _text),
    sql.Column("request", _text, nullable=False),
    sql.Column("answer", _text),
    sql.Column("error", _text),
    sql.Column("created_at", _Moment, nullable=False),
    sql.Column("updated_at", _Moment, nullable=False),
    sql.UniqueConstraint("environment", "merchant_id", "operation", "key"),
    sql.Index("operations_by_time", "environment", "merchant_id", "created_at"),
    sql.Index("operations_by_reference", "reference"),
)
_notifications = sql.Table(
    "notifications",
    _tables,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("environment", sql.String(20), nullable=False),
    sql.Column("event", sql.String(64), nullable=False),
    sql.Column("transaction_id", _text),
    sql.Column("status", _text),
    sql.Column("amount", _Cents),
    sql.Column("currency", _text),
    sql.Column("reference", _text),
    sql.Column("operation_id", sql.String(64)),
    sql.Column("matched_by", _text),
    sql.Column("outcome", _text, nullable=False),
    sql.Column("times", sql.Integer, nullable=False),
    sql.Column("body", _text, nullable=False),
    sql.Column("received_at", _Moment, nullable=False),
    sql.Column("last_at", _Moment, nullable=False),
    sql.UniqueConstraint("environment", "event"),
)
_balances = sql.Table(
    "balances",
    _tables,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("environment", sql.String(20), nullable=False),
    sql.Column("merchant_id", sql.String(64), nullable=False),
    sql.Column("total_payin", _Cents),
    sql.Column("total_payout", _Cents),
    sql.Column("total_settled", _Cents),
    sql.Column("total_available", _Cents),
    sql.Column("net_balance", _Cents),
    sql.Column("answer", _text, nullable=False),
    sql.Column("taken_at", _Moment, nullable=False),
    sql.Index("balances_by_time", "environment", "merchant_id", "taken_at"),
)

_OPERATION_COLUMNS = (
    "key", "operation", "reference", "session_id", "state", "status", "method_code", "amount",
    "currency", "country", "customer_id", "description", "environment", "merchant_id", "error",
    "created_at", "updated_at", "id",
)  # fmt: skip
_NOTIFICATION_COLUMNS = (
    "reference", "transaction_id", "status", "amount", "currency", "outcome", "matched_by", "times",
    "received_at", "last_at", "environment", "operation_id",
)  # fmt: skip
_BALANCE_COLUMNS = (
    "merchant_id", "total_payin", "total_payout", "total_settled", "total_available", "net_balance",
    "taken_at", "environment",
)  # fmt: skip


class _OtherVersion(BooksError):
    """The books were made by another version of the kit."""


@dataclass(frozen=True)
class Entry:
    """What the books say of an operation about to be sent.

    ``id`` marks it; ``answer`` is the recorded answer when the key was used before, and then
    nothing is to be sent.
    """

    id: str
    answer: dict[str, Any] | None = None


@dataclass(frozen=True)
class Event:
    """What became of a notification.

    ``outcome``: ``applied``; ``repeated``; ``unmatched`` (no operation of ours fits);
    ``several match``; ``late`` (the status was final already); ``conflict`` (another final
    status); ``amount differs``; ``unverified`` (its token was not checked).
    """

    outcome: str
    reference: str | None
    operation_id: str | None
    times: int


class Books:
    """The record in a database: SQLite by default, PostgreSQL by URL.

    Args:
        url: an SQLAlchemy URL. ``sqlite://`` keeps everything in memory,
            ``sqlite:///books.db`` in a file.

    Raises:
        BooksError: the database cannot be opened or was made by another version of the kit.
    """

    def __init__(self, url: str = "sqlite://") -> None:
        try:
            parsed = sql.make_url(url)
        except SQLAlchemyError:
            raise BooksError(
                "books: not a database URL. Use one such as sqlite:///books.db."
            ) from None
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self._in_memory = parsed.get_backend_name() == "sqlite" and not parsed.database
        self._shown = parsed.render_as_string(hide_password=True)
        # A database in memory is one connection, which one thread at a time may use.
        self._lock: Any = threading.RLock() if self._in_memory else contextlib.nullcontext()
        options: dict[str, Any] = {}
        if self._in_memory:
            options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        try:
            self._engine = sql.create_engine(parsed, **options)
            if parsed.get_backend_name() == "sqlite":
                event.listen(self._engine, "connect", _prepare_sqlite)
            self._make_tables()
        except ImportError as error:
            raise BooksError(f"books: {error.name} is not installed.") from None
        except SQLAlchemyError as error:
            raise BooksError(f"books: {self._shown} cannot be opened: {_plain(error)}") from None

    def _make_tables(self) -> None:
        # Several processes may open new books at once; whoever loses finds everything there.
        for attempt in range(5):
            try:
                _tables.create_all(self._engine)
                self._check_version()
                return
            except (SQLAlchemyError, BooksError) as error:
                if attempt == 4 or isinstance(error, _OtherVersion):
                    raise

    def _check_version(self) -> None:
        with self._begin() as db:
            found = db.scalar(sql.select(_meta.c.value).where(_meta.c.name == "schema_version"))
            if found is None:
                db.execute(_meta.insert().values(name="schema_version", value=SCHEMA_VERSION))
            elif found != SCHEMA_VERSION:
                raise _OtherVersion(
                    f"books: {self._shown} has schema version {found}, this kit knows "
                    f"{SCHEMA_VERSION}. Use the version of pay88kit that made it, or other books."
                )

    @contextlib.contextmanager
    def _begin(self) -> Iterator[Any]:
        try:
            with self._lock, self._engine.begin() as db:
                yield db
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise BooksError(f"books: {self._shown} cannot be used: {_plain(error)}") from None

    # -- operations

    def begin(
        self,
        operation: str,
        body: Mapping[str, Any],
        *,
        id: str,
        environment: str,
        merchant_id: str,
        key: str | None,
        now: datetime,
    ) -> Entry:
        """Commit that an operation is about to be sent.

        Raises:
            KeyConflict: the key was used for another body.
            OutcomeUnknown: the key was used, and what became of it is not known.
            BooksError: it cannot be recorded; then it must not be sent.
        """
        row = {
            "id": id,
            "environment": environment,
            "merchant_id": merchant_id,
            "operation": operation,
            "key": key,
            "state": "sending",
            "request": money.dumps(dict(body)),
            "created_at": now,
            "updated_at": now,
            "amount": _exact_or_none(body.get("amount")),
            **{name: _text_or_none(body.get(name)) for name in _COPIED},
        }
        try:
            with self._begin() as db:
                db.execute(_operations.insert().values(row))
            return Entry(id)
        except IntegrityError:
            known = self._known(row)
        except BooksError as error:
            raise BooksError(f"{error} Nothing was sent.") from None
        if known is not None:
            return known
        # Not the key is known but the id: a new local sandbox of the same seed draws the ids that
        # these books have seen before.
        return self.begin(
            operation, body, id=str(uuid.uuid4()), environment=environment,
            merchant_id=merchant_id, key=key, now=now,
        )  # fmt: skip

    def _known(self, row: Mapping[str, Any]) -> Entry | None:
        """What is recorded under a key that is there already; None when it is not."""
        if row["key"] is None:
            return None
        same = [
            _operations.c[n] == row[n] for n in ("environment", "merchant_id", "operation", "key")
        ]
        with self._begin() as db:
            found = db.execute(sql.select(_operations).where(*same)).mappings().one_or_none()
            if found is None:
                return None
            different = _differences(found["request"], row["request"])
            if different:
                raise KeyConflict(row["key"], row["operation"], different)
            if found["state"] == "created":
                return Entry(found["id"], money.loads(found["answer"]))
            # A refused operation surely does not exist: the same key may be tried again, by the one
            # caller that finds it refused.
            refused = sql.and_(_operations.c.id == found["id"], _operations.c.state == "refused")
            taken = db.execute(
                _operations.update()
                .where(refused)
                .values(state="sending", error=None, updated_at=row["updated_at"])
            )
            if taken.rowcount == 1:
                return Entry(found["id"])
            raise OutcomeUnknown(
                row["operation"],
                "It was sent before, and no answer is recorded.",
                key=row["key"],
                marker=found["id"],
            )

    def created(
        self, id: str, answer: Mapping[str, Any], *, reference: str, session_id: str, now: datetime
    ) -> None:
        """88Pay accepted the operation; it starts PENDING unless a notification was quicker."""
        self._update(
            id,
            state="created",
            reference=reference,
            session_id=session_id,
            answer=money.dumps(dict(answer)),
            status=sql.func.coalesce(_operations.c.status, "PENDING"),
            updated_at=now,
        )

    def refused(self, id: str, error: str, *, now: datetime) -> None:
        """The operation surely did not happen, unless its notification says otherwise."""
        self._update(id, "sending", state="refused", error=error, updated_at=now)

    def lost(self, id: str, error: str, *, session_id: str | None, now: datetime) -> None:
        """Whether the operation happened is not known, unless its notification was quicker."""
        self._update(
            id, "sending", state="unknown", error=error, session_id=session_id, updated_at=now
        )

    def _update(self, id: str, state_before: str | None = None, /, **values: Any) -> None:
        change = _operations.update().where(_operations.c.id == id).values(**values)
        if state_before is not None:
            change = change.where(_operations.c.state == state_before)
        with self._begin() as db:
            db.execute(change)

    def resolve(self, key: str, *, created: str | None) -> None:
        """Record what a person found out about an unknown operation, in 88Pay's dashboard for one.

        Args:
            key: the operation's key, or its id.
            created: its reference, or None when 88Pay does not have it.

        Raises:
            BooksError: no operation of that key is unknown, or more than one is.
        """
        with self._begin() as db:
            found = db.execute(
                sql.select(_operations.c.id).where(
                    sql.or_(_operations.c.key == key, _operations.c.id == key),
                    _operations.c.state.in_(("unknown", "sending")),
                )
            ).all()
            if len(found) != 1:
                raise BooksError(
                    f"books: {len(found)} unknown operations have the key {key!r}; there must be "
                    f"one. See books.unknown()."
                )
            values: dict[str, Any] = {"state": "refused", "error": "resolved: 88Pay has none"}
            if created is not None:
                answer = money.dumps({"data": {"reference": created}})
                values = {
                    "state": "created",
                    "reference": created,
                    "answer": answer,
                    "error": None,
                    "status": sql.func.coalesce(_operations.c.status, "PENDING"),
                }
            done = db.execute(
                _operations.update()
                .where(
                    _operations.c.id == found[0].id,
                    _operations.c.state.in_(("unknown", "sending")),
                )
                .values(values)
            )
            if done.rowcount != 1:
                raise BooksError("books: its notification has just come; look again.")

    # -- notifications

    def receive(
        self,
        body: bytes,
        notification: Any,
        *,
        verified: bool,
        marker: str | None,
        environment: str,
        now: datetime,
    ) -> Event:
        """Commit a notification; see :meth:`_receive`."""
        try:
            return self._receive(body, notification, verified, marker, environment, now)
        except IntegrityError:
            # The same one came twice at the same moment. The other is committed now.
            return self._receive(body, notification, verified, marker, environment, now)

    def _receive(
        self,
        body: bytes,
        notification: Any,
        verified: bool,
        marker: str | None,
        environment: str,
        now: datetime,
    ) -> Event:
        """Commit a notification, and apply its status to the operation it belongs to.

        ``notification`` is what :func:`pay88kit.webhooks.parse` made of it, or None. It is matched
        by the marker in its address, then by reference, then by session and amount.
        """
        known = notification is not None
        # What was not verified may say anything: its whole body makes the event.
        seen = b"unverified " + body
        if verified:
            # Under one session there may be many operations: the transaction id is not enough.
            n = notification
            parts = (n.transaction_id, n.status, money.to_text(n.amount), n.reference, marker)
            seen = b"verified " + json.dumps(parts).encode()
        identity = hashlib.sha256(seen).hexdigest()
        here = sql.and_(
            _notifications.c.environment == environment, _notifications.c.event == identity
        )
        with self._begin() as db:
            times = db.scalar(
                _notifications.update()
                .where(here)
                .values(times=_notifications.c.times + 1, last_at=now)
                .returning(_notifications.c.times)
            )
            if times is not None:
                row = db.execute(sql.select(_notifications).where(here)).mappings().one()
                return Event("repeated", row["reference"], row["operation_id"], times)
            matched_by, found = None, None
            outcome = "unverified"
            if verified:
                matched_by, matches = self._match(db, notification, marker, environment)
                found = matches[0] if len(matches) == 1 else None
                outcome = "several match" if len(matches) > 1 else self._apply(
                    db, notification, found, now
                )  # fmt: skip
            reference = (found["reference"] if found else None) or (
                notification.reference if known else None
            )
            db.execute(
                _notifications.insert().values(
                    environment=environment,
                    event=identity,
                    transaction_id=notification.transaction_id if known else None,
                    status=notification.status if known else None,
                    amount=notification.amount if known else None,
                    currency=notification.currency if known else None,
                    reference=reference,
                    operation_id=found["id"] if found else None,
                    matched_by=matched_by,
                    outcome=outcome,
                    times=1,
                    body=body.decode("utf-8", "backslashreplace"),
                    received_at=now,
                    last_at=now,
                )
            )
            return Event(outcome, reference, found["id"] if found else None, 1)

    def _match(
        self, db: Any, notification: Any, marker: str | None, environment: str
    ) -> tuple[str | None, list[Any]]:
        column = _operations.c
        ways = {
            "marker": [column.id == marker] if marker else None,
            "reference": [column.reference == notification.reference]
            if notification.reference
            else None,
            "session and amount": [
                column.session_id == notification.transaction_id,
                column.amount == notification.amount,
            ],
        }
        for name, conditions in ways.items():
            if conditions is not None:
                query = (
                    sql.select(_operations)
                    .where(column.environment == environment, *conditions)
                    .with_for_update()
                )
                found = list(db.execute(query).mappings())
                if found:
                    return name, found
        return None, []

    def _apply(self, db: Any, notification: Any, found: Any, now: datetime) -> str:
        if found is None:
            return "unmatched"
        reference = notification.reference
        if reference and found["reference"] and reference != found["reference"]:
            # The marker stands in an address, which the token does not cover.
            return "conflict"
        if notification.amount != found["amount"] or (
            notification.currency and notification.currency != found["currency"]
        ):
            return "amount differs"
        if found["status"] in FINAL:
            if notification.status in FINAL and notification.status != found["status"]:
                return "conflict"
            return "late"
        values = {"status": notification.status, "updated_at": now}
        if found["state"] != "created":
            # The answer to the create was lost, or someone looked too early: its notification
            # proves that it exists, and the key must not send it a second time.
            values |= {"state": "created", "error": None}
            reference = found["reference"] or notification.reference
            values["reference"] = reference
            values["answer"] = money.dumps({"data": {"reference": reference}})
        db.execute(_operations.update().where(_operations.c.id == found["id"]).values(values))
        return "applied"

    # -- balances

    def save_balance(self, balance: Any, *, environment: str, now: datetime) -> None:
        """Keep a balance as a snapshot."""
        names = ("total_payin", "total_payout", "total_settled", "total_available", "net_balance")
        with self._begin() as db:
            db.execute(
                _balances.insert().values(
                    environment=environment,
                    merchant_id=balance.merchant_id or "",
                    answer=money.dumps(balance.raw),
                    taken_at=now,
                    # What is no exact amount stays in the answer only.
                    **{name: _exact_or_none(getattr(balance, name)) for name in names},
                )
            )

    # -- as tables

    def operations(self) -> pd.DataFrame:
        """Every operation, oldest first."""
        return self._frame(_operations, _OPERATION_COLUMNS)

    def unknown(self) -> pd.DataFrame:
        """The operations of which it is not known whether they happened."""
        # "sending" is what a process leaves that ended before the answer came.
        open_ones = _operations.c.state.in_(("unknown", "sending"))
        return self._frame(_operations, _OPERATION_COLUMNS, open_ones)

    def notifications(self) -> pd.DataFrame:
        """Every notification, oldest first; a repeated one is one row, ``times`` counts it."""
        return self._frame(_notifications, _NOTIFICATION_COLUMNS)

    def balances(self) -> pd.DataFrame:
        """Every balance that was kept, oldest first."""
        return self._frame(_balances, _BALANCE_COLUMNS)

    def _frame(self, table: sql.Table, columns: tuple[str, ...], *where: Any) -> pd.DataFrame:
        query = sql.select(table).where(*where).order_by(*table.primary_key)
        with self._begin() as db:
            rows = db.execute(query).mappings().all()
        return to_frame([dict(row) for row in rows], columns)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def __repr__(self) -> str:
        return f"Books({self._shown!r})"


_COPIED = ("method_code", "currency", "country", "customer_id", "description")


def _differences(first: str, second: str) -> list[str]:
    """The fields in which two bodies differ, whatever their order, and 1.50 being 1.5.

    The webhook address may change: it is no order's.
    """
    one, other = money.loads(first), money.loads(second)
    names = sorted((one.keys() | other.keys()) - {"notification_url"})
    missing = object()
    return [name for name in names if one.get(name, missing) != other.get(name, missing)]


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _exact_or_none(value: Any) -> Decimal | None:
    # With check=False anything may be sent; what is no amount is kept in `request` only.
    try:
        return money.exact(value)
    except Exception:
        return None


def _prepare_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 10000")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _plain(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    return f"{str(cause).splitlines()[0] if str(cause) else type(cause).__name__}."


# ---------------------------------------------------------------- which books

_memory: weakref.WeakKeyDictionary[Any, Books] = weakref.WeakKeyDictionary()
_opened: dict[str, Books] = {}
_lock = threading.Lock()


class _NoSandbox:
    """Stands for the one `local` that is reached by an address."""


_elsewhere = _NoSandbox()


def default_books(config: Config) -> Books:
    """The books that client and inbox of this process share.

    ``PAY88_BOOKS`` names them; without it ``local`` keeps them in memory, one per sandbox, and the
    other environments in the user's data directory.
    """
    url = os.environ.get("PAY88_BOOKS", "").strip()
    with _lock:
        if not url and config.environment == "local":
            world = config.origin or _elsewhere
            if world not in _memory:
                _memory[world] = Books()
            return _memory[world]
        url = url or f"sqlite:///{_data_file()}"
        if url not in _opened:
            _opened[url] = Books(url)
        return _opened[url]


def _data_file() -> Path:
    with needs("books"):
        from platformdirs import user_data_path
    folder = user_data_path("pay88kit", ensure_exists=True)
    file = folder / "books.db"
    # Customers' data: nobody else on this machine may read it.
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    return file
