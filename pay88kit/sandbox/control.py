"""The control side under ``/_sandbox/``: what customers, banks and time do. Not 88Pay's.

The functions of :class:`Control` are what :class:`~pay88kit.Sandbox` offers in Python; the routes
below them are the same over HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import wait
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pay88kit import money
from pay88kit.errors import Pay88Error
from pay88kit.models.countries import CURRENCIES, CURRENCY_CODES
from pay88kit.sandbox.api import Api
from pay88kit.sandbox.clock import iso
from pay88kit.sandbox.faults import read_fault
from pay88kit.sandbox.forms import Fault
from pay88kit.sandbox.ledger import Refused
from pay88kit.sandbox.limits import LIMITS
from pay88kit.sandbox.plans import Step, read_steps
from pay88kit.sandbox.reply import Ask, Reply, as_json, error
from pay88kit.sandbox.world import Conflict, Merchant, Transaction, World, as_text

Record = dict[str, Any]
Match = Callable[[str], "re.Match[str] | None"]


class NotThere(Pay88Error):
    """No such transaction, merchant, delivery or scenario."""


class Control:
    """Everything that can be done to a world from outside 88Pay's own paths."""

    def __init__(self, world: World, api: Api) -> None:
        self._world = world
        self._api = api
        self._routes: list[tuple[str, str, Match, Callable[..., Reply]]] = []
        self._add("GET", "health", lambda ask: as_json(200, {"status": "ready"}))
        self._add("GET", "merchants", lambda ask: _data(self.merchants()))
        self._add("POST", "merchants", self._post_merchant)
        self._add("GET", "clock", lambda ask: _data(self.clock()))
        self._add("POST", "clock", self._post_clock)
        self._add("GET", "transactions", self._get_transactions)
        self._add("GET", "transactions/{}", lambda ask, ref: _data(self.transaction(ref)))
        for name in ACTIONS:
            self._add("POST", f"transactions/{{}}/{name}", self._finisher(name))
        for name in ("settlements", "fees", "reserves"):
            self._add("POST", name, self._mover(name))
        self._add("POST", "scenarios/{}", self._post_scenario)
        self._add("GET", "webhooks", self._get_webhooks)
        self._add("POST", "webhooks/{}/resend", lambda ask, number: _data(self.resend(number)))
        self._add("POST", "deliveries", self._post_plan)
        self._add("GET", "faults", lambda ask: _data(self.faults()))
        self._add("POST", "faults", lambda ask: _data(self.fault(_fields(ask))))
        self._add("DELETE", "faults", lambda ask: _data(self.clear_faults()))
        self._add("GET", "requests", lambda ask: _data(self._api.requests(_count(ask))))
        self._add("POST", "reset", self._post_reset)

    # -- in Python

    def merchants(self) -> list[Record]:
        """The merchants, with their keys."""
        with self._world.lock:
            return [merchant.record() for merchant in self._world.merchants.values()]

    def clock(self) -> Record:
        """What time it is, and whether the clock is manual."""
        return {"now": iso(self._world.clock.now()), "manual": self._world.clock.manual}

    def transactions(self, merchant_id: str | None = None, last: int | None = None) -> list[Record]:
        """All transactions, or the last ones, oldest first."""
        with self._world.lock:
            found = [
                transaction
                for transaction in self._world.transactions.values()
                if merchant_id in (None, transaction.merchant_id)
            ]
            return [transaction.record() for transaction in _last(found, last)]

    def transaction(self, reference: str) -> Record:
        """One transaction."""
        with self._world.lock:
            return self._transaction(reference).record()

    def finish(self, reference: str, status: str, *, expired: bool = False) -> Record:
        """End a pending transaction; returns when its first notification attempt has ended."""
        transaction = self._transaction(reference)
        wait(self._world.finish(transaction, status, expired=expired))
        return transaction.record()

    def webhooks(self, reference: str | None = None, last: int | None = None) -> list[Record]:
        """Every attempt to deliver a notification, or the last ones, oldest first."""
        with self._world.lock:
            found = [a for a in self._world.attempts if reference in (None, a.reference)]
            return [attempt.record() for attempt in _last(found, last)]

    def resend(self, number: str | int) -> Record:
        """Send the notification of a delivery again; returns when the attempt has ended."""
        with self._world.lock:
            known = {str(attempt.serial): attempt for attempt in self._world.attempts}
            if str(number) not in known:
                raise NotThere(f"webhooks: no delivery {str(number)[:40]!r}.")
            transaction = self._transaction(known[str(number)].reference)
            last = max(a.number for a in known.values() if a.reference == transaction.reference)
            # One attempt: the retries of the first one go on as they were.
            sent = self._world.notify(transaction, last + 1, step=Step())
            record = self._world.attempts[-1].record
        wait(sent)
        return record()

    def plan(self, reference: str, steps: Any) -> Record:
        """Script a reference's notifications; returns when those that start now have ended."""
        read = read_steps(steps)
        transaction = self._transaction(reference)
        wait(self._world.plan(transaction, read))
        return {"reference": reference, "steps": [step.record() for step in read]}

    def faults(self) -> list[Record]:
        """The faults that still meet calls."""
        with self._world.lock:
            return [fault.record() for fault in self._world.faults if not fault.over]

    def fault(self, fields: Mapping[str, Any]) -> Record:
        """Make calls fail; see :class:`~pay88kit.sandbox.faults.Fault`."""
        fault = read_fault(fields)
        with self._world.lock:
            self._world.faults.append(fault)
            return fault.record()

    def clear_faults(self) -> list[Record]:
        """End every fault."""
        with self._world.lock:
            self._world.faults.clear()
            return []

    def move(self, kind: str, amount: Decimal, merchant_id: str | None = None) -> Record:
        """A settlement, fees or reserves; returns the ledger's figures."""
        if amount <= 0 or not money.has_cents(amount):
            raise Fault(400, "amount: give an amount above zero with at most two decimals.")
        with self._world.lock:
            merchant = self._merchant(merchant_id)
            if kind == "settlements":
                merchant.ledger.settle(money.to_cents(amount))
            elif kind == "fees":
                merchant.ledger.fees += money.to_cents(amount)
            else:
                merchant.ledger.reserves += money.to_cents(amount)
            self._world.changed(merchant)
            return {"merchant_id": merchant.merchant_id, **_figures(merchant)}

    def scenario(self, name: str, merchant_id: str | None = None) -> Record:
        """Empty a merchant's ledger, then play one of the balance page's situations."""
        if name not in SCENARIOS:
            raise NotThere(f"scenario: {name[:40]!r} is unknown; use {', '.join(SCENARIOS)}.")
        with self._world.lock:
            merchant = self._merchant(merchant_id)
            self._world.empty(merchant)
            SCENARIOS[name](self._world, merchant)
            self._world.changed(merchant)
            return {"merchant_id": merchant.merchant_id, **_figures(merchant)}

    def set_merchant(self, fields: Mapping[str, Any]) -> tuple[int, Record]:
        """Make a merchant, or change the named fields of a known one; 201 for a new one."""
        checked = _merchant_fields(fields)
        with self._world.lock:
            known = self._world.merchants.get(checked.get("merchant_id", ""))
            merchant = known or self._world.add_merchant(
                checked.get("merchant_id"), checked.get("country", "COL"), checked.get("currency")
            )
            for name in ("country", "currency", "suspended"):
                if name in checked:
                    setattr(merchant, name, checked[name])
            if "credit_limit" in checked:
                merchant.ledger.credit_limit = money.to_cents(checked["credit_limit"])
            if "limits" in checked:
                merchant.limit(checked["limits"])
            self._world.changed(merchant)
            return (200 if known else 201), merchant.record()

    # -- over HTTP

    def routes(self) -> list[tuple[str, str]]:
        """What it answers: method and path, ``{}`` for what differs."""
        return [(method, f"/_sandbox/{pattern}") for method, pattern, _, _ in self._routes]

    def answer(self, ask: Ask) -> Reply:
        """The answer to a request whose path begins with ``/_sandbox/``."""
        path = ask.path.removeprefix("/_sandbox/")
        matches = [(m, handler, found) for m, _, p, handler in self._routes if (found := p(path))]
        for method, handler, found in matches:
            if method == ask.method:
                try:
                    return handler(ask, *found.groups())
                except Fault as fault:
                    return error(fault.status, str(fault))
                except NotThere as missing:
                    return error(404, str(missing))
                except Conflict as conflict:
                    return error(409, str(conflict))
                except Refused as refused:
                    return error(422, str(refused))
        if matches:
            allowed = ", ".join(sorted({method for method, _, _ in matches}))
            return error(405, f"method: use {allowed}.", {"Allow": allowed})
        return error(404, f"path: nothing at {ask.path[:200]}.")

    def _add(self, method: str, pattern: str, handler: Callable[..., Reply]) -> None:
        expression = re.compile(pattern.replace("{}", "([^/]+)"))
        self._routes.append((method, pattern, expression.fullmatch, handler))

    def _post_merchant(self, ask: Ask) -> Reply:
        status, record = self.set_merchant(_fields(ask))
        return as_json(status, {"data": record})

    def _post_clock(self, ask: Ask) -> Reply:
        fields = _fields(ask)
        clock = self._world.clock
        try:
            if "advance" in fields:
                ran = clock.advance(float(_number(fields, "advance")))
            else:
                ran = clock.set(_moment(fields.get("now")))
        except ValueError as fault:
            raise Fault(400, str(fault)) from None
        return _data(self.clock() | {"ran": ran})

    def _get_transactions(self, ask: Ask) -> Reply:
        return _data(self.transactions(ask.query.get("merchant_id"), _count(ask)))

    def _get_webhooks(self, ask: Ask) -> Reply:
        return _data(self.webhooks(ask.query.get("reference"), _count(ask)))

    def _finisher(self, name: str) -> Callable[..., Reply]:
        return lambda ask, reference: _data(
            self.finish(reference, ACTIONS[name], expired=name == "expire")
        )

    def _mover(self, kind: str) -> Callable[..., Reply]:
        def post(ask: Ask) -> Reply:
            fields = _fields(ask)
            return _data(self.move(kind, _number(fields, "amount"), _merchant_id(fields)))

        return post

    def _post_plan(self, ask: Ask) -> Reply:
        fields = _fields(ask)
        for name in fields.keys() - {"reference", "steps"}:
            raise Fault(400, f"{name[:40]}: unknown; use reference and steps.")
        reference = fields.get("reference")
        if not isinstance(reference, str):
            raise Fault(400, "reference: give it as text.")
        return _data(self.plan(reference, fields.get("steps")))

    def _post_scenario(self, ask: Ask, name: str) -> Reply:
        return _data(self.scenario(name, _merchant_id(_fields(ask))))

    def _post_reset(self, ask: Ask) -> Reply:
        seed = _fields(ask).get("seed", self._world.seed)
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise Fault(400, "seed: give a whole number.")
        self._world.reset(seed)
        return _data({"seed": seed})

    # -- helpers

    def _transaction(self, reference: str) -> Transaction:
        transaction = self._world.transactions.get(reference)
        if transaction is None:
            raise NotThere(f"reference: no transaction {reference[:40]!r}.")
        return transaction

    def _merchant(self, merchant_id: str | None) -> Merchant:
        merchants = self._world.merchants
        if merchant_id is None:
            return next(iter(merchants.values()))
        if merchant_id not in merchants:
            raise NotThere(f"merchant_id: no merchant {merchant_id[:40]!r}.")
        return merchants[merchant_id]


