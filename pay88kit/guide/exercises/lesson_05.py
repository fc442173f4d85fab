"""Exercises of lesson 05: payouts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pay88kit.client import Pay88
from pay88kit.guide.exercises.exercise import Exercise, Kind, NotYet, compare, of_type, shown
from pay88kit.guide.exercises.world import available, local, new_key, paid_order, transaction
from pay88kit.inbox import Inbox
from pay88kit.models.answers import Cashout


def _sent(answer: object, client: Pay88) -> str:
    local(client)
    payout = of_type(answer, Cashout, "the answer of client.cashout(…)")
    found = transaction(client, payout.reference)
    if found is None:
        raise NotYet(f"88Pay has no transaction {payout.reference}", "a cashout that was sent")
    if Decimal(found["amount"]) != 20_000:
        raise NotYet(f"amount is {found['amount']}", "amount is 20000.00")
    key = _key_of(client, payout.reference)
    if key != "invoice-020":
        raise NotYet(
            f"key is {shown(key)}",
            "key is 'invoice-020'",
            "Without a key of your own, a second press of the button pays the supplier twice.",
        )
    return f"88Pay has {payout.reference}: {found['amount']} {found['currency']} for invoice-020"


def _key_of(client: Pay88, reference: str) -> object:
    assert client.books is not None  # noqa: S101 - a lesson's client has books
    rows = client.books.operations().set_index("reference")
    key = rows.loc[reference, "key"]
    return key if isinstance(key, str) else None


def _changes(
    answer: tuple[object, object], client: Pay88, inbox: Inbox, supplier: Mapping[str, Any]
) -> str:
    sandbox = local(client)
    paid_order(client, inbox.url)
    before = available(client)
    payout = client.cashout(key=new_key(client), amount=50_000, **supplier)
    pending = available(client)
    sandbox.complete(payout.reference)
    after = available(client)
    seen: dict[str, object] = {
        "while_pending": int(pending - before),
        "when_completed": int(after - before),
    }
    guesses = dict(zip(seen, answer, strict=True))
    return compare(guesses, seen, "by how much total_available has moved")


def _paid_once(
    answer: Callable[..., object], client: Pay88, inbox: Inbox, supplier: Mapping[str, Any]
) -> str:
    local(client)
    paid_order(client, inbox.url)
    invoice = new_key(client)
    before = _cashouts(client)
    for _ in range(2):
        answer(client, invoice, 1_000, supplier)
    once = _cashouts(client) - before
    told = f"the same invoice, run twice, made {once} payouts"
    if once != 1:
        raise NotYet(told, "1 payout for one invoice")
    answer(client, f"{invoice}-next", 1_000, supplier)
    both = _cashouts(client) - before
    if both != 2:
        raise NotYet(
            f"two different invoices made {both} payouts",
            "2 payouts for two invoices",
            "A key that is always the same lets only the first supplier have their money.",
        )
    return "1 payout for one invoice that was run twice, and 2 for two invoices"


def _to_correct(
    answer: Callable[..., object], client: Pay88, inbox: Inbox, supplier: Mapping[str, Any]
) -> str:
    sandbox = local(client)
    events = []
    for decide in (sandbox.complete, sandbox.reject):
        paid_order(client, inbox.url)
        payout = client.cashout(key=new_key(client), amount=1_000, **supplier)
        decide(payout.reference)
        events.append(inbox.wait(reference=payout.reference)[0])
    good, returned = events
    to_correct: list[object] = []
    for event in (good, returned, returned):
        answer(event, to_correct)
    told = f"{good.key} was paid, {returned.key} came back, twice told: {shown(to_correct)}"
    if to_correct != [returned.key]:
        raise NotYet(told, f"{[returned.key]}")
    return told


def _cashouts(client: Pay88) -> int:
    return sum(t["flow"] == "PAYOUT" for t in local(client).transactions())


EXERCISES = (
    Exercise(
        id="05.1",
        kind=Kind.CALL,
        title="Pay one invoice",
        task=(
            "Pay 20,000 pesos to `supplier` under the key `invoice-020`. Write the call of the "
            "client."
        ),
        answer="twenty",
        needs=("client",),
        starter="twenty = ...",
        solution='twenty = client.cashout(key="invoice-020", amount=20_000, **supplier)',
        wrong=(
            "twenty = client.cashout(amount=20_000, **supplier)",
            'twenty = client.cashout(key="invoice-0200", amount=2_000, **supplier)',
            'twenty = "invoice-020"',
        ),
        hints=(
            "The operation is called cashout. It takes key, amount and the fields of supplier.",
            'client.cashout(key="invoice-020", amount=…, **supplier)',
        ),
        why="The key is your own name for this payout: the same key never pays twice.",
        check=_sent,
    ),
    Exercise(
        id="05.2",
        kind=Kind.PREDICT,
        title="What does the balance show?",
        task=(
            "A payout of 50,000 is sent. By how much does `total_available` change while the "
            "payout is pending? And by how much has it changed when it is completed? Write whole "
            "numbers, with a minus where money leaves. The check plays it."
        ),
        answer="(while_pending, when_completed)",
        needs=("client", "inbox", "supplier"),
        starter="while_pending = ...\nwhen_completed = ...",
        solution="while_pending = 0\nwhen_completed = -50_000",
        wrong=(
            "while_pending = -50_000\nwhen_completed = -50_000",
            "while_pending = 0\nwhen_completed = 50_000",
            "while_pending = when_completed = 0",
        ),
        hints=(
            "Which transactions count in the balance?",
            "Pending transactions do not count. Completed ones do, and this one takes money away.",
        ),
        why="The balance hides what is on its way: two checks in a row may both say yes.",
        check=_changes,
    ),
    Exercise(
        id="05.3",
        kind=Kind.FAULT,
        title="A payout that is sent twice",
        task=(
            "A job pays invoices. When it is interrupted, it starts again from the first invoice, "
            "and suppliers get their money twice. The fault is in the key:\n\n"
            "```python\n"
            "def pay_invoice(client, invoice, amount, supplier):\n"
            "    key = str(uuid4())\n"
            "    return client.cashout(key=key, amount=amount, **supplier)\n"
            "```\n\n"
            "Write it so that the same invoice is paid once, however often the job runs."
        ),
        answer="pay_invoice",
        needs=("client", "inbox", "supplier"),
        starter="def pay_invoice(client, invoice, amount, supplier): ...",
        solution=(
            "def pay_invoice(client, invoice, amount, supplier):\n"
            "    return client.cashout(key=invoice, amount=amount, **supplier)"
        ),
        wrong=(
            "from uuid import uuid4\n\n\n"
            "def pay_invoice(client, invoice, amount, supplier):\n"
            "    key = str(uuid4())\n"
            "    return client.cashout(key=key, amount=amount, **supplier)",
            "def pay_invoice(client, invoice, amount, supplier):\n"
            '    return client.cashout(key="your-turn-invoice", amount=amount, **supplier)',
            "def pay_invoice(client, invoice, amount, supplier):\n"
            "    return client.cashout(key=invoice, amount=float(amount), **supplier)",
        ),
        hints=(
            "A new random key is a new payout. Which name does the invoice have already?",
            "Give the invoice itself as the key.",
        ),
        why="A key must come from your own data, so that a second run finds the first.",
        check=_paid_once,
    ),
    Exercise(
        id="05.4",
        kind=Kind.EVENT,
        title="A payout comes back",
        task=(
            "The bank sends a payout back, and the notification says `REJECTED`. Somebody has to "
            "ask the supplier for the right account. Write `returned(event, to_correct)`: it puts "
            "`event.key` on the list `to_correct`, once, when the payout came back, and does "
            "nothing when it arrived."
        ),
        answer="returned",
        needs=("client", "inbox", "supplier"),
        starter="def returned(event, to_correct): ...",
        solution=(
            "def returned(event, to_correct):\n"
            '    if event.status == "REJECTED" and event.key not in to_correct:\n'
            "        to_correct.append(event.key)"
        ),
        wrong=(
            "def returned(event, to_correct):\n"
            "    if event.key not in to_correct:\n"
            "        to_correct.append(event.key)",
            "def returned(event, to_correct):\n"
            '    if event.status == "REJECTED":\n'
            "        to_correct.append(event.key)",
            "def returned(event, to_correct):\n"
            '    if event["status"] == "REJECTED":\n'
            "        to_correct.append(event.key)",
        ),
        hints=(
            "Two questions: which status is it, and is the key on the list already?",
            'event.status == "REJECTED" and event.key not in to_correct',
        ),
        why="A returned payout does not try again by itself: without a list, nobody is paid.",
        check=_to_correct,
    ),
)
