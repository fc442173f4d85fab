"""Which situations fit the five numbers of a balance, and what would decide between them.

The situations are those of 88Pay's balance page. Its five numbers do not always tell them apart:
"nothing has happened" and "everything is pending" are the same numbers, and so are fees and
reserves. So every reading that fits is given, never one that is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.balance.alerts import DEFAULT, Thresholds
from pay88kit.balance.figures import Figures
from pay88kit.balance.known import Known, known
from pay88kit.display import Row, Shown

if TYPE_CHECKING:
    from pay88kit.books import Books


@dataclass(frozen=True)
class Reading:
    """One situation that fits a balance.

    Attributes:
        name: ``profitable``, ``advance``, ``settled``, ``empty``, ``pending``, ``low``, ``fees``
            (fees, reserves and rest) as in the sandbox's scenarios, or ``unclear``: the numbers
            contradict each other, or fit none of these.
        because: which numbers it follows from.
        means: what it means.
        actions: what can be done now.
        decides: what would confirm it, or rule it out.
        books: what the merchant's own books say of it; empty without books.
    """

    name: str
    because: str
    means: str
    actions: str
    decides: str
    books: str = ""

    def record(self) -> dict[str, Any]:
        """As one row of a table."""
        return dict(vars(self))


class Readings(Shown, tuple[Reading, ...]):
    """Every reading that fits, a tuple that shows itself."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the readings, in the order of 88Pay's page."""
        return tuple(reading.name for reading in self)

    def _title(self) -> str:
        return "What fits these five numbers"

    def _rows(self) -> list[Row]:
        rows = []
        for reading in self:
            rows.append((reading.name, reading.because))
            rows.append(("", f"What would decide: {reading.decides}"))
            if reading.books:
                rows.append(("", f"Your books: {reading.books}"))
        return rows

    def __repr__(self) -> str:
        return str(self)


def scenario(
    balance: Any,
    books: Books | None = None,
    *,
    environment: str | None = None,
    thresholds: Thresholds = DEFAULT,
) -> Readings:
    """Every situation that fits a balance's five numbers; there is always at least one.

    Args:
        balance: what ``client.balance()`` answered.
        books: your own record, which tells some of them apart: operations that are pending, and
            what moved between snapshots. It knows only what went through these books.
        environment: where the balance is from; needed when the books know the merchant in several.
        thresholds: below which amount a balance is ``low``.

    Raises:
        WrongUse: the books know the merchant in several environments, and none was given; no
            balance.
    """
    numbers = Figures.of(balance)
    found = list(_fitting(numbers, thresholds)) or [_unclear("no situation of 88Pay's page fits")]
    if books is not None:
        facts = known(books, getattr(balance, "merchant_id", None), environment)
        found = [narrowed for reading in found if (narrowed := _narrow(reading, facts))]
    return Readings(found)


def _fitting(n: Figures, thresholds: Thresholds) -> Iterator[Reading]:
    available, difference = n.available, n.difference
    if n.net is not None and n.net > 0 and available is not None and available > 0:
        yield Reading(
            "profitable",
            f"net {money.show(n.net)} and available {money.show(available)} are above zero",
            "More was received than paid out, and funds are available. 88Pay calls the net "
            "position profit; it knows nothing of your costs.",
            f"Ask for a settlement of up to {money.show(available)}, or pay out up to that amount.",
            "nothing more is needed: these numbers say so.",
        )
    if advance := _advance(n):
        yield advance
    if n.settled is not None and n.settled > 0 and available == 0:
        yield Reading(
            "settled",
            f"settled is {money.show(n.settled)}, and nothing is available",
            "What could be settled has been moved to your bank account.",
            "Nothing; payouts need new payments first, or 88Pay's credit.",
            "your bank statement: settlements of this amount in all.",
        )
    if n.unmoved:
        yield Reading(
            "empty",
            "all five numbers are zero",
            "Nothing has happened on this account yet.",
            "Create a first payment. Payouts are not possible yet, unless on 88Pay's credit.",
            "your own record: no operation of yours is pending.",
        )
        yield Reading(
            "pending",
            "all five numbers are zero",
            "Payments were created, and none has completed. Pending ones do not count.",
            "Wait for their notifications; a cash payment may take up to 72 hours.",
            "your own record: operations of yours are pending.",
        )
    warning = Decimal(thresholds.warning)
    if available is not None and available < warning:
        yield Reading(
            "low",
            f"available {money.show(available)} is below {money.show(warning)}",
            "Little or nothing is left for payouts.",
            "Wait for payments to complete before you pay out, or queue the payouts.",
            "whether your next payouts are larger than what is available.",
        )
    if difference is not None and difference < 0:
        yield Reading(
            "fees",
            f"available is {money.show(difference.copy_abs())} less than payin − payout − settled",
            "88Pay holds that back as fees, as reserves, or both; it reports neither. Some methods "
            "have holding periods.",
            "Compare it with the rates and holding periods of your contract with 88Pay.",
            "your contract's rates or 88Pay's fee statement. A reserve comes back, a fee does not. "
            "Payouts on 88Pay's credit make it look smaller.",
        )
    if n.faults:
        yield _unclear("; ".join(n.faults))