ACTIONS = {"complete": "COMPLETED", "reject": "REJECTED", "expire": "REJECTED"}


def _profitable(world: World, merchant: Merchant) -> None:
    world.play(merchant, "PAYIN", 1_000_000_00)
    world.play(merchant, "PAYOUT", 500_000_00)
    merchant.ledger.settle(200_000_00)


def _advance(world: World, merchant: Merchant) -> None:
    """88Pay's sample: payouts on credit first, then deposits."""
    merchant.ledger.credit_limit = 250_010_00
    world.play(merchant, "PAYOUT", 250_010_00)
    world.play(merchant, "PAYIN", 34_490_00)


def _settled(world: World, merchant: Merchant) -> None:
    world.play(merchant, "PAYIN", 500_000_00)
    merchant.ledger.settle(500_000_00)


def _pending(world: World, merchant: Merchant) -> None:
    for amount in (120_000_00, 80_000_00):
        world.play(merchant, "PAYIN", amount, status="PENDING")


def _fees(world: World, merchant: Merchant) -> None:
    world.play(merchant, "PAYIN", 1_000_000_00)
    merchant.ledger.fees = 35_000_00
    merchant.ledger.reserves = 50_000_00


def _low(world: World, merchant: Merchant) -> None:
    world.play(merchant, "PAYIN", 100_000_00)
    world.play(merchant, "PAYOUT", 92_000_00)


