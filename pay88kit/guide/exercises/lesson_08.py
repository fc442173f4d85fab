"""Exercises of lesson 08: reconcile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pandas as pd

from pay88kit.balance import Reconciliation, reconcile
from pay88kit.books import Books
from pay88kit.client import Pay88
from pay88kit.errors import OutcomeUnknown
from pay88kit.frames import to_frame
from pay88kit.guide.exercises.exercise import Exercise, Kind, NotYet, compare, shown
from pay88kit.guide.exercises.world import local, new_key, paid_order, pending_order
from pay88kit.inbox import Inbox
from pay88kit.language import N_
from pay88kit.sandbox import Sandbox

# Each amount is another power of two: the sum says which rows were counted.
_OPERATIONS: list[dict[str, Any]] = [
    {"operation": operation, "state": state, "status": status, "amount": Decimal(2**number) / 4}
    for number, (operation, state, status) in enumerate(
        [
            ("charge", "created", "COMPLETED"),
            ("charge", "created", "PENDING"),
            ("charge", "created", "REJECTED"),
            ("charge", "unknown", None),
            ("cash", "created", "COMPLETED"),
            ("cash", "created", "PENDING"),
            ("cashout", "created", "COMPLETED"),
        ]
    )
]


def _expected_payin(answer: Callable[[pd.DataFrame], object]) -> str:
    said = answer(to_frame(_OPERATIONS))
    counted = [
        row
        for row in _OPERATIONS
        if row["operation"] in ("charge", "cash") and row["status"] == "COMPLETED"
    ]
    right = sum(row["amount"] for row in counted)
    if said == right:
        return f"{right}: the charge and the cash payment that are COMPLETED, and nothing else"
    raise NotYet(f"{shown(said)} of {len(_OPERATIONS)} operations", f"{right!r}")


def _after(answer: Callable[..., object], client: Pay88, address: str, inbox: Inbox) -> str:
    local(client)
    event = inbox.wait(reference=paid_order(client, address).reference)[0]
    wanted: list[object] = []
    alarms: list[object] = []
    with Sandbox(seed=8) as sandbox, Pay88(sandbox.config, books=Books()) as own:
        for told, result in _results(sandbox, own):
            if result.ok is False:
                wanted.append((event.reference, result.gap))
            answer(event, result, alarms)
            if alarms != wanted:
                raise NotYet(f"{told}: the list is {shown(alarms)}", shown(wanted))
    return f"five results, and of these {len(wanted)} alarms: {shown(alarms)}"


def _results(sandbox: Sandbox, own: Pay88) -> Iterator[tuple[str, Reconciliation]]:
    """Five comparisons: none, equal, within the tolerance, below zero and above zero."""
    books = own.books
    assert books is not None  # noqa: S101 - it was given

    def result() -> Reconciliation:
        return reconcile(books, own.balance(), config=own.config)

    yield "without an opening snapshot", result()
    books.save_balance(
        own.balance(), environment=own.config.environment, now=own.config.clock.now()
    )
    yield "when both agree", result()
    sandbox.charge_fees("0.01")
    yield "with a gap of one cent", result()
    sandbox.charge_fees(5_000)
    yield "after a fee of 5,000", result()
    # The shop does not exist, so its notification gets lost.
    paid_order(own, "https://shop.example/hook", 70_000)
    yield "with a lost notification of 70,000", result()


def _gaps(answer: tuple[object, ...], client: Pay88, address: str, shop: dict[str, bool]) -> str:
    sandbox, books = local(client), client.books
    assert books is not None  # noqa: S101 - a lesson's client has books

    def gaps() -> dict[str, Decimal]:
        gap = reconcile(books, client.balance(), config=client.config).figures["gap"]
        return {figure: gap.loc[figure] for figure in ("payin", "available")}

    start = gaps()
    sandbox.charge_fees(5_000)
    fee = gaps()
    shop["open"] = False
    try:
        paid_order(client, address, 70_000)
        lost = gaps()
    finally:
        # 88Pay's next attempt finds the shop open, so the books know the payment in the end.
        shop["open"] = True
        sandbox.clock.advance(10)
    seen: dict[str, object] = {
        "fee_payin": fee["payin"] - start["payin"],
        "fee_available": fee["available"] - start["available"],
        "lost_payin": lost["payin"] - fee["payin"],
        "lost_available": lost["available"] - fee["available"],
    }
    guesses = dict(zip(seen, answer, strict=True))
    return compare(guesses, seen, "by how much each gap (88Pay minus books) changed")


def _record_findings(answer: Callable[..., object], client: Pay88, address: str) -> str:
    sandbox, books = local(client), client.books
    assert books is not None  # noqa: S101 - a lesson's client has books
    found: dict[str, str | None] = {}
    for kind in ("drop_after", "drop_before"):
        key, before = new_key(client), len(sandbox.transactions())
        sandbox.fault("charges", kind)
        with suppress(OutcomeUnknown):
            pending_order(client, address)
        found[key] = next((made["reference"] for made in sandbox.transactions()[before:]), None)
    try:
        answer(books, {key: reference for key, reference in found.items() if reference})
        rows = books.operations().set_index("key")
        for key, reference in found.items():
            state, wanted = str(rows.loc[key, "state"]), "created" if reference else "refused"
            if state != wanted:
                has = reference or "no such transaction"
                raise NotYet(f"{key} is {state}; the dashboard has {has}", f"{key} is {wanted}")
            if reference and rows.loc[key, "reference"] != reference:
                raise NotYet(
                    f"{key} has the reference {shown(rows.loc[key, 'reference'])}",
                    f"{key} has {reference!r}, as in the dashboard",
                )
    finally:
        # What the answer left unknown would be in the way of the next try.
        for key in set(books.unknown()["key"]) & set(found):
            books.resolve(key, created=found[key])
    return "the one in the dashboard is created, the other one refused; none is unknown"


EXERCISES = (
    Exercise(
        id="08.1",
        kind=Kind.FAULT,
        title=N_("What counts as payin?"),
        task=(
            "A shop computes what the books expect of `total_payin`, and gets far too much:\n\n"
            "```python\n"
            "def expected_payin(operations):\n"
            '    return operations.loc[operations["state"] == "created", "amount"].sum()\n'
            "```\n\n"
            "Write it right. `operations` is a table such as `client.books.operations()`; the "
            "check gives it seven operations, cash payments and a payout among them."
        ),
        answer="expected_payin",
        starter="def expected_payin(operations): ...",
        solution=(
            "def expected_payin(operations):\n"
            '    payin = operations["operation"].isin(["charge", "cash"])\n'
            '    done = operations["status"] == "COMPLETED"\n'
            '    return operations.loc[payin & done, "amount"].sum()'
        ),
        wrong=(
            "def expected_payin(operations):\n"
            '    return operations.loc[operations["state"] == "created", "amount"].sum()',
            "def expected_payin(operations):\n"
            '    return operations.loc[operations["status"] == "COMPLETED", "amount"].sum()',
            "def expected_payin(operations):\n"
            '    payin = operations["operation"] == "charge"\n'
            '    done = operations["status"] == "COMPLETED"\n'
            '    return operations.loc[payin & done, "amount"].sum()',
        ),
        hints=(
            "The state says that 88Pay accepted your request. Another column says whether it was "
            "paid, and a third one which way the money went.",
            "Two conditions, joined with &: the operation is charge or cash, and the status is "
            "COMPLETED.",
        ),
        why="Accepted is not paid. Only COMPLETED moves a balance.",
        check=_expected_payin,
    ),
    Exercise(
        id="08.2",
        kind=Kind.EVENT,
        title=N_("After each notification"),
        task=(
            "A payment completed, and your handler has compared the books with the balance. Write "
            "`after(event, result, alarms)`: it puts `(event.reference, result.gap)` on the list "
            "`alarms` when the two differ, and does nothing when they agree or when there was "
            "nothing to compare with. `result` is what `reconcile` returned; the check gives it "
            "five of them."
        ),
        answer="after",
        needs=("client", "address", "inbox"),
        starter="def after(event, result, alarms): ...",
        solution=(
            "def after(event, result, alarms):\n"
            "    if result.ok is False:\n"
            "        alarms.append((event.reference, result.gap))"
        ),
        wrong=(
            "def after(event, result, alarms):\n"
            "    if not result.ok:\n"
            "        alarms.append((event.reference, result.gap))",
            "def after(event, result, alarms):\n"
            "    if result.gap != 0:\n"
            "        alarms.append((event.reference, result.gap))",
            "def after(event, result, alarms):\n"
            "    if result.ok is not None and result.gap > 1:\n"
            "        alarms.append((event.reference, result.gap))",
        ),
        hints=(
            "result.ok has three values. Which of them means that the two differ?",
            "True: they agree within the tolerance. False: they differ. None: there was no "
            "opening snapshot. Ask with `is False`.",
        ),
        why="One cent is within the tolerance, and without an opening nothing was compared.",
        check=_after,
    ),
    Exercise(
        id="08.3",
        kind=Kind.PREDICT,
        title=N_("A fee, or a lost notification?"),
        task=(
            "First 88Pay takes a fee of 5,000. Then a customer pays 70,000 while the shop is "
            "closed, so the notification gets lost. By how much does each event change the gap, "
            "88Pay minus books, in *payin* and in *available*? Write numbers. The check plays it."
        ),
        answer="(fee_payin, fee_available, lost_payin, lost_available)",
        needs=("client", "address", "shop"),
        starter="fee_payin = ...\nfee_available = ...\nlost_payin = ...\nlost_available = ...",
        solution=(
            "fee_payin = 0\nfee_available = -5_000\nlost_payin = 70_000\nlost_available = 70_000"
        ),
        wrong=(
            "fee_payin = -5_000\nfee_available = -5_000\nlost_payin = 70_000\n"
            "lost_available = 70_000",
            "fee_payin = 0\nfee_available = -5_000\nlost_payin = -70_000\nlost_available = -70_000",
            "fee_payin = 0\nfee_available = 5_000\nlost_payin = 70_000\nlost_available = 0",
        ),
        hints=(
            "A fee is no payment. A payment of which the books have not heard is money at 88Pay.",
            "The fee changes one gap only, and lowers it. The lost notification raises both alike.",
        ),
        why="When payin agrees, no payment is missing: look for a fee or a reserve.",
        check=_gaps,
    ),
    Exercise(
        id="08.4",
        kind=Kind.CALL,
        title=N_("Record what was found"),
        task=(
            "Some answers got lost. A person has looked each of these orders up in 88Pay's "
            "dashboard: `dashboard` maps the key of every order that is there to its reference, "
            "and the others are not there. Write `record_findings(books, dashboard)`: it resolves "
            "every operation of `books.unknown()`. The check loses two answers; one order exists."
        ),
        answer="record_findings",
        needs=("client", "address"),
        starter="def record_findings(books, dashboard): ...",
        solution=(
            "def record_findings(books, dashboard):\n"
            '    for key in books.unknown()["key"]:\n'
            "        books.resolve(key, created=dashboard.get(key))"
        ),
        wrong=(
            "def record_findings(books, dashboard):\n"
            "    for key, reference in dashboard.items():\n"
            "        books.resolve(key, created=reference)",
            "def record_findings(books, dashboard):\n"
            '    for key in books.unknown()["key"]:\n'
            "        books.resolve(key, created=None)",
            "def record_findings(books, dashboard):\n"
            '    for key in books.unknown()["key"]:\n'
            "        books.resolve(key, created=dashboard[key])",
            "def record_findings(books, dashboard):\n"
            '    for key in books.unknown()["key"]:\n'
            "        books.resolve(key, created=key)",
        ),
        hints=(
            "Go through the keys of books.unknown(). Each of them needs one books.resolve(…).",
            "created= takes the reference, or None when the dashboard has none: "
            "dashboard.get(key) is just that.",
        ),
        why="None means that the key may be sent again: write it only when you have looked.",
        check=_record_findings,
    ),
)
