"""What is asked only with ``--create``: charges, a cash payment, payouts, and refused ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pay88kit.client.exchange import PATHS
from pay88kit.contract import Observe
from pay88kit.doctor.checks import Check, Examiner
from pay88kit.doctor.wire import Heard
from pay88kit.models.countries import CURRENCIES
from pay88kit.models.methods import METHODS, Method

_REFERENCE = re.compile(r"[A-Z0-9]{11}")
_PAYMENT_CODE = re.compile(r"88PAY[0-9]{9}")
_BANK_DETAILS = (
    "bank_name", "account_number", "account_type", "holder_name", "identification",
    "reference_number",
)  # fmt: skip
# Nobody listens there: what 88Pay would send belongs to no one.
_NOBODY = "https://merchant.example/webhooks/88pay"
# Small, and within every documented limit.
_AMOUNTS = {"COP": 50_000, "CLP": 50_000, "MXN": 500}
_OTHERWISE = 50
_CUSTOMER = "pay88-doctor"
_RECIPIENT = {
    "bank_name": "Bancolombia",
    "account_number": "1234567890",
    "account_type": "SAVINGS",
    "holder_name": "pay88 doctor",
    "identification": "900123456",
}


def home(x: Examiner) -> str:
    """The merchant's country by its id (``MCH-COL-…``); COL where the id names none."""
    parts = str(x.config.merchant_id).split("-")
    return parts[1] if len(parts) > 1 and parts[1] in CURRENCIES else "COL"


def body(x: Examiner, code: str, country: str | None = None, **changes: Any) -> dict[str, Any]:
    """The documented body of a charge; a change to None leaves the field out."""
    method = METHODS[code]
    if country is None:
        country = home(x) if method.available_in(home(x)) else method.countries[0]
    currency = method.currencies_in(country)[0]
    fields = {
        "flow": "PAYIN",
        "method_code": code,
        "method_category": method.category,
        "amount": _AMOUNTS.get(currency, _OTHERWISE),
        "currency": currency,
        "country": country,
        "description": "pay88 doctor: a test",
        "customer_id": _CUSTOMER,
        "notification_url": _NOBODY,
        "return_url": "https://merchant.example/thanks" if method.redirects else None,
    } | changes
    return {name: value for name, value in fields.items() if value is not None}


def charges(x: Examiner) -> None:
    """One charge per method."""
    for code, method in METHODS.items():
        asked = body(x, code)
        heard = create(x, "charge", asked)
        if heard.status in (403, 422):
            # Documented too: a method need not be available to every account.
            x.see(f"charge.{code}", None, f"not available here: {heard}")
        elif heard.status != 200:
            x.see(f"charge.{code}", False, str(heard))
        else:
            if isinstance(heard.message, str):
                x.see("charge.message", heard.message == "Method processed", str(heard))
            _judge_common(x, heard, asked)
            wrong = _missing(method, heard.data)
            x.see(f"charge.{code}", not wrong, ", ".join(wrong) or "all there")
            if method.category == "CASH":
                _judge_life(x, heard.data.get("expires_at"))
            if not wrong and "urlCheckout" in heard.data:
                x.payable.append(code)


def refusals(x: Examiner) -> None:
    """Charges that must not be accepted, and one with a field that 88Pay does not know."""
    low = _AMOUNTS.get(CURRENCIES[home(x)][0], _OTHERWISE)
    for id, status, asked in (
        ("charge.text-amount", 400, body(x, "CASH", amount=str(low))),
        ("charge.decimals", 400, body(x, "CASH", amount=Decimal(f"{low}.123"))),
        ("charge.unknown-method", 400, body(x, "CASH", method_code="PAY88_DOCTOR")),
        ("charge.category", 400, body(x, "CASH", method_category="CARD")),
        ("charge.return-url", 400, body(x, "CARDS", return_url=None)),
        ("charge.http-notification", None, body(x, "CASH", notification_url=_PLAIN)),
        ("charge.other-country", 422, _elsewhere(x)),
        ("charge.over-limit", 422, body(x, "PSE", "COL", amount=50_000_001)),
    ):
        heard = create(x, "charge", asked)
        fits = 400 <= heard.status < 500 if status is None else heard.status == status
        x.see(id, fits, str(heard))
    heard = create(x, "charge", body(x, "CASH", pay88_doctor=True))
    x.see("charge.unknown-field", heard.status == 200, str(heard))


def cash(x: Examiner) -> None:
    """The path that is only named."""
    before = x.wire.remaining_before(PATHS["charge"])
    asked = body(x, "CASH")
    heard = create(x, "cash", asked)
    wrong = _missing(METHODS["CASH"], heard.data) if heard.status == 200 else []
    x.see("cash.body", heard.status == 200 and not wrong, ", ".join(wrong) or str(heard))
    left = heard.number("X-RateLimit-Remaining")
    if before is not None and left is not None and heard.status == 200:
        seen = f"{before} left after a charge, {left} after a cash payment"
        x.see("limits.shared", left < before, seen)


