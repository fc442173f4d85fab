"""``pay88 scan``: secrets in files."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from pay88kit.cli.words import command, tell

if TYPE_CHECKING:
    from pay88kit.cli.words import Commands


def add(commands: Commands) -> None:
    """Add these commands to the parser."""
    scan = command(
        commands,
        "scan",
        "find secrets in notebooks, logs, HTML and text",
        "Finds API keys, webhook secrets, access tokens and session ids, and this machine's own "
        "credentials whatever their form, in files and folders. A notebook is read as what it "
        "shows: cells, outputs, metadata, widgets. What is found is printed masked, with its "
        "place. Ids that the local sandbox draws from its seed are public and do not count; "
        "neither does a line with the words pay88-scan: allow (in a cell's code they count for "
        "its outputs too). In a folder, .env files, .git, .venv, node_modules, __pycache__ and "
        "binary files are left out. Exit code 0: nothing found; 1: something found, or a file "
        "could not be read; 2: wrong use.",
        "pay88 scan notebooks reports-out app.log",
    )
    scan.add_argument("paths", metavar="PATH", nargs="+", help="a file or a folder")
    scan.add_argument(
        "--all", action="store_true", help="also list what does not count, and why it does not"
    )
    scan.add_argument(
        "--seed",
        type=int,
        action="append",
        help="a seed of local sandboxes whose ids do not count, instead of 88; may be repeated",
    )
    scan.set_defaults(run=_scan)


def _scan(args: argparse.Namespace) -> int:
    from collections import Counter

    from pay88kit.scan import CURE, Scan, State

    scan = Scan(seeds=args.seed or (88,))
    counts = Counter[State]()
    for finding in scan.run(args.paths):
        counts[finding.state] += 1
        if args.all or finding.state is State.FOUND:
            tell(str(finding))
    for fault in scan.faults:
        print(f"pay88: {fault}", file=sys.stderr)
    found = counts[State.FOUND]
    tell(f"{scan.summary()}: {found or 'no'} secret{'' if found == 1 else 's'} found.")
    if counts[State.SIMULATED]:
        tell(f"{counts[State.SIMULATED]} simulated by the local sandbox: they do not count.")
    if counts[State.ALLOWED]:
        tell(f"{counts[State.ALLOWED]} allowed by a marker: they do not count.")
    if found:
        tell(CURE)
    return 1 if found or scan.faults else 0
