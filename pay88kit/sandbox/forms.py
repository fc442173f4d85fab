"""How the sandbox reads a request body. Its own code, so that a mistake in the client shows.

Which fault gets which status, and the texts, are assumed: 88Pay documents only that invalid
parameters are 400 and broken business rules 422.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pay88kit import money
from pay88kit.errors import Pay88Error
from pay88kit.models.countries import CURRENCIES, CURRENCY_CODES
from pay88kit.models.methods import CATEGORIES, METHODS, Method

CASH_METHODS = ("CASH", "OXXO")
PAYOUT_METHODS = ("BANK_TRANSFER",)
BANK_FIELDS = ("bank_name", "account_number", "account_type", "holder_name", "identification")
DESCRIPTION_LENGTH = 255
BEYOND = Decimal(10) ** 16


class Fault(Pay88Error):
    """An answer with an error status; the message names the field and the cure."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


@dataclass(slots=True)
class Form:
    """A create that passed the checks."""

    method: Method
    amount: Decimal
    currency: str
    country: str
    description: str
    customer_id: str
    notification_url: str
    return_url: str | None


def read_payin(body: Any, *, cash_only: bool) -> Form:
    """The body of a charge, or of a cash payment.

    Raises:
        Fault: 400 for a malformed field, 422 for a method or an amount that is not allowed there.
    """
    fields = _object(body)
    _one_of(fields, "flow", ("PAYIN",))
    method = METHODS[_one_of(fields, "method_code", CASH_METHODS if cash_only else METHODS)]
    form = _common(fields, method)
    if not method.available_in(form.country):
        raise Fault(
            422,
            f"method_code: {method.code} is not available in {form.country}; "
            f"use it in {', '.join(method.countries)}.",
        )
    _currency_fits(form)
    low, high = method.limits.get(form.currency, (None, None))
    if low is not None and form.amount < low:
        raise Fault(422, f"amount: {method.code} takes {low} {form.currency} or more.")
    if high is not None and form.amount > high:
        raise Fault(422, f"amount: {method.code} takes {high} {form.currency} or less.")
    return form


def read_payout(body: Any, own_currency: str) -> Form:
    """The body of a cashout (its form is assumed).

    Raises:
        Fault: 400 for a malformed field, 422 for a currency that is not the merchant's.
    """
    fields = _object(body)
    _one_of(fields, "flow", ("PAYOUT",))
    form = _common(fields, METHODS[_one_of(fields, "method_code", PAYOUT_METHODS)])
    details = fields.get("bank_details")
    if not isinstance(details, Mapping):
        raise Fault(400, "bank_details: an object with the recipient's account is required.")
    for name in BANK_FIELDS:
        _text(details, name, "bank_details.")
    if form.currency != own_currency:
        raise Fault(422, f"currency: payouts of this merchant are in {own_currency}.")
    _currency_fits(form)
    return form


def _common(fields: Mapping[str, Any], method: Method) -> Form:
    category = _one_of(fields, "method_category", CATEGORIES)
    if category != method.category:
        raise Fault(400, f"method_category: {method.code} belongs to {method.category}.")
    amount = _amount(fields)
    currency, country = _text(fields, "currency"), _text(fields, "country")
    if currency not in CURRENCY_CODES:
        raise Fault(400, "currency: unknown; use an ISO 4217 code such as COP.")
    if country not in CURRENCIES:
        raise Fault(400, "country: unknown; use an ISO 3166-1 alpha-3 code such as COL.")
    description = _text(fields, "description")
    if len(description) > DESCRIPTION_LENGTH:
        raise Fault(400, f"description: too long; use 1 to {DESCRIPTION_LENGTH} characters.")
    customer_id = _text(fields, "customer_id")
    notification_url = _text(fields, "notification_url")
    if not _is_reachable(notification_url):
        raise Fault(
            400,
            "notification_url: use a public https:// address (this local sandbox also accepts "
            "http:// on loopback).",
        )
    return_url = fields.get("return_url")
    if return_url is None and method.redirects:
        raise Fault(400, f"return_url: required for {method.code}; give a web address.")
    if return_url is not None and not _is_web(_text(fields, "return_url")):
        raise Fault(400, "return_url: give a web address such as https://shop.example/thanks.")
    return Form(
        method, amount, currency, country, description, customer_id, notification_url, return_url
    )


def _object(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise Fault(400, "body: send a JSON object.")
    return body


def _text(fields: Mapping[str, Any], name: str, where: str = "") -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value or value.isspace():
        raise Fault(400, f"{where}{name}: {_missing(value)}send it as text that is not empty.")
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise Fault(400, f"{where}{name}: half a character; send valid Unicode text.")
    return value


def _missing(value: Any) -> str:
    # Who did send the field would look for it in vain.
    return "required; " if value is None else ""


def _one_of(fields: Mapping[str, Any], name: str, allowed: Any) -> str:
    value = _text(fields, name)
    if value not in allowed:
        raise Fault(400, f"{name}: not accepted here; use one of {', '.join(allowed)}.")
    return value


def _amount(fields: Mapping[str, Any]) -> Decimal:
    value = fields.get("amount")
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise Fault(400, f"amount: {_missing(value)}send it as a number, not as text.")
    amount = Decimal(value)
    if not 0 < amount < BEYOND:
        raise Fault(400, "amount: out of range; send a number above zero with at most 16 digits.")
    if not isinstance(value, int) and not money.has_cents(amount):
        raise Fault(400, "amount: too many decimals; send at most two.")
    return amount


def _currency_fits(form: Form) -> None:
    accepted = form.method.currencies_in(form.country)
    if form.currency not in accepted:
        raise Fault(
            400,
            f"currency: {form.method.code} in {form.country} takes {' or '.join(accepted)}.",
        )


@lru_cache(256)
def _is_web(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s/]\S*", value):
        return False
    try:
        parts = urlsplit(value)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


@lru_cache(256)
def _is_reachable(url: str) -> bool:
    """Public https, or loopback of this machine."""
    if not _is_web(url):
        return False
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    try:
        address = ip_address(host)
    except ValueError:
        if host == "localhost":
            return True
        named = "." in host and not host.endswith((".localhost", ".local", ".internal"))
        numeric = re.fullmatch(r"[\dxXa-fA-F.]*\d[\dxXa-fA-F.]*", host) is not None
        return parts.scheme == "https" and named and not numeric
    return address.is_loopback or (parts.scheme == "https" and address.is_global)
