"""The form of an operation, made from the request model and the table of methods.

The method decides the countries, the country the currencies, both together the limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pay88kit.display import grid_html, one_line
from pay88kit.errors import InvalidRequest, Problem
from pay88kit.guide.explore.ports import without_ports
from pay88kit.models.countries import KNOWN
from pay88kit.models.methods import METHODS, Method
from pay88kit.models.requests import METHODS_OF, PAYOUT_BANK_FIELDS, REQUESTS, complete

OPERATIONS = ("token", *REQUESTS, "balance")
NOTES = {
    "token": "Proves who you are. A token and its session id live 60 seconds.",
    "charge": "Asks a customer for money (payin).",
    "cash": "Asks for a payment at a counter (payin). 88Pay documents only its path; the body is "
    "assumed.",
    "cashout": "Sends money to a bank account (payout). 88Pay documents only its path; the body is "
    "assumed.",
    "balance": "What was paid in, paid out, settled, and what is available.",
}
ANY_URL = "https://shop.example/webhooks/88pay"
# To begin with; each is within the documented limits of every method.
_AMOUNTS = {"COP": 50_000, "CLP": 50_000, "MXN": 500, "BRL": 250, "USD": 50, "EUR": 50}
_ACCOUNT = {
    "bank_name": "Banco de Prueba",
    "account_number": "1234567890",
    "account_type": "SAVINGS",
    "holder_name": "Ana Prueba",
    "identification": "900123456-1",
}


@dataclass(frozen=True)
class Field:
    """One field of a form.

    ``choices`` is empty where any text may stand. ``fixed``: it follows from the other fields, or
    does not belong to them.
    """

    name: str
    value: Any
    help: str
    choices: tuple[str, ...] = ()
    fixed: bool = False


class Form:
    """The fields of one operation, in the request model's order."""

    _HEADER = ("Field", "Value", "Choices", "Help")

    def __init__(self, operation: str, fields: tuple[Field, ...]) -> None:
        self.operation = operation
        self.fields = fields

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __getitem__(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)

    def body(self) -> dict[str, Any]:
        """The values as the client's verbs take them, those without a value left out."""
        body: dict[str, Any] = {}
        for field in self.fields:
            if field.value is not None:
                group, _, name = field.name.rpartition(".")
                (body.setdefault(group, {}) if group else body)[name] = field.value
        return body

    def _cells(self) -> list[tuple[str, str, str, str]]:
        return [
            (field.name, _shown(field.value), ", ".join(field.choices) or "–", field.help)
            for field in self.fields
        ]

    def __repr__(self) -> str:
        lines = [f"Form: {self.operation}. {NOTES[self.operation]}"]
        for name, value, choices, told in self._cells():
            lines.append(f"  {one_line(name)} = {one_line(value)}")
            lines.append(f"      {one_line(told)}" + (f" [{choices}]" if choices != "–" else ""))
        return without_ports("\n".join(lines))

    def _repr_html_(self) -> str:
        title = f"Form: {self.operation}. {NOTES[self.operation]}"
        return without_ports(grid_html(title, self._HEADER, self._cells()))


def form(
    operation: str,
    given: Mapping[str, Any] | None = None,
    *,
    notification_url: str = ANY_URL,
    merchant_id: str = "",
) -> Form:
    """The form of an operation. ``given`` values stand as they are; the others fit to them.

    Raises:
        InvalidRequest: there is no such operation.
    """
    given = dict(given or {})
    if operation not in OPERATIONS:
        cure = f"Use one of: {', '.join(OPERATIONS)}."
        raise InvalidRequest(Problem("operation", f"{operation!r} is unknown.", cure))
    if operation == "token":
        return Form(operation, ())
    if operation == "balance":
        told = "Whose balance. Another merchant's is refused."
        return Form(operation, (Field("merchant_id", given.get("merchant_id", merchant_id), told),))
    known = _fields(operation, given, notification_url)
    model = REQUESTS[operation].model_fields
    fields = [field for name in model for field in known[name]]
    # What the model does not have is the kit's to refuse, not the form's to lose.
    fields += [Field(n, v, "Not a field of this form.") for n, v in given.items() if n not in model]
    return Form(operation, tuple(fields))


def _fields(
    operation: str, given: dict[str, Any], notification_url: str
) -> dict[str, tuple[Field, ...]]:
    def field(name: str, value: Any, told: str, choices: tuple[str, ...] = (),
              fixed: bool = False) -> tuple[Field, ...]:  # fmt: skip
        return (Field(name, given.get(name, value), told, choices, fixed),)

    codes = METHODS_OF[operation]
    default = "PSE" if "PSE" in codes else codes[0]
    code = given.get("method_code", default)
    method = METHODS.get(code) if isinstance(code, str) else None
    countries = method.countries or KNOWN if method else KNOWN
    country = given.get("country", countries[0])
    currencies = method.currencies_in(country) if method and isinstance(country, str) else ()
    currency = given.get("currency", currencies[0] if currencies else None)
    derived = complete(operation, {"method_code": code})
    redirects = method is not None and method.redirects
    return {
        "flow": field("flow", derived["flow"], "Follows from the operation.", fixed=True),
        "method_code": field("method_code", default, _about(method), codes),
        "method_category": field(
            "method_category", derived.get("method_category"), "Follows from method_code.",
            fixed=True,
        ),
        "amount": field("amount", _amount(currency), _bounds(operation, method, currency)),
        "currency": field("currency", currency, "ISO 4217.", currencies),
        "country": field("country", country, _where(method), countries),
        "description": field("description", "Order 1001", "1 to 255 characters; shown to the "
                             "customer."),
        "customer_id": field("customer_id", "customer-7", "Your own name for the customer."),
        "notification_url": field("notification_url", notification_url, "Where 88Pay sends the "
                                  "outcome: a public https address, or this machine's inbox for "
                                  "the local sandbox."),
        "return_url": field(
            "return_url", "https://shop.example/thanks" if redirects else None,
            "Where the customer comes back to." if redirects
            else "Only for cards and wallets.", fixed=not redirects,
        ),
        "bank_details": _account(given.get("bank_details", _ACCOUNT)),
    }  # fmt: skip


def _about(method: Method | None) -> str:
    return f"{method.category}; confirmed: {method.confirmed}." if method else "Not in the table."


def _where(method: Method | None) -> str:
    if method is None or method.countries:
        return "ISO 3166-1 alpha-3."
    known = ", ".join(KNOWN)
    return f"ISO 3166-1 alpha-3. In all of 88Pay's countries; its pages name {known}."


def _amount(currency: Any) -> Decimal:
    return Decimal(_AMOUNTS.get(currency, 50))


def _bounds(operation: str, method: Method | None, currency: Any) -> str:
    exact = "Exact, at most two decimals."
    if operation == "cashout" or method is None:
        return f"{exact} 88Pay documents no limit."
    low, high = method.limits.get(currency, (None, None))
    if high is None:
        return f"{exact} 88Pay documents no limit in {currency}."
    bounds = f"{low:,} to {high:,}" if low is not None else f"at most {high:,}"
    return f"{exact} Limits of {method.code}: {bounds} {currency}."


def _account(details: Any) -> tuple[Field, ...]:
    told = "Of the recipient's account (assumed)."
    if not isinstance(details, Mapping):
        return (Field("bank_details", details, told),)
    names = dict.fromkeys((*PAYOUT_BANK_FIELDS, *details))
    return tuple(Field(f"bank_details.{name}", details.get(name), told) for name in names)


def _shown(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "–" if value is None else str(value)