def _empty(world: World, merchant: Merchant) -> None:
    """Nothing happened yet."""


SCENARIOS: Mapping[str, Callable[[World, Merchant], None]] = {
    "profitable": _profitable,
    "advance": _advance,
    "settled": _settled,
    "pending": _pending,
    "fees": _fees,
    "empty": _empty,
    "low": _low,
}


def _figures(merchant: Merchant) -> Record:
    ledger = merchant.ledger
    names = ("payin", "payout", "settled", "fees", "reserves", "advanced", "available", "net")
    return {name: as_text(getattr(ledger, name)) for name in names}


def _last(found: list[Any], last: int | None) -> list[Any]:
    return found if last is None else found[max(0, len(found) - last) :]


def _count(ask: Ask) -> int | None:
    """How many of the newest are asked for, by ``?last=``; None for all."""
    text = ask.query.get("last")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Fault(400, "last: give a whole number, 0 or more.")
    return int(text)


def _data(content: Any) -> Reply:
    return as_json(200, {"data": content})


def _fields(ask: Ask) -> Mapping[str, Any]:
    try:
        fields = ask.json() if ask.body else {}
    except ValueError:
        fields = None
    if not isinstance(fields, Mapping):
        raise Fault(400, "body: send a JSON object.")
    return fields


def _number(fields: Mapping[str, Any], name: str) -> Decimal:
    value = fields.get(name)
    try:
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
            raise ValueError
        number = Decimal(value)
        if not number.is_finite() or abs(number) > 10**16:
            raise ValueError
    except (ArithmeticError, ValueError):
        raise Fault(400, f"{name}: give a number.") from None
    return number


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Fault(
            400, 'body: give {"advance": seconds} or {"now": "2026-01-15T12:00:00Z"}.'
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _merchant_id(fields: Mapping[str, Any]) -> str | None:
    value = fields.get("merchant_id")
    if value is not None and not isinstance(value, str):
        raise Fault(400, "merchant_id: give it as text.")
    return value


def _merchant_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    checked = {name: value for name, value in fields.items() if value is not None}
    known = {"merchant_id", "country", "currency", "credit_limit", "suspended", "limits"}
    for name in fields.keys() - known:
        use = ", ".join(sorted(known))
        raise Fault(400, f"{name[:40] or 'body'}: no field of a merchant; use {use}.")
    for name in ("merchant_id", "country", "currency"):
        if not isinstance(checked.get(name, ""), str):
            raise Fault(400, f"{name}: give it as text.")
    if "merchant_id" in checked and not re.fullmatch(r"[\w-]{1,64}", checked["merchant_id"]):
        raise Fault(400, "merchant_id: use letters, digits and hyphens, such as MCH-COL-TEST-1.")
    if checked.get("country", "COL") not in CURRENCIES:
        raise Fault(400, "country: unknown; use an ISO 3166-1 alpha-3 code such as COL.")
    if checked.get("currency", "COP") not in CURRENCY_CODES:
        raise Fault(400, "currency: unknown; use an ISO 4217 code such as COP.")
    if not isinstance(checked.get("suspended", False), bool):
        raise Fault(400, "suspended: give true or false.")
    if "credit_limit" in checked:
        checked["credit_limit"] = _number(checked, "credit_limit")
        if checked["credit_limit"] < 0 or not money.has_cents(checked["credit_limit"]):
            raise Fault(400, "credit_limit: give 0 or more, with at most two decimals.")
    if "limits" in fields:
        checked["limits"] = _limits(fields["limits"])
    return checked


def _limits(value: Any) -> dict[str, tuple[int, int]] | None:
    if value is None:
        return None
    fault = Fault(400, 'limits: give {"family": [per minute, per hour]} or null.')
    if not isinstance(value, Mapping) or not set(value) <= set(LIMITS):
        raise fault
    merged: dict[str, tuple[int, int]] = dict(LIMITS)
    for family, bounds in value.items():
        if not isinstance(bounds, list | tuple) or len(bounds) != 2:
            raise fault
        if any(isinstance(b, bool) or not isinstance(b, int) or b < 1 for b in bounds):
            raise fault
        merged[family] = (bounds[0], bounds[1])
    return merged
