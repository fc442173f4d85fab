"""The few helpers that a lesson's cells call."""

from __future__ import annotations

import html
import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from pay88kit.client import Pay88
from pay88kit.client.transports import InProcess
from pay88kit.config import (
    VARIABLES,
    Config,
    environment_is_set,
    is_loopback,
    no_certificates,
    read_dotenv,
)
from pay88kit.errors import ConfigError, PortInUse, StatusError, needs
from pay88kit.guide.evidence import Exchanges, witness_of
from pay88kit.guide.notice import Notice, show
from pay88kit.inbox import Inbox
from pay88kit.models.requests import is_private

INBOX_PORT = 8089


def lesson_config() -> Config:
    """The configuration of a lesson: as ``Config()``, but never production.

    A key that is set while no environment is has no effect: the first call says so.

    Raises:
        ConfigError: the environment is production.
    """
    config = _practice(Config())
    if config.embedded and not environment_is_set():
        for name in filter(_setting, VARIABLES["api_key"]):
            _say_unused(name)
    return config


@cache
def _say_unused(name: str) -> None:
    """Whoever sets a key and forgets the environment would take local answers for 88Pay's."""
    show(
        Notice(
            f"{name} is set, but PAY88_ENVIRONMENT is not: this lesson uses the local sandbox, and "
            f"your key stays unused.",
            "For 88Pay's sandbox set PAY88_ENVIRONMENT=sandbox too, and restart the kernel.",
        )
    )


def _practice(config: Config) -> Config:
    if config.environment == "production":
        raise ConfigError(
            "environment: lessons create charges and payouts, so they refuse production. "
            "Unset PAY88_ENVIRONMENT, or set it to sandbox."
        )
    return config


def lesson_client(config: Config | None = None, **options: Any) -> Pay88:
    """The client of a lesson: ``Pay88()``, but never in production.

    What 88Pay answers it ticks items of the checklist.

    Args:
        config: another client's, to be the same merchant at the same 88Pay; by default
            :func:`lesson_config`.
        options: as of :class:`~pay88kit.Pay88`.

    Raises:
        ConfigError: the environment is production, or its credentials are missing.
    """
    return watched(_practice(config or lesson_config()), **options)


def watched(
    config: Config,
    *,
    event_hooks: Mapping[str, list[Callable[..., Any]]] | None = None,
    **options: Any,
) -> Pay88:
    """A client whose exchanges are evidence for the checklist.

    With the sandbox inside the kit its books are in memory, whatever ``PAY88_BOOKS`` names: that
    sandbox begins anew with each kernel, and its references repeat.
    """
    if config.embedded and "books" not in options:
        from pay88kit.books import passing_books
        from pay88kit.sandbox import shared

        options["books"] = passing_books(config if config.origin else shared().config)
    exchanges = Exchanges()
    hooks = {name: list(each) for name, each in (event_hooks or {}).items()}
    hooks["response"] = [
        lambda response: exchanges.answered(client, response),
        *hooks.get("response", []),
    ]
    client = Pay88(config, event_hooks=hooks, **options)
    return client


# One for each client: whoever runs the cell again, or asks in another one, gets the same.
_inboxes: weakref.WeakKeyDictionary[Pay88, Inbox] = weakref.WeakKeyDictionary()
# Those with a port that a tunnel leads to: the cell that is run again needs it again.
_on_port: dict[int, Inbox] = {}


def lesson_inbox(client: Pay88) -> Inbox:
    """The inbox of a lesson's client, under an address that its 88Pay reaches.

    A sandbox on this machine delivers to this machine. 88Pay delivers to public addresses only:
    the learner names one in ``PAY88_PUBLIC_URL`` (environment or ``.env``), and it leads to port
    8089 of this machine, or to ``PAY88_INBOX_PORT``.

    Raises:
        ConfigError: there is no public address, it is none, or the port is not free.
    """
    if client not in _inboxes:
        _inboxes[client] = _open_inbox(client)
    return _inboxes[client]


def _open_inbox(client: Pay88) -> Inbox:
    config, books = client.config, client.books
    watch = witness_of(config).received
    if client.sandbox is not None:
        return Inbox(config, books=books, watch=watch)
    on_this_machine = is_loopback(urlsplit(config.base_url).hostname or "")
    public_url, port = _setting("PAY88_PUBLIC_URL"), _port()
    if public_url is None and on_this_machine:
        return _on(port, config, books, None) if port else Inbox(config, books=books, watch=watch)
    port = port or INBOX_PORT
    if public_url is None:
        raise ConfigError(
            f"PAY88_PUBLIC_URL: not set, and 88Pay notifies public https:// addresses only. Start "
            f"a tunnel to port {port} of this machine, for instance with: cloudflared tunnel "
            f"--url http://localhost:{port}. Set PAY88_PUBLIC_URL to the https:// address that it "
            f"prints, in the environment or in .env, and restart the kernel (lesson 04 shows how)."
        )
    if not _is_web_address(public_url, plain=on_this_machine):
        raise ConfigError(
            "PAY88_PUBLIC_URL: is no public web address. Use the https:// address that your "
            "tunnel prints, without a path, such as https://some-words.trycloudflare.com."
        )
    return _on(port, config, books, public_url)


