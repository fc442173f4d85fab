"""Exercises of lesson 07: errors and limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pay88kit.client import Pay88
from pay88kit.errors import (
    OutcomeUnknown,
    Pay88Error,
    RateLimited,
    StatusError,
    UnprocessableEntity,
)
from pay88kit.guide.exercises.exercise import NOTHING, Exercise, Kind, NotYet, compare, shown
from pay88kit.guide.exercises.world import local, new_key
from pay88kit.language import N_
from pay88kit.models.answers import Charge
from pay88kit.policy import Policy

_ABOUT_STATUSES = {
    "no_customer": "A field is missing: the request itself is wrong, whatever 88Pay's rules are.",
    "small_card": "The request is well formed. It is a rule for cards that it breaks.",
    "other_merchant": "88Pay knows who asks, and this balance is not theirs to see.",
}
_CALLS = 5


def _statuses(
    answer: tuple[object, object, object], client: Pay88, order: Mapping[str, Any]
) -> str:
    local(client)
    card = {
        "method_code": "CARDS",
        "method_category": "CARD",
        "return_url": "https://shop.example/thanks",
        "amount": 1_000,
    }
    nobody = {name: value for name, value in order.items() if name != "customer_id"}
    tries: dict[str, Callable[[], object]] = {
        "no_customer": lambda: client.charge(check=False, **nobody),
        "small_card": lambda: client.charge(check=False, **{**order, **card}),
        "other_merchant": lambda: client.balance("MCH-MEX-SOMEBODY"),
    }
    seen: dict[str, object] = {}
    for name, send in tries.items():
        try:
            send()
            seen[name] = 200
        except StatusError as error:
            seen[name] = error.status_code
    guesses = dict(zip(seen, answer, strict=True))
    return compare(guesses, seen, "the status of each answer", _ABOUT_STATUSES)


class _TooOften(BaseException):
    """A loop without end; not an ``Exception``, which the learner's code may catch."""


class _Counted:
    """A client whose charges are counted, so that no loop holds the notebook for ever."""

    def __init__(self, client: Pay88) -> None:
        self._client = client
        self._left = _CALLS

    def charge(self, *arguments: Any, **fields: Any) -> Charge:
        self._left -= 1
        if self._left < 0:
            raise _TooOften
        return self._client.charge(*arguments, **fields)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _charged_once(answer: Callable[..., object], client: Pay88, order: Mapping[str, Any]) -> str:
    try:
        return _one_charge(answer, client, order)
    except _TooOften:
        raise NotYet(
            f"more than {_CALLS} calls, and no end of them",
            "one call",
            "The key keeps the customer from paying twice, but the loop waits for an answer that "
            "never comes.",
        ) from None


def _one_charge(answer: Callable[..., object], client: Pay88, order: Mapping[str, Any]) -> str:
    sandbox = local(client)
    key = new_key(client)
    before, known = len(sandbox.transactions()), len(_keys(client))

    def made() -> int:
        return len(sandbox.transactions()) - before

    def keys() -> list[str]:
        return _keys(client)[known:]

    sandbox.fault("charges", "drop_after", times=2)
    try:
        lost = answer(_Counted(client), key, order)
    finally:
        sandbox.clear_faults()
    if made() != 1:
        raise NotYet(
            f"an answer got lost, and the customer has {_charges(made())}",
            "1 charge, whatever became of its answer",
            None if made() else "Nothing was sent, so nobody can pay.",
        )
    if lost is not None:
        raise NotYet(
            f"{shown(lost)} when the answer was lost",
            "None",
            "Neither done nor failed: nobody knows yet. Whoever reads another value acts on it.",
        )
    answer(_Counted(client), key, order)
    if made() != 1:
        raise NotYet(
            f"the same order once more, and the customer has {_charges(made())}",
            "1 charge for one key",
            "The second call went out under another key: that is another order."
            if any(keys())
            else "The charge has no key in your books, so a second call charged again.",
        )
    if key not in keys():
        raise NotYet(
            f"1 charge, and its key in your books is {next(iter(keys()), '') or 'none'}",
            f"{key}, the key that was given",
            "Under another key, or none, a program that has to start again charges again.",
        )
    good = answer(_Counted(client), f"{key}-next", order)
    if not isinstance(good, Charge):
        raise NotYet(
            f"{shown(good)} when the answer came",
            "the charge",
            "Without it the shop has no address to send the customer to.",
        )
    _refused(answer, client, f"{key}-refused", order)
    return (
        "1 charge and None when the answer was lost, the charge when it came, and the 422 as it is"
    )


def _refused(
    answer: Callable[..., object], client: Pay88, key: str, order: Mapping[str, Any]
) -> None:
    """See that an error which is no lost answer is not taken for one."""
    sandbox = local(client)
    sandbox.fault("charges", "status", status=422)
    try:
        said = answer(_Counted(client), key, order)
    except UnprocessableEntity:
        return
    finally:
        sandbox.clear_faults()
    raise NotYet(
        f"{shown(said)} when 88Pay had refused the charge with 422",
        "the error: it passes through the function",
        "A refusal is known: nothing was charged, and somebody has to correct the order. Catch "
        "OutcomeUnknown only.",
    )


