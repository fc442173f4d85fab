"""Exercises of lesson 03: charge."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from pay88kit.client import Pay88
from pay88kit.guide.exercises.exercise import Exercise, Kind, NotYet, compare, of_type, shown
from pay88kit.guide.exercises.world import local, pending_order, transaction
from pay88kit.inbox import Inbox
from pay88kit.models.answers import Charge


def _nequi(answer: object, client: Pay88) -> str:
    local(client)
    charge = of_type(answer, Charge, "the answer of client.charge(…)")
    found = transaction(client, charge.reference)
    if found is None:
        raise NotYet(f"88Pay has no transaction {charge.reference}", "a charge that was sent")
    if found["method_code"] != "NEQUI":
        raise NotYet(f"method_code is {found['method_code']}", "method_code is NEQUI")
    if Decimal(found["amount"]) != 80_000:
        raise NotYet(
            f"amount is {found['amount']}",
            "amount is 80000.00",
            "Amounts are in pesos, not in cents. A wrong zero is real money.",
        )
    return f"88Pay has {charge.reference}: NEQUI, {found['amount']} {found['currency']}"


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
    return compare(guesses, seen, "what the books say after both notifications")


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
        if isinstance(result, bool) or not isinstance(result, (int, Decimal)):
            raise NotYet(
                f"{told}, of type {type(result).__name__}",
                f"Decimal('{right}'), an exact number",
                "Text is joined, not summed, and a float cannot hold every cent.",
            )
        if result != right:
            raise NotYet(told, f"Decimal('{right}')")
        seen.append(str(result))
    return f"exact totals: {', '.join(seen)}"


EXERCISES = (
    Exercise(
        id="03.1",
        kind=Kind.CALL,
        title="Charge a wallet",
        task=(
            "Charge 80,000 pesos with the method `NEQUI`. `order` has the other fields, but its "
            "amount is 50,000. NEQUI sends the customer to a page of 88Pay's, so it needs one "
            "field more."
        ),
        answer="nequi",
        needs=("client",),
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
            'nequi = order | {"method_code": "NEQUI", "amount": 80_000}',
        ),
        hints=(
            "The charge with CARDS in this lesson has the same form.",
            'Change the amount with order | {"amount": 80_000}. The field more is return_url.',
        ),
        why="The method decides which fields 88Pay needs; the rest of a charge stays the same.",
        check=_nequi,
    ),
    Exercise(
        id="03.2",
        kind=Kind.PREDICT,
        title="Two orders that are not paid",
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
        title="A cart that adds up wrongly",
        task=(
            "The prices of a cart come from a form, so they are texts. A shop adds them up like "
            "this, and charges `'50000.1020000.20'`:\n\n"
            "```python\n"
            'total = ""\n'
            'for price in ["50000.10", "20000.20"]:\n'
            "    total = total + price\n"
            "```\n\n"
            "Write the function that returns the exact sum of a list of such texts. `Decimal` is "
            "ready to use."
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
