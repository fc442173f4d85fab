"""One database: how it is reached, what a transaction is, and its faults in the kit's words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from pay88kit.errors import BooksError

# For how long another program's transaction is waited for, unless the URL or the server says.
PATIENCE = 10

# What a person can do about a fault, by words of the database's own message.
_CURES = {
    "locked": "Another program is writing to it: end that program, or try again.",
    "lock timeout": "Another program is writing to it: end that program, or try again.",
    "readonly": "Give this program the right to write there, or name other books.",
    "read-only": "Give this program the right to write there, or name other books.",
    "permission denied": "Give this program the right to write there, or name other books.",
    "full": "Free some space on its disk.",
    "no space": "Free some space on its disk.",
    "integer overflow": "The amounts have no sum that it can hold: choose a shorter time.",
    "disk i/o": "Look at its disk: it may be full, or failing.",
    "unable to open": "Its folder must exist, and this program must be allowed to write there.",
    "not a database": "This file is something else: name other books.",
    "no such table": "Its tables were changed by something else: name other books.",
    "does not exist": "Create it first, or name other books.",
    "connection": "Look whether the server runs, and whether the URL names the right one.",
}


class Database:
    """A database by its URL. Every fault of it becomes a :class:`BooksError` that names it."""

    def __init__(self, url: str) -> None:
        try:
            parsed = sql.make_url(url)
        except SQLAlchemyError:
            raise BooksError(
                "books: not a database URL. Use one such as sqlite:///books.db."
            ) from None
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.shown = parsed.render_as_string(hide_password=True)
        self._kind = parsed.get_backend_name()
        #: Whether it ends with the process.
        self.in_memory = in_memory = self._kind == "sqlite" and not parsed.database
        # A database in memory is one connection, which one thread at a time may use.
        self._lock: Any = threading.RLock() if in_memory else contextlib.nullcontext()
        # SQLite lets those who wait for its lock try again by chance, so one of many may wait for
        # ever. The threads of one process take turns instead.
        self._turn: Any = threading.RLock() if self._kind == "sqlite" else contextlib.nullcontext()
        connect: dict[str, Any] = {}
        options: dict[str, Any] = {"connect_args": connect}
        if in_memory:
            options["poolclass"] = StaticPool
            connect["check_same_thread"] = False
        elif self._kind == "sqlite" and "timeout" not in parsed.query:
            connect["timeout"] = PATIENCE
        elif self._kind == "postgresql":
            # A server that was started again is no fault.
            options["pool_pre_ping"] = True
            if "connect_timeout" not in parsed.query:
                connect["connect_timeout"] = PATIENCE
        with self._faults("opened"):
            try:
                self._engine = sql.create_engine(parsed, **options)
            except ImportError as error:
                raise BooksError(f"books: {error.name} is not installed.") from None
        if in_memory:
            event.listen(self._engine, "handle_error", _keep_connected)
        if self._kind == "sqlite":
            event.listen(self._engine, "connect", _prepare_sqlite)
        elif self._kind == "postgresql":
            event.listen(self._engine, "connect", _prepare_postgresql)

    @contextlib.contextmanager
    def opening(self) -> Iterator[Any]:
        """A transaction in which only one process at a time makes or changes tables."""
        with self._faults("opened"), self._lock, self._engine.begin() as db:
            if self._kind == "sqlite":
                db.exec_driver_sql("BEGIN IMMEDIATE")
            elif self._kind == "postgresql":
                db.execute(sql.select(sql.func.pg_advisory_xact_lock(8_800_088)))
            yield db

    @contextlib.contextmanager
    def reading(self, doing: str = "read") -> Iterator[Any]:
        """A connection for one query."""
        with self._faults(doing), self._lock, self._engine.begin() as db:
            yield db

    @contextlib.contextmanager
    def writing(self, *, alone: bool = False) -> Iterator[Any]:
        """A transaction: all of it is kept, or nothing.

        ``alone``: no other such transaction runs meanwhile. In SQLite none ever does.

        Raises:
            IntegrityError: what must be unique is there already.
            BooksError: any other fault.
        """
        with self._faults("written"), self._lock, self._turn, self._engine.begin() as db:
            if self._kind == "sqlite":
                # From its first line on, nobody else writes: what is read in it stays true.
                db.exec_driver_sql("BEGIN IMMEDIATE")
            elif alone:
                db.execute(sql.select(sql.func.pg_advisory_xact_lock(8_800_089)))
            yield db

    def forget(self) -> None:
        """Make what was removed unreadable in the file as well; PostgreSQL does so by itself.

        Raises:
            BooksError: another program is reading or writing; what was removed may still be there.
        """
        if self._kind != "sqlite":
            return
        # Outside of any transaction. The first writes the file anew, the second empties its log.
        with self._faults("cleaned"), self._lock, self._engine.begin() as db:
            db.exec_driver_sql("VACUUM")
            busy, _, _ = db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        if busy:
            raise BooksError(
                f"books: {self.shown} is being read by another program, so what was purged may "
                f"still be in {self.shown}-wal. End that program and purge again."
            )

    def copy_to(self, file: Path) -> None:
        """Write all of it into a new SQLite file, as it is at one moment.

        Raises:
            BooksError: it is no SQLite database, or cannot be read; or ``file`` is there already or
                cannot be written. Then nothing of it stays.
        """
        if self._kind != "sqlite":
            raise BooksError(f"books: {self.shown} is no SQLite database. Copy it with pg_dump.")
        try:
            # Customers' data: nobody else on this machine may read it.
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except OSError as error:
            raise BooksError(
                f"books: {file} cannot be made ({error.strerror or error}). Name a new file in a "
                f"folder that is there."
            ) from None
        try:
            with self._faults("copied"), self._lock, self._engine.begin() as db:
                db.exec_driver_sql("VACUUM INTO ?", (str(file),))
        except BaseException:
            # A part of it is no copy, and would stand in the way of the next one.
            file.unlink(missing_ok=True)
            raise

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _faults(self, doing: str) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise BooksError(f"books: {self.shown} cannot be {doing}: {_plain(error)}") from None


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # The kit says itself where a transaction begins; Python's module would begin it too late.
    connection.isolation_level = None
    cursor = connection.cursor()
    until = time.monotonic() + PATIENCE
    while True:
        try:
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
                cursor.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            # SQLite does not wait for this lock, which a process that makes the same books has.
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _keep_connected(context: Any) -> None:
    # After Ctrl-C a connection is given up by default. This one is the whole database.
    context.is_disconnect = False


def _prepare_postgresql(connection: Any, _: Any) -> None:
    # Unless the server, the role or the URL says something else.
    connection.execute(
        "SELECT set_config('lock_timeout', %s, false) WHERE current_setting('lock_timeout') = '0'",
        [f"{PATIENCE}s"],
    )
    connection.commit()


def _plain(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    text = str(cause).splitlines()[0].rstrip(".") if str(cause) else type(cause).__name__
    cures = (cure for words, cure in _CURES.items() if words in text.lower())
    return f"{text}. {next(cures, '')}".rstrip()
