"""What a sandbox keeps on disk, so that nothing it acknowledged is lost when it is killed.

One SQLite file, one row for each merchant, session, transaction, delivery and thing still owed.
What a request changed is committed together, before its answer leaves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pay88kit import money
from pay88kit.errors import Pay88Error, WrongUse

# Written into the file's header: "88PY".
APPLICATION_ID = 0x38385059
VERSION = 1


class StoreUnusable(WrongUse):
    """The file is not a sandbox's, is damaged, or is in use; it was left as it is."""


class StoreFailed(Pay88Error):
    """Something could not be written; the request that caused it is not acknowledged."""


class Store:
    """The rows of a sandbox in a file.

    Raises:
        StoreUnusable: the file is something else's, damaged, of another version, or in use.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        try:
            # One connection, used under the world's lock by whichever thread holds it.
            self._db = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA busy_timeout = 1000")
            self._open()
        except sqlite3.Error as error:
            busy = "locked" in str(error)
            why = "another sandbox is using it" if busy else f"it is no sandbox's file ({error})"
            raise StoreUnusable(f"--db: {self._path}: {why}. It was left as it is.") from None

    def _open(self) -> None:
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if (application, version) != (APPLICATION_ID, VERSION) and (application or tables):
            what = f"version {version}" if application == APPLICATION_ID else "another program's"
            raise sqlite3.DatabaseError(what)
        # Held as long as the process lives: two sandboxes on one file would undo each other.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        # What was handed to the operating system survives the end of the process, a kill included.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("BEGIN EXCLUSIVE")
        if not tables:
            self._db.execute(
                "CREATE TABLE kept (kind TEXT, name TEXT, content TEXT NOT NULL, "
                "PRIMARY KEY (kind, name)) WITHOUT ROWID"
            )
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version = {VERSION}")
        self._db.execute("COMMIT")
        (sound,) = self._db.execute("PRAGMA quick_check").fetchone()
        if sound != "ok":
            raise sqlite3.DatabaseError("damaged")

    def read(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The rows of one kind."""
        rows = self._db.execute("SELECT name, content FROM kept WHERE kind = ?", (kind,))
        for name, content in rows.fetchall():
            yield name, money.loads(content)

    def write(self, rows: Mapping[tuple[str, str], Mapping[str, Any] | None]) -> None:
        """Commit rows by kind and name; None removes one.

        Raises:
            StoreFailed: nothing of it was written.
        """
        kept = [(*key, money.dumps(row)) for key, row in rows.items() if row is not None]
        gone = [key for key, row in rows.items() if row is None]
        try:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", kept)
            self._db.executemany("DELETE FROM kept WHERE kind = ? AND name = ?", gone)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StoreFailed(f"--db: {self._path} cannot be written: {error}.") from None

    def clear(self) -> None:
        """Remove every row."""
        self._db.execute("DELETE FROM kept")

    def close(self) -> None:
        """Close the file."""
        self._db.close()
