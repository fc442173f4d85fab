"""Exercises of lesson 07: errors and limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pay88kit.client import Pay88
from pay88kit.errors import OutcomeUnknown, Pay88Error, RateLimited, StatusError
from pay88kit.guide.exercises.exercise import Exercise, Kind, NotYet, compare, shown
from pay88kit.guide.exercises.world import local, new_key
from pay88kit.models.answers import Charge
from pay88kit.policy import Policy


def _statuses(
    answer: tuple[object, object, object], client: Pay88, order: Mapping[str, Any]
) -> str:
    local(client)
    tries: dict[str, Callable[[], object]] = {
        "text_amount": lambda: client.charge(check=False, **{**order, "amount": "50000"}),
        "oxxo_in_colombia": lambda: client.charge(
            check=False, **{**order, "method_code": "OXXO", "method_category": "CASH"}
        ),
        "other_merchant": lambda: client.balance("MCH-MEX-SOMEBODY"),
    }
    seen: dict[str, object] = {}
    for name, send in tries.items():
        try:
            send()
            seen[name] = 200
        except StatusError as error:
            seen[name] = error.status_code
    return compare(dict(zip(seen, answer, strict=True)), seen, "the status of each answer")


def _charged_once(answer: Callable[..., object], client: Pay88, order: Mapping[str, Any]) -> str:
    sandbox = local(client)
    key = new_key(client)
    before = len(sandbox.transactions())
    sandbox.fault("charges", "drop_after", times=2)
    try:
        lost = answer(client, key, order)
    finally:
        sandbox.clear_faults()
    made = len(sandbox.transactions()) - before
    if made != 1:
        raise NotYet(
            f"two answers got lost, and the customer has {made} charges",
            "1 charge, whatever became of its answer",
        )
    if lost is not None:
        raise NotYet(f"{shown(lost)} when the answer was lost", "None: the outcome is not known")
    good = answer(client, f"{key}-next", order)
    if not isinstance(good, Charge):
        raise NotYet(f"{shown(good)} when the answer came", "the charge")
    return "1 charge and None when the answer was lost, the charge when it came"


def _next_step(answer: Callable[[Exception], object], client: Pay88, order: Any) -> str:
    seen = []
    for error, step in _errors(client, order):
        said = answer(error)
        if said != step:
            raise NotYet(f"{shown(said)} for {type(error).__name__}", f"{step!r}")
        seen.append(f"{type(error).__name__}: {step}")
    return ", ".join(seen)


def _errors(client: Pay88, order: Mapping[str, Any]) -> list[tuple[Pay88Error, str]]:
    """Errors as they really come, each with what to do next."""
    sandbox = local(client)
    careless = Pay88(client.config, policy=Policy(pace=False, max_wait=0))

    def too_often() -> None:
        for _ in range(11):
            careless.token(fresh=True)

    sandbox.clock.advance(3600)
    found = [
        (_caught(lambda: client.charge(**{**order, "amount": 0})), "correct"),
        (_caught(lambda: client.charge(check=False, **{**order, "amount": "1"})), "correct"),
        (_caught(too_often, RateLimited), "wait"),
    ]
    sandbox.clock.advance(3600)
    sandbox.fault("charges", "drop_after")
    found.append((_caught(lambda: client.charge(**order), OutcomeUnknown), "look"))
    return found


def _caught(send: Callable[[], object], kind: type[Pay88Error] = Pay88Error) -> Pay88Error:
    try:
        send()
    except kind as error:
        return error
    raise AssertionError("the sandbox did not refuse what it refuses")


EXERCISES = (
    Exercise(
        id="07.1",
        kind=Kind.PREDICT,
        title="Which status?",
        task=(
            "Three requests go to 88Pay without the client's checks. Which HTTP status does each "
            'get?\n\n- `text_amount`: a charge with the amount `"50000"`, as text\n'
            "- `oxxo_in_colombia`: a well formed charge, with a method that Colombia does not "
            "have\n- `other_merchant`: the balance of somebody else"
        ),
        answer="(text_amount, oxxo_in_colombia, other_merchant)",
        needs=("client", "order"),
        starter="text_amount = ...\noxxo_in_colombia = ...\nother_merchant = ...",
        solution="text_amount = 400\noxxo_in_colombia = 422\nother_merchant = 403",
        wrong=(
            "text_amount = 400\noxxo_in_colombia = 400\nother_merchant = 401",
            "text_amount = 422\noxxo_in_colombia = 422\nother_merchant = 403",
            "text_amount = 200\noxxo_in_colombia = 422\nother_merchant = 404",
        ),
        hints=(
            "One is malformed, one is against a rule, one is not yours to see.",
            "The headings of this lesson name the statuses: 400, 403, 422.",
        ),
        why="The status says who has to act: you, your customer, or 88Pay's support.",
        check=_statuses,
    ),
    Exercise(
        id="07.2",
        kind=Kind.FAULT,
        title="A retried create",
        task=(
            "This function charges a customer. When an answer gets lost, it charges again:\n\n"
            "```python\n"
            "def charge_once(client, key, order):\n"
            "    while True:\n"
            "        try:\n"
            "            return client.charge(**order)\n"
            "        except OutcomeUnknown:\n"
            "            pass\n"
            "```\n\n"
            "Write it so that it sends the charge once, under its `key`, and returns `None` when "
            "the outcome is not known. The check loses the answers and counts the charges."
        ),
        answer="charge_once",
        needs=("client", "order"),
        starter="def charge_once(client, key, order): ...",
        solution=(
            "def charge_once(client, key, order):\n"
            "    try:\n"
            "        return client.charge(key=key, **order)\n"
            "    except OutcomeUnknown:\n"
            "        return None"
        ),
        wrong=(
            "def charge_once(client, key, order):\n"
            "    while True:\n"
            "        try:\n"
            "            return client.charge(**order)\n"
            "        except OutcomeUnknown:\n"
            "            pass",
            "def charge_once(client, key, order):\n    return client.charge(key=key, **order)",
            "def charge_once(client, key, order):\n"
            "    try:\n"
            "        return client.charge(key=key, **order)\n"
            "    except OutcomeUnknown:\n"
            '        return "failed"',
        ),
        hints=(
            "Not known is not the same as not done. So the loop has to go.",
            "try: return client.charge(key=key, **order). In except OutcomeUnknown: return None.",
        ),
        why="A lost answer says nothing about the charge. Sent again, it is paid twice.",
        check=_charged_once,
    ),
    Exercise(
        id="07.3",
        kind=Kind.CALL,
        title="What to do next",
        task=(
            'Write `next_step(error)`. It returns `"wait"` for `RateLimited`, `"look"` for '
            '`OutcomeUnknown` (look into the dashboard, send nothing), and `"correct"` for '
            "every other error. The check makes four errors happen."
        ),
        answer="next_step",
        needs=("client", "order"),
        starter="def next_step(error): ...",
        solution=(
            "def next_step(error):\n"
            "    if isinstance(error, RateLimited):\n"
            '        return "wait"\n'
            '    return "look" if isinstance(error, OutcomeUnknown) else "correct"'
        ),
        wrong=(
            "def next_step(error):\n"
            '    return "wait" if isinstance(error, RateLimited) else "correct"',
            'def next_step(error):\n    return "wait"',
            'def next_step(error):\n    return "wait" if error.status_code == 429 else "correct"',
        ),
        hints=(
            "isinstance(error, RateLimited) asks which error it is.",
            "Three branches: RateLimited, OutcomeUnknown, and the rest.",
        ),
        why="Not every error has a status: when no answer came, there is none to look at.",
        check=_next_step,
    ),
)
