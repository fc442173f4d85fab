"""The sandbox's own description, OpenAPI 3.1, built from the tables that its code works with.

Served at ``/openapi.json``. What 88Pay documents and what the kit assumed is told apart in
``docs/``, not here: this says what *this sandbox* takes and answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pay88kit.models.countries import CURRENCIES, CURRENCY_CODES
from pay88kit.models.methods import METHODS, Method
from pay88kit.sandbox.api import BAD_KEY, BAD_TOKEN, TOO_MANY
from pay88kit.sandbox.forms import BANK_FIELDS, CASH_METHODS, DESCRIPTION_LENGTH, PAYOUT_METHODS
from pay88kit.sandbox.openapi_control import control_paths, control_schemas, own_paths
from pay88kit.sandbox.openapi_parts import (
    CENT,
    HEADERS,
    MOMENT,
    MONEY,
    RATE,
    REFERENCE,
    SECURITY,
    SESSION,
    SOME_TEXT,
    TEXT,
    WEB,
    Json,
    answer,
    body_of,
    common_errors,
    error,
    obj,
    or_null,
    ref,
    takes_of,
)
from pay88kit.sandbox.reply import MAX_BODY
from pay88kit.version import __version__

ABOUT = f"""Simulated data, not 88Pay: this is the local sandbox of pay88kit.

