"""One delivery to an endpoint, and how its answer is told."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from pay88kit.config import BASE_URLS, is_loopback
from pay88kit.display import one_line
from pay88kit.errors import WrongUse
from pay88kit.sandbox.courier import TIMEOUT, Courier, Result

# Of an endpoint's answer, so many characters are told.
_SHOWN = 200


def check_address(url: str) -> None:
    """See that notifications may be sent to an address at all.

    Raises:
        WrongUse: it is no web address, holds a password, or is 88Pay's own.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url:
        raise WrongUse("url: this is no web address. Use one such as http://127.0.0.1:8000/hook.")
    if parts.username is not None or parts.password is not None:
        # It would be shown wherever the address is.
        raise WrongUse("url: leave the user name and password out of the address.")
    host = (parts.hostname or "").rstrip(".").lower()
    if host in _HOSTS or host.endswith(_DOMAINS):
        raise WrongUse(f"url: {host} is 88Pay's. Notifications go to your own endpoint.")


_HOSTS = {urlsplit(url).hostname for name, url in BASE_URLS.items() if name != "local"}
_DOMAINS = tuple("." + str(host).partition(".")[2] for host in sorted(map(str, _HOSTS)))


def is_here(url: str) -> bool:
    """Whether an address is this machine."""
    return is_loopback(urlsplit(url).hostname or "")


def deliver(courier: Courier, url: str, body: bytes, headers: Mapping[str, str]) -> Result:
    """Make one attempt, and wait for its end: at most five seconds. Redirects are not followed."""
    results: list[Result] = []
    attempt = courier.send(url, body, headers, results.append)
    if attempt is not None:
        attempt.result()
    return results[0]


def told(result: Result, *secrets: str | None) -> str:
    """An endpoint's answer in one line: status, latency, text. It is a stranger's, so escaped.

    An endpoint may repeat what it was sent; ``secrets`` are taken out.
    """
    if result.outcome == "timed out":
        return f"no answer within {TIMEOUT:g} s"
    if result.status_code is None:
        return result.outcome
    text = result.response_body
    for secret in filter(None, secrets):
        # Of an Authorization header, the token alone too.
        for part in (secret, secret.rpartition(" ")[2]):
            text = text.replace(part, "…")
    text = one_line(text.strip())
    text = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    note = " (a redirect, not followed)" if 300 <= result.status_code < 400 else ""
    return f"{result.status_code} in {result.latency_ms} ms{note}" + (f": {text}" if text else "")
