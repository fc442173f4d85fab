"""What a create must look like, checked before anything is sent.

The rules are 88Pay's documented ones; where the documentation is silent the rule says "assumed".
A fault becomes a :class:`~pay88kit.errors.Problem` that names the field, the fault and the cure.
"""

from __future__ import annotations

import difflib
import ipaddress
import socket
import unicodedata
import warnings
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, model_validator

from pay88kit import money
from pay88kit.config import is_loopback
from pay88kit.errors import InvalidRequest, Problem
from pay88kit.models.countries import CURRENCIES, CURRENCY_CODES, KNOWN
from pay88kit.models.methods import CATEGORIES, METHODS, Method


class BankDetails(BaseModel):
    """A bank account, in 88Pay's field names."""

    model_config = ConfigDict(extra="allow", frozen=True)

    bank_name: str | None = None
    account_number: str | None = None
    account_type: str | None = None
    holder_name: str | None = None
    identification: str | None = None
    reference_number: str | None = None


# A payout needs these; 88Pay documents only "bank account details". Assumed.
PAYOUT_BANK_FIELDS = (
    "bank_name", "account_number", "account_type", "holder_name", "identification"
)  # fmt: skip


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    operation: ClassVar[str]

    flow: str
    method_code: str
    method_category: str
    amount: Decimal
    currency: str
    country: str
    description: str
    customer_id: str
    notification_url: str

    @model_validator(mode="before")
    @classmethod
    def _check(cls, values: Any) -> Any:
        # Loopback addresses pass here; the client knows its environment and decides.
        return check(cls.operation, complete(cls.operation, dict(values)), loopback=True)

    def fields(self) -> dict[str, Any]:
        """The body's fields, without those that were not given."""
        return self.model_dump(exclude_none=True)


class ChargeRequest(_Request):
    """The body of a charge (payin). ``flow`` and ``method_category`` follow from the method.

    ``amount`` is exact, in units of ``currency`` (ISO 4217); ``country`` is ISO 3166-1 alpha-3;
    ``description`` has 1 to 255 characters and is shown to the customer; ``customer_id`` is your
    own; ``return_url`` is where the customer comes back to after a card or wallet page.

    Raises:
        InvalidRequest: with every fault found.
    """

    operation = "charge"
    return_url: str | None = None


class CashRequest(ChargeRequest):
    """The body of a cash payment (payin at a counter). 88Pay documents its path only: assumed."""

    operation = "cash"


class CashoutRequest(_Request):
    """The body of a payout to a bank account. 88Pay documents its path only: assumed."""

    operation = "cashout"
    bank_details: BankDetails


REQUESTS: Mapping[str, type[_Request]] = {
    model.operation: model for model in (ChargeRequest, CashRequest, CashoutRequest)
}
_DEFAULT_METHODS = {"cash": "CASH", "cashout": "BANK_TRANSFER"}
METHODS_OF = {"charge": tuple(METHODS), "cash": ("CASH", "OXXO"), "cashout": ("BANK_TRANSFER",)}


def complete(operation: str, fields: dict[str, Any]) -> dict[str, Any]:
    """``fields`` with what follows from the operation and the method."""
    method_code = fields.get("method_code") or _DEFAULT_METHODS.get(operation)
    derived: dict[str, Any] = {"flow": "PAYOUT" if operation == "cashout" else "PAYIN"}
    if method_code is not None:
        derived["method_code"] = method_code
    if isinstance(method_code, str) and method_code in METHODS:
        derived["method_category"] = METHODS[method_code].category
    given = {name: value for name, value in fields.items() if value is not None}
    return derived | given


def check(operation: str, body: dict[str, Any], *, loopback: bool) -> dict[str, Any]:
    """The body with its amount exact, if nothing is wrong with it.

    ``loopback`` says whether addresses on this machine are accepted, as the local sandbox does.

    Raises:
        InvalidRequest: with every fault found.
    """
    problems = list(_problems(operation, body, loopback))
    if problems:
        raise InvalidRequest(*problems)
    country = body["country"]
    if country not in KNOWN:
        warnings.warn(
            f"88Pay names {', '.join(KNOWN)} and counts 13 countries; whether {country} is one of "
            f"them the kit does not know. It is sent as it is.",
            stacklevel=2,
        )
    return body | {"amount": money.exact(body["amount"])}