def payouts(x: Examiner) -> None:
    """A payout beyond any funds, one in a foreign currency, and a small one."""
    currency = CURRENCIES[home(x)][0]
    foreign = "MEX" if home(x) != "MEX" else "COL"
    small = _AMOUNTS.get(currency, _OTHERWISE)
    beyond = create(x, "cashout", _payout(x, amount=9_999_999_999_999))
    x.refused("cashout.funds", beyond, 422, "Insufficient funds")
    other = _payout(x, country=foreign, currency=CURRENCIES[foreign][0], amount=small)
    x.refused("cashout.currency", create(x, "cashout", other), 422)
    asked = _payout(x, amount=small)
    heard = create(x, "cashout", asked)
    if heard.status == 422:
        x.see("cashout.body", None, f"refused, perhaps for want of funds: {heard}")
        return
    wrong = [name for name in ("customer_id", "currency", "amount") if name not in heard.data]
    if not isinstance(heard.data.get("reference"), str):
        wrong.append("reference")
    fits = heard.status == 200 and not wrong
    x.see("cashout.body", fits, f"{heard}, without {', '.join(wrong)}" if wrong else str(heard))


CHECKS = (
    Check(Observe.CREATES, 2, len(METHODS), charges),
    Check(Observe.CREATES, 2, 9, refusals),
    Check(Observe.CREATES, 1, 1, cash),
    Check(Observe.CREATES, 1, 3, payouts),
)
_PLAIN = "http://merchant.example/webhooks/88pay"


def create(x: Examiner, operation: str, asked: Mapping[str, Any]) -> Heard:
    """Ask once for an operation: ``charge``, ``cash`` or ``cashout``."""
    return x.wire.ask(PATHS[operation], x.session().headers, json=asked)


def _payout(x: Examiner, **changes: Any) -> dict[str, Any]:
    return body(x, "BANK_TRANSFER", flow="PAYOUT", bank_details=_RECIPIENT, **changes)


def _elsewhere(x: Examiner) -> dict[str, Any]:
    """A method in a country that does not have it."""
    if home(x) != "MEX":
        return body(x, "PSE", "COL") | {"country": "MEX", "currency": "MXN", "amount": 500}
    return body(x, "OXXO", "MEX") | {"country": "COL", "currency": "COP", "amount": 50_000}


def _judge_common(x: Examiner, heard: Heard, asked: Mapping[str, Any]) -> None:
    data = heard.data
    if not data:
        return
    reference = data.get("reference")
    fits = isinstance(reference, str) and _REFERENCE.fullmatch(reference) is not None
    x.see("charge.reference", fits, "of that form" if fits else "missing or of another form")
    amount = data.get("amount")
    wrong = [name for name in ("customer_id", "currency") if data.get(name) != asked[name]]
    # A decimal number with the same value is the same amount.
    if isinstance(amount, bool | str) or amount != asked["amount"]:
        wrong.append("amount")
    x.see("charge.echo", not wrong, f"other: {', '.join(wrong)}" if wrong else "all repeated")
    named = "status" in data
    x.see("charge.no-status", not named, f"a status: {data['status']}" if named else "none")


def _missing(method: Method, data: Mapping[str, Any]) -> list[str]:
    """The documented fields of a method's answer that are missing or of another form."""

    def text(name: str) -> bool:
        return isinstance(data.get(name), str) and bool(data[name])

    if method.code in ("BANK_TRANSFER", "SPEI"):
        found = data.get("bank_details")
        details = found if isinstance(found, Mapping) else {}
        fields = {f"bank_details.{n}": isinstance(details.get(n), str) for n in _BANK_DETAILS}
        if fields["bank_details.reference_number"] and isinstance(data.get("reference"), str):
            same = details["reference_number"] == data["reference"]
            fields["bank_details.reference_number"] = same
    elif method.category == "CASH":
        fields = {
            "voucher_url": text("voucher_url"),
            "payment_code": _PAYMENT_CODE.fullmatch(str(data.get("payment_code"))) is not None,
            "expires_at": _moment(data.get("expires_at")) is not None,
        }
    elif method.code == "USDT":
        fields = {
            "deposit_address": text("deposit_address"),
            "network": data.get("network") == "TRC20",
            "qr_code_url": text("qr_code_url"),
        }
    else:
        fields = {"urlCheckout": text("urlCheckout")}
    return [f"{name} missing or other" for name, fits in fields.items() if not fits]


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str) or not value.endswith("Z"):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _judge_life(x: Examiner, expires_at: Any) -> None:
    moment = _moment(expires_at)
    if moment is None:
        return
    if x.wire.same_time is False:
        x.see("charge.voucher-life", None, "this 88Pay's clock is not this machine's")
        return
    hours = (moment.astimezone(UTC) - x.wire.clock.now()).total_seconds() / 3600
    x.see("charge.voucher-life", abs(hours - 72) < 0.25, f"{hours:.1f} h")
