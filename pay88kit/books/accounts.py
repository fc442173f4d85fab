"""What a reconciliation reads of the books: snapshots, sums of what was completed, what is open.

**When an operation takes effect.** 88Pay documents no time at which it adds an operation to the
balance, and its notification's date has no zone. So an operation takes effect when the books learn
that it is COMPLETED: at its notification's arrival, or at the time that an imported file gives. In
the books that is ``updated_at``, which nothing changes after the final status.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from operator import gt, lt
from typing import Any

import sqlalchemy as sql

from pay88kit.books.database import Database
from pay88kit.books.tables import FINAL, LEFT_OVER, balances, movements, notifications, operations

_EVER = datetime.max.replace(tzinfo=UTC)
# Sums in one query; SQLite has an upper bound.
_AT_ONCE = 100
FIGURES = ("total_payin", "total_payout", "total_settled", "total_available", "net_balance")


@dataclass(frozen=True)
class Snapshot:
    """A balance that was kept; all amounts in the merchant's currency."""

    taken_at: datetime
    total_payin: Decimal
    total_payout: Decimal
    total_settled: Decimal
    total_available: Decimal
    net_balance: Decimal
    last_notification: int | None = None


@dataclass(frozen=True)
class Completed:
    """The operations of one kind, method and currency that took effect in a time; in cents."""

    operation: str
    method_code: str | None
    currency: str | None
    count: int
    amount: int


@dataclass(frozen=True, slots=True)
class Open:
    """An operation that had not taken effect. ``label``: its reference, else its key, else its id.

    ``amount`` is in whole cents, None where what was sent is no amount.
    """

    label: str
    operation: str
    method_code: str | None
    currency: str | None
    amount: int | None
    created_at: datetime
    unknown: bool