def _on(port: int, config: Config, books: Any, public_url: str | None) -> Inbox:
    """An inbox on this port; one of the same merchant that is open there already is the one."""
    if port in _on_port:
        there = _on_port[port]
        if there.books is books and _same(there.config, config):
            return there
        _on_port.pop(port).close()
        for client, inbox in list(_inboxes.items()):
            if inbox is there:
                del _inboxes[client]
    try:
        inbox = Inbox(
            config,
            books=books,
            port=port,
            public_url=public_url,
            watch=witness_of(config).received,
        )
    except PortInUse:
        raise ConfigError(
            f"PAY88_INBOX_PORT: port {port} is in use, perhaps by the kernel of another lesson. "
            f"Shut that kernel down; or set PAY88_INBOX_PORT to another port, and let your tunnel "
            f"lead there."
        ) from None
    _on_port[port] = inbox
    return inbox


def _same(one: Config, other: Config) -> bool:
    names = ("environment", "base_url", "merchant_id", "webhook_secret")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _setting(name: str) -> str | None:
    value = os.environ.get(name, "").strip() or read_dotenv().get(name, "").strip()
    return str(value) or None


def _port() -> int | None:
    said = _setting("PAY88_INBOX_PORT")
    if said is None:
        return None
    if not (said.isdecimal() and 0 < int(said) < 65536):
        raise ConfigError(
            f"PAY88_INBOX_PORT: {said[:20]!r} is no port. Use a number from 1 to 65535, or leave "
            f"it out: then it is {INBOX_PORT}."
        )
    return int(said)


def _is_web_address(url: str, *, plain: bool) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if not parts.hostname or parts.path.strip("/") or parts.query:
        return False
    if plain:
        return parts.scheme in ("http", "https")
    return parts.scheme == "https" and not is_private(parts.hostname)


def by_hand(client: Pay88) -> httpx.Client:
    """``httpx`` for the 88Pay of this client, with nothing of the client's own: no key, no token.

    Paths begin with ``/api/``. The sandbox in this process is reached without a socket.
    """
    url = client.config.base_url
    if client.sandbox is not None:
        return httpx.Client(transport=InProcess(client.sandbox), base_url=url)
    return httpx.Client(
        base_url=url,
        trust_env=not is_loopback(urlsplit(url).hostname or ""),
        verify=no_certificates() if url.startswith("http:") else True,
    )


class Expected:
    """An error that a lesson wanted to show."""

    def __init__(self, error: BaseException) -> None:
        self._kind = type(error).__name__
        self._lines = str(error).splitlines()

    def __repr__(self) -> str:
        return "\n".join([self._kind, *(f"  {line}" for line in self._lines)])

    def _repr_html_(self) -> str:
        lines = "<br>".join(html.escape(line) for line in self._lines)
        style = "border-left:4px solid #b91c1c;padding:.2em .8em;margin:.3em 0"
        return f'<div style="{style}"><b>{html.escape(self._kind)}</b><br>{lines}</div>'


@contextmanager
def expect(kind: type[BaseException], *, at: Pay88 | None = None) -> Iterator[None]:
    """Show the error that the block raises, as you would meet it; fail if it does not come.

    ``at`` is the client whose answer is expected, where 88Pay does not document it: elsewhere than
    at the local sandbox another answer, or none, is shown as what it is, and nothing fails.
    """
    with needs("guide"):
        from IPython.display import display
    # What the kit assumes may be otherwise at 88Pay.
    lenient = at is not None and at.sandbox is None
    try:
        yield
    except kind as error:
        display(Expected(error))  # type: ignore[no-untyped-call]
    except StatusError as error:
        if not lenient:
            raise
        display(Expected(error))  # type: ignore[no-untyped-call]
        print(f"{kind.__name__} was assumed here. 88Pay does not document it, and says otherwise.")
    else:
        if not lenient:
            raise AssertionError(f"{kind.__name__} was expected here, and nothing went wrong.")
        print(f"{kind.__name__} was assumed here. 88Pay does not document it, and accepted it.")


class Chart:
    """A matplotlib figure with words for those who cannot see it."""

    def __init__(self, figure: Any, alt: str) -> None:
        self._figure = figure
        self.alt = alt

    def __repr__(self) -> str:
        return f"Chart: {self.alt}"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        import base64
        import io

        picture = io.BytesIO()
        self._figure.savefig(picture, format="png", dpi=110, bbox_inches="tight")
        data = base64.b64encode(picture.getvalue()).decode()
        return {"image/png": data, "text/plain": repr(self)}, {"image/png": {"alt": self.alt}}


def chart(figure: Any, *, alt: str) -> Chart:
    """Show a matplotlib figure; ``alt`` says what is to be seen in it."""
    with needs("reports"):
        import matplotlib.pyplot as plt
    # Otherwise the notebook shows the figure a second time, without its words.
    plt.close(figure)
    return Chart(figure, alt)
