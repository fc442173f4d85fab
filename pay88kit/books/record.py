"""The merchant's record, as the rest of the kit and its users see it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError

from pay88kit import money
from pay88kit.books import notifications, operations, schema, tables
from pay88kit.books.database import Database
from pay88kit.books.handlings import Handlings
from pay88kit.books.notifications import Arrival, Event
from pay88kit.books.operations import Entry, exact_or_none
from pay88kit.books.purge import purge
from pay88kit.errors import BooksError
from pay88kit.frames import to_frame

if TYPE_CHECKING:
    import pandas as pd


# Real seconds. 88Pay waits five for its 200; what is later helps nobody.
_WORTH_TRYING = 4.0


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
                operations.keep_apart(db, id, updated_at=now, **values)
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
            BooksError: no operation of that key is unknown, or more than one is.
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
        began = time.monotonic()
        # In one order everywhere, so that two transactions do not wait for each other.
        order = sorted(range(len(arrivals)), key=lambda number: arrivals[number].whose)
        try:
            with self._database.writing() as db:
                events = dict(
                    zip(order, notifications.receive(db, [arrivals[n] for n in order]), strict=True)
                )
            return [events[n] for n in range(len(arrivals))]
        except Exception as error:
            together = error
        found: list[Event | Exception] = []
        for arrival in arrivals:
            late = time.monotonic() - began > _WORTH_TRYING
            found.append(together if late else self._receive_alone(arrival))
        return found

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

    def save_balance(self, balance: Any, *, environment: str, now: datetime) -> None:
        """Keep a balance as a snapshot."""
        names = ("total_payin", "total_payout", "total_settled", "total_available", "net_balance")
        row = {
            "environment": environment,
            "merchant_id": balance.merchant_id or "",
            "answer": money.dumps(balance.raw),
            "taken_at": now,
            # What is no exact amount stays in the answer only.
            **{name: exact_or_none(getattr(balance, name)) for name in names},
        }
        with self._database.writing() as db:
            db.execute(tables.balances.insert().values(row))

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
        if before.tzinfo is None:
            raise BooksError(
                "books: before has no time zone. Give one: datetime(2026, 1, 1, tzinfo=UTC)."
            )
        return purge(self._database, before)

    # -- as tables

    def operations(self) -> pd.DataFrame:
        """Every operation, oldest first."""
        rows = self._rows(tables.operations)
        return to_frame([operations.seen_now(row) for row in rows], tables.OPERATION_COLUMNS)

    def unknown(self) -> pd.DataFrame:
        """The operations of which it is not known whether they happened.

        One whose request may still be on its way is not among them.
        """
        # Reading writes nothing, so the overdue are told apart here.
        rows = self._rows(tables.operations, tables.operations.c.state.in_(("unknown", "sending")))
        now = [row for row in map(operations.seen_now, rows) if row["state"] == "unknown"]
        return to_frame(now, tables.OPERATION_COLUMNS)

    def notifications(self) -> pd.DataFrame:
        """Every notification, oldest first; a repeated one is one row, ``times`` counts it."""
        return to_frame(self._rows(tables.notifications), tables.NOTIFICATION_COLUMNS)

    def balances(self) -> pd.DataFrame:
        """Every balance that was kept, oldest first."""
        return to_frame(self._rows(tables.balances), tables.BALANCE_COLUMNS)

    def _rows(self, table: sql.Table, *where: Any) -> list[dict[str, Any]]:
        query = sql.select(table).where(*where).order_by(*table.primary_key)
        with self._database.reading() as db:
            return [dict(row) for row in db.execute(query).mappings()]

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def __repr__(self) -> str:
        return f"Books({self._database.shown!r})"
