"""``pay88 demo``."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from pay88kit.cli.words import command, tell

if TYPE_CHECKING:
    from pay88kit.cli.words import Commands
    from pay88kit.demo import Made


def add(commands: Commands) -> None:
    """Add this command to the parser."""
    parser = command(
        commands,
        "demo",
        "make a year of three merchants' life",
        "Fills a new folder with the books and the sandbox of three invented merchants, in "
        "Colombia, Mexico and Brazil, so that reports have something to say: a year of payins and "
        "payouts with good and bad days, refusals, and notifications that came late, twice or "
        "never. Everything happens through the client and a local sandbox, on its own clock. "
        "Simulated data, not 88Pay. It takes about a minute, and prints what to do next.",
        "pay88 demo pay88-demo",
    )
    parser.add_argument(
        "folder",
        nargs="?",
        default="pay88-demo",
        metavar="DIR",
        help="a folder that is new or empty (pay88-demo)",
    )
    parser.add_argument("--year", type=int, default=2025, help="a year that is over (2025)")
    parser.add_argument("--seed", type=int, default=88, help="the same seed, the same year (88)")
    parser.set_defaults(run=_demo)


def _demo(args: argparse.Namespace) -> int:
    from pay88kit.demo import make_year
    from pay88kit.errors import needs

    with needs("books"):
        from tqdm import tqdm
    # None: a bar only where somebody watches.
    with tqdm(unit="day", file=sys.stderr, disable=None) as bar:

        def show(done: int, all: int) -> None:
            bar.total = all
            bar.update(done - bar.n)

        made = make_year(args.folder, year=args.year, seed=args.seed, progress=show)
    for line in lines_of(made):
        tell(line)
    return 0


def lines_of(made: Made) -> list[str]:
    """What was made, and the next commands, ready to be copied."""
    from pay88kit import money

    lines = [f"{made.first} to {made.last}. Simulated data, not 88Pay.", ""]
    for each in made.totals:
        payins, payouts = (money.show(sum_, each.currency) for sum_ in (each.payins, each.payouts))
        lines.append(
            f"{each.merchant_id}: {each.operations} operations; completed payins {payins}, "
            f"completed payouts {payouts}"
        )
    return [
        *lines,
        "",
        f"The books are in {made.books}, and the sandbox in {made.sandbox}.",
        "Reports read the books in the environment local, the default (PAY88_ENVIRONMENT and "
        "PAY88_BASE_URL unset):",
        "",
        *next_commands(made),
    ]


def next_commands(made: Made) -> list[str]:
    """The commands for a shell: of Windows PowerShell there, of POSIX elsewhere."""
    from pay88kit.books.default import url_of

    shop = f"merchant_id={made.totals[1].merchant_id}"
    month = max(made.first, made.last - timedelta(30))
    week = made.first + timedelta(5), min(made.first + timedelta(11), made.last)
    days = max(made.first, made.last - timedelta(1))
    return [
        _setting("PAY88_BOOKS", url_of(made.books)),
        f"pay88 report run transactions -p {shop} -p first_day={month} -p last_day={made.last}",
        f"pay88 report run reconciliation -p {shop} -p first_day={week[0]} -p last_day={week[1]}",
        f"pay88 report many daily_balance --from-books --days {days}..{made.last}",
        f"pay88 sandbox --db {_quoted(str(made.sandbox))}",
    ]


def _setting(name: str, value: str) -> str:
    if os.name == "nt":
        return f"$env:{name} = {_quoted(value)}"
    return f"export {name}={_quoted(value)}"


def _quoted(text: str) -> str:
    if os.name != "nt":
        return shlex.quote(text)
    return "'" + text.replace("'", "''") + "'"