def _problems(operation: str, body: Mapping[str, Any], loopback: bool) -> Iterator[Problem]:
    model = REQUESTS[operation]
    yield from _unknown_names(body, model)
    yield from _texts(body)
    method = METHODS.get(body["method_code"]) if _is_text(body.get("method_code")) else None
    yield from _method(operation, body, method)
    amount = None
    try:
        if body.get("amount") is None:
            yield Problem("amount", "is missing.", "Give the amount to move, such as 50000.")
        else:
            amount = money.as_written(body["amount"])
    except InvalidRequest as error:
        yield from error.problems
    if amount is not None and amount <= 0:
        yield Problem("amount", f"{amount} is not above zero.", "Give an amount above zero.")
    if method is not None:
        # The documented limits are those of charges.
        yield from _place(body, method, None if operation == "cashout" else amount)
    yield from _addresses(operation, body, method, loopback)
    if operation == "cashout":
        yield from _bank_details(body.get("bank_details"))


def _unknown_names(body: Mapping[str, Any], model: type[_Request]) -> Iterator[Problem]:
    for name in body:
        if name not in model.model_fields:
            near = difflib.get_close_matches(name, model.model_fields, 1)
            meant = f"Did you mean {near[0]}? " if near else ""
            yield Problem(
                name,
                f"is not a field of a {model.operation}.",
                f"{meant}To send a field that the kit does not know, use extra={{{name!r}: …}}.",
            )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


_EXAMPLES = {
    "method_code": "PSE",
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
    "notification_url": "https://shop.example/webhooks/88pay",
}


def _texts(body: Mapping[str, Any]) -> Iterator[Problem]:
    for name, example in _EXAMPLES.items():
        value = body.get(name)
        if value is None:
            yield Problem(name, "is missing.", f"Give it as text, such as {example!r}.")
        elif not _is_text(value):
            fault = "is empty." if isinstance(value, str) else f"{value!r} is not text."
            yield Problem(name, fault, f"Give it as text, such as {example!r}.")
    description = body.get("description")
    if isinstance(description, str) and len(description) > 255:
        yield Problem(
            "description", f"has {len(description)} characters.", "Shorten it to 255 at most."
        )


def _method(operation: str, body: Mapping[str, Any], method: Method | None) -> Iterator[Problem]:
    code = body.get("method_code")
    allowed = METHODS_OF[operation]
    if _is_text(code) and code not in allowed:
        near = difflib.get_close_matches(str(code).upper(), allowed, 1)
        meant = f"Did you mean {near[0]}? " if near else ""
        yield Problem(
            "method_code",
            f"{code!r} is not a method of a {operation}.",
            f"{meant}Use one of: {', '.join(allowed)}.",
        )
    flow = "PAYOUT" if operation == "cashout" else "PAYIN"
    if body.get("flow") != flow:
        yield Problem("flow", f"{body.get('flow')!r} does not fit a {operation}.", f"Use {flow}.")
    category = body.get("method_category")
    if method is not None and category != method.category:
        yield Problem(
            "method_category",
            f"{category!r} does not fit {method.code}.",
            f"Use {method.category}, or leave it out.",
        )
    elif method is None and category is not None and category not in CATEGORIES:
        yield Problem(
            "method_category", f"{category!r} is unknown.", f"Use one of: {', '.join(CATEGORIES)}."
        )


