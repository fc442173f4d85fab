"""``pay88 doctor``: an 88Pay against the contract; here it is joined with an inbox."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pay88kit.cli.words import TUNNELLED, command, seconds, write
from pay88kit.config import is_loopback
from pay88kit.errors import WrongUse

if TYPE_CHECKING:
    from pay88kit.cli.words import Commands
    from pay88kit.config import Config
    from pay88kit.webhooks import Incoming

    Hear = Callable[[float], Incoming | None]


def add(commands: Commands) -> None:
    """Add these commands to the parser."""
    doctor = command(
        commands,
        "doctor",
        "check an 88Pay against the contract, point by point",
        "Asks the 88Pay that PAY88_ENVIRONMENT (or PAY88_BASE_URL) names what can be seen from "
        "outside: what 88Pay documents, and what the kit assumes. It says first what it will use: "
        "at most 8 tokens a minute and 30 in all. It creates nothing without --create; in "
        "production it asks for tokens and balances only. Exit code 1 when something documented "
        "deviates.",
        "PAY88_ENVIRONMENT=sandbox pay88 doctor --wait --save doctor.txt",
    )
    doctor.add_argument(
        "--create", action="store_true", help="also create transactions, a small payout included"
    )
    doctor.add_argument(
        "--notify",
        metavar="URL",
        help="with --create: receive one notification and judge it. The address under which 88Pay "
        "reaches this machine: https:// of a tunnel; for a local sandbox http://127.0.0.1:8089",
    )
    doctor.add_argument(
        "--port",
        type=int,
        help="with --notify: the port here to which the tunnel leads (8089; or that of URL, where "
        "URL is this machine)",
    )
    doctor.add_argument(
        "--timeout",
        type=seconds,
        default=300.0,
        metavar="SECONDS",
        help="with --notify: how long to wait for the notification (300)",
    )
    doctor.add_argument(
        "--wait", action="store_true", help="also wait about a minute for a token to expire"
    )
    doctor.add_argument("--json", action="store_true", help="print every finding as JSON")
    doctor.add_argument(
        "--save", metavar="FILE", help="keep the report in a new file: no secrets, fit to share"
    )
    doctor.set_defaults(run=_doctor)


def _doctor(args: argparse.Namespace) -> int:
    from pathlib import Path

    from pay88kit.doctor import Doctor
    from pay88kit.doctor.report import refuse_existing

    if args.port is not None and args.notify is None:
        raise WrongUse("port: nothing is received without --notify URL.")
    if args.save:
        refuse_existing(Path(args.save))

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    doctor = Doctor(
        create=args.create, wait=args.wait, notify=args.notify, timeout=args.timeout, say=say
    )
    say(str(doctor.plan()))
    if args.notify is None:
        report = doctor.run()
    else:
        with _ear(doctor.config, args.notify, args.port) as (hear, url):
            say(f"Listening on {url}")
            report = doctor.run(hear)
    if args.save:
        report.save(args.save, json=args.json)
    text = report.json() if args.json else report.text()
    write(text)
    return 0 if report.ok else 1


@contextmanager
def _ear(config: Config, notify: str, port: int | None) -> Iterator[tuple[Hear, str]]:
    """An inbox beside the doctor: what comes there, one request at a time, and its address."""
    from queue import Empty, SimpleQueue

    from pay88kit.inbox import Inbox

    came: SimpleQueue[Incoming] = SimpleQueue()

    def hear(seconds: float) -> Incoming | None:
        try:
            return came.get(timeout=seconds)
        except Empty:
            return None

    if port is None:
        parts = urlsplit(notify)
        here = parts.scheme == "http" and is_loopback(parts.hostname or "")
        port = (parts.port or 80) if here else TUNNELLED
    # A stand-in for a secret that is not known: the token stays unread, the rest is judged.
    secret = config.webhook_secret or "unknown"
    with Inbox(config, secret=secret, books="sqlite://", port=port, tap=came.put) as inbox:
        yield hear, inbox.url
