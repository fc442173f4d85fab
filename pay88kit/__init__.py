"""pay88kit: a toolkit and teaching guide for integrating 88Pay.

>>> from pay88kit import Pay88
>>> client = Pay88()          # the local sandbox; no account, no network
>>> client.balance()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pay88kit.version import __version__ as __version__

if TYPE_CHECKING:
    from pay88kit.books import Books as Books
    from pay88kit.client import AsyncPay88 as AsyncPay88
    from pay88kit.client import Pay88 as Pay88
    from pay88kit.config import Config as Config
    from pay88kit.endpoint_check import check_endpoint as check_endpoint
    from pay88kit.errors import *  # noqa: F403
    from pay88kit.frames import to_frame as to_frame
    from pay88kit.inbox import Inbox as Inbox
    from pay88kit.models.requests import BankDetails as BankDetails
    from pay88kit.models.requests import CashoutRequest as CashoutRequest
    from pay88kit.models.requests import CashRequest as CashRequest
    from pay88kit.models.requests import ChargeRequest as ChargeRequest
    from pay88kit.policy import Policy as Policy
    from pay88kit.sandbox import Sandbox as Sandbox

# Imported when first used: `from pay88kit import Pay88` loads no server, no database, no pandas.
_ROOMS = {
    "AsyncPay88": "client",
    "BankDetails": "models.requests",
    "Books": "books",
    "CashRequest": "models.requests",
    "CashoutRequest": "models.requests",
    "ChargeRequest": "models.requests",
    "Config": "config",
    "Inbox": "inbox",
    "Pay88": "client",
    "Policy": "policy",
    "Sandbox": "sandbox",
    "check_endpoint": "endpoint_check",
    "to_frame": "frames",
}
_ERRORS = (
    "BadGateway", "BadRequest", "BooksError", "ConfigError", "ConnectionFailed", "Forbidden",
    "FrameError", "GatewayTimeout", "InternalServerError", "InvalidRequest", "KeyConflict",
    "MalformedAnswer", "MissingExtra", "NotFound", "OutcomeUnknown", "Pay88Error", "PortInUse",
    "RateLimited", "ServerError", "ServiceUnavailable", "StatusError", "Unauthorized",
    "UnprocessableEntity", "WebhookRefused", "WrongUse",
)  # fmt: skip
_ROOMS |= dict.fromkeys(_ERRORS, "errors")

__all__ = sorted([*_ROOMS, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'pay88kit' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"pay88kit.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
