"""``pay88 books import``: what other programs know, into the books."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pay88kit.cli.words import command, pair, tell
from pay88kit.errors import WrongUse

if TYPE_CHECKING:
    from pay88kit.books import Books
    from pay88kit.cli.words import Commands
    from pay88kit.config import Config

_FIELDS = (
    "Operations have: reference, operation (charge, cash or cashout; PAYIN and PAYOUT do too), "
    "amount, currency, status (PENDING, COMPLETED or REJECTED), created_at and merchant_id; if you "
    "like, completed_at (otherwise it took effect at created_at, or now if the books have it as "
    "pending), key, method_code, country, customer_id and description. Settlements and "
    "fees have: reference, amount, currency, at and merchant_id."
)


def add(commands: Commands) -> None:
    """Add these commands to the parser."""
    books = command(
        commands, "books", "your own record", "What you created and received, in a database."
    )
    parts = books.add_subparsers(title="commands", required=True, metavar="COMMAND")
    importing = command(
        parts,
        "import",
        "take operations, settlements or fees from a CSV or XLSX file",
        "Adds to the books what another program, your bank or 88Pay's dashboard has. Every row is "
        "checked first, and without --skip-bad nothing is written unless all are good. A reference "
        "is written once, however often its file comes; a row that contradicts the books is named "
        f"and not written. {_FIELDS} Exit code 0: all rows are in the books; 1: some are not, and "
        "each is named; 2: wrong use.",
        'pay88 books import bank.csv --kind settlements --map "Monto=amount" --map "Fecha=at" '
        "--set currency=COP --decimal , --timezone America/Bogota",
    )
    importing.add_argument("file", metavar="FILE", help="a CSV, or an .xlsx by its ending")
    importing.add_argument(
        "--kind",
        choices=("operations", "settlements", "fees"),
        default="operations",
        help="what its rows are (operations)",
    )
    importing.add_argument(
        "--map",
        metavar="COLUMN=FIELD",
        type=pair,
        action="append",
        default=[],
        help="the field of a column whose name is another; may be repeated",
    )
    importing.add_argument(
        "--set",
        metavar="FIELD=VALUE",
        type=pair,
        action="append",
        default=[],
        help="one value for all rows, for a field that the file has not; may be repeated",
    )
    importing.add_argument(
        "--merchant", metavar="ID", help="whose they are, instead of the configured merchant"
    )
    importing.add_argument(
        "--decimal",
        choices=(".", ","),
        metavar="MARK",
        help="the decimal mark, . or a comma, where amounts have commas or thousands marks",
    )
    importing.add_argument(
        "--timezone", metavar="ZONE", help="of times that say none, such as America/Bogota"
    )
    importing.add_argument("--encoding", help="of a CSV that is not UTF-8, such as cp1252")
    importing.add_argument("--sheet", help="of a spreadsheet, instead of its first one")
    importing.add_argument(
        "--skip-bad", action="store_true", help="take the good rows, and name the others"
    )
    importing.add_argument("--books", metavar="URL", help="these books, instead of PAY88_BOOKS")
    importing.set_defaults(run=_import)


def _import(args: argparse.Namespace) -> int:
    from pay88kit.config import Config

    config = Config()
    columns, values = _once("--map", args.map), _once("--set", args.set)
    books = _books(args.books, config)
    result = books.import_file(
        args.file,
        args.kind,
        environment=config.environment,
        merchant_id=args.merchant or config.merchant_id,
        columns=columns,
        values=values,
        decimal=args.decimal,
        timezone=args.timezone,
        skip_bad=args.skip_bad,
        encoding=args.encoding,
        sheet=args.sheet,
    )
    tell(str(result))
    tell(f"Written to {books!r}, environment {config.environment}")
    return 1 if result.left_out else 0


def _books(url: str | None, config: Config) -> Books:
    from pay88kit.books import Books, default_books
    from pay88kit.config import books_url

    if url:
        return Books(url)
    if config.environment == "local" and not books_url():
        raise WrongUse(
            "books: in local they are kept in memory and end with this program. Name others with "
            "--books or PAY88_BOOKS, or choose PAY88_ENVIRONMENT=sandbox or production."
        )
    return default_books(config)


def _once(option: str, pairs: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise WrongUse(f"{option}: {name!r} is there twice. Keep one.")
        found[name] = value
    return found