def _charges(count: int) -> str:
    return f"{count} charge{'s' * (count != 1)}"


def _keys(client: Pay88) -> list[str]:
    """The key of each operation in the books; empty for one that has none."""
    assert client.books is not None  # noqa: S101 - a lesson's client has books
    return list(client.books.operations()["key"].fillna(""))


def _next_step(answer: Callable[[Exception], object], client: Pay88, order: Any) -> str:
    seen = []
    for error, step in _errors(client, order):
        said = answer(error)
        kind = type(error).__name__
        if said != step:
            raise NotYet(f"{shown(said)} for {kind}", f"{step!r}", _amiss(said, step, kind))
        seen.append(f"{kind}: {step}")
    return ", ".join(seen)


def _amiss(said: object, step: str, kind: str) -> str:
    """Why another next step than ``step`` is wrong."""
    if said is None:
        return f"{NOTHING} Every error needs a next step."
    if said not in ("wait", "look", "correct"):
        return "There are three words in the task: wait, look and correct."
    if step == "wait":
        return (
            f"It was not recognised: isinstance(error, {kind}) asks whether it is one. `is` and "
            "== compare it with the class itself, and never agree."
        )
    if step == "look":
        return (
            "It may have been accepted: whatever is sent again would be a second charge. "
            f"isinstance(error, {kind}) tells it from the others."
        )
    if said == "look":
        return "There is nothing to look for: it was refused, or never sent."
    return "Waiting changes nothing: the request itself is wrong."


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
        title=N_("Which status?"),
        task=(
            "Three requests go to 88Pay without the client's checks. Which HTTP status does each "
            "get?\n\n- `no_customer`: a charge without `customer_id`\n"
            "- `small_card`: a well formed charge of 1,000 pesos with `CARDS`, which take 5,000 or "
            "more in Colombia\n- `other_merchant`: the balance of somebody else"
        ),
        answer="(no_customer, small_card, other_merchant)",
        needs=("practice", "order"),
        starter="no_customer = ...\nsmall_card = ...\nother_merchant = ...",
        solution="no_customer = 400\nsmall_card = 422\nother_merchant = 403",
        wrong=(
            "no_customer = 422\nsmall_card = 422\nother_merchant = 403",
            "no_customer = 400\nsmall_card = 400\nother_merchant = 403",
            "no_customer = 400\nsmall_card = 422\nother_merchant = 401",
            "no_customer = 404\nsmall_card = 403\nother_merchant = 404",
            "no_customer = 400\nsmall_card = 200\nother_merchant = 403",
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
        title=N_("A retried create"),
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
            "the outcome is not known. Every other error passes through. The check loses the "
            "answers and counts the charges."
        ),
        answer="charge_once",
        needs=("practice", "order"),
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
            "def charge_once(client, key, order):\n"
            "    while True:\n"
            "        try:\n"
            "            return client.charge(key=key, **order)\n"
            "        except OutcomeUnknown:\n"
            "            pass",
            "def charge_once(client, key, order):\n"
            "    try:\n"
            "        return client.charge(**order)\n"
            "    except OutcomeUnknown:\n"
            "        return None",
            "def charge_once(client, key, order):\n"
            "    try:\n"
            "        return client.charge(key=key, **order)\n"
            "    except Exception:\n"
            "        return None",
            "done = set()\n\n\n"
            "def charge_once(client, key, order):\n"
            "    if key in done:\n"
            "        return None\n"
            "    done.add(key)\n"
            "    try:\n"
            "        return client.charge(**order)\n"
            "    except OutcomeUnknown:\n"
            "        return None",
            "def charge_once(client, key, order):\n"
            "    try:\n"
            "        client.charge(key=key, **order)\n"
            "    except OutcomeUnknown:\n"
            "        return None",
            "def charge_once(client, key, order):\n    return client.charge(key=key, **order)",
            "def charge_once(client, key, order):\n"
            "    try:\n"
            "        return client.charge(key=key, **order)\n"
            "    except OutcomeUnknown:\n"
            '        return "failed"',
            "def charge_once(client, key, order):\n"
            "    try:\n"
            '        return client.charge(key="order", **order)\n'
            "    except OutcomeUnknown:\n"
            "        return None",
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
        title=N_("What to do next"),
        task=(
            'Write `next_step(error)`. It returns `"wait"` for `RateLimited`, `"look"` for '
            '`OutcomeUnknown` (look into the dashboard, send nothing), and `"correct"` for '
            "every other error. The check makes four errors happen."
        ),
        answer="next_step",
        needs=("practice", "order"),
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
            "def next_step(error):\n"
            '    return "wait" if isinstance(error, RateLimited) else "look"',
            "def next_step(error):\n"
            "    if error is RateLimited:\n"
            '        return "wait"\n'
            '    return "look" if error is OutcomeUnknown else "correct"',
            "def next_step(error):\n"
            "    if isinstance(error, RateLimited):\n"
            '        return "wait"\n'
            "    if isinstance(error, OutcomeUnknown):\n"
            '        return "look"',
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
