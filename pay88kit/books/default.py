"""Which books a process uses when none are named."""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from pay88kit.books.record import Books
from pay88kit.config import Config, books_url
from pay88kit.errors import BooksError, needs

_memory: weakref.WeakKeyDictionary[Any, Books] = weakref.WeakKeyDictionary()
_opened: dict[str, Books] = {}
_lock = threading.Lock()


class _NoSandbox:
    """Stands for the one `local` that is reached by an address."""


_elsewhere = _NoSandbox()


def default_books(config: Config) -> Books:
    """The books that client and inbox of this process share.

    ``PAY88_BOOKS`` names them; without it ``local`` keeps them in memory, one per sandbox, and the
    other environments in the user's data directory. A sandbox that plays production has its own in
    memory, whatever is named: what it says is not written among what happened.
    """
    plays = config.origin is not None and config.environment != "local"
    if not plays and (books_url() or config.environment != "local"):
        return lasting_books()
    return passing_books(config)


def passing_books(config: Config) -> Books:
    """The books in memory that client and inbox of one sandbox share, as long as this process."""
    with _lock:
        world = config.origin or _elsewhere
        if world not in _memory:
            _memory[world] = Books()
        return _memory[world]


def lasting_books() -> Books:
    """The books that outlive the process: ``PAY88_BOOKS``, else the file in the user's data."""
    with _lock:
        url = books_url() or url_of(_data_file())
        if url not in _opened:
            _opened[url] = Books(url)
        return _opened[url]


def url_of(file: Path) -> str:
    """The address of SQLite books in ``file``, for ``PAY88_BOOKS``."""
    path = file.as_posix()
    # These mean something in an address. How they are escaped depends on SQLAlchemy's version.
    if "%" in path or "?" in path:
        return URL.create("sqlite", database=path).render_as_string()
    return f"sqlite:///{path}"


def _data_file() -> Path:
    with needs("books"):
        from platformdirs import user_data_path
    file = user_data_path("pay88kit") / "books.db"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Customers' data: nobody else on this machine may read it.
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise BooksError(
            f"books: {file} cannot be written ({error.strerror or error}). Make its folder "
            f"writable, or name other books with PAY88_BOOKS."
        ) from None
    return file
