"""Exercises of ``explore``, the guide's page after lesson 09."""

from __future__ import annotations

from typing import Any

from pay88kit.guide.exercises.exercise import Exercise, Kind, NotYet, compare, of_type
from pay88kit.guide.exercises.world import as_asked, local
from pay88kit.guide.explore import Exchange, Explorer
from pay88kit.language import N_

_BODY = "the body, a dict"


_ABOUT_FIELDS = {
    "method_code": "CASH and OXXO are two methods, and each has its own countries and counters.",
    "amount": "Amounts are in pesos, and a form begins with one of its own: name yours.",
}
_ABOUT_CALLS = {
    "at_once": "The client keeps its token for 50 seconds, and asks for no other one meanwhile.",
    "after_51": "The kept token is too old by then: a new one is a call too.",
    "refused": "An amount of 0 is found by the kit, before anything is sent.",
}


def _voucher(answer: object, explore: Explorer) -> str:
    local(explore.client)
    exchange = of_type(
        answer,
        Exchange,
        "what explore.send(…) returns",
        "Nothing has been sent: a form only shows what would be.",
    )
    return _charged(exchange, explore, "OXXO")


def _body(answer: object, explore: Explorer) -> str:
    local(explore.client)
    body = of_type(
        answer, dict, _BODY, "explore.raw sends a body: a dict. A form can write it, with .body()."
    )
    return _charged(explore.raw("POST", "/api/transactions/charges", json=body), explore, "SPEI")


def _charged(exchange: Exchange, explore: Explorer, method: str) -> str:
    """What 88Pay has of the exchange, when it is a charge of 900 with this method."""
    if exchange.reference is None:
        said = str(exchange.error or "no transaction in the answer").splitlines()[0]
        raise NotYet(
            f"exchange {exchange.number}: {said}",
            f"a charge of 900 with {method} that is accepted",
            "The error names the field that was refused.",
        )
    as_asked(
        explore.client, exchange.reference, {"method_code": method, "amount": 900}, _ABOUT_FIELDS
    )
    return f"88Pay has {exchange.reference}: 900 MXN with {method}"


def _calls(answer: tuple[object, object, object], explore: Explorer) -> str:
    sandbox = local(explore.client)

    def count(operation: str, **fields: Any) -> int:
        return len(explore.send(operation, **fields).calls)

    count("balance")
    seen: dict[str, object] = {"at_once": count("balance")}
    sandbox.clock.advance(51)
    seen |= {"after_51": count("balance"), "refused": count("charge", amount=0)}
    guesses = dict(zip(seen, answer, strict=True))
    return compare(guesses, seen, "how many calls each exchange names", _ABOUT_CALLS)


EXERCISES = (
    Exercise(
        id="10.1",
        kind=Kind.CALL,
        title=N_("A voucher in Mexico"),
        task=(
            "A shop in Mexico wants to let its customers pay at a counter. Send a charge of 900 "
            "pesos with the method `OXXO`. The form fills in the rest."
        ),
        answer="voucher",
        needs=("explore",),
        starter="voucher = ...",
        solution='voucher = explore.send("charge", method_code="OXXO", amount=900)',
        wrong=(
            'voucher = explore.send("charge", method_code="OXXO")',
            'voucher = explore.send("charge", method_code="CASH", country="MEX", amount=900)',
            'voucher = explore.send("charge", method_code="OXXO", country="COL", amount=900)',
            'voucher = explore.form("charge", method_code="OXXO", amount=900)',
        ),
        hints=(
            'Look at explore.form("charge", method_code="OXXO") first: what differs from it?',
            "Only the method and the amount have to be named.",
        ),
        why="The method decides country, currency and category: ask the form before you write one.",
        check=_voucher,
    ),
    Exercise(
        id="10.2",
        kind=Kind.PREDICT,
        title=N_("How many calls?"),
        task=(
            "An exchange names each HTTP call that it took, a token's too: "
            "`explore.history[0].calls`. You ask for the balance twice. How many calls does the "
            "second exchange take when it comes at once (`at_once`)? How many 51 seconds later "
            "(`after_51`)? And how many does a charge of 0 pesos take (`refused`)? The check "
            "sends them."
        ),
        answer="(at_once, after_51, refused)",
        needs=("explore",),
        starter="at_once = ...\nafter_51 = ...\nrefused = ...",
        solution="at_once = 1\nafter_51 = 2\nrefused = 0",
        wrong=(
            "at_once = 2\nafter_51 = 2\nrefused = 0",
            "at_once = 1\nafter_51 = 1\nrefused = 0",
            "at_once = 1\nafter_51 = 2\nrefused = 1",
        ),
        hints=(
            "A token serves many calls, but the client does not keep it longer than 50 seconds.",
            "What the kit refuses never leaves your machine.",
        ),
        why="One token serves many calls, and a fault that the kit finds costs no call at all.",
        check=_calls,
    ),
    Exercise(
        id="10.3",
        kind=Kind.FAULT,
        title=N_("A body that was written by hand"),
        task=(
            "Somebody wants to charge 900 Mexican pesos by `SPEI` and wrote the body by hand. The "
            "local sandbox answers 400, and names one fault at a time:\n\n"
            "```python\n"
            "body = {\n"
            '    "flow": "PAYIN", "method_code": "SPEI", "method_category": "CASH",\n'
            '    "amount": "900", "currency": "MXN", "country": "MEX",\n'
            '    "description": "Order 1001", "customer_id": "customer-7",\n'
            '    "notification_url": "https://shop.example/webhooks/88pay",\n'
            "}\n"
            'explore.raw("POST", "/api/transactions/charges", json=body)\n'
            "```\n\n"
            "Give the right `body`. The check sends it with `explore.raw`."
        ),
        answer="body",
        needs=("explore",),
        starter="body = ...",
        solution='body = explore.form("charge", method_code="SPEI", amount=900).body()',
        wrong=(
            'body = explore.form("charge", method_code="SPEI", amount="900").body()',
            'body = explore.form("charge", method_code="SPEI", amount=900).body()\n'
            'body["method_category"] = "CASH"',
            'body = explore.form("charge", method_code="SPEI").body()',
            'body = explore.form("charge", method_code="SPEI", amount=900)',
        ),
        hints=(
            "Compare it with a body that works, field by field: explore.form(…) shows one.",
            "Two fields are wrong. The form can also write all of it: explore.form(…).body().",
        ),
        why="Compare a refused request with one that works: the difference is the fault.",
        check=_body,
    ),
)
