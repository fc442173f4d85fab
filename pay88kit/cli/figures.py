"""``pay88 balance``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.cli.words import command, tell
from pay88kit.display import one_line
from pay88kit.errors import WrongUse

if TYPE_CHECKING:
    from pay88kit.balance import Thresholds
    from pay88kit.balance.change import Change
    from pay88kit.books import Books
    from pay88kit.cli.words import Commands


def add(commands: Commands) -> None:
    """Add these commands to the parser."""
    balance = command(
        commands,
        "balance",
        "ask for the balance",
        "Asks the 88Pay that PAY88_ENVIRONMENT names for the merchant's balance. "
        "With --save it is made for cron and the Task Scheduler: it keeps a snapshot in the books "
        "and compares it with the last one that it reported by the same limits. The exit code is 1 "
        "when an alert fires, once for each change: an alert that was told then does not fire "
        "again. It is also 1 when no balance can be had. An account on which nothing has moved yet "
        "raises no alert.",
        "PAY88_ENVIRONMENT=production pay88 balance --save --quiet",
    )
    balance.add_argument(
        "--json", action="store_true", help="print 88Pay's answer; with --save, the alerts too"
    )
    balance.add_argument("--save", action="store_true", help="keep it in the books as a snapshot")
    balance.add_argument(
        "--quiet", action="store_true", help="with --save: print only the alerts that fire"
    )
    balance.add_argument(
        "--critical", metavar="AMOUNT", default=0,
        help="with --save: available at or below it is critical (default: 0)",
    )  # fmt: skip
    balance.add_argument(
        "--warning", metavar="AMOUNT", default=10_000,
        help="with --save: available below it is a warning (default: 10000, 88Pay's, whatever the "
        "currency)",
    )  # fmt: skip
    balance.add_argument(
        "--credit-limit", metavar="AMOUNT",
        help="with --save: your limit on 88Pay's credit. A net position below zero is information "
        "within it and an error beyond it; without a limit it is a warning",
    )  # fmt: skip
    balance.set_defaults(run=_balance)


def _balance(args: argparse.Namespace) -> int:
    from pay88kit.client import Pay88

    limits = _limits(args)
    with Pay88() as client:
        books = client.books if args.save else None
        # What completes while 88Pay answers may be in the answer or not: it counts as later.
        now = client.config.clock.now()
        balance = client.balance()
        environment = client.config.environment
        if environment == "local" and not (args.json or args.quiet):
            print("Simulated data, not 88Pay")
        if books is None:
            print(money.dumps(balance.raw) if args.json else balance)
            return 0
        change = _change(books, environment, balance, limits)
        # Before it is saved: a program that dies in between alerts twice rather than never.
        _show(args, balance, environment, change)
        report = change.report(limits)
        books.save_balance(balance, environment=environment, now=now, report=report)
    if not (args.json or args.quiet):
        print(
            f"Saved in {books!r}"
            if books.lasting
            else "Not kept: in local the books are in memory. To keep it, name books with "
            "PAY88_BOOKS=sqlite:///books.db"
        )
    return 1 if change.fires else 0


def _limits(args: argparse.Namespace) -> Thresholds:
    from pay88kit.balance import Thresholds

    if args.quiet and not args.save:
        raise WrongUse("--quiet: is for --save, which has alerts to print. Add --save.")
    return Thresholds(args.critical, args.warning, args.credit_limit)


def _change(books: Books, environment: str, balance: Any, limits: Thresholds) -> Change:
    from pay88kit.balance.change import change_of, name_of

    whose = balance.merchant_id or ""
    before = books.reported(environment=environment, merchant_id=whose, limits=name_of(limits))
    return change_of(before, balance, limits)


def _show(args: argparse.Namespace, balance: Any, environment: str, change: Change) -> None:
    if args.quiet and not change.fires:
        return
    if args.json:
        print(money.dumps(balance.raw | change.record()), flush=True)
        return
    if args.quiet:
        for alert in change.fired:
            whose = one_line(str(balance.merchant_id))
            tell(f"{whose} ({environment}): {alert.level}: {alert.words}")
        return
    tell(str(balance))
    for alert in change.alerts:
        since = "" if alert in change.fired or not alert.alarming else " (no change)"
        tell(f"{alert.level}{since}: {alert.words}")
