"""``pay88 webhook``: receive, send, resend, inspect, and judge an endpoint."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.cli import check
from pay88kit.cli.words import TUNNELLED, command, pair, seconds, secret_of, tell
from pay88kit.errors import Pay88Error, WrongUse

if TYPE_CHECKING:
    from pay88kit.books import Books
    from pay88kit.cli.words import Commands
    from pay88kit.config import Config, Secret
    from pay88kit.relay import Outgoing

# Whoever finds nothing in books that are only in memory is told why.
_IN_MEMORY = (
    " Name the books that received it, with --books or PAY88_BOOKS; books in memory end with "
    "their program."
)


def add(commands: Commands) -> None:
    """Add these commands to the parser."""
    webhook = command(
        commands,
        "webhook",
        "receive notifications, send them, judge your endpoint",
        "Works on 88Pay's notifications, without 88Pay. The webhook secret is PAY88_WEBHOOK_SECRET "
        "or --secret. In local, without either, listen, send, resend and inspect take that of the "
        "local sandbox with the seed 88, and say so.",
    )
    webhooks = webhook.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _relay_commands(webhooks)
    check.add(webhooks)


def _relay_commands(webhook: Commands) -> None:
    secret = argparse.ArgumentParser(add_help=False)
    secret.add_argument(
        "--secret",
        help="the webhook secret. Better PAY88_WEBHOOK_SECRET: a command stays in your shell's "
        "history. With - you are asked for it, or it is read from standard input",
    )
    mine = argparse.ArgumentParser(add_help=False)
    mine.add_argument("--mine", action="store_true", help="the endpoint is yours: do not ask")

    listen = command(
        webhook,
        "listen",
        "receive notifications here, and pass them on",
        "Checks each notification, keeps it in the books, answers 200, and shows it. With "
        "--forward-to it then passes it on, byte for byte, to your own endpoint, shows what that "
        "answers, and tries again as 88Pay does: up to 10 times, with a fresh token each. 88Pay "
        "does not document how long it waits in between; here it is 10 s, 30 s, 1, 5, 10, 30 min, "
        "1, 2, 4, 8 h. Times are UTC. Ctrl-C ends with a summary: exit code 0, or 1 when your "
        "endpoint has not answered 200 to all; `pay88 webhook resend` sends those again.",
        "pay88 webhook listen --forward-to http://127.0.0.1:8000/webhooks/88pay",
        parents=[secret, mine],
    )
    listen.add_argument(
        "--port", type=int, default=TUNNELLED, help="the port (8089); 0: a free one"
    )
    listen.add_argument(
        "--public-url", metavar="URL", help="the address of a tunnel that leads to the port"
    )
    listen.add_argument("--forward-to", metavar="URL", help="your own endpoint")
    listen.add_argument(
        "--quick", action="store_true", help="wait seconds before a retry, not minutes and hours"
    )
    listen.add_argument("--books", metavar="URL", help="keep them here, instead of PAY88_BOOKS")
    listen.set_defaults(run=_webhook_listen)

    send = command(
        webhook,
        "send",
        "sign a notification and send it to your endpoint",
        "Sends what the local sandbox would send: the documented fields, and "
        "transaction_reference, _currency, _country and _customer_id, which are assumed. --amount"
        " and --transaction-id change the body and the token together; --field and --without "
        "change the body only, so that the token no longer fits it. Shows what the endpoint "
        "answers, within the 5 s that 88Pay waits. Exit code 0 when the last answer was 200, else"
        " 1: a forged or late one is meant to end with 1.",
        "pay88 webhook send http://127.0.0.1:8000/webhooks/88pay --status REJECTED --repeat 2",
        parents=[secret, mine],
    )
    send.add_argument("url", metavar="URL", help="your own endpoint")
    send.add_argument("--status", default="COMPLETED", help="COMPLETED (default), REJECTED, …")
    send.add_argument("--amount", type=_amount, default="50000", help="as text (50000)")
    send.add_argument("--reference", help="transaction_reference; by default a new one")
    send.add_argument("--transaction-id", metavar="ID", help="by default a new one")
    send.add_argument(
        "--field",
        dest="fields",
        action="append",
        default=[],
        type=_field,
        metavar="NAME=VALUE",
        help="a field of the body, as text; NAME:=JSON for another kind: x:=7. May be repeated",
    )
    send.add_argument(
        "--without", action="append", default=[], metavar="NAME", help="leave a field out"
    )
    send.add_argument(
        "--repeat", type=_times, default=1, metavar="N", help="send it N times, up to 100"
    )
    token = send.add_mutually_exclusive_group()
    token.add_argument(
        "--late", type=seconds, metavar="SECONDS", help="an old token: 301 is too old"
    )
    token.add_argument("--future", type=seconds, metavar="SECONDS", help="a token from the future")
    token.add_argument("--no-token", action="store_true", help="without an Authorization header")
    token.add_argument(
        "--foreign-secret", action="store_true", help="a token made with another secret: a forgery"
    )
    send.set_defaults(run=_webhook_send)

    resend = command(
        webhook,
        "resend",
        "send a notification of the books again",
        "Sends the body as it was received, with a fresh token, to your endpoint. The books are "
        "those of PAY88_BOOKS or of --books; in local, without either, they end with the program "
        "that keeps them. Exit code 0 when the answer was 200.",
        "pay88 webhook resend --last --to http://127.0.0.1:8000/webhooks/88pay",
        parents=[secret, mine],
    )
    which = resend.add_mutually_exclusive_group(required=True)
    which.add_argument("--reference", help="the newest notification of this reference")
    which.add_argument("--last", action="store_true", help="the newest of all")
    resend.add_argument("--to", required=True, metavar="URL", help="your own endpoint")
    resend.add_argument("--books", metavar="URL", help="these books, instead of PAY88_BOOKS")
    resend.set_defaults(run=_webhook_resend)

    inspect = command(
        webhook,
        "inspect",
        "say what a received token is, and how it is read",
        "88Pay does not document the cipher of its token. Shows the token's parts, lengths and "
        "headers, and tries the known readings with the webhook secret: JWE and JWS in their usual "
        "forms, AES-GCM, AES-CBC. Where one fits, it shows the claims and the two lines of Python "
        "that use it; where none does, what to ask 88Pay. Only the claims that 88Pay documents are "
        "shown, of others name and kind, and never the token. Exit code 0 when a reading fits. A "
        "token is what stands behind Bearer in the Authorization header; better than on the "
        "command line, give it from a file (< FILE) or from the books (--last).",
        "pay88 webhook inspect - < token.txt",
        parents=[secret],
    )
    inspect.add_argument(
        "token", metavar="TOKEN", nargs="?", help="the token; - reads it from standard input"
    )
    inspect.add_argument(
        "--last", action="store_true", help="the newest unverified notification of the books"
    )
    inspect.add_argument("--books", metavar="URL", help="these books, instead of PAY88_BOOKS")
    inspect.set_defaults(run=_webhook_inspect)


def _field(text: str) -> tuple[str, Any]:
    name, value = pair(text)
    if not name.endswith(":"):
        return name, value
    try:
        return name[:-1], money.loads(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: what stands after := is not JSON") from None


def _amount(text: str) -> str:
    try:
        money.exact(text)
    except Pay88Error as error:
        raise argparse.ArgumentTypeError(
            f"{error} For another text: --field transaction_amount={text}"
        ) from None
    return text


def _times(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 100):
        raise argparse.ArgumentTypeError(f"{text!r}: write a number from 1 to 100")
    return int(text)


def _webhook_listen(args: argparse.Namespace) -> int:
    from pay88kit import relay
    from pay88kit.inbox import PATH, Inbox
    from pay88kit.inbox.app import make_app
    from pay88kit.sandbox.world import RETRY_WAITS
    from pay88kit.serving import Server

    if args.forward_to is not None:
        _must_be_mine(args.forward_to, args.mine)
    if args.public_url is not None:
        relay.check_address(args.public_url)
    config, secret = _webhook_config(args.secret)
    listener = relay.Listener(
        secret,
        config.clock.now,
        tell,
        forward_to=args.forward_to,
        waits=relay.QUICK if args.quick else RETRY_WAITS,
        explain=lambda token: _explain(token, secret),
    )
    watch = relay.Watch(listener.hand_over, config.clock.now)
    with Inbox(config, books=args.books) as inbox:
        # Opened now: what cannot be kept must not be found out by the first notification.
        books = inbox.books
        app = watch.app(make_app(watch.put(inbox.receive), lambda request: None))
        server = Server(app, args.port)
        try:
            tell(f"Listening on {server.url}{PATH}")
            if args.public_url is not None:
                tell(f"Give as notification_url: {args.public_url.rstrip('/')}{PATH}")
            tell(f"Kept in {books!r}")
            if args.forward_to is not None:
                tell(f"Passed on to {args.forward_to}")
            tell("Times are UTC. Stop it with Ctrl-C.")
            listener.run()
        except KeyboardInterrupt:
            tell("")
        finally:
            server.close()
            watch.close()
    return 0 if listener.finish() else 1


def _webhook_send(args: argparse.Namespace) -> int:
    from datetime import timedelta
    from secrets import choice, token_urlsafe
    from string import ascii_uppercase, digits
    from uuid import uuid4

    from pay88kit import relay

    _must_be_mine(args.url, args.mine)
    config, secret = _webhook_config(args.secret)
    now = config.clock.now
    notification = relay.compose(
        status=args.status,
        amount=args.amount,
        reference=args.reference or "".join(choice(ascii_uppercase + digits) for _ in range(11)),
        transaction_id=args.transaction_id or f"sess_{uuid4()}",
        now=now(),
        fields=dict(args.fields),
        without=args.without,
    )
    used = token_urlsafe(24) if args.foreign_secret else secret
    shift = timedelta(seconds=(args.future or 0) - (args.late or 0))

    def token() -> Secret | None:
        return None if args.no_token else relay.sign(notification, used, now() + shift)

    return _deliver(args.url, notification, token, secret, times=args.repeat)


def _webhook_resend(args: argparse.Namespace) -> int:
    from pay88kit import relay

    _must_be_mine(args.to, args.mine)
    config, secret = _webhook_config(args.secret)
    books = _named_books(args.books, config)
    row = books.last_notification(args.reference)
    if row is None:
        what = f"of {args.reference}" if args.reference else "at all"
        raise Pay88Error(f"books: {books!r} has no notification {what}.{_IN_MEMORY}")
    if not row["body"]:
        raise Pay88Error("books: the text of this notification was purged; it cannot be sent.")
    # Notifications were read as UTF-8 before they were kept, so these are the bytes that came.
    notification = relay.read(row["body"].encode())
    tell(f"Received {row['received_at']:%Y-%m-%d %H:%M:%S} UTC in {row['environment']}, "
          f"{row['times']} time(s): {row['outcome']}.")  # fmt: skip
    return _deliver(
        args.to, notification, lambda: relay.sign(notification, secret, config.clock.now()), secret
    )


def _webhook_inspect(args: argparse.Namespace) -> int:
    from pay88kit import readings

    if (args.token is not None) + args.last != 1:
        raise WrongUse("token: give one, or - for standard input, or --last for the books.")
    config, secret = _webhook_config(args.secret)
    if args.last:
        books = _named_books(args.books, config)
        kept = books.unverified(config.environment)
        if not kept:
            raise Pay88Error(
                f"books: {books!r} has no unverified notification of {config.environment}."
                f"{_IN_MEMORY}"
            )
        text = kept[-1]["authorization"]
    else:
        text = sys.stdin.read(2 * readings.MAX_TOKEN) if args.token == "-" else args.token  # noqa: S105
    token = readings.strip(text)
    lines, fits = readings.report(token, secret, config.clock.now())
    for line in lines:
        tell(line)
    return 0 if fits else 1


def _named_books(url: str | None, config: Config) -> Books:
    from pay88kit.books import Books, default_books

    return Books(url) if url else default_books(config)


def _webhook_config(given: str | None) -> tuple[Config, Secret]:
    """Whose webhooks these are, and the secret: given, set, or the local sandbox's."""
    import os

    from pay88kit.config import Config, Secret, environment_is_set, read_dotenv

    given = secret_of(given)
    config, name = Config(), "PAY88_WEBHOOK_SECRET"
    secret = Secret(given) if given else config.webhook_secret
    if config.embedded and not environment_is_set():
        # A secret alone means 88Pay's: there is no other reason to set one.
        secret = secret or Secret((os.environ.get(name) or read_dotenv().get(name, "")).strip())
        if secret:
            return Config(environment="sandbox", webhook_secret=secret), secret
    if not secret and config.embedded:
        from pay88kit.sandbox import Sandbox

        with Sandbox() as sandbox:
            secret = sandbox.config.webhook_secret
        print("Simulated: with the webhook secret of the local sandbox (seed 88).", file=sys.stderr)
    if not secret:
        raise WrongUse(f"webhook_secret: not set. Set {name}, or give --secret.")
    return config.replace(webhook_secret=secret), secret


