"""Requests and answers of the sandbox, the same over HTTP and in process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pay88kit import money

MAX_BODY = 64 * 1024


@dataclass(frozen=True)
class Ask:
    """A request. Header names are in small letters."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The decoded body.

        Raises:
            ValueError: it is not JSON.
        """
        return money.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    body: bytes
    headers: dict[str, str]


def as_json(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """JSON, with exact numbers."""
    return Reply(
        status,
        money.dumps(content).encode(),
        {"Content-Type": "application/json", **(headers or {})},
    )


def success(message: str, data: Mapping[str, Any], headers: Mapping[str, str]) -> Reply:
    """88Pay's envelope of a success."""
    envelope = {"status": "Success", "code": 200, "message": message, "data": dict(data)}
    return as_json(200, envelope, headers)


def error(
    status: int, message: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Reply:
    """88Pay's envelope of an error."""
    envelope = {"status": "Error", "code": status, "message": message, **more}
    return as_json(status, envelope, headers)


def page(text: str, status: int = 200) -> Reply:
    """A web page. It loads nothing from elsewhere, and says so to the browser."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"
    return Reply(
        status,
        text.encode(),
        {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )
