"""Requests and answers of the sandbox, the same over HTTP and in process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from pay88kit import money

MAX_BODY = 64 * 1024

_SAFE = {"X-Content-Type-Options": "nosniff"}


# Not frozen: each request makes one of each, and a frozen one takes three times as long to make.
@dataclass(slots=True)
class Ask:
    """A request. Header names are in small letters.

    ``too_large`` says that a server refuses its body, which is then left out.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    too_large: bool = False

    def json(self) -> Any:
        """The decoded body.

        Raises:
            ValueError: it is not JSON.
        """
        return money.loads(self.body)


@dataclass(slots=True)
class Reply:
    """An answer. A fault may keep it back for ``delay`` real seconds, or lose it on its way."""

    status: int
    body: bytes
    headers: dict[str, str]
    delay: float = 0.0
    lost: bool = False


def as_json(status: int, content: Any, headers: dict[str, str] | None = None) -> Reply:
    """JSON, with exact numbers."""
    own = {"Content-Type": "application/json"}
    return Reply(status, money.dumps(content).encode(), own | headers if headers else own)


def success(message: str, data: dict[str, Any], headers: dict[str, str]) -> Reply:
    """88Pay's envelope of a success."""
    envelope = {"status": "Success", "code": 200, "message": message, "data": data}
    return as_json(200, envelope, headers)


def error(status: int, message: str, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    """88Pay's envelope of an error."""
    envelope = {"status": "Error", "code": status, "message": message, **more}
    return as_json(status, envelope, headers)


def too_large(headers: dict[str, str] | None = None) -> Reply:
    """The answer to a body of more than :data:`MAX_BODY` bytes."""
    return error(413, f"body: too large; send at most {MAX_BODY // 1024} KiB.", headers)


def page(text: str, status: int = 200, *, style: str = "'none'", script: bool = False) -> Reply:
    """A web page. It loads nothing from elsewhere, and says so to the browser.

    ``style`` is the policy's source of styles; with ``script`` the page may run files that are
    served beside it. Code and styles inside attributes never run.
    """
    policy = {
        "default-src": "'none'",
        "style-src": style,
        "script-src": "'self'" if script else "'none'",
        "connect-src": "'self'" if script else "'none'",
        "form-action": "'self'",
        "base-uri": "'none'",
        # A notebook behind the same proxy may show the page; a stranger's site may not.
        "frame-ancestors": "'self'",
    }
    return Reply(
        status,
        text.encode(),
        _SAFE
        | {
            "Content-Type": "text/html; charset=utf-8",
            "Cache-Control": "no-store",
            "Content-Security-Policy": "; ".join(f"{k} {v}" for k, v in policy.items()),
            # Not "no-referrer": with that, browsers send forms with the origin "null".
            "Referrer-Policy": "same-origin",
        },
    )


def asset(ask: Ask, name: str) -> Reply:
    """A script or style of the package's folder ``static``."""
    if ask.method not in ("GET", "HEAD"):
        return error(405, "method: use GET.", {"Allow": "GET"})
    kind = {"js": "text/javascript", "css": "text/css"}[name.rsplit(".", 1)[1]]
    return Reply(
        200,
        files(__package__).joinpath("static", name).read_bytes(),
        _SAFE | {"Content-Type": f"{kind}; charset=utf-8", "Cache-Control": "no-cache"},
    )
