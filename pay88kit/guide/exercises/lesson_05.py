"""Exercises of lesson 05: payouts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pay88kit.client import Pay88
from pay88kit.guide.exercises.exercise import WHOLE, Exercise, Kind, NotYet, compare, of_type, shown
from pay88kit.guide.exercises.world import as_asked, available, local, new_key, paid_order
from pay88kit.inbox import Inbox
from pay88kit.language import N_
from pay88kit.models.answers import Cashout

_ABOUT_FIELDS = {
    "amount": "The bank pays what it is told.",
    "customer_id": "This is not the supplier of this lesson.",
}
_SPENT = (
    "The bank pays what it is told, and the key is spent on this payout. To try again under the "
    "same key, restart the kernel: the local sandbox then begins anew."
)
_ABOUT_CHANGES = {
    "while_pending": "Pending transactions do not count in the balance, although the money is "
    "promised.",
    "when_completed": "A completed payout has taken its whole amount away: write it with a minus.",
}
_NOT_SENT = "Nothing was sent, or under a key that another invoice has had: nobody is paid."
_SAME_KEY = (
    "Under one key only the first invoice is ever paid. What tells one invoice from another?"
)
_ABOUT_LIST = "There is something else on the list: it has to be event.key, your own name."
_TWICE = "88Pay may repeat a notification, and nobody likes to be asked twice."


def _sent(answer: object, client: Pay88, supplier: Mapping[str, Any]) -> str:
    local(client)
    payout = of_type(answer, Cashout, "the answer of client.cashout(…)", WHOLE)
    wanted = {"amount": 20_000, "customer_id": supplier["customer_id"]}
    key = _key_of(client, payout.reference)
    spent = {"amount": _SPENT} if key == "invoice-020" else {}
    as_asked(client, payout.reference, wanted, _ABOUT_FIELDS | spent)
    if key != "invoice-020":
        raise NotYet(
            f"88Pay has {payout.reference}, and its key is {_named(key)}{_twice(client)}",
            "key is 'invoice-020'",
            "Another key is another payout."
            if key
            else "Without a key of your own, a second press of the button pays the supplier twice.",
        )
    return f"88Pay has {payout.reference}: 20,000 COP for invoice-020{_twice(client)}"


def _twice(client: Pay88) -> str:
    """Which payouts of 20,000 there are, when a wrong key has made more than one."""
    made = [
        _named(_key_of(client, t["reference"]))
        for t in local(client).transactions()
        if t["flow"] == "PAYOUT" and Decimal(t["amount"]) == 20_000
    ]
    if len(made) < 2:
        return ""
    return f". There are {len(made)} payouts of 20,000 now. Their keys: {', '.join(made)}"


def _named(key: str | None) -> str:
    return shown(key) if key else "none"


def _key_of(client: Pay88, reference: str) -> str | None:
    """The key that the books have for an operation."""
    assert client.books is not None  # noqa: S101 - a lesson's client has books
    rows = client.books.operations()
    key = rows[rows["reference"] == reference]["key"].dropna()
    return None if key.empty else str(key.iloc[0])


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
    return compare(guesses, seen, "by how much total_available has moved", _ABOUT_CHANGES)


def _paid_once(
    answer: Callable[..., object], client: Pay88, inbox: Inbox, supplier: Mapping[str, Any]
) -> str:
    local(client)
    paid_order(client, inbox.url)
    invoice = new_key(client)
    before = len(_payouts(client))
    said = [answer(client, invoice, 1_000, supplier) for _ in range(2)][-1]
    once = _payouts(client)[before:]
    if not once and isinstance(said, Cashout):
        raise NotYet(
            f"no payout for {invoice}: the key {_named(_key_of(client, said.reference))} has paid "
            "something else before",
            "1 payout for one invoice",
            _SAME_KEY,
        )
    if len(once) != 1:
        raise NotYet(
            f"the job ran twice for {invoice} and made {_count(once)}",
            "1 payout for one invoice",
            _NOT_SENT if not once else None,
        )
    key = _key_of(client, once[0]["reference"])
    if key is None:
        raise NotYet(
            "1 payout, and it has no key in your books",
            "a key that names the invoice",
            "Two jobs that look at the same moment both find nothing, and both pay. A key is "
            "written down before the money leaves.",
        )
    answer(client, f"{invoice}-next", 1_000, supplier)
    both = _payouts(client)[before:]
    if len(both) != 2:
        raise NotYet(
            f"two invoices of one supplier made {_count(both)}, with the key {shown(key)}",
            "2 payouts for two invoices",
            _SAME_KEY,
        )
    if invoice not in key:
        raise NotYet(
            f"the key {shown(key)} for {invoice}",
            "a key that names the invoice",
            "What your program remembers is gone when it starts again, and then it makes another "
            "key.",
        )
    if Decimal(once[0]["amount"]) != 1_000:
        raise NotYet(
            f"{once[0]['amount']} for an invoice of 1,000",
            "the amount of the invoice",
            "The amount is handed to the function.",
        )
    return "1 payout for one invoice that was run twice, and 2 for two invoices"


def _count(payouts: list[dict[str, Any]]) -> str:
    return "1 payout" if len(payouts) == 1 else f"{len(payouts)} payouts"


def _payouts(client: Pay88) -> list[dict[str, Any]]:
    return [t for t in local(client).transactions() if t["flow"] == "PAYOUT"]


def _to_correct(
    answer: Callable[..., object], client: Pay88, inbox: Inbox, supplier: Mapping[str, Any]
) -> str:
    sandbox = local(client)
    events = []
    for plan in (["COMPLETED"], ["PENDING", "REJECTED"]):
        paid_order(client, inbox.url)
        payout = client.cashout(key=new_key(client), amount=1_000, **supplier)
        sandbox.plan(payout, [{"status": status} for status in plan])
        (sandbox.complete if plan == ["COMPLETED"] else sandbox.reject)(payout.reference)
        came = inbox.wait(len(plan), reference=payout.reference)
        events += sorted(came, key=lambda event: plan.index(str(event.status)))
    good, waiting, returned = events
    to_correct: list[object] = []
    for event, due, why in (
        (good, False, "This payout has arrived. Who asks for another account confuses everybody."),
        (waiting, False, "PENDING means that the bank has not decided: wait for its answer."),
        (returned, True, "The supplier has no money, and nobody will ask for the right account."),
        (returned, True, None),
    ):
        answer(event, to_correct)
        expected = [returned.key] if due else []
        if to_correct != expected:
            raise NotYet(
                f"after {event.status} of {event.key}: {shown(to_correct)}",
                f"{expected}",
                _ABOUT_LIST if any(each != event.key for each in to_correct) else why or _TWICE,
            )
    return f"{good.key} was paid, {returned.key} came back, twice told: {shown(to_correct)}"


EXERCISES = (
    Exercise(
        id="05.1",
        kind=Kind.CALL,
        title=N_("Pay one invoice"),
        task=(
            "Pay 20,000 pesos to `supplier` under the key `invoice-020`. Write the "
            "whole call: `client.cashout(…)`."
        ),
        answer="twenty",
        needs=("client", "supplier"),
        starter="twenty = ...",
        solution='twenty = client.cashout(key="invoice-020", amount=20_000, **supplier)',
        wrong=(
            "twenty = client.cashout(amount=20_000, **supplier)",
            'twenty = client.cashout(key="invoice-20", amount=20_000, **supplier)',
            'twenty = client.cashout(key="invoice-0200", amount=2_000, **supplier)',
            "twenty = payout",
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
        title=N_("What does the balance show?"),
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
            "while_pending = 50_000\nwhen_completed = -50_000",
            'while_pending = 0\nwhen_completed = "-50000"',
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
        title=N_("A payout that is sent twice"),
        task=(
            "A job pays invoices. When it is interrupted, it starts again from the first invoice, "
            "and suppliers get their money twice. The fault is in the key:\n\n"
            "```python\n"
            "def pay_invoice(client, invoice, amount, supplier):\n"
            "    key = str(uuid4())\n"
            "    return client.cashout(key=key, amount=amount, **supplier)\n"
            "```\n\n"
            "Write it so that the same invoice is paid once, however often the job runs, under a "
            "key that names it."
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
            '    key = supplier["customer_id"] + str(amount)\n'
            "    return client.cashout(key=key, amount=amount, **supplier)",
            "def pay_invoice(client, invoice, amount, supplier):\n"
            "    done = client.books.operations()\n"
            '    if not (done["description"] == invoice).any():\n'
            '        client.cashout(amount=amount, **(supplier | {"description": invoice}))',
            "from uuid import uuid4\n\ndone = set()\n\n\n"
            "def pay_invoice(client, invoice, amount, supplier):\n"
            "    if invoice not in done:\n"
            "        done.add(invoice)\n"
            "        client.cashout(key=str(uuid4()), amount=amount, **supplier)",
            "def pay_invoice(client, invoice, amount, supplier):\n"
            "    return client.cashout(key=invoice, amount=2_000, **supplier)",
            "def pay_invoice(client, invoice, amount, supplier):\n    return invoice",
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
        title=N_("A payout comes back"),
        task=(
            "The bank sends a payout back, and the notification says `REJECTED`. Somebody has to "
            "ask the supplier for the right account. Write `returned(event, to_correct)`: it puts "
            "`event.key` on the list `to_correct`, once, when the payout came back, and does "
            "nothing when it arrived or is still on its way."
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
            '    if event.status != "COMPLETED" and event.key not in to_correct:\n'
            "        to_correct.append(event.key)",
            "def returned(event, to_correct):\n"
            '    if event.status == "REJECTED" and event.reference not in to_correct:\n'
            "        to_correct.append(event.reference)",
            "def returned(event, to_correct):\n"
            '    return [event.key] if event.status == "REJECTED" else []',
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
