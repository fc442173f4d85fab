"""The tables of the books, and the types of their columns."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sql

from pay88kit import money

SCHEMA_VERSION = "4"
# The statuses after which 88Pay documents no other.
FINAL = ("COMPLETED", "REJECTED")
# Notifications that were believed and have changed nothing. As text, because SQLite finds the index
# of a condition by its words.
LEFT_OVER = sql.text("outcome IN ('unmatched', 'several match', 'amount differs', 'conflict')")


class Cents(sql.TypeDecorator[Decimal]):
    """An exact amount, stored as whole cents: neither database has another exact way in common."""

    impl = sql.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Any) -> int | None:
        return None if value is None else money.to_cents(value)

    def process_result_value(self, value: int | None, dialect: Any) -> Decimal | None:
        return None if value is None else money.from_cents(value)


class Moment(sql.TypeDecorator[datetime]):
    """A time in UTC as ISO 8601 text of one length, which sorts as the times do."""

    impl = sql.String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> str | None:
        if value is None:
            return None
        # Not strftime, which writes the year 33 with two digits.
        return value.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"

    def process_result_value(self, value: str | None, dialect: Any) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


class Text(sql.TypeDecorator[str]):
    """Text that may be a stranger's: no database stores half a surrogate pair, or all a NUL."""

    impl: type[sql.String] = sql.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        if value is None:
            return None
        return value.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


class Name(Text):
    """The same, short enough for an index: ``Name(64)``."""

    impl = sql.String
    cache_ok = True


tables = sql.MetaData()