def _advance(n: Figures) -> Reading | None:
    carried = n.difference
    on_credit = carried is not None and n.payout is not None and 0 < carried <= n.payout
    if not on_credit and not (n.net is not None and n.net < 0):
        return None
    reasons = []
    if n.net is not None and n.net < 0:
        reasons.append(f"net {money.show(n.net)} is below zero")
    if on_credit:
        reasons.append(
            f"available is {money.show(carried)} more than payin − payout − settled: that part of "
            f"the payouts was carried by 88Pay's credit (88Pay does not document this; assumed)"
        )
    return Reading(
        "advance",
        ", and ".join(reasons),
        "Payouts went out before the money for them came in; 88Pay advanced it.",
        "With 88Pay's credit, nothing: 88Pay's page says that future deposits reduce the advance. "
        "If you did not expect it, contact 88Pay's support at once.",
        "whether your contract with 88Pay has a credit, and its limit. Fees and reserves, if there "
        "are any, make the part on credit look smaller.",
    )


def _unclear(because: str) -> Reading:
    return Reading(
        "unclear",
        because,
        "These numbers do not fit 88Pay's description of a balance.",
        "Ask for the balance again. If it stays so, send 88Pay's support the whole answer.",
        "a second answer, or 88Pay's support.",
    )


def _narrow(reading: Reading, facts: Known) -> Reading | None:
    """The reading with what the books say of it; None when they speak against it."""
    said: list[str] = []
    if reading.name == "empty":
        if facts.pending_payins or facts.pending_payouts:
            return None
        said.append("they know no pending operation of this merchant.")
    known_open = facts.pending_payins or facts.pending_payouts or facts.unknown
    # Books that never heard of the merchant do not speak against it.
    if reading.name == "pending" and facts.merchant and not known_open:
        return None
    if reading.name in ("empty", "pending") and not facts.merchant:
        return replace(reading, books="they know nothing of this merchant.")
    if reading.name in ("empty", "pending", "low"):
        if facts.pending_payins:
            said.append(f"payins are pending: {facts.pending_payins}.")
        if facts.pending_payouts:
            said.append(f"payouts are pending: {facts.pending_payouts}.")
        if facts.unknown:
            said.append(f"of these it is not known whether they happened: {facts.unknown}.")
    elif reading.name == "settled":
        said += _changes("total_settled rose by", facts.settlements)
    elif reading.name == "advance":
        said += _changes("together with payouts, the part on credit rose by", facts.advances)
    elif reading.name == "fees" and facts.releases:
        said += _changes("without a payout, what is held back fell by", facts.releases)
        said.append("so at least that was a reserve, not a fee.")
    return replace(reading, books=" ".join(said) or "nothing that bears on it.")


def _changes(words: str, changes: tuple[Any, ...]) -> list[str]:
    # The last ones: what is long ago is in the history.
    return [f"{words} {'; '.join(map(str, changes[-3:]))}."] if changes else []