def _must_be_mine(url: str, mine: bool) -> None:
    """Ask before anything is sent to an address that is not this machine.

    Raises:
        WrongUse: it may not be sent there.
    """
    from pay88kit.relay import check_address, is_here

    check_address(url)
    if mine or is_here(url):
        return
    if sys.stdin.isatty():
        answer = input(f"{url} is not this machine. Is it your own endpoint? [y/N] ")
        if answer.strip().lower() in ("y", "yes"):
            return
    raise WrongUse(f"url: {url} is not this machine. If it is your own endpoint, add --mine.")


def _deliver(
    url: str,
    notification: Outgoing,
    token: Callable[[], Secret | None],
    secret: str,
    times: int = 1,
) -> int:
    """Send a notification, and show it and each answer; 0 when the last answer was 200."""
    from pay88kit import relay
    from pay88kit.display import one_line
    from pay88kit.sandbox.courier import Courier

    tell(one_line(notification.body.decode()))
    courier = Courier(anywhere=True)
    try:
        for number in range(1, times + 1):
            authorization = token()
            headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
            if authorization is not None:
                headers["Authorization"] = authorization
            result = relay.deliver(courier, url, notification.body, headers)
            which = f"{number} of {times}: " if times > 1 else ""
            tell(f"{which}{relay.told(result, authorization, secret)}")
    finally:
        courier.close()
    return 0 if result.status_code == 200 else 1


def _explain(token: Secret, secret: Secret) -> list[str]:
    """What a token is that was not decrypted, in two lines."""
    from pay88kit import readings

    kind = readings.shape(token).kind
    fits = readings.fitting(token, secret)
    if fits:
        return [f"Its token: {kind}. This reads it:", *fits[0].reading.recipe.splitlines()]
    return [f"Its token: {kind}. No known reading fits. See: pay88 webhook inspect --last"]