meta = sql.Table(
    "meta",
    tables,
    sql.Column("name", Name(40), primary_key=True),
    sql.Column("value", Text, nullable=False),
)
operations = sql.Table(
    "operations",
    tables,
    # In the order of their writing, which many may share a time with.
    sql.Column("number", sql.Integer, primary_key=True),
    sql.Column("id", Name(64), nullable=False, unique=True),
    sql.Column("environment", Name(20), nullable=False),
    sql.Column("merchant_id", Name(64), nullable=False),
    sql.Column("operation", Name(20), nullable=False),
    sql.Column("key", Name(255)),
    sql.Column("reference", Text),
    sql.Column("session_id", Text),
    sql.Column("state", Name(20), nullable=False),
    sql.Column("status", Text),
    sql.Column("method_code", Text),
    sql.Column("amount", Cents),
    sql.Column("currency", Text),
    sql.Column("country", Text),
    sql.Column("customer_id", Text),
    sql.Column("description", Text),
    # What was asked as JSON; after a purge, what `fingerprint.seal` makes of it.
    sql.Column("request", Text, nullable=False),
    sql.Column("answer", Text),
    sql.Column("error", Text),
    sql.Column("created_at", Moment, nullable=False),
    sql.Column("updated_at", Moment, nullable=False),
    # Until when its request may be on its way. Real time, whatever clock the client has.
    sql.Column("deadline", Moment),
    sql.UniqueConstraint("environment", "merchant_id", "operation", "key"),
    sql.Index("operations_by_time", "environment", "merchant_id", "created_at"),
    sql.Index("operations_by_reference", "reference"),
)
notifications = sql.Table(
    "notifications",
    tables,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("environment", Name(20), nullable=False),
    sql.Column("event", Name(64), nullable=False),
    sql.Column("transaction_id", Text),
    sql.Column("status", Text),
    sql.Column("amount", Cents),
    sql.Column("currency", Text),
    sql.Column("reference", Text),
    sql.Column("operation_id", Name(64)),
    sql.Column("matched_by", Text),
    sql.Column("outcome", Text, nullable=False),
    sql.Column("times", sql.Integer, nullable=False),
    sql.Column("body", Text, nullable=False),
    # Of an unverified one only: what it takes to check it again.
    sql.Column("authorization", Text),
    sql.Column("marker", Text),
    sql.Column("received_at", Moment, nullable=False),
    sql.Column("last_at", Moment, nullable=False),
    sql.UniqueConstraint("environment", "event"),
    # Nearly all have changed their operation, so this one is small and costs them nothing.
    sql.Index(
        "notifications_left_over",
        "environment",
        sqlite_where=LEFT_OVER,
        postgresql_where=LEFT_OVER,
    ),
)
handlings = sql.Table(
    "handlings",
    tables,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("notification_id", sql.Integer, nullable=False),
    sql.Column("handler", Name(255), nullable=False),
    # due, running, done or failed.
    sql.Column("state", Name(20), nullable=False),
    sql.Column("attempts", sql.Integer, nullable=False),
    # When a due one may run, and when the lease of a running one ends. Real time, whatever clock
    # the inbox has.
    sql.Column("due_at", Moment, nullable=False),
    sql.Column("last_error", Text),
    sql.Column("updated_at", Moment, nullable=False),
    sql.UniqueConstraint("notification_id", "handler"),
    sql.Index("handlings_by_time", "state", "due_at"),
)
balances = sql.Table(
    "balances",
    tables,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("environment", Name(20), nullable=False),
    sql.Column("merchant_id", Name(64), nullable=False),
    sql.Column("total_payin", Cents),
    sql.Column("total_payout", Cents),
    sql.Column("total_settled", Cents),
    sql.Column("total_available", Cents),
    sql.Column("net_balance", Cents),
    sql.Column("answer", Text, nullable=False),
    sql.Column("taken_at", Moment, nullable=False),
    # The last one that came before it: on a clock that stands still, times do not tell.
    sql.Column("last_notification", sql.Integer),
    # Of one that a monitor kept: by which limits it judged, and the alerts that somebody knows of.
    sql.Column("limits", Text),
    sql.Column("alerts", Text),
    sql.Index("balances_by_time", "environment", "merchant_id", "taken_at"),
)
# Settlements and fees, which only a file can tell of.
movements = sql.Table(
    "movements",
    tables,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("environment", Name(20), nullable=False),
    sql.Column("merchant_id", Name(64), nullable=False),
    # settlement or fee.
    sql.Column("kind", Name(20), nullable=False),
    sql.Column("reference", Name(255), nullable=False),
    sql.Column("amount", Cents, nullable=False),
    sql.Column("currency", Name(3), nullable=False),
    sql.Column("at", Moment, nullable=False),
    # Where a file gave a day alone: it took place from `at` until then.
    sql.Column("until", Moment),
    sql.UniqueConstraint("environment", "merchant_id", "kind", "reference"),
)
# What shows that an item of 88Pay's checklist was done.
evidence = sql.Table(
    "evidence",
    tables,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("item", sql.Integer, nullable=False),
    sql.Column("environment", Name(20), nullable=False),
    sql.Column("merchant_id", Name(64), nullable=False),
    # exchange, notification, endpoint, check 03.1, record or hand.
    sql.Column("kind", Name(20), nullable=False),
    sql.Column("what", Text, nullable=False),
    sql.Column("reference", Text),
    sql.Column("at", Moment, nullable=False),
    sql.UniqueConstraint("item", "environment", "merchant_id", "kind"),
)

# What a reader sees of each, in this order.
OPERATION_COLUMNS = (
    "key", "operation", "reference", "session_id", "state", "status", "method_code", "amount",
    "currency", "country", "customer_id", "description", "environment", "merchant_id", "error",
    "created_at", "updated_at", "id",
)  # fmt: skip
NOTIFICATION_COLUMNS = (
    "reference", "transaction_id", "status", "amount", "currency", "outcome", "matched_by", "times",
    "received_at", "last_at", "environment", "operation_id",
)  # fmt: skip
HANDLING_COLUMNS = (
    "handler", "state", "attempts", "last_error", "reference", "status", "outcome", "due_at",
    "updated_at", "environment", "event",
)  # fmt: skip
BALANCE_COLUMNS = (
    "merchant_id", "total_payin", "total_payout", "total_settled", "total_available", "net_balance",
    "taken_at", "environment",
)  # fmt: skip
MOVEMENT_COLUMNS = (
    "kind", "reference", "amount", "currency", "at", "environment", "merchant_id",
)  # fmt: skip
EVIDENCE_COLUMNS = ("item", "environment", "merchant_id", "kind", "what", "reference", "at")
