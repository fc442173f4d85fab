"""Exercises of lesson 06: balance."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from pay88kit.client import Pay88
from pay88kit.guide.exercises.exercise import Exercise, Kind, NotYet, compare, of_type
from pay88kit.guide.exercises.world import available, local
from pay88kit.language import N_
from pay88kit.models.answers import Balance


def _can_pay(answer: Callable[..., object], client: Pay88) -> str:
    sandbox = local(client)
    for scenario, amount, right in (
        ("profitable", 300_000, True),
        ("profitable", 300_001, False),
        ("advance", 34_490, True),
        ("empty", 1, False),
    ):
        sandbox.scenario(scenario)
        said = of_type(answer(client, amount), bool, "the function returns True or False")
        if said is not right:
            raise NotYet(
                f"{said} for {amount:,} in the scenario {scenario}",
                f"{right}: {available(client):,.2f} is available",
            )
    return "the right answer in four situations, the exact limit among them"


def _advance(answer: tuple[object, object], client: Pay88) -> str:
    local(client).scenario("advance")
    balance = client.balance()
    negative = [
        name for name, value in balance.record().items() if isinstance(value, Decimal) and value < 0
    ]
    seen: dict[str, object] = {
        "negative_field": ", ".join(negative),
        "payout_of_30000": "possible" if available(client) >= 30_000 else "not possible",
    }
    return compare(dict(zip(seen, answer, strict=True)), seen, "what the balance says")


def _wakes_somebody(answer: Callable[[Balance], object], client: Pay88) -> str:
    sandbox = local(client)
    right = {"profitable": False, "advance": False, "low": True, "empty": True}
    balances = {}
    for scenario in right:
        sandbox.scenario(scenario)
        balances[scenario] = client.balance()
    beyond = balances["profitable"].model_copy(update={"net_balance": Decimal(-250_011)})
    balances["one peso beyond the limit"] = beyond
    for name, balance in balances.items():
        wanted = right.get(name, True)
        said = of_type(answer(balance), bool, "the function returns True or False")
        if said is not wanted:
            raise NotYet(
                f"{said} for {name}: available {balance.total_available:,.2f}, net "
                f"{balance.net_balance:,.2f}",
                f"{wanted}",
            )
    return ", ".join(f"{name}: {right.get(name, True)}" for name in balances)


EXERCISES = (
    Exercise(
        id="06.1",
        kind=Kind.CALL,
        title=N_("Is there enough?"),
        task=(
            "Write `can_pay(client, amount)`: it asks for the balance and returns `True` when the "
            "amount can be paid out now, and `False` when it cannot. The check tries it in four "
            "situations."
        ),
        answer="can_pay",
        needs=("practice",),
        starter="def can_pay(client, amount): ...",
        solution=(
            "def can_pay(client, amount):\n    return client.balance().total_available >= amount"
        ),
        wrong=(
            "def can_pay(client, amount):\n    return client.balance().net_balance >= amount",
            "def can_pay(client, amount):\n    return client.balance().total_available > amount",
            "def can_pay(client, amount):\n    return client.balance().available >= amount",
        ),
        hints=(
            "One of the five numbers says what you can pay out now.",
            "Compare total_available with the amount. Exactly the amount is enough.",
        ),
        why="Only total_available can be paid out: settled money and payouts are already gone.",
        check=_can_pay,
    ),
    Exercise(
        id="06.2",
        kind=Kind.PREDICT,
        title=N_("On credit"),
        task=(
            "The scenario `advance`: the merchant paid out on 88Pay's credit, and then received "
            "34,490. Which **one** field of the balance is below zero? And is a payout of 30,000 "
            '`"possible"` or `"not possible"`, by what is available? The check plays it.'
        ),
        answer="(negative_field, payout_of_30000)",
        needs=("practice",),
        starter="negative_field = ...\npayout_of_30000 = ...",
        solution='negative_field = "net_balance"\npayout_of_30000 = "possible"',
        wrong=(
            'negative_field = "total_available"\npayout_of_30000 = "not possible"',
            'negative_field = "net_balance"\npayout_of_30000 = "not possible"',
            'negative_field = "total_payout"\npayout_of_30000 = "possible"',
        ),
        hints=(
            "Compare the money that came in with the money that was paid out.",
            "The net position is payin minus payout. What is available is another number.",
        ),
        why="A negative net position is normal on credit; without credit, ask 88Pay at once.",
        check=_advance,
    ),
    Exercise(
        id="06.3",
        kind=Kind.FAULT,
        title=N_("An alarm that rings for nothing"),
        task=(
            "A merchant works on 88Pay's credit; the contract allows 250,010. This function wakes "
            "somebody each night:\n\n"
            "```python\n"
            "def wake_somebody(balance):\n"
            "    return len(alerts(balance)) > 0\n"
            "```\n\n"
            "Write it right: it returns `True` when an alert is more than information, with the "
            "credit that the contract allows, and `False` otherwise. The check tries it with five "
            "balances."
        ),
        answer="wake_somebody",
        needs=("practice",),
        starter="def wake_somebody(balance): ...",
        solution=(
            "def wake_somebody(balance):\n"
            "    limits = Thresholds(credit_limit=250_010)\n"
            "    return any(alert.alarming for alert in alerts(balance, limits))"
        ),
        wrong=(
            "def wake_somebody(balance):\n    return len(alerts(balance)) > 0",
            "def wake_somebody(balance):\n"
            "    return len(alerts(balance, Thresholds(credit_limit=250_010))) > 0",
            "def wake_somebody(balance):\n"
            "    limits = Thresholds(credit_limit=1_000_000)\n"
            "    return any(alert.alarming for alert in alerts(balance, limits))",
            "def wake_somebody(balance):\n    return balance.total_available < 10_000",
        ),
        hints=(
            "Tell alerts(…) the limit. What is within it is still in the list, as information.",
            "Thresholds(credit_limit=250_010) is the limit; alert.alarming is False for "
            "information, and any(…) asks all alerts.",
        ),
        why="An alarm that rings for nothing is switched off, and then misses the real one.",
        check=_wakes_somebody,
    ),
)
