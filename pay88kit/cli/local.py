"""``pay88 lab`` and ``pay88 sandbox``: what runs on this machine."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from pay88kit.cli.words import command

if TYPE_CHECKING:
    from pay88kit.cli.words import Commands


def add(commands: Commands) -> None:
    """Add these commands to the parser."""
    opening = command(
        commands,
        "lab",
        "open the guide in JupyterLab",
        "Opens a working copy of the guide: the folder pay88-guide. Your changes there are never "
        "overwritten. What stands after -- is passed on to JupyterLab.",
        "pay88 lab --port 8899 -- --no-browser",
    )
    opening.add_argument(
        "--port", type=int, help="the port; by default the first free one from 8888"
    )
    opening.set_defaults(run=lab)

    sandbox = command(
        commands,
        "sandbox",
        "run the local 88Pay",
        "Serves a simulated 88Pay on 127.0.0.1, with a merchant that is ready to use. "
        "Without --db everything is kept in memory only. Its page /_sandbox/ shows what happens, "
        "and how to script faults, notifications and the clock; /openapi.json has every call.",
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
        "--public-prefix",
        metavar="URL",
        help="the address of a proxy that stands before it: addresses in answers begin with it",
    )
    sandbox.add_argument(
        "--transaction-ids",
        choices=("operation", "session"),
        default="operation",
        help="what a notification's transaction_id is; 88Pay does not document it",
    )
    sandbox.set_defaults(run=_sandbox)


def lab(args: argparse.Namespace) -> int:
    """Open the guide."""
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
    with sandbox, sandbox.serve(args.port, public_prefix=args.public_prefix) as url:
        seen = (args.public_prefix or url).rstrip("/")
        print("A local 88Pay. Simulated data, not 88Pay.")
        print("For other programs: put these lines into a .env file, or set the variables.\n")
        print(f"PAY88_BASE_URL={url}")
        # These are the sandbox's own, made from its seed: printing them is their purpose.
        print(f"PAY88_API_KEY={config.api_key!s}")
        print(f"PAY88_MERCHANT_ID={config.merchant_id}")
        print(f"PAY88_WEBHOOK_SECRET={config.webhook_secret!s}")
        if not args.no_control:
            print(f"\nTo pay, decline, or move the time, open {seen}/_sandbox/")
            print(f'To fail on purpose: "Script it" there; every call: {seen}/openapi.json')
        print("\nStop it with Ctrl-C.", flush=True)
        while True:
            # In short sleeps: on Windows an endless wait would not hear Ctrl-C.
            time.sleep(1)
    return 0
