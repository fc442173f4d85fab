"""``pay88 report many``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pay88kit.cli.parameters import given
from pay88kit.cli.words import command, tell
from pay88kit.errors import WrongUse

if TYPE_CHECKING:
    from pay88kit.cli.words import Commands
    from pay88kit.reports.many import Progress, Summary

# Of the failures, so many are named; the index has them all.
_NAMED = 20


def add(reports: Commands) -> argparse.ArgumentParser:
    """Add this command to those of ``pay88 report``."""
    parser = command(
        reports,
        "many",
        "run a report for many merchants and days",
        "Runs the report for every merchant and every day, and writes the files of each as `pay88 "
        "report run` does; index.html of the folder lists them, failures on top. A report that "
        "fails stops no other one. 88Pay's rate limits hold for each merchant however many "
        "processes work. The exit code is 1 when a report failed, 2 when it could not begin as "
        "asked; then none was started. After Ctrl-C, the same command with --resume goes on.",
        "pay88 report many daily_balance --merchants merchants.csv --days 2026-01-01..2026-01-31",
    )
    parser.add_argument("name", help="a report of `pay88 report list`, or a notebook's path")
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument(
        "--merchants", metavar="FILE",
        help="a CSV file with a column merchant_id; further columns are parameters of the report, "
        "for example profile",
    )  # fmt: skip
    whom.add_argument(
        "--from-books", action="store_true",
        help="every merchant that the books have in this environment",
    )  # fmt: skip
    parser.add_argument(
        "--days", default="", metavar="A..B",
        help="2026-01-01..2026-01-31, both included; or one day; each may be today or yesterday",
    )  # fmt: skip
    makers = parser.add_mutually_exclusive_group()
    makers.add_argument(
        "--workers", type=int, metavar="N", help="processes at once (default: one for each core)"
    )
    makers.add_argument(
        "--cluster", metavar="ADDRESS",
        help="let the workers of a Dask cluster make the reports: its scheduler's address, such as "
        "tcp://192.168.1.5:8786",
    )  # fmt: skip
    parser.add_argument(
        "--resume", action="store_true", help="leave out what the folder's index has as done"
    )
    parser.add_argument(
        "--retry", type=int, metavar="N",
        help="run a report up to N times more when no connection or a 5xx came (default: 2 for the "
        "kit's own reports, which only read; 0 for a notebook's path)",
    )  # fmt: skip
    parser.set_defaults(run=_many)
    return parser


def _many(args: argparse.Namespace) -> int:
    from pay88kit.config import Config
    from pay88kit.reports.many import run_many
    from pay88kit.reports.merchants import merchants_in_books, merchants_in_file

    if args.retry is not None and args.retry < 0:
        raise WrongUse("--retry: cannot be less than 0.")
    merchants = (
        merchants_in_books(Config()) if args.from_books else merchants_in_file(args.merchants)
    )
    try:
        with _Bar() as bar:
            summary = run_many(
                args.name,
                merchants,
                args.days,
                values=given(args),
                out=args.out,
                workers=args.workers,
                cluster=args.cluster,
                resume=args.resume,
                retries=args.retry,
                progress=bar.show,
            )
    except KeyboardInterrupt:
        tell(f"Stopped. What is done is in {Path(args.out) / 'index.html'}; --resume goes on.")
        raise
    _say(summary)
    return 1 if summary.failures else 0


def _say(summary: Summary) -> None:
    for failure in summary.failures[:_NAMED]:
        about = " ".join(f"{name}={value}" for name, value in failure.values.items())
        where = f" {failure.page}" if failure.page else ""
        said = " ".join(failure.words.split())
        tell(f"failed: {about}: {said}{where}")
    if len(summary.failures) > _NAMED:
        tell(f"… and {len(summary.failures) - _NAMED} more, on top of the index.")
    tell(str(summary))


class _Bar:
    """Progress for who watches; nothing where nobody does, as under cron."""

    def __enter__(self) -> _Bar:
        self._bar: Any = None
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, progress: Progress) -> None:
        """Move on by one report."""
        if self._bar is None:
            from tqdm import tqdm

            total = progress.done + progress.failed + progress.left
            self._bar = tqdm(total=total, unit="report", file=sys.stderr, disable=None)
        self._bar.set_postfix(failed=progress.failed, refresh=False)
        self._bar.update(1)
