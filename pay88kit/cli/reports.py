"""``pay88 report list`` and ``pay88 report run``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pay88kit.cli import report_many
from pay88kit.cli.parameters import add_parameters, given
from pay88kit.cli.words import command, tell

if TYPE_CHECKING:
    from pay88kit.cli.words import Commands
    from pay88kit.reports import Parameter


def add(commands: Commands) -> None:
    """Add these commands to the parser."""
    report = command(commands, "report", "run a report", "Reports are notebooks with parameters.")
    reports = report.add_subparsers(title="commands", required=True, metavar="COMMAND")
    listing = command(reports, "list", "the reports and their parameters", "")
    listing.set_defaults(run=_list)
    running = command(
        reports,
        "run",
        "run one report, and turn it into HTML",
        "Writes the executed notebook, an HTML page without code, each table as an Excel file, and "
        "a row in index.html of that folder. Prints one line. The exit code is 1 when the report "
        "stopped with an error (its error page says which), 2 when it could not begin as asked; "
        "then nothing was written.",
        "pay88 report run daily_balance -p day=yesterday",
    )
    running.add_argument("name", help="a report of `pay88 report list`, or a notebook's path")
    add_parameters(running)
    running.set_defaults(run=_run)
    add_parameters(report_many.add(reports))


def _list(args: argparse.Namespace) -> int:
    from pay88kit import reports

    for name in reports.names():
        tell(name)
        for parameter in reports.parameters(name):
            tell(f"  {_declaration(parameter)}  {parameter.help}".rstrip())
    return 0


def _declaration(parameter: Parameter) -> str:
    kind = ", ".join(parameter.choices) if parameter.choices else parameter.type
    default = "(required)" if parameter.required else f"= {parameter.default}"
    return f"{parameter.name}: {kind} {default}"


def _run(args: argparse.Namespace) -> int:
    from pay88kit import reports

    job = reports.prepare(args.name, given(args), args.out)
    result = reports.carry_out(job)
    words = f" {result.summary}" if result.summary else ""
    tell(f"{job}: done in {result.seconds:.1f} s.{words} {result.html}")
    return 0
