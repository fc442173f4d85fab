"""Seeded data, so that a first look at a table or a report shows something."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from pay88kit.client import Pay88
from pay88kit.errors import Pay88Error
from pay88kit.inbox import Inbox
from pay88kit.sandbox import Sandbox

# Method, smallest and largest amount, by country.
_PRICES = {
    "COL": (("PSE", 20_000, 400_000), ("CARDS", 15_000, 900_000), ("NEQUI", 8_000, 150_000)),
    "MEX": (("SPEI", 150, 4_000), ("CARDS", 100, 9_000), ("OXXO", 80, 2_000)),
}
_OTHERS = (("BANK_TRANSFER", 50, 2_000), ("CARDS", 40, 3_000), ("CASH", 20, 800))


def play_day(merchant_id: str, start: datetime, end: datetime, *, seed: int = 88) -> Pay88:
    """A merchant's day in a sandbox of its own: payins, some of them declined, and payouts.

    Everything happens as it would: charges through the client, the customers' decisions on the
    sandbox's clock, notifications received by an inbox. Returns the client, its clock at ``end``.

    Raises:
        Pay88Error: the day lies before the sandbox's time begins.
    """
    sandbox = Sandbox(seed=seed, limits=None)
    opening = max(start, sandbox.clock.now()) + timedelta(hours=1)
    if opening >= end:
        raise Pay88Error("day: the local sandbox's time begins on 2026-01-15. Use that or a later.")
    country = merchant_id.split("-")[1] if merchant_id.count("-") >= 2 else "COL"
    merchant = sandbox.merchant(merchant_id=merchant_id, country=country)
    client = Pay88(sandbox.config_for(merchant_id))
    # Reproducible on purpose.
    dice = random.Random(f"{seed}:{merchant_id}:{start:%Y-%m-%d}")  # noqa: S311
    span = (end - opening).total_seconds() * 0.9
    with Inbox(client.config) as inbox:
        for number, moment in enumerate(sorted(dice.uniform(0, span) for _ in range(24)), 1):
            sandbox.clock.set(opening + timedelta(seconds=int(moment)))
            method, low, high = dice.choice(_PRICES.get(country, _OTHERS))
            charge = client.charge(
                key=f"order-{number}",
                method_code=method,
                amount=dice.randrange(low, high, 10),
                currency=merchant["currency"],
                country=country,
                description=f"Order {number}",
                customer_id=f"customer-{dice.randrange(1, 9)}",
                notification_url=inbox.url,
                return_url="https://shop.example/thanks",
            )
            decision = dice.random()
            if decision < 0.75:
                sandbox.complete(charge.reference)
            elif decision < 0.9:
                sandbox.reject(charge.reference)
        _pay_out(client, sandbox, inbox, merchant["currency"], country)
    sandbox.clock.set(end)
    return client


def _pay_out(client: Pay88, sandbox: Sandbox, inbox: Inbox, currency: str, country: str) -> None:
    """Two payouts at the end of the day, a fifth of what is available each."""
    available = client.balance().total_available
    for number in (1, 2):
        payout = client.cashout(
            key=f"payout-{number}",
            amount=int(available or 0) // 5,
            currency=currency,
            country=country,
            description=f"Supplier {number}",
            customer_id=f"supplier-{number}",
            notification_url=inbox.url,
            bank_details={
                "bank_name": "Banco de Prueba",
                "account_number": f"000{number}",
                "account_type": "CHECKING",
                "holder_name": f"Supplier {number}",
                "identification": f"90000000{number}",
            },
        )
        sandbox.complete(payout.reference)