@dataclass(frozen=True, slots=True)
class Late:
    """An operation that was open at the opening snapshot and took effect after it; in cents."""

    label: str
    operation: str
    amount: int


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A notification that was believed and changed nothing.

    ``operation`` is the kind of the operation that it contradicts, None where it has none.
    ``amount`` in whole cents, below zero where 88Pay takes back what the books count.
    """

    label: str
    operation: str | None
    amount: int


class Accounts:
    """Questions about one merchant in one environment. Nothing is written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def snapshot(
        self,
        environment: str,
        merchant_id: str,
        *,
        before: datetime | None = None,
        after: datetime | None = None,
        last: bool = False,
    ) -> Snapshot | None:
        """The first whole snapshot of a time (both ends are in it), or the last; None without."""
        row = balances.c
        where = [row.environment == environment, row.merchant_id == merchant_id]
        where += [row[name].is_not(None) for name in FIGURES]
        if before is not None:
            where.append(row.taken_at <= before)
        if after is not None:
            where.append(row.taken_at >= after)
        order = [row.taken_at, row.id]
        query = (
            sql.select(*(row[name] for name in ("taken_at", *FIGURES, "last_notification")))
            .where(*where)
            .order_by(*(each.desc() if last else each for each in order))
            .limit(1)
        )
        with self._database.reading() as db:
            found = db.execute(query).mappings().first()
        return None if found is None else Snapshot(**found)

    def completed(
        self,
        environment: str,
        merchant_id: str,
        opening: Snapshot | None = None,
        closing: Snapshot | None = None,
    ) -> list[Completed]:
        """The sums of what took effect between two snapshots; without one, from ever or until now.

        Amounts of two currencies are in two sums.
        """
        row = operations.c
        kinds = (row.operation, row.method_code, row.currency)
        # The time of creation lets SQLite take them in the order in which they lie.
        until = closing.taken_at if closing else _EVER
        where = [*_of(environment, merchant_id), row.created_at <= until]
        where += [row.status == "COMPLETED"]
        where += [_since(opening)] if opening else []
        where += [sql.not_(_since(closing))] if closing else []
        where.append(row.amount.is_not(None))
        found = []
        with self._database.reading() as db:
            # GROUP BY would make SQLite sort all rows; the kinds are few.
            known = db.execute(sql.select(*kinds).where(*where).distinct().order_by(*kinds)).all()
            for first in range(0, len(known), _AT_ONCE):
                some = known[first : first + _AT_ONCE]
                sums = [each for kind in some for each in _sum_of(kinds, kind)]
                values = db.execute(sql.select(*sums).where(*where)).one()
                for number, (operation, method, currency) in enumerate(some):
                    count, cents = values[2 * number : 2 * number + 2]
                    # PostgreSQL's sum is a decimal.
                    found.append(Completed(operation, method, currency, count, int(cents or 0)))
        return found

    def open(
        self, environment: str, merchant_id: str, closing: Snapshot | None = None
    ) -> Iterator[Open]:
        """What had not taken effect when ``closing`` was taken; without it, what has not now."""
        row = operations.c
        still = sql.and_(
            row.state != "refused", sql.or_(row.status.is_(None), row.status.not_in(FINAL))
        )
        which: list[Any] = [still]
        if closing is not None:
            later = sql.and_(row.status.in_(FINAL), _since(closing))
            which = [row.created_at <= closing.taken_at, sql.or_(still, later)]
        its = (row.operation, row.method_code, row.currency, _cents(row.amount), row.created_at)
        query = (
            sql.select(*_label(), *its, row.state, row.deadline)
            .where(*_of(environment, merchant_id), *which)
            .order_by(row.created_at, row.number)
        )
        now = datetime.now(UTC)
        with self._database.reading() as db:
            for *label, operation, method, currency, amount, at, state, deadline in db.execute(
                query
            ):
                overdue = state == "sending" and (deadline is None or deadline <= now)
                yield Open(
                    _first(label), operation, method, currency, amount, at,
                    overdue or state == "unknown",
                )  # fmt: skip

    def late(
        self, environment: str, merchant_id: str, currency: str, opening: Snapshot,
        closing: Snapshot | None = None,
    ) -> list[Late]:  # fmt: skip
        """What was open at the opening snapshot, for the books, and took effect after it."""
        row = operations.c
        where = [
            *_of(environment, merchant_id), row.status == "COMPLETED", row.currency == currency,
            row.created_at <= opening.taken_at, _since(opening), row.amount.is_not(None),
        ]  # fmt: skip
        where += [sql.not_(_since(closing))] if closing else []
        query = sql.select(*_label(), row.operation, _cents(row.amount))
        with self._database.reading() as db:
            rows = db.execute(query.where(*where).order_by(row.number))
            return [Late(_first(label), kind, cents) for *label, kind, cents in rows]

    def left_over(
        self,
        environment: str,
        merchant_id: str,
        currency: str,
        opening: Snapshot | None = None,
        closing: Snapshot | None = None,
    ) -> list[LeftOver]:
        """The believed notifications of a final status that changed no operation.

        Those without an operation name no merchant: all of the environment's are here. One whose
        reference has become a completed operation since is not.
        """
        row, own = notifications.c, operations.c
        same = operations.alias("same").c
        done = sql.exists().where(
            same.environment == environment,
            same.reference == row.reference,
            same.status == "COMPLETED",
        )
        where: list[Any] = [
            LEFT_OVER,
            row.environment == environment,
            row.amount.is_not(None),
            sql.or_(row.currency.is_(None), row.currency == currency),
            sql.or_(row.operation_id.is_(None), own.merchant_id == merchant_id),
            # Money that came, or that the books count and 88Pay does not.
            sql.or_(
                sql.and_(row.status == "COMPLETED", sql.not_(done)),
                sql.and_(row.status == "REJECTED", own.status == "COMPLETED"),
            ),
        ]
        where += [_heard_since(opening)] if opening else []
        where += [sql.not_(_heard_since(closing))] if closing else []
        query = (
            sql.select(row.id, row.reference, own.operation, row.status, _cents(row.amount))
            .select_from(notifications.outerjoin(operations, own.id == row.operation_id))
            .where(*where)
            .order_by(row.id)
        )
        found: dict[str, LeftOver] = {}
        with self._database.reading() as db:
            for id, reference, operation, status, cents in db.execute(query):
                label = reference or f"notification {id}"
                amount = cents if status == "COMPLETED" else -cents
                # The same money, said twice in other words.
                found.setdefault(label, LeftOver(label, operation, amount))
        return list(found.values())

    def movements(
        self,
        environment: str,
        merchant_id: str,
        kind: str,
        opening: datetime | None = None,
        closing: datetime | None = None,
    ) -> list[Any]:
        """The imported settlements or fees after ``opening`` and up to ``closing``.

        Those of a day alone are here when any moment of it is, and ``sure`` when all of it is.
        """
        row = movements.c
        where = [
            row.environment == environment, row.merchant_id == merchant_id, row.kind == kind,
        ]  # fmt: skip
        ended = sql.func.coalesce(row.until, row.at)
        sure: list[Any] = [row.until.is_(None)]
        inside: list[Any] = []
        if opening:
            where.append(sql.or_(row.at > opening, row.until > opening))
            inside.append(row.at >= opening)
        if closing:
            where.append(row.at <= closing)
            inside.append(ended <= closing)
        sure.append(sql.and_(sql.true(), *inside))
        query = sql.select(
            row.reference, row.amount, row.currency, sql.or_(*sure).label("sure")
        ).where(*where)
        with self._database.reading() as db:
            return list(db.execute(query.order_by(row.at, row.id)))

    def last_movement(
        self, environment: str, merchant_id: str, kind: str, currency: str
    ) -> datetime | None:
        """Until when files have told of settlements, or of fees; None where none has."""
        row = movements.c
        query = sql.select(sql.func.max(sql.func.coalesce(row.until, row.at), type_=row.at.type))
        where = [
            row.environment == environment, row.merchant_id == merchant_id, row.kind == kind,
            row.currency == currency,
        ]  # fmt: skip
        with self._database.reading() as db:
            found: datetime | None = db.scalar(query.where(*where))
        return found

    def has_others(self, environment: str, merchant_id: str) -> bool:
        """Whether the books know another merchant of this environment."""
        # Two ranges of an index, in place of a look at every row of the one.
        asked = [
            sql.select(sql.literal(1))
            .where(table.c.environment == environment, other(table.c.merchant_id, merchant_id))
            .limit(1)
            for table in (operations, balances)
            for other in (lt, gt)
        ]
        with self._database.reading() as db:
            return any(db.scalar(query) is not None for query in asked)

    def merchants(self, environment: str) -> Sequence[str]:
        """The merchants that have a snapshot or an operation, in order."""
        with self._database.reading() as db:
            found = {
                id
                for table in (operations, balances)
                for id in db.scalars(
                    sql.select(table.c.merchant_id)
                    .where(table.c.environment == environment)
                    .distinct()
                )
            }
        return sorted(found)


