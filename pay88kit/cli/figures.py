"""``pay88 balance`` and ``pay88 report``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pay88kit import money
from pay88kit.cli.words import command, pair

if TYPE_CHECKING:
    from pay88kit.cli.words import Commands


def add(commands: Commands) -> None:
    """Add these commands to the parser."""
    balance = command(
        commands,
        "balance",
        "ask for the balance",
        "Asks the 88Pay that PAY88_ENVIRONMENT names for the merchant's balance.",
        "PAY88_ENVIRONMENT=sandbox pay88 balance --json",
    )
    balance.add_argument("--json", action="store_true", help="print 88Pay's answer")
    balance.add_argument("--save", action="store_true", help="keep it in the books as a snapshot")
    balance.set_defaults(run=_balance)

    report = command(commands, "report", "run a report", "Reports are notebooks with parameters.")
    reports = report.add_subparsers(title="commands", required=True, metavar="COMMAND")
    listing = command(reports, "list", "the reports and their parameters", "")
    listing.set_defaults(run=_report_list)
    running = command(
        reports,
        "run",
        "run one report, and turn it into HTML",
        "Writes the executed notebook and an HTML page without code.",
        "pay88 report run daily_balance -p day=2026-01-15",
    )
    running.add_argument("name", help="a report of `pay88 report list`, or a notebook's path")
    running.add_argument(
        "-p", dest="parameters", action="append", default=[], metavar="NAME=VALUE", type=pair
    )
    running.add_argument("--out", default="reports-out", help="the folder for its files")
    running.set_defaults(run=_report_run)


def _balance(args: argparse.Namespace) -> int:
    from pay88kit.client import Pay88

    with Pay88() as client:
        books = client.books if args.save else None
        balance = client.balance()
        if books is not None:
            now = client.config.clock.now()
            books.save_balance(balance, environment=client.config.environment, now=now)
        if client.config.environment == "local" and not args.json:
            print("Simulated data, not 88Pay")
    print(money.dumps(balance.raw) if args.json else balance)
    if books is not None and not args.json:
        print(f"Saved in {books!r}")
    return 0


def _report_list(args: argparse.Namespace) -> int:
    from pay88kit import reports

    for name in reports.names():
        print(name)
        for parameter in reports.parameters(name):
            print(f"  {parameter.name} = {parameter.default}  {parameter.help}")
    return 0


def _report_run(args: argparse.Namespace) -> int:
    from pay88kit import reports

    result = reports.run(args.name, dict(args.parameters), out=args.out)
    print(result.html)
    return 0
