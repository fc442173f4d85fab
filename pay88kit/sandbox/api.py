"""88Pay's own paths. Each call is checked in one order:

path and method (404, 405) → authentication (401) → suspension (403) → rate limit (429) → form
(400) → business rule (403, 422). The order is assumed; 88Pay documents only the statuses.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from pay88kit import money
from pay88kit.sandbox import forms
from pay88kit.sandbox.clock import iso
from pay88kit.sandbox.forms import Fault
from pay88kit.sandbox.ledger import Refused
from pay88kit.sandbox.limits import lifted_headers, untouched_headers
from pay88kit.sandbox.reply import Ask, Reply, error, success, too_large
from pay88kit.sandbox.world import Merchant, Transaction, World, as_text

MASKED = ("access_token", "session_id", "api_key", "webhook_secret")
BAD_TOKEN = "Invalid or expired token"  # noqa: S105 - 88Pay's message
BAD_KEY = "Invalid API key or merchant ID"
TOO_MANY = "Rate limit exceeded. Please try again later."
SUSPENDED = "Account suspended; contact 88Pay's support."  # 88Pay's text is not documented


class Api:
    """The five endpoints on a world. ``address`` gives what links in answers start with."""

    def __init__(self, world: World, address: Callable[[], str]) -> None:
        self._world = world
        self._address = address
        self._routes: dict[str, tuple[str, Callable[[Merchant, Ask], tuple[str, Any]]]] = {
            "/api/auth/token": ("token", self._token),
            "/api/transactions/charges": ("transactions", self._charge),
            "/api/transactions/cash": ("transactions", self._cash),
            "/api/transactions/cashout-bank-transfer": ("transactions", self._cashout),
            "/api/balance": ("balance", self._balance),
        }

    def routes(self) -> list[tuple[str, str]]:
        """What it answers: method and path."""
        return [("POST", path) for path in self._routes]

    def answer(self, ask: Ask) -> Reply:
        """The answer to a request, which is then kept in the world's record of requests."""
        with self._world.lock:
            reply = self._too_large(ask) if ask.too_large else self._with_faults(ask)
            self._world.requests.append((self._world.clock.now(), ask, reply))
            return reply

    def _too_large(self, ask: Ask) -> Reply:
        """Refused before anybody looks at who asks, so it counts for no merchant."""
        family, _ = self._routes.get(ask.path, ("transactions", None))
        return too_large(self._nobodys_headers(family))

    def _with_faults(self, ask: Ask) -> Reply:
        """The answer, unless a fault meets this call."""
        if not self._world.faults:
            return self._answer(ask)
        operation = ask.path.rsplit("/", 1)[-1]
        faults = self._world.faults
        known = ask.path in self._routes and ask.method == "POST"
        chance = partial(self._world.ids.chance, "fault")
        fault = next((f for f in faults if known and f.meets(operation, chance)), None)
        if fault is None:
            return self._answer(ask)
        self._world.faults = [left for left in faults if not left.over]
        if fault.kind == "status":
            waiting = {"retry_after": fault.retry_after} if fault.status == 429 else {}
            headers = {"Retry-After": str(fault.retry_after)} if waiting else {}
            return error(fault.status, fault.message, headers, **waiting)
        if fault.kind == "drop_before":
            return Reply(0, b"", {}, lost=True)
        reply = self._answer(ask)
        if fault.kind == "latency":
            return replace(reply, delay=float(fault.seconds))
        if fault.kind == "drop_after":
            return replace(reply, lost=True)
        return replace(reply, body=reply.body[: len(reply.body) // 2])

    def requests(self, last: int | None = None) -> list[dict[str, Any]]:
        """What was asked and answered, or the last of it, oldest first, secrets masked."""
        with self._world.lock:
            kept = list(self._world.requests)
            newest = kept if last is None else kept[max(0, len(kept) - last) :]
            return [
                {
                    "at": iso(at),
                    "method": ask.method,
                    "path": ask.path,
                    # A lost answer reached nobody.
                    "status_code": None if reply.lost else reply.status,
                    "request_body": _readable(ask.body),
                    "response_body": None if reply.lost else _readable(reply.body),
                }
                for at, ask, reply in newest
            ]

    def _answer(self, ask: Ask) -> Reply:
        route = self._routes.get(ask.path)
        now = self._world.clock.now()
        if route is None:
            nothing = f"path: nothing at {ask.path[:200]}; see 88Pay's endpoints."
            # Every answer carries the headers; this one belongs to no family, so any will do.
            return error(404, nothing, self._nobodys_headers("transactions"))
        family, handler = route
        if ask.method != "POST":
            return error(
                405, "method: use POST.", self._nobodys_headers(family) | {"Allow": "POST"}
            )
        merchant = self._by_key(ask) if family == "token" else self._by_token(ask, now)
        if merchant is None:
            message = BAD_KEY if family == "token" else BAD_TOKEN
            return error(401, message, self._nobodys_headers(family))
        window = merchant.windows.get(family)

        def headers() -> dict[str, str]:
            return lifted_headers(now) if window is None else window.headers(now)

        if merchant.suspended:
            self._world.take(merchant, family, now)
            return error(403, SUSPENDED, headers())
        if window is not None:
            seconds = window.retry_after(now)
            if seconds:
                waiting = headers() | {
                    "Retry-After": str(seconds),
                    "X-RateLimit-Remaining": "0",
                    "X-RateLimit-Reset": str(
                        math.ceil((now + timedelta(seconds=seconds)).timestamp())
                    ),
                }
                return error(429, TOO_MANY, waiting, retry_after=seconds)
            self._world.take(merchant, family, now)
        try:
            message, data = handler(merchant, ask)
        except Fault as fault:
            return error(fault.status, str(fault), headers())
        except Refused as refused:
            return error(422, str(refused), headers())
        return success(message, data, headers())

    def _nobodys_headers(self, family: str) -> dict[str, str]:
        """The rate-limit headers of an answer that belongs to no merchant."""
        now = self._world.clock.now()
        return lifted_headers(now) if self._world.limits is None else untouched_headers(family, now)

    # -- authentication

    def _by_key(self, ask: Ask) -> Merchant | None:
        merchant = self._world.merchants.get(ask.headers.get("x-merchant-id", ""))
        if merchant is None or merchant.api_key != ask.headers.get("x-api-key"):
            return None
        return merchant

    def _by_token(self, ask: Ask, now: datetime) -> Merchant | None:
        scheme, _, token = ask.headers.get("authorization", "").partition(" ")
        session = self._world.sessions.get(token.strip())
        if (
            scheme.lower() != "bearer"
            or session is None
            or session.session_id != ask.headers.get("x-session-id")
            or session.expires <= now
        ):
            return None
        return self._world.merchants.get(session.merchant_id)

    # -- the endpoints

    def _token(self, merchant: Merchant, ask: Ask) -> tuple[str, Any]:
        token, session = self._world.open_session(merchant)
        return "Token generated successfully", {
            "access_token": token,
            "expires_in": 60,
            "session_id": session.session_id,
        }

    def _charge(self, merchant: Merchant, ask: Ask) -> tuple[str, Any]:
        return self._payin(merchant, ask, cash_only=False)

    def _cash(self, merchant: Merchant, ask: Ask) -> tuple[str, Any]:
        return self._payin(merchant, ask, cash_only=True)

    def _payin(self, merchant: Merchant, ask: Ask, *, cash_only: bool) -> tuple[str, Any]:
        form = forms.read_payin(_body(ask), cash_only=cash_only)
        transaction = self._create(merchant, form, "PAYIN", ask)
        return "Method processed", _common(transaction, form.amount) | self._way_to_pay(transaction)

    def _cashout(self, merchant: Merchant, ask: Ask) -> tuple[str, Any]:
        form = forms.read_payout(_body(ask), merchant.currency)
        return "Method processed", _common(self._create(merchant, form, "PAYOUT", ask), form.amount)

    def _create(self, merchant: Merchant, form: forms.Form, flow: str, ask: Ask) -> Transaction:
        return self._world.create(
            merchant,
            form.method,
            flow=flow,
            amount=money.to_cents(form.amount),
            currency=form.currency,
            country=form.country,
            customer_id=form.customer_id,
            description=form.description,
            notification_url=form.notification_url,
            return_url=form.return_url,
            session_id=ask.headers.get("x-session-id"),
        )

    def _way_to_pay(self, transaction: Transaction) -> dict[str, Any]:
        """The fields by which the customer pays, which depend on the method."""
        method, address = transaction.method, self._address()
        if method.code in ("BANK_TRANSFER", "SPEI"):
            clabe = method.code == "SPEI"
            digits = self._world.ids.text("account", 12, "0123456789")
            return {
                "bank_details": {
                    "bank_name": "Banco de Prueba",
                    "account_number": f"{64618 if clabe else 88}{digits}",
                    "account_type": "CLABE" if clabe else "CHECKING",
                    "holder_name": "88Pay (simulated)",
                    "identification": "900000088-1",
                    "reference_number": transaction.reference,
                }
            }  # fmt: skip
        if method.category == "CASH":
            return {
                "voucher_url": f"{address}/voucher/{transaction.code}",
                "payment_code": transaction.payment_code,
                "expires_at": iso(transaction.created_at + method.expires),
            }
        if method.code == "USDT":
            return {
                "deposit_address": transaction.deposit_address,
                "network": "TRC20",
                "qr_code_url": f"{address}/qr/{transaction.code}",
            }
        return {"urlCheckout": f"{address}/checkout/{transaction.code}"}

    def _balance(self, merchant: Merchant, ask: Ask) -> tuple[str, Any]:
        asked = ask.query.get("id")
        if not asked:
            raise Fault(400, "id: required; give your merchant id in the query, ?id=MCH-….")
        if asked != merchant.merchant_id:
            raise Fault(403, "id: not the merchant of this token; ask for your own balance.")
        ledger = merchant.ledger
        net = money.from_cents(ledger.net)
        return "OK", {
            "merchant_id": merchant.merchant_id,
            "balance_summary": {
                "total_payin": as_text(ledger.payin),
                "total_payout": as_text(ledger.payout),
                "total_settled": as_text(ledger.settled),
                "total_available": as_text(ledger.available),
                "net_balance": int(net) if net == int(net) else net,
            },
            "message": "Balance calculated successfully",
        }


def _body(ask: Ask) -> Any:
    try:
        return ask.json()
    except ValueError:
        raise Fault(400, "body: not JSON; send a JSON object.") from None


def _common(transaction: Transaction, amount: Decimal) -> dict[str, Any]:
    return {
        "reference": transaction.reference,
        "customer_id": transaction.customer_id,
        "currency": transaction.currency,
        "amount": int(amount) if amount == int(amount) else amount,
    }


def _readable(body: bytes) -> Any:
    """A body as the record of requests keeps it: decoded, its secrets masked."""
    if not body:
        return None
    try:
        return _mask(money.loads(body))
    except ValueError:
        return body.decode(errors="replace")


def _mask(value: Any, depth: int = 0) -> Any:
    """``value`` with its secrets masked.

    Raises:
        ValueError: it is nested so deeply that the record could not be written out.
    """
    if depth > 100:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {k: "…" if k in MASKED and v else _mask(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_mask(item, depth + 1) for item in value]
    return value
