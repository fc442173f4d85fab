"""The merchant's own record: operations, notifications, balances.

88Pay documents no way to list transactions, so this is the only list there is. An operation is
written **before** its request leaves, a notification **before** it is acknowledged.
"""

from pay88kit.errors import needs

# Every module of this package may take it for granted.
with needs("books"):
    import sqlalchemy as _  # noqa: F401

from pay88kit.books.default import default_books, lasting_books, passing_books
from pay88kit.books.notifications import Arrival, Event
from pay88kit.books.operations import Entry
from pay88kit.books.record import Books
from pay88kit.books.tables import SCHEMA_VERSION

__all__ = [
    "SCHEMA_VERSION",
    "Arrival",
    "Books",
    "Entry",
    "Event",
    "default_books",
    "lasting_books",
    "passing_books",
]
