"""What the commands share: their form, types of arguments, and how they speak."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

# Where a tunnel to this machine leads, unless --port says otherwise.
TUNNELLED = 8089


def command(
    commands: Commands,
    name: str,
    summary: str,
    description: str,
    example: str = "",
    parents: Sequence[argparse.ArgumentParser] = (),
) -> argparse.ArgumentParser:
    """A command whose help says what it does, and shows it once."""
    epilog = f"For example: {example}" if example else None
    return commands.add_parser(
        name,
        help=summary,
        description=description or f"Shows {summary}.",
        epilog=epilog,
        parents=parents,
    )


def pair(text: str) -> tuple[str, str]:
    """A name and a value, written ``NAME=VALUE``."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r}: write NAME=VALUE")
    return name, value


def secret_of(given: str | None) -> str | None:
    """The webhook secret that was given on the command line, or behind it."""
    if given == "-":
        from getpass import getpass

        here = sys.stdin.isatty()
        return getpass("Webhook secret: ") if here else sys.stdin.readline().strip()
    if given:
        print(
            "pay88: this command with its secret stays in your shell's history. Better set "
            "PAY88_WEBHOOK_SECRET, or use --secret -",
            file=sys.stderr,
        )
    return given


def tell(line: str) -> None:
    """A line at once; it may hold what this terminal cannot show."""
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "replace").decode(encoding), flush=True)


def write(text: str) -> None:
    """Print what may hold characters that this terminal cannot show."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def seconds(text: str) -> float:
    """Seconds of a wait."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r}: write seconds, above 0 and up to 86400")
    return number