def _of(environment: str, merchant_id: str) -> list[Any]:
    return [operations.c.environment == environment, operations.c.merchant_id == merchant_id]


def _sum_of(columns: Sequence[Any], kind: Sequence[str | None]) -> tuple[Any, Any]:
    """Number and cents of the rows of one kind, as two columns of a query."""
    same = sql.and_(
        *(column.is_not_distinct_from(value) for column, value in zip(columns, kind, strict=True))
    )
    sum_of_all = sql.func.sum(_cents(operations.c.amount))
    return sql.func.count().filter(same), sum_of_all.filter(same)


def _since(snapshot: Snapshot) -> Any:
    """The condition that an operation took effect after a snapshot.

    On a clock that stands still both may have one time. Then the notifications that had come tell.
    """
    row, its = operations.c, notifications.c
    after = row.updated_at > snapshot.taken_at
    if snapshot.last_notification is None:
        return sql.or_(after, row.updated_at == snapshot.taken_at)
    before = sql.select(its.operation_id).where(
        its.received_at == snapshot.taken_at,
        its.id <= snapshot.last_notification,
        its.outcome == "applied",
        its.operation_id.is_not(None),
    )
    return sql.or_(after, sql.and_(row.updated_at == snapshot.taken_at, row.id.not_in(before)))


def _heard_since(snapshot: Snapshot) -> Any:
    """The same of a notification. Its number decides a tie only: SQLite may use one twice."""
    row = notifications.c
    at_once = row.received_at == snapshot.taken_at
    if snapshot.last_notification is not None:
        at_once = sql.and_(at_once, row.id > snapshot.last_notification)
    return sql.or_(row.received_at > snapshot.taken_at, at_once)


def _cents(amount: Any) -> Any:
    # Many of them: a whole number is quicker than an exact decimal.
    return sql.type_coerce(amount, sql.BigInteger)


def _label() -> tuple[Any, ...]:
    return operations.c.reference, operations.c.key, operations.c.id


def _first(label: Sequence[str | None]) -> str:
    return next((each for each in label if each), "")
