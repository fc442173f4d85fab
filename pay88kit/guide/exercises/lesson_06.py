"""Exercises of lesson 06: balance."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from pay88kit.client import Pay88
from pay88kit.guide.exercises.exercise import Exercise, Kind, NotYet, compare, of_type, shown
from pay88kit.guide.exercises.world import available, local
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


def _alert(answer: Callable[[Balance], object], client: Pay88) -> str:
    sandbox = local(client)
    right = {"empty": "critical", "low": "warning", "advance": "ok", "profitable": "ok"}
    for scenario, level in right.items():
        sandbox.scenario(scenario)
        said = answer(client.balance())
        if said != level:
            raise NotYet(
                f"{shown(said)} in the scenario {scenario}, with "
                f"{available(client):,.2f} available",
                f"{level!r}",
            )
    return ", ".join(f"{scenario}: {level}" for scenario, level in right.items())


EXERCISES = (
    Exercise(
        id="06.1",
        kind=Kind.CALL,
        title="Is there enough?",
        task=(
            "Write `can_pay(client, amount)`: it asks for the balance and returns `True` when the "
            "amount can be paid out now, and `False` when it cannot. The check tries it in four "
            "situations."
        ),
        answer="can_pay",
        needs=("client",),
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
        title="On credit",
        task=(
            "The scenario `advance`: the merchant paid out on 88Pay's credit, and then received "
            "34,490. Which **one** field of the balance is below zero? And is a payout of 30,000 "
            '`"possible"` or `"not possible"`, by what is available? The check plays it.'
        ),
        answer="(negative_field, payout_of_30000)",
        needs=("client",),
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
        title="An alarm that rings for nothing",
        task=(
            "A merchant works on 88Pay's credit. This function wakes somebody each night, and "
            "calls an empty account a warning only:\n\n"
            "```python\n"
            "def alert(balance):\n"
            "    if balance.net_balance < 0:\n"
            '        return "critical"\n'
            "    if balance.total_available < 10_000:\n"
            '        return "warning"\n'
            '    return "ok"\n'
            "```\n\n"
            'Write it so that it returns `"critical"` when nothing is available, `"warning"` '
            'below 10,000, and `"ok"` otherwise.'
        ),
        answer="alert",
        needs=("client",),
        starter="def alert(balance): ...",
        solution=(
            "def alert(balance):\n"
            "    if balance.total_available <= 0:\n"
            '        return "critical"\n'
            "    if balance.total_available < 10_000:\n"
            '        return "warning"\n'
            '    return "ok"'
        ),
        wrong=(
            "def alert(balance):\n"
            "    if balance.net_balance < 0:\n"
            '        return "critical"\n'
            "    if balance.total_available < 10_000:\n"
            '        return "warning"\n'
            '    return "ok"',
            "def alert(balance):\n"
            "    if balance.total_available < 10_000:\n"
            '        return "warning"\n'
            "    if balance.total_available <= 0:\n"
            '        return "critical"\n'
            '    return "ok"',
            "def alert(balance):\n"
            '    return "critical" if balance["total_available"] <= 0 else "ok"',
        ),
        hints=(
            "All three levels look at the same field, and it is not the net position.",
            "Ask for the worst first: total_available <= 0, then below 10,000, then ok.",
        ),
        why="An alarm that rings for nothing is switched off, and then misses the real one.",
        check=_alert,
    ),
)
