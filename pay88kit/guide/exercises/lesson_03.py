"""Exercises of lesson 03: charge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from pay88kit.client import Pay88
from pay88kit.guide.exercises.exercise import (
    NOTHING,
    WHOLE,
    Exercise,
    Kind,
    NotYet,
    compare,
    of_type,
    shown,
)
from pay88kit.guide.exercises.world import as_asked, local, pending_order, so_far
from pay88kit.inbox import Inbox
from pay88kit.language import N_
from pay88kit.models.answers import Charge

_ABOUT_FIELDS = {
    "method_code": "The method decides where the customer pays, and in which way.",
    "amount": "The order's amount has to be replaced, in pesos and not in cents.",
}
_ABOUT_FINAL = {
    "declined_is": "88Pay documents three statuses: PENDING, COMPLETED and REJECTED.",
    "unpaid_is": "There is no status EXPIRED, and PENDING ends with the time for paying.",
    "column": "`state` is what became of your request, and both were accepted. `status` is what "
    "became of the payment.",
}
_ABOUT_TYPES = {
    "NoneType": NOTHING,
    "str": "Text is joined, not summed: it is no amount to charge.",
    "float": "A float cannot hold every cent.",
}
_NOT_ALL = "A cart has any number of prices: two, three, or none."
_INEXACT = "On its way the sum was a float or lost its cents. A Decimal keeps what it was made of."


def _nequi(answer: object, client: Pay88, order: Mapping[str, object]) -> str:
    local(client)
    charge = of_type(answer, Charge, "the answer of client.charge(…)", WHOLE)
    wanted = {"method_code": "NEQUI", **order, "amount": 80_000}
    as_asked(client, charge.reference, wanted, _ABOUT_FIELDS)
    again = so_far(client, "such charges", method_code="NEQUI", amount="80000.00")
    return f"88Pay has {charge.reference}: NEQUI, 80,000 COP{again}"


def _final_statuses(answer: tuple[object, object, object], client: Pay88, inbox: Inbox) -> str:
    sandbox = local(client)
    declined, unpaid = (pending_order(client, inbox.url).reference for _ in range(2))
    sandbox.reject(declined)
    sandbox.expire(unpaid)
    for reference in (declined, unpaid):
        inbox.wait(reference=reference)
    assert client.books is not None  # noqa: S101 - a lesson's client has books
    rows = client.books.operations().set_index("reference")
    seen: dict[str, object] = {
        "declined_is": rows.loc[declined, "status"],
        "unpaid_is": rows.loc[unpaid, "status"],
        "column": "status",
    }
    guesses = dict(zip(seen, answer, strict=True))
    return compare(guesses, seen, "what the books say after both notifications", _ABOUT_FINAL)


def _total(answer: Callable[[list[str]], object]) -> str:
    seen = []
    for prices, right in (
        (["50000.10", "20000.20"], Decimal("70000.30")),
        (["0.10"] * 3, Decimal("0.30")),
        (["12345678901234567.89", "0.01"], Decimal("12345678901234567.90")),
        ([], Decimal(0)),
    ):
        result = answer(list(prices))
        told = f"the total of {prices} is {shown(result)}"
        kind = type(result).__name__
        if isinstance(result, bool) or not isinstance(result, (int, Decimal)):
            raise NotYet(
                f"{told}, of type {kind}", "an exact number, the sum", _ABOUT_TYPES.get(kind)
            )
        if result != right:
            why = _INEXACT if len(prices) == 2 or abs(result - right) < 1 else _NOT_ALL
            raise NotYet(told, f"{right}", why)
        seen.append(str(result))
    return f"exact totals: {', '.join(seen)}"


EXERCISES = (
    Exercise(
        id="03.1",
        kind=Kind.CALL,
        title=N_("Charge a wallet"),
        task=(
            "Charge 80,000 pesos with the method `NEQUI`. `order` has the other fields, but its "
            "amount is 50,000. NEQUI sends the customer to a page of 88Pay's, so it needs one "
            "field more."
        ),
        answer="nequi",
        needs=("client", "order"),
        starter="nequi = ...",
        solution=(
            "nequi = client.charge(\n"
            '    method_code="NEQUI",\n'
            '    return_url="https://shop.example/thanks",\n'
            '    **(order | {"amount": 80_000}),\n'
            ")"
        ),
        wrong=(
            'nequi = client.charge(method_code="PSE", **(order | {"amount": 80_000}))',
            "nequi = client.charge(\n"
            '    method_code="NEQUI", return_url="https://shop.example/thanks", **order\n'
            ")",
            "nequi = client.charge(\n"
            '    method_code="NEQUI",\n'
            '    return_url="https://shop.example/thanks",\n'
            '    **(order | {"amount": 80_000, "description": "NEQUI"}),\n'
            ")",
            "nequi = client.charge(\n"
            '    method_code="NEQUI",\n'
            '    return_url="https://shop.example/thanks",\n'
            '    **(order | {"amount": 800}),\n'
            ")",
            'nequi = order | {"method_code": "NEQUI", "amount": 80_000}',
        ),
        hints=(
            "The charge with CARDS in this lesson has the same form.",
            'Change the amount with order | {"amount": 80_000}. It also needs return_url.',
        ),
        why="The method decides which fields 88Pay needs; the rest of a charge stays the same.",
        check=_nequi,
    ),
    Exercise(
        id="03.2",
        kind=Kind.PREDICT,
        title=N_("Two orders that are not paid"),
        task=(
            "The bank declines one charge. Nobody pays the other one, until its time is over. "
            "Which final status does each get? And which column of `client.books.operations()` "
            'proves it, `"state"` or `"status"`? The check plays both.'
        ),
        answer="(declined_is, unpaid_is, column)",
        needs=("client", "inbox"),
        starter="declined_is = ...\nunpaid_is = ...\ncolumn = ...",
        solution='declined_is = "REJECTED"\nunpaid_is = "REJECTED"\ncolumn = "status"',
        wrong=(
            'declined_is = "REJECTED"\nunpaid_is = "EXPIRED"\ncolumn = "status"',
            'declined_is = "REJECTED"\nunpaid_is = "REJECTED"\ncolumn = "state"',
            'declined_is, unpaid_is, column = "FAILED", "REJECTED", "status"',
            'declined_is, unpaid_is, column = "REJECTED", "PENDING", "status"',
            'declined_is, unpaid_is, column = "rejected", "rejected", "status"',
        ),
        hints=(
            "This lesson showed both: the declined charge, and the voucher after 72 hours.",
            "Both get the same status. The state says what became of your request, the status "
            "what became of the payment.",
        ),
        why="Both are final and look alike. Offer the customer a new charge; this one is over.",
        check=_final_statuses,
    ),
    Exercise(
        id="03.3",
        kind=Kind.FAULT,
        title=N_("A cart that adds up wrongly"),
        task=(
            "The prices of a cart come from a form, so they are texts. A shop adds them up like "
            "this, and charges `'50000.1020000.20'`:\n\n"
            "```python\n"
            'total = ""\n'
            'for price in ["50000.10", "20000.20"]:\n'
            "    total = total + price\n"
            "```\n\n"
            "Write the function that returns the exact sum of a list of such texts. An empty cart "
            "costs 0. `Decimal` is ready to use."
        ),
        answer="total",
        starter="from decimal import Decimal\n\n\ndef total(prices): ...",
        solution=(
            "from decimal import Decimal\n\n\n"
            "def total(prices):\n"
            "    return sum(Decimal(price) for price in prices)"
        ),
        wrong=(
            'def total(prices):\n    return "".join(prices)',
            "def total(prices):\n    return sum(float(price) for price in prices)",
            "from decimal import Decimal\n\n\n"
            "def total(prices):\n    return Decimal(prices[0]) + Decimal(prices[1])",
            "from decimal import Decimal\n\n\n"
            "def total(prices):\n    return Decimal(sum(float(price) for price in prices))",
            "from decimal import Decimal\n\n\n"
            "def total(prices):\n"
            "    return Decimal(str(sum(float(price) for price in prices)))",
            "def total(prices):\n    return sum(int(float(price)) for price in prices)",
            "from decimal import Decimal\n\n\n"
            "def total(prices):\n    print(sum(Decimal(price) for price in prices))",
            "def total(prices):\n    return sum(prices)",
        ),
        hints=(
            "Make a number of each text first, then add.",
            "Decimal(price) is exact, float(price) is not. sum(…) adds them.",
        ),
        why="Money is summed as exact decimals. Everything else is wrong by a cent one day.",
        check=_total,
    ),
)
