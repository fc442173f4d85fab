"""Days of a merchant that are played when a report asks for them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from pay88kit.books import Books
from pay88kit.client import Pay88
from pay88kit.errors import Pay88Error
from pay88kit.inbox import Inbox
from pay88kit.language import _
from pay88kit.sandbox import Sandbox

# Method, smallest and largest amount, by country.
_PRICES = {
    "COL": (("PSE", 20_000, 400_000), ("CARDS", 15_000, 900_000), ("NEQUI", 8_000, 150_000)),
    "MEX": (("SPEI", 150, 4_000), ("CARDS", 100, 9_000), ("OXXO", 80, 2_000)),
}
_OTHERS = (("BANK_TRANSFER", 50, 2_000), ("CARDS", 40, 3_000), ("CASH", 20, 800))


def play_days(
    merchant_id: str,
    days: Sequence[tuple[datetime, datetime]],
    *,
    seed: int = 88,
    snapshots: bool = False,
) -> Pay88:
    """A merchant's days in a sandbox of its own: payins, some of them declined, and payouts.

    Everything happens as it would: charges through the client, the customers' decisions on the
    sandbox's clock, notifications received by an inbox. Returns the client, its clock at the last
    end, with books of its own in memory.

    Args:
        merchant_id: whose; its country decides on methods and currency.
        days: start and end of each.
        seed: the same seed gives the same days.
        snapshots: keep the balance in the books before the first day and after each one.

    Raises:
        Pay88Error: the first day lies before the sandbox's time begins.
    """
    sandbox = Sandbox(seed=seed, limits=None)
    if sandbox.clock.now() + timedelta(hours=1) >= days[0][1]:
        raise Pay88Error(
            _(
                "day: the local sandbox's time begins on 2026-01-15. Use that day or a later one, "
                "or name books that have earlier days in PAY88_BOOKS, such as those of pay88 demo."
            )
        )
    country = merchant_id.split("-")[1] if merchant_id.count("-") >= 2 else "COL"
    currency = sandbox.merchant(merchant_id=merchant_id, country=country)["currency"]
    # Books that PAY88_BOOKS names are somebody's: nothing that is played belongs there.
    books = Books()
    client = Pay88(sandbox.config_for(merchant_id), books=books)
    if snapshots:
        sandbox.clock.set(max(days[0][0], sandbox.clock.now()))
        keep_balance(client, books)
    with Inbox(client.config, books=books) as inbox:
        for start, end in days:
            _play(client, sandbox, inbox, start, end, (currency, country, seed))
            sandbox.clock.set(end)
            if snapshots:
                keep_balance(client, books)
    return client


def keep_balance(client: Pay88, books: Books) -> None:
    """Keep a snapshot of the client's balance."""
    books.save_balance(client.balance(), environment="local", now=client.config.clock.now())


def _play(
    client: Pay88,
    sandbox: Sandbox,
    inbox: Inbox,
    start: datetime,
    end: datetime,
    place: tuple[str, str, int],
) -> None:
    currency, country, seed = place
    day = f"{start:%Y-%m-%d}"
    opening = max(start, sandbox.clock.now()) + timedelta(hours=1)
    # Reproducible on purpose.
    dice = random.Random(f"{seed}:{client.config.merchant_id}:{day}")  # noqa: S311
    span = (end - opening).total_seconds() * 0.9
    for number, moment in enumerate(sorted(dice.uniform(0, span) for _each in range(24)), 1):
        sandbox.clock.set(opening + timedelta(seconds=int(moment)))
        method, low, high = dice.choice(_PRICES.get(country, _OTHERS))
        charge = client.charge(
            key=f"{day}-order-{number}",
            method_code=method,
            amount=dice.randrange(low, high, 10),
            currency=currency,
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
    _pay_out(client, sandbox, inbox, (day, currency, country))


def _pay_out(client: Pay88, sandbox: Sandbox, inbox: Inbox, place: tuple[str, str, str]) -> None:
    """Two payouts at the end of the day, a fifth of what is available each."""
    day, currency, country = place
    available = client.balance().total_available
    for number in (1, 2):
        payout = client.cashout(
            key=f"{day}-payout-{number}",
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