Every answer on these paths is JSON in 88Pay's envelope; another method is answered 405 with
`Allow`, another path 404. Unknown fields and unknown query parameters are ignored, unless a schema
here says otherwise. Bodies are read as JSON whatever their `Content-Type`, up to
{MAX_BODY // 1024} KiB. Calls are checked in this order: path and method, authentication,
suspension, rate limit, form (400), business rule (422).

The addresses in answers (`urlCheckout`, `voucher_url`, `qr_code_url`) are pages for a browser, and
are not described here."""


def document(address: str, *, control: bool = True) -> Json:
    """The description of a sandbox that is reached at ``address``.

    ``control`` says whether its control side answers.
    """
    paths = _payment_paths() | own_paths() | (control_paths() if control else {})
    tags = [
        {"name": "88Pay", "description": "The paths that 88Pay has."},
        {"name": "Sandbox", "description": "What customers, banks and time do. Not 88Pay's."},
    ]
    return {
        "openapi": "3.1.0",
        "info": {"title": "88Pay (simulated)", "version": __version__, "description": ABOUT},
        "servers": [{"url": address, "description": "This sandbox. Simulated data, not 88Pay."}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": _schemas(control),
            "headers": HEADERS,
            "securitySchemes": SECURITY,
        },
    }


# ---------------------------------------------------------------- 88Pay's paths


def _payment_paths() -> Json:
    charges = {code: _payin_example(method) for code, method in METHODS.items()}
    cash = {code: charges[code] for code in CASH_METHODS}
    by_key: list[Json] = [{"apiKey": [], "merchantId": []}]
    return {
        "/api/auth/token": _payment(
            "token", "Make a token", "Token generated successfully", ref("Token"),
            security=by_key, form=False,
        ),
        "/api/transactions/charges": _payment(
            "charges", "Ask a customer for money", "Method processed", ref("Charge"),
            body=body_of(ref("ChargeBody"), charges), rule=True,
        ),
        "/api/transactions/cash": _payment(
            "cash", "Ask for a payment at a counter", "Method processed", ref("ChargeByVoucher"),
            body=body_of(ref("CashBody"), cash), rule=True,
        ),
        "/api/transactions/cashout-bank-transfer": _payment(
            "cashout", "Send money to a bank account", "Method processed", ref("Cashout"),
            body=body_of(ref("CashoutBody"), {"BANK_TRANSFER": _payout_example()}), rule=True,
        ),
        "/api/balance": _payment(
            "balance", "A merchant's balance", "OK", ref("Balance"),
            query={"id": ("Your merchant id.", TEXT, True)},
        ),
    }  # fmt: skip


def _payment(
    name: str,
    summary: str,
    message: str,
    data: Json,
    *,
    security: list[Json] | None = None,
    body: Json | None = None,
    query: Mapping[str, tuple[str, Json, bool]] | None = None,
    form: bool = True,
    rule: bool = False,
) -> Json:
    """One of 88Pay's paths. ``form``, ``rule``: whether it can answer 400, and 422."""
    done = obj(
        {
            "status": {"const": "Success"},
            "code": {"const": 200},
            "message": {"const": message},
            "data": data,
        }
    )
    refused = BAD_KEY if name == "token" else BAD_TOKEN
    responses = {
        "200": answer(done, "Accepted.", RATE),
        "401": error(401, "Not authenticated.", RATE, refused),
        "403": error(403, "The merchant is suspended, or it is another's balance.", RATE),
        "429": error(429, "Over the rate limit.", (*RATE, "Retry-After"), TOO_MANY),
        **common_errors(),
    }
    if form:
        responses["400"] = error(400, "A field is wrong; `message` names it.", RATE)
    if rule:
        responses["422"] = error(422, "A business rule is broken; `message` says which.", RATE)
    operation: Json = {
        "operationId": name,
        "tags": ["88Pay"],
        "summary": summary,
        "security": security or [{"accessToken": [], "session": []}],
        "responses": dict(sorted(responses.items())),
    }
    return {"post": operation | takes_of(body, query)}


def _payin_example(method: Method) -> Json:
    country = method.countries[0] if method.countries else "COL"
    example = {
        "flow": "PAYIN",
        "method_code": method.code,
        "method_category": method.category,
        "amount": 50_000,
        "currency": method.currencies_in(country)[0],
        "country": country,
        "description": "Order 1001",
        "customer_id": "customer-7",
        "notification_url": "https://shop.example/webhooks/88pay",
    }
    return example | ({"return_url": "https://shop.example/thanks"} if method.redirects else {})


def _payout_example() -> Json:
    account = ("Bancolombia", "1234567890", "SAVINGS", "Ana Pérez", "900123456")
    return _payin_example(METHODS["BANK_TRANSFER"]) | {
        "flow": "PAYOUT",
        "description": "Payout 7",
        "bank_details": dict(zip(BANK_FIELDS, account, strict=True)),
    }


def _payin_body(codes: Iterable[str]) -> Json:
    """A create's body: one schema for each method, told apart by ``method_code``."""
    names = {code: f"Payin_{code}" for code in codes}
    mapping = {code: f"#/components/schemas/{name}" for code, name in names.items()}
    return {
        "oneOf": [ref(name) for name in names.values()],
        "discriminator": {"propertyName": "method_code", "mapping": mapping},
    }


def _create_body(flow: str, method: Method) -> Json:
    """What the sandbox reads of a create with one method."""
    countries = method.countries or tuple(CURRENCIES)
    single = {c for country in countries for c in method.currencies_in(country)}
    return {
        "flow": {"const": flow},
        "method_code": {"const": method.code},
        "method_category": {"const": method.category},
        "amount": _amount(method, single),
        "currency": {"enum": sorted(single)},
        "country": {"enum": list(method.countries)} if method.countries else ref("Country"),
        "description": SOME_TEXT
        | {"maxLength": DESCRIPTION_LENGTH, "description": "Shown to the customer."},
        "customer_id": SOME_TEXT,
        "notification_url": WEB
        | {"description": "Public https, or http(s) on this machine's loopback."},
        "return_url": WEB if method.redirects else or_null(WEB),
    }


def _payin_method(method: Method) -> Json:
    own = "one of the country's own" if method.local_currency else "not the country's own"
    return obj(
        _create_body("PAYIN", method),
        optional=() if method.redirects else ("return_url",),
        more=True,
        description=f"Confirmed: {method.confirmed}. `currency` is {own}"
        + (f", or {' or '.join(method.currencies)}." if method.currencies else "."),
    )


def _amount(method: Method, currencies: set[str]) -> Json:
    """At most two decimals; the method's limits where they hold for every currency it takes."""
    amount: Json = {"type": "number", "exclusiveMinimum": 0, "multipleOf": CENT}
    bounds = [
        f"{currency} {'' if low is None else f'{low} to '}{high}"
        for currency, (low, high) in method.limits.items()
    ]
    if bounds:
        amount["description"] = f"Limits, answered 422: {'; '.join(bounds)}."
    low, high = method.limits.get(next(iter(currencies)), (None, None))
    if len(currencies) == 1 and low is not None:
        amount["minimum"] = low
    if len(currencies) == 1 and high is not None:
        amount["maximum"] = high
    else:
        amount["exclusiveMaximum"] = 10**16
    return amount


def _schemas(control: bool) -> Json:
    schemas = {
        "Country": {"enum": sorted(CURRENCIES), "description": "ISO 3166-1 alpha-3."},
        "Currency": {"enum": sorted(CURRENCY_CODES), "description": "ISO 4217."},
        "ChargeBody": _payin_body(METHODS),
        "CashBody": _payin_body(CASH_METHODS),
        "CashoutBody": obj(
            _create_body("PAYOUT", METHODS[PAYOUT_METHODS[0]])
            | {"bank_details": obj(dict.fromkeys(BANK_FIELDS, SOME_TEXT), more=True)},
            optional=("return_url",),
            more=True,
        ),
    }
    for code, method in METHODS.items():
        schemas[f"Payin_{code}"] = _payin_method(method)
    return schemas | _answers() | (control_schemas() if control else {})


def _answers() -> Json:
    """The ``data`` of 88Pay's answers."""
    number = {"type": "number", "exclusiveMinimum": 0}
    common = {"reference": REFERENCE, "customer_id": TEXT, "currency": TEXT, "amount": number}
    account = dict.fromkeys(BANK_FIELDS, TEXT) | {"reference_number": REFERENCE}
    voucher = {
        "voucher_url": WEB,
        "payment_code": {"type": "string", "pattern": r"^88PAY\d{9}$"},
        "expires_at": MOMENT,
    }
    usdt = {"deposit_address": TEXT, "network": {"const": "TRC20"}, "qr_code_url": WEB}
    kinds = {
        "ChargeByPage": {"urlCheckout": WEB},
        "ChargeByTransfer": {"bank_details": obj(account)},
        "ChargeByVoucher": voucher,
        "ChargeByUsdt": usdt,
    }
    summary = dict.fromkeys(("total_payin", "total_payout", "total_settled"), MONEY) | {
        "total_available": MONEY,
        "net_balance": {"type": "number"},
    }
    return {
        "Token": obj(
            {"access_token": TEXT, "expires_in": {"const": 60}, "session_id": SESSION}
        ),
        "Charge": {"oneOf": [ref(name) for name in kinds]},
        **{name: obj(common | fields) for name, fields in kinds.items()},
        "Cashout": obj(common),
        "Balance": obj(
            {
                "merchant_id": TEXT,
                "balance_summary": obj(summary),
                "message": {"const": "Balance calculated successfully"},
            }
        ),
    }  # fmt: skip