def _place(body: Mapping[str, Any], method: Method, amount: Decimal | None) -> Iterator[Problem]:
    """Country, currency, and the method's limits there."""
    country, currency = body.get("country"), body.get("currency")
    if not (_is_text(country) and _is_text(currency)):
        return
    if country not in CURRENCIES:
        yield Problem(
            "country",
            f"{country!r} is not an ISO 3166-1 alpha-3 code.",
            "Use three capital letters, such as COL, MEX, BRA or CHL.",
        )
        return
    if not method.available_in(str(country)):
        yield Problem(
            "method_code",
            f"{method.code} is not available in {country}.",
            f"It is available in {', '.join(method.countries)}. Choose another method or country.",
        )
        return
    accepted = method.currencies_in(str(country))
    if currency not in accepted:
        fault = (
            f"{currency} does not fit {method.code} in {country}."
            if currency in CURRENCY_CODES
            else f"{currency!r} is not an ISO 4217 code."
        )
        yield Problem("currency", fault, f"Use {' or '.join(accepted)}.")
        return
    low, high = method.limits.get(str(currency), (None, None))
    if amount is None or low is high is None:
        return
    if (low is not None and amount < low) or (high is not None and amount > high):
        bounds = f"{low:,} to {high:,}" if low is not None else f"at most {high:,}"
        yield Problem(
            "amount",
            f"{amount:,} {currency} is outside the limits of {method.code}.",
            f"Use {bounds} {currency}.",
        )


def _addresses(
    operation: str, body: Mapping[str, Any], method: Method | None, loopback: bool
) -> Iterator[Problem]:
    notify = body.get("notification_url")
    if _is_text(notify):
        yield from _notification_url(str(notify), loopback)
    if operation == "cashout":
        return
    return_url = body.get("return_url")
    if return_url is None and method is not None and method.redirects:
        yield Problem(
            "return_url",
            f"is missing, and {method.code} sends the customer to a page of 88Pay's.",
            "Give the address where the customer comes back to your shop.",
        )
    elif return_url is not None:
        address = _split(return_url)
        if address is None or address[0] not in ("https", "http"):
            yield Problem(
                "return_url", "is not a web address.", "Use one such as https://shop.example/thanks"
            )


def _notification_url(url: str, loopback: bool) -> Iterator[Problem]:
    cure = "88Pay calls it from the internet: use a public https:// address."
    address = _split(url)
    if address is None:
        yield Problem("notification_url", "is not a web address.", cure)
        return
    scheme, host = address
    if loopback and scheme in ("http", "https") and is_loopback(host):
        return
    if scheme != "https":
        yield Problem("notification_url", f"begins with {scheme}:, not with https:.", cure)
    elif is_private(host):
        yield Problem("notification_url", f"{host} is not reachable from the internet.", cure)


def _split(url: Any) -> tuple[str, str] | None:
    """Scheme and host of an absolute web address; None for anything else."""
    if not isinstance(url, str) or any(char.isspace() or not char.isprintable() for char in url):
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - a port that is no number raises here
    except ValueError:
        return None
    return (parts.scheme.lower(), parts.hostname) if parts.hostname else None


def is_private(host: str) -> bool:
    """Whether a host is certainly not reachable from the internet; no name is looked up."""
    # Full-width digits are digits to a resolver too.
    name = unicodedata.normalize("NFKC", host).lower().rstrip(".")
    try:
        return not _is_public(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        pass
    try:
        # "127.1", "2130706433" and "0x7f.1" are addresses to a resolver.
        return not _is_public(ipaddress.ip_address(socket.inet_aton(name)))
    except (OSError, ValueError):
        pass
    inner = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test", ".invalid")
    return "." not in name or name.endswith(inner)


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_global and not address.is_multicast


def _bank_details(details: Any) -> Iterator[Problem]:
    if isinstance(details, BaseModel):
        details = details.model_dump(exclude_none=True)
    if not isinstance(details, Mapping):
        yield Problem(
            "bank_details",
            "is missing." if details is None else "is not a mapping of fields.",
            f"Give {', '.join(PAYOUT_BANK_FIELDS)}.",
        )
        return
    for name in PAYOUT_BANK_FIELDS:
        if not _is_text(details.get(name)):
            yield Problem(f"bank_details.{name}", "is missing or not text.", "Give it as text.")
