"""``pay88 webhook check``: the judge of an endpoint, joined with its report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from pay88kit.cli.words import command, secret_of, write
from pay88kit.errors import WrongUse

if TYPE_CHECKING:
    from pay88kit.cli.words import Commands


def add(commands: Commands) -> None:
    """Add this command to the parser."""
    check = command(
        commands,
        "check",
        "judge your own webhook endpoint",
        "Sends your endpoint about 25 notifications of invented transactions, right and forged "
        "ones, and says of each what was sent, expected and answered, why it matters and how to "
        "mend it. Only what 88Pay documents can fail it. It asks first where the address is not on "
        "this machine. Exit code 0: nothing fails; 1: a probe fails, or nobody listens; 2: wrong "
        "use.",
        "pay88 webhook check http://127.0.0.1:8000/webhooks/88pay --junit webhook.xml",
    )
    check.add_argument("url", metavar="URL", help="the endpoint")
    check.add_argument(
        "--secret",
        help="its webhook secret. Better PAY88_WEBHOOK_SECRET: a command stays in your shell's "
        "history. With - you are asked for it, or it is read from standard input",
    )
    check.add_argument("--seed", type=int, default=88, help="of the invented transactions (88)")
    check.add_argument(
        "--signer",
        metavar="MODULE:FUNCTION",
        help="makes the tokens, where your endpoint expects others than the kit assumes; takes "
        "what pay88kit.webhooks.sign takes",
    )
    check.add_argument(
        "--effects",
        metavar="URL",
        help="your own count of fulfilments: GET URL?reference=…&transaction_id=… answers with a "
        'number or {"count": number}. With it, it is seen whether a repeat is fulfilled once',
    )
    check.add_argument("--mine", action="store_true", help="the endpoint is yours: do not ask")
    check.add_argument("--json", action="store_true", help="print the results as JSON")
    check.add_argument("--junit", metavar="FILE", help="also write them as JUnit XML, for CI")
    check.add_argument("--html", metavar="DIR", help="also make the report webhook_check there")
    check.set_defaults(run=_webhook_check)


def _webhook_check(args: argparse.Namespace) -> int:
    from pathlib import Path

    from pay88kit.endpoint_check import check_endpoint

    for option, path in (("junit", args.junit), ("html", args.html)):
        if path and not Path(path).absolute().parent.is_dir():
            raise WrongUse(f"{option}: there is no folder for {path}.")
    check = check_endpoint(
        args.url,
        secret_of(args.secret),
        seed=args.seed,
        signer=_function(args.signer) if args.signer else None,
        effects=args.effects,
        mine=args.mine,
    )
    write(check.json() if args.json else check.text())
    if args.junit:
        Path(args.junit).write_text(check.junit(), encoding="utf-8", newline="\n")
    if args.html:
        from pay88kit import reports

        folder = Path(args.html).absolute()
        folder.mkdir(exist_ok=True)
        results = folder / f"webhook_check-{check.at.replace(':', '')}.json"
        check.save(results)
        page = reports.run("webhook_check", {"results": str(results)}, out=folder).html
        print(page, file=sys.stderr if args.json else sys.stdout)
    return 0 if check.ok else 1


def _function(text: str) -> Callable[..., str]:
    """The function that ``module:function`` names; the module may be in this folder."""
    from importlib import import_module

    module, _, name = text.partition(":")
    sys.path.insert(0, "")
    try:
        found: Callable[..., str] = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise WrongUse(f"signer: {text}: {error}. Write module:function.") from None
    finally:
        sys.path.remove("")
    if not callable(found):
        raise WrongUse(f"signer: {text} is no function.")
    return found
