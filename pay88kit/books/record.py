"""The merchant's record, as the rest of the kit and its users see it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError

from pay88kit import money
from pay88kit.books import imports, notifications, operations, schema, tables
from pay88kit.books.accounts import Accounts
from pay88kit.books.cells import Reading
from pay88kit.books.database import Database
from pay88kit.books.evidence import Evidence
from pay88kit.books.handlings import Handlings
from pay88kit.books.imports import Imported
from pay88kit.books.notifications import Arrival, Event
from pay88kit.books.operations import Entry, exact_or_none
from pay88kit.books.purge import purge
from pay88kit.config import fault_of_time
from pay88kit.errors import BooksError
from pay88kit.frames import to_frame

if TYPE_CHECKING:
    import pandas as pd


# Real seconds. 88Pay waits five for its 200; what is later helps nobody.
_WORTH_TRYING = 4.0
# What it takes to show an operation as it is at this moment.
_SEEN = (*tables.OPERATION_COLUMNS, "deadline")


class Books:
    """The record in a database: SQLite by default, PostgreSQL by URL.

    Books that an older version of the kit made are upgraded where they are.

    Args:
        url: an SQLAlchemy URL. ``sqlite://`` keeps everything in memory,
            ``sqlite:///books.db`` in a file. Another program's transaction is waited for for ten
            seconds; ``sqlite:///books.db?timeout=30`` waits longer.

    Raises:
        BooksError: the database cannot be opened or was made by a newer version of the kit.
    """

    def __init__(self, url: str = "sqlite://") -> None:
        self._database = Database(url)
        schema.prepare(self._database)
        #: The events that handlers of an inbox have yet to do, and have done.
        self.handlings = Handlings(self._database)
        #: What a reconciliation reads.
        self.accounts = Accounts(self._database)
        #: What shows that items of 88Pay's checklist were done.
        self.evidence = Evidence(self._database)

    @property
    def lasting(self) -> bool:
        """Whether they outlive the process; books in memory do not."""
        return not self._database.in_memory

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
        deadline: datetime | None = None,
    ) -> Entry:
        """Commit that an operation is about to be sent.

        Args:
            deadline: when its request will have been given up, in real time whatever ``now`` says.
                Until then a second caller of the key is told to wait (``busy``); after it, and
                without one, the operation counts as unknown.

        Raises:
            KeyConflict: the key was used for another body.
            OutcomeUnknown: the key was used, and what became of it is not known.
            BooksError: it cannot be recorded; then it must not be sent.
        """
        row = operations.new_row(
            body, now, id=id, environment=environment, merchant_id=merchant_id,
            operation=operation, key=key, deadline=deadline,
        )  # fmt: skip
        try:
            return operations.begin(self._database, row)
        except BooksError as error:
            raise BooksError(f"{error} Nothing was sent.") from None

    def created(
        self, id: str, answer: Mapping[str, Any], *, reference: str, session_id: str, now: datetime,
        deadline: datetime | None = None,
    ) -> bool:  # fmt: skip
        """88Pay accepted the operation; it starts PENDING unless a notification was quicker.

        ``deadline`` is the one that :meth:`begin` was given. Returns False when the key has been
        sent anew since: then this is kept as an operation of its own, without a key.
        """
        values = {
            "state": "created",
            "reference": reference,
            "session_id": session_id,
            "answer": money.dumps(dict(answer)),
            "status": operations.or_pending(),
            "error": None,
        }
        with self._database.writing() as db:
            its_own = operations.end(db, id, deadline, updated_at=now, **values)
            if not its_own:
                id = operations.keep_apart(db, id, updated_at=now, **values)
            operations.merge_imported(db, id)
        return its_own

    def refused(
        self, id: str, error: str, *, now: datetime, deadline: datetime | None = None
    ) -> None:
        """The operation surely did not happen, unless its notification says otherwise.

        Nothing is changed when its key has been sent anew since ``deadline`` was given.
        """
        values = {"state": "refused", "error": error, "updated_at": now}
        with self._database.writing() as db:
            operations.end(db, id, deadline, "sending", "unknown", **values)

    def lost(
        self, id: str, error: str, *, session_id: str | None, now: datetime,
        deadline: datetime | None = None,
    ) -> None:  # fmt: skip
        """Whether the operation happened is not known, unless its notification was quicker.

        Nothing is changed when its key has been sent anew since ``deadline`` was given.
        """
        values = {"state": "unknown", "error": error, "session_id": session_id, "updated_at": now}
        with self._database.writing() as db:
            operations.end(db, id, deadline, "sending", "unknown", **values)

    def resolve(
        self,
        key: str,
        *,
        created: str | None,
        environment: str | None = None,
        operation: str | None = None,
        now: datetime | None = None,
    ) -> None:
        """Record what a person found out about an unknown operation, in 88Pay's dashboard for one.

        Args:
            key: the operation's key, or its id.
            created: its reference, or None when 88Pay does not have it. Then the same key may be
                sent again, and its customer charged: be sure.
            environment: which one, where the key is used in several.
            operation: ``"charge"``, ``"cash"`` or ``"cashout"``, where the key is used for several.
            now: when it was found out; by default, at this moment.

        Raises:
            BooksError: no operation of that key is unknown, or more than one is; or a file has
                told of another operation under that reference.
        """
        if created is not None and not created.strip():
            raise BooksError("books: created is empty. Give 88Pay's reference, or None.")
        with self._database.writing() as db:
            operations.resolve(
                db, key, created=created, environment=environment, operation=operation,
                now=now or datetime.now(UTC),
            )  # fmt: skip

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
        """Commit a notification, and apply its status to the operation it belongs to.

        ``notification`` is what :func:`pay88kit.webhooks.parse` made of it, or None. It is matched
        by the marker in its address, then by reference, then by session and amount. Where more
        than one operation fits, nothing is applied, and the outcome says ``several match``.

        Raises:
            BooksError: it cannot be recorded; then it must not be acknowledged.
        """
        return self._receive(Arrival(body, notification, verified, marker, environment, now))

    def _receive(self, arrival: Arrival) -> Event:
        try:
            with self._database.writing() as db:
                return notifications.receive(db, [arrival])[0]
        except IntegrityError:
            # The same one came twice at the same moment. The other is committed now.
            with self._database.writing() as db:
                return notifications.receive(db, [arrival])[0]

    def receive_all(self, arrivals: Sequence[Arrival]) -> list[Event | Exception]:
        """Commit notifications together, which costs little more than one alone.

        Returns what became of each, in their order. One that cannot be recorded is an exception
        there and takes no other with it; it must not be acknowledged.
        """
        return self._receive_all(arrivals, time.monotonic() + _WORTH_TRYING)

    def _receive_all(self, arrivals: Sequence[Arrival], until: float) -> list[Event | Exception]:
        """In halves when it does not go together: the others must not wait for a commit of each."""
        try:
            return self._receive_together(arrivals)
        except Exception as error:
            if time.monotonic() > until:
                return [error] * len(arrivals)
        if len(arrivals) <= 1:
            return [self._receive_alone(arrival) for arrival in arrivals]
        half = len(arrivals) // 2
        return [
            *self._receive_all(arrivals[:half], until),
            *self._receive_all(arrivals[half:], until),
        ]

    def _receive_together(self, arrivals: Sequence[Arrival]) -> list[Event | Exception]:
        # In one order everywhere, so that two transactions do not wait for each other.
        order = sorted(range(len(arrivals)), key=lambda number: arrivals[number].whose)
        with self._database.writing() as db:
            found = notifications.receive(db, [arrivals[n] for n in order])
        events = dict(zip(order, found, strict=True))
        return [events[n] for n in range(len(arrivals))]

    def _receive_alone(self, arrival: Arrival) -> Event | Exception:
        try:
            return self._receive(arrival)
        except Exception as error:
            return error

    def unverified(self, environment: str) -> list[Mapping[str, Any]]:
        """The notifications that can be checked again, oldest first.

        Each with its ``authorization``, which is the only thing here that is no text to show.
        """
        with self._database.reading() as db:
            return notifications.unverified(db, environment)

    def receive_again(self, id: int, arrival: Arrival) -> Event | None:
        """Receive an unverified notification as what it has turned out to be.

        None when another process was quicker.
        """
        with self._database.writing() as db:
            return notifications.receive_again(db, id, arrival)

    def last_notification(self, reference: str | None = None) -> Mapping[str, Any] | None:
        """The notification that came last, with its ``body``; of one reference where it is named.

        The body is empty where :meth:`purge` removed it.
        """
        column = tables.notifications.c
        query = (
            sql.select(tables.notifications)
            .where(sql.true() if reference is None else column.reference == reference)
            .order_by(column.last_at.desc(), column.id.desc())
            .limit(1)
        )
        with self._database.reading() as db:
            found = db.execute(query).mappings().first()
        return None if found is None else dict(found)

    # -- balances

    def save_balance(
        self,
        balance: Any,
        *,
        environment: str,
        now: datetime,
        report: Mapping[str, str] | None = None,
    ) -> None:
        """Keep a balance as a snapshot.

        ``now`` is when it was asked for. What the books learn later counts as after it. ``report``
        is what a monitor told of it: ``limits`` and ``alerts``, for :meth:`reported`.
        """
        names = ("total_payin", "total_payout", "total_settled", "total_available", "net_balance")
        row = {
            "environment": environment,
            "merchant_id": balance.merchant_id or "",
            "answer": money.dumps(balance.raw),
            "taken_at": now,
            "last_notification": sql.select(
                sql.func.max(tables.notifications.c.id)
            ).scalar_subquery(),
            # What is no exact amount stays in the answer only.
            **{name: exact_or_none(getattr(balance, name)) for name in names},
            **(report or {}),
        }
        with self._database.writing() as db:
            db.execute(tables.balances.insert().values(row))

    def reported(
        self, *, environment: str, merchant_id: str, limits: str
    ) -> Mapping[str, Any] | None:
        """The snapshot that a monitor with these limits kept last, or None.

        What others kept meanwhile says nothing of what its readers were told.
        """
        its = tables.balances.c
        query = (
            sql.select(*(its[name] for name in tables.BALANCE_COLUMNS), its.alerts)
            .where(its.environment == environment, its.merchant_id == merchant_id)
            .where(its.limits == limits)
            .order_by(its.id.desc())
            .limit(1)
        )
        with self._database.reading() as db:
            found = db.execute(query).mappings().first()
        return None if found is None else dict(found)

    # -- from elsewhere

    def import_file(
        self,
        path: str | Path,
        kind: str = "operations",
        *,
        environment: str,
        merchant_id: str | None = None,
        columns: Mapping[str, str] | None = None,
        values: Mapping[str, str] | None = None,
        decimal: str | None = None,
        timezone: str | None = None,
        skip_bad: bool = False,
        encoding: str | None = None,
        sheet: str | None = None,
        now: datetime | None = None,
    ) -> Imported:
        """Take operations, settlements or fees from a CSV or XLSX file.

        All rows are checked first, and written together. A reference is written once, however
        often its file comes; what contradicts the books is named and not overwritten. A pending
        operation that the file says is COMPLETED or REJECTED is so from then on. When the client's
        own operation receives the reference of an imported one, they become one.

        Fields of ``operations``: reference, operation (charge, cash or cashout, or PAYIN or
        PAYOUT), amount, currency, status, created_at and merchant_id; also completed_at (when it
        took effect; by default created_at, and ``now`` for one that was pending in the books), key,
        method_code, country, customer_id, description. Fields of ``settlements`` and ``fees``:
        reference, amount, currency, at and merchant_id. A fee below zero was given back. A day
        alone is its first moment; a settlement or fee of it took place at some time of that day.

        Args:
            path: the file; ``.xlsx`` by its ending, anything else is read as CSV.
            kind: ``operations``, ``settlements`` or ``fees``.
            environment: where it happened: ``sandbox`` or ``production``.
            merchant_id: whose rows they are, where the file does not say.
            columns: the field of each column whose name is another: ``{"Monto": "amount"}``.
            values: one value for all rows, for fields that the file has not.
            decimal: ``"."`` or ``","``; needed where amounts have thousands marks or a comma.
            timezone: the IANA name of the zone of times that say none.
            skip_bad: take the good rows, and name the others in the result.
            encoding: of a CSV that is not UTF-8, such as ``cp1252``.
            sheet: of a spreadsheet; by default the first one.
            now: when the books learn it; by default, at this moment.

        Raises:
            BadRows: a row cannot be taken; nothing was written, and every fault is named.
            WrongUse: an unknown kind, environment, column, field, zone or encoding, or another sort
                of file.
            BooksError: the books cannot be written.
            OSError: the file cannot be read.
        """
        return imports.import_file(
            self._database, Path(path), kind, environment=environment, merchant_id=merchant_id,
            columns=columns or {}, values=values or {}, reading=Reading(decimal, timezone),
            skip_bad=skip_bad, encoding=encoding, sheet=sheet, now=now,
        )  # fmt: skip

    # -- customers' data

    def purge(self, *, before: datetime) -> int:
        """Remove customers' data from what has ended; returns how many rows were emptied.

        Operations that are final (refused, completed or rejected) and last changed before that
        time lose ``customer_id``, ``description``, ``error`` and the text of request and answer;
        notifications that last came before it lose their text, unless their operation is still
        open. Amounts, references, states, keys and times stay, so the accounts still add up and a
        key still never charges twice: of the request a salted hash is kept, which tells the same
        order from another one. What is pending or unknown is never purged.

        An SQLite file is written anew, which needs as much free space again. In PostgreSQL the old
        text is gone when the server has vacuumed its tables.

        Raises:
            BooksError: ``before`` has no time zone, or the text may still be in the file because
                another program was using it; then purge again.
        """
        if fault := fault_of_time(before):
            raise BooksError(f"books: before {fault}")
        return purge(self._database, before)

    # -- as tables

    def operations(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        environment: str | None = None,
        merchant_id: str | None = None,
    ) -> pd.DataFrame:
        """Every operation, oldest first; those of a time, an environment, a merchant where named.

        Args:
            start: created at this time or later.
            end: created before this time.
            environment: with it and ``merchant_id``, a time is looked up without reading the rest.
            merchant_id: which merchant's.

        Raises:
            BooksError: a time has no time zone, ``start`` is after ``end``, or the books cannot be
                read.
        """
        column = tables.operations.c
        within = _within(column.created_at, start, end, environment, merchant_id)
        rows = self._rows(tables.operations, _SEEN, *within)
        return to_frame([operations.seen_now(row) for row in rows], tables.OPERATION_COLUMNS)

    def unknown(self) -> pd.DataFrame:
        """The operations of which it is not known whether they happened.

        One whose request may still be on its way is not among them.
        """
        # Reading writes nothing, so the overdue are told apart here.
        overdue = tables.operations.c.state.in_(("unknown", "sending"))
        rows = self._rows(tables.operations, _SEEN, overdue)
        now = [row for row in map(operations.seen_now, rows) if row["state"] == "unknown"]
        return to_frame(now, tables.OPERATION_COLUMNS)

    def notifications(self) -> pd.DataFrame:
        """Every notification, oldest first; a repeated one is one row, ``times`` counts it."""
        columns = tables.NOTIFICATION_COLUMNS
        return to_frame(self._rows(tables.notifications, columns), columns)

    def balances(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        environment: str | None = None,
        merchant_id: str | None = None,
    ) -> pd.DataFrame:
        """Every balance that was kept, oldest first; narrowed as :meth:`operations` is."""
        within = _within(tables.balances.c.taken_at, start, end, environment, merchant_id)
        columns = tables.BALANCE_COLUMNS
        return to_frame(self._rows(tables.balances, columns, *within), columns)

    def movements(self) -> pd.DataFrame:
        """The settlements and fees that were imported, oldest first."""
        columns = tables.MOVEMENT_COLUMNS
        return to_frame(self._rows(tables.movements, columns), columns)

    def _rows(self, table: sql.Table, columns: Sequence[str], *where: Any) -> list[dict[str, Any]]:
        # Not all of them: the texts of requests and answers are the most of it.
        query = sql.select(*(table.c[name] for name in columns)).where(*where)
        query = query.order_by(*table.primary_key)
        with self._database.reading() as db:
            return [dict(row) for row in db.execute(query).mappings()]

    def copy_to(self, file: str | Path) -> None:
        """Write a copy of SQLite books, as they are at this moment, into a new file of mode 0600.

        Books in memory are kept so. Others may go on writing meanwhile.

        Raises:
            BooksError: they are in PostgreSQL, or cannot be read; or ``file`` is there already or
                cannot be written. Then nothing of it stays.
        """
        self._database.copy_to(Path(file))

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def __repr__(self) -> str:
        return f"Books({self._database.shown!r})"


def _within(
    at: Any,
    start: datetime | None,
    end: datetime | None,
    environment: str | None,
    merchant_id: str | None,
) -> list[Any]:
    """The conditions of a time (``end`` is not in it), an environment and a merchant."""
    column = at.table.c
    where = []
    if environment is not None:
        where.append(column.environment == environment)
    if merchant_id is not None:
        where.append(column.merchant_id == merchant_id)
    for name, moment in (("start", start), ("end", end)):
        if moment is None:
            continue
        if fault := fault_of_time(moment):
            raise BooksError(f"books: {name} {fault}")
        where.append(at >= moment if name == "start" else at < moment)
    if start is not None and end is not None and start > end:
        raise BooksError("books: start is after end. Exchange them.")
    return where
