"""The command ``pay88``. Exit code 0 for yes, 1 for no, 2 for wrong use."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pay88kit.cli import books, demo, doctor, figures, interrupt, local, reports, scan, webhook
from pay88kit.errors import Pay88Error, WrongUse
from pay88kit.version import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # What stands after -- is JupyterLab's.
    own, _, passed_on = _split(words)
    parser = _parser()
    args = parser.parse_args(own)
    args.passed_on = passed_on
    if passed_on and args.run is not local.lab:
        parser.error(f"unexpected: {' '.join(passed_on)}")
    try:
        with interrupt.heard():
            return int(args.run(args))
    except KeyboardInterrupt:
        return 130
    except (Pay88Error, OSError) as error:
        print(f"pay88: {error}", file=sys.stderr)
        return 2 if isinstance(error, WrongUse) else 1


def _split(words: list[str]) -> tuple[list[str], str, list[str]]:
    if "--" not in words:
        return words, "", []
    at = words.index("--")
    return words[:at], "--", words[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pay88",
        description="Learn, try and check an integration of 88Pay. "
        "Without an account, everything happens in a local sandbox.",
        epilog="Begin with: pay88 lab",
    )
    parser.add_argument("--version", action="version", version=f"pay88kit {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for part in (local, doctor, figures, reports, demo, books, scan, webhook):
        part.add(commands)
    return parser
