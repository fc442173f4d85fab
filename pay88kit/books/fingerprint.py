"""Whether two request bodies ask for the same, also when the first is not to be read any more."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pay88kit import money

_SEALED = "sha256"
# It may change without another thing being asked for.
_LEFT_OUT = "notification_url"


def differences(recorded: str, body: str) -> list[str] | None:
    """The fields in which ``body`` differs from the recorded one, or None where it does not.

    The order of the fields does not count, 1.50 is 1.5, and the webhook address may change. Of a
    sealed body no field is known, so the list is empty where it differs.
    """
    if recorded.startswith(_SEALED):
        _, salt, _ = recorded.split()
        return None if seal(body, salt) == recorded else []
    one, other = money.loads(recorded), money.loads(body)
    names = sorted((one.keys() | other.keys()) - {_LEFT_OUT})
    return [name for name in names if _of(one, name) != _of(other, name)] or None


def seal(body: str, salt: str | None = None) -> str:
    """What stands for a body whose text is to be forgotten: it can be compared, but not read."""
    salt = salt or secrets.token_hex(16)
    fields = {name: item for name, item in money.loads(body).items() if name != _LEFT_OUT}
    digest = hashlib.sha256(f"{salt} {_canonical(fields)}".encode()).hexdigest()
    return f"{_SEALED} {salt} {digest}"


def is_sealed(column: Any) -> Any:
    """The SQL condition that a body is sealed."""
    return column.startswith(f"{_SEALED} ")


def _of(body: Mapping[str, Any], name: str) -> str:
    return _canonical(body[name]) if name in body else ""


def _canonical(value: Any) -> str:
    """JSON in one writing: sorted names, and numbers without zeros that say nothing."""
    if isinstance(value, Mapping):
        parts = (f"{money.dumps(name)}: {_canonical(value[name])}" for name in sorted(value))
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_canonical, value)) + "]"
    if isinstance(value, Decimal):
        text = f"{value:f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text == "-0" else text
    return money.dumps(value)
