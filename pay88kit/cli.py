"""The command ``pay88``. Exit code 0 for yes, 1 for no, 2 for wrong use."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from pay88kit import money
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
    if passed_on and args.run is not _lab:
        parser.error(f"unexpected: {' '.join(passed_on)}")
    try:
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

    lab = _command(
        commands,
        "lab",
        "open the guide in JupyterLab",
        "Opens a working copy of the guide: the folder pay88-guide. Your changes there are never "
        "overwritten. What stands after -- is passed on to JupyterLab.",
        "pay88 lab --port 8899 -- --no-browser",
    )
    lab.add_argument("--port", type=int, help="the port; by default the first free one from 8888")
    lab.set_defaults(run=_lab)

    sandbox = _command(
        commands,
        "sandbox",
        "run the local 88Pay",
        "Serves a simulated 88Pay on 127.0.0.1, with a merchant that is ready to use. "
        "Without --db everything is kept in memory only.",
        "pay88 sandbox --port 8088 --no-limits",
    )
    sandbox.add_argument("--port", type=int, default=8088, help="the port (8088); 0: a free one")
    sandbox.add_argument("--seed", type=int, default=88, help="of all ids and keys (88)")
    sandbox.add_argument(
        "--manual-clock", action="store_true", help="time moves only when POST /_sandbox/clock says"
    )
    sandbox.add_argument("--no-limits", action="store_true", help="lift the rate limits")
    sandbox.add_argument("--no-control", action="store_true", help="answer as 88Pay only")
    sandbox.add_argument(
        "--deliver-anywhere",
        action="store_true",
        help="send notifications to addresses outside this machine too: only to your own",
    )
    sandbox.add_argument(
        "--db", metavar="FILE", help="keep everything in this file, and go on from it"
    )
    sandbox.add_argument(
        "--transaction-ids",
        choices=("operation", "session"),
        default="operation",
        help="what a notification's transaction_id is; 88Pay does not document it",
    )
    sandbox.set_defaults(run=_sandbox)

    balance = _command(
        commands,
        "balance",
        "ask for the balance",
        "Asks the 88Pay that PAY88_ENVIRONMENT names for the merchant's balance.",
        "PAY88_ENVIRONMENT=sandbox pay88 balance --json",
    )
    balance.add_argument("--json", action="store_true", help="print 88Pay's answer")
    balance.add_argument("--save", action="store_true", help="keep it in the books as a snapshot")
    balance.set_defaults(run=_balance)

    doctor = _command(
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
        "--notify", metavar="URL", help="with --create: where 88Pay is to send their notifications"
    )
    doctor.add_argument(
        "--wait", action="store_true", help="also wait about a minute for a token to expire"
    )
    doctor.add_argument("--json", action="store_true", help="print every finding as JSON")
    doctor.add_argument(
        "--save", metavar="FILE", help="keep the report in a new file: no secrets, fit to share"
    )
    doctor.set_defaults(run=_doctor)

    report = _command(commands, "report", "run a report", "Reports are notebooks with parameters.")
    reports = report.add_subparsers(title="commands", required=True, metavar="COMMAND")
    listing = _command(reports, "list", "the reports and their parameters", "")
    listing.set_defaults(run=_report_list)
    running = _command(
        reports,
        "run",
        "run one report, and turn it into HTML",
        "Writes the executed notebook and an HTML page without code.",
        "pay88 report run daily_balance -p day=2026-01-15",
    )
    running.add_argument("name", help="a report of `pay88 report list`, or a notebook's path")
    running.add_argument(
        "-p", dest="parameters", action="append", default=[], metavar="NAME=VALUE", type=_pair
    )
    running.add_argument("--out", default="reports-out", help="the folder for its files")
    running.set_defaults(run=_report_run)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str,
    description: str,
    example: str = "",
) -> argparse.ArgumentParser:
    epilog = f"For example: {example}" if example else None
    return commands.add_parser(
        name, help=summary, description=description or f"Shows {summary}.", epilog=epilog
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r}: write NAME=VALUE")
    return name, value


def _lab(args: argparse.Namespace) -> int:
    from pay88kit.guide import lab

    return lab.start(args.port, args.passed_on)


def _sandbox(args: argparse.Namespace) -> int:
    from pay88kit.sandbox import Sandbox
    from pay88kit.sandbox.limits import LIMITS

    sandbox = Sandbox(
        args.seed,
        None if args.no_limits else LIMITS,
        clock="manual" if args.manual_clock else "real",
        control=not args.no_control,
        deliver_anywhere=args.deliver_anywhere,
        db=args.db,
        transaction_ids=args.transaction_ids,
    )
    config = sandbox.config
    with sandbox, sandbox.serve(args.port) as url:
        print("A local 88Pay. Simulated data, not 88Pay.")
        print("For other programs: put these lines into a .env file, or set the variables.\n")
        print(f"PAY88_BASE_URL={url}")
        # These are the sandbox's own, made from its seed: printing them is their purpose.
        print(f"PAY88_API_KEY={config.api_key!s}")
        print(f"PAY88_MERCHANT_ID={config.merchant_id}")
        print(f"PAY88_WEBHOOK_SECRET={config.webhook_secret!s}")
        if not args.no_control:
            print(f"\nTo pay, decline, or move the time, open {url}/_sandbox/")
        print("\nStop it with Ctrl-C.", flush=True)
        while True:
            # In short sleeps: on Windows an endless wait would not hear Ctrl-C.
            time.sleep(1)
    return 0


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


def _doctor(args: argparse.Namespace) -> int:
    from pathlib import Path

    from pay88kit.doctor import Doctor
    from pay88kit.doctor.report import refuse_existing

    if args.save:
        refuse_existing(Path(args.save))

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    doctor = Doctor(create=args.create, wait=args.wait, notify=args.notify, say=say)
    say(str(doctor.plan()))
    report = doctor.run()
    if args.save:
        report.save(args.save, json=args.json)
    text = report.json() if args.json else report.text()
    # 88Pay's words may hold what this terminal cannot show.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    return 0 if report.ok else 1


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
