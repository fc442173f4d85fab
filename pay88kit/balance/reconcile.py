"""The books against the balance: what is expected, what 88Pay says, and what the gap is made of.

    expected = opening snapshot + completed payins − completed payouts − settlements

All of it since the opening snapshot, in the merchant's own currency: 88Pay documents no currency
of a balance, the kit assumes this one. An operation counts from the time when the books learned
that it is COMPLETED (:mod:`pay88kit.books.accounts`). Settlements are by how much
``total_settled`` has changed, unless a file was imported that lists them since then.

The five numbers say by how much payin and payout differ from the books, but not why. So what is
open in the books is a *hint*: where it adds up to the difference in one way only, the part says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.balance.candidates import PAYOUT_OPERATION, Candidates
from pay88kit.balance.figures import FIELDS, Figures, minus
from pay88kit.balance.fitting import Item, fitting
from pay88kit.balance.reconciliation import (
    CONTRADICTING,
    CREDIT,
    FEES,
    LATE,
    PAYIN,
    PAYOUT,
    REST,
    SETTLEMENTS,
    UNMATCHED,
    Reconciliation,
    part_of,
)
from pay88kit.config import Config, SystemClock, fault_of_time
from pay88kit.errors import WrongUse
from pay88kit.frames import to_frame
from pay88kit.language import _
from pay88kit.models.countries import CURRENCIES, CURRENCY_CODES

if TYPE_CHECKING:
    import pandas as pd

    from pay88kit.books import Books
    from pay88kit.books.accounts import Completed, Snapshot


def reconcile(
    books: Books,
    balance: Any = None,
    *,
    config: Config | None = None,
    environment: str | None = None,
    merchant_id: str | None = None,
    currency: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    now: datetime | None = None,
    rates: Mapping[str, Decimal] | None = None,
    credit_limit: Decimal | int | str | None = None,
    tolerance: Decimal | int | str = money.CENT,
) -> Reconciliation:
    """Compare the books with a balance of 88Pay's, and take the gap apart.

    ``reconcile(client.books, client.balance(), config=client.config)`` compares with this moment.

    Args:
        books: the merchant's own record.
        balance: 88Pay's answer, or None for the last snapshot in the books.
        config: where environment, merchant and the time of now come from, unless they are named.
        environment: whose operations count: ``local``, ``sandbox`` or ``production``.
        merchant_id: by default, the balance's.
        currency: the merchant's own (ISO 4217). By default its country's, as its id names it
            (``MCH-COL-…``), else the only one in its books.
        since: start at the last snapshot at or before this time; by default at the first one.
        until: without ``balance``, compare with the last snapshot at or before this time.
        now: what counts as overdue is measured from here; by default the config's clock, else real
            time. With a snapshot, its own time.
        rates: your fees as fractions by method code, such as ``{"PSE": Decimal("0.029")}``, and by
            ``"cashout"`` for payouts. They split the last part in place of an imported file of
            fees, unless none of them fits; of each method's sum, rounded to the cent.
        credit_limit: what your contract lets you draw on 88Pay's credit, if you know it.
        tolerance: what still agrees; 88Pay's page recommends 0.01.

    Raises:
        WrongUse: no environment, merchant, currency or balance is known, the balance is not whole,
            a time has no zone, or a value is out of its range.
        InvalidRequest: ``tolerance`` or ``credit_limit`` is no amount.
        BooksError: the books cannot be read.
    """
    environment = environment or (config.environment if config else None)
    if environment is None:
        raise WrongUse("environment: is missing. Give environment=, or config=client.config.")
    _check(balance, since, until, now, currency, rates or {})
    allowed = _not_negative("tolerance", tolerance)
    credit = None if credit_limit is None else _not_negative("credit_limit", credit_limit)
    whose, taken = _closing(books, balance, environment, merchant_id, config, until)
    accounts, live = books.accounts, balance is not None
    end = None if live else taken
    opening = _opening(books, environment, whose, since, end)
    completed = [] if opening is None else accounts.completed(environment, whose, opening, end)
    still_open = list(accounts.open(environment, whose, end))
    seen = {each.currency for each in completed} | {each.currency for each in still_open}
    own = _currency(whose, currency, seen)
    clock = config.clock if config else SystemClock()
    moment = now or (clock.now() if live else taken.taken_at)

    counted = _Sums(completed, own)
    start = opening or taken
    settled = _cents(taken.total_settled) - _cents(start.total_settled)
    by_file = file_ended = None
    if opening is not None:
        file_ended = accounts.last_movement(environment, whose, "settlement", own)
        if file_ended is not None and file_ended > opening.taken_at:
            file_ended = None
            by_file = _listed(
                accounts, environment, whose, "settlement", own, opening, end, settled
            )
    expected = {
        "payin": _cents(start.total_payin) + counted.payin,
        "payout": _cents(start.total_payout) + counted.payout,
        "settled": _cents(start.total_settled) + (settled if by_file is None else by_file.cents),
    }
    actual = {
        "payin": _cents(taken.total_payin),
        "payout": _cents(taken.total_payout),
        "settled": _cents(taken.total_settled),
        "available": _cents(taken.total_available),
    }
    # Without 88Pay's fees, reserves and credit: what these add is a part of the gap.
    expected["available"] = _cents(start.total_available) + counted.payin - counted.payout
    expected["available"] -= expected["settled"] - _cents(start.total_settled)
    gaps = {name: actual[name] - expected[name] for name in actual}

    found = Candidates()
    for each in still_open:
        if each.currency == own:
            found.open(each, moment)
    if opening is not None and min(gaps["payin"], gaps["payout"]) < 0:
        for late in accounts.late(environment, whose, own, opening, end):
            found.add(LATE, late.label, -late.amount, late.operation)
    if opening is not None:
        for note in accounts.left_over(environment, whose, own, opening, end):
            if note.operation is not None:
                found.add(CONTRADICTING, note.label, note.amount, note.operation)
            elif accounts.has_others(environment, whose):
                # It names no merchant, and would explain the gap of each of them.
                found.list_only(UNMATCHED, note.label)
            else:
                found.add(UNMATCHED, note.label, note.amount, None)
    unexplained = {
        name: found.attribute(gaps[name], payout=name == "payout") for name in ("payin", "payout")
    }

    difference = gaps["available"] - gaps["payin"] + gaps["payout"] + gaps["settled"]
    by_rates, unused = _by_rates(rates or {}, completed, own)
    fees, how = by_rates, _("by your rates, not by 88Pay")
    if fees is None:
        fees, how = _Listed(), ""
        if opening is not None:
            fees = _listed(accounts, environment, whose, "fee", own, opening, end, -difference)
            how = _("by the imported file") if fees.references else ""
    on_credit = _on_credit(difference + fees.cents, start, taken, credit)
    rest = difference + fees.cents - on_credit
    items = [
        *found.parts(),
        part_of(PAYIN, unexplained["payin"]),
        part_of(PAYOUT, -unexplained["payout"]),
        part_of(SETTLEMENTS, -gaps["settled"], by_file.references if by_file else ()),
        part_of(CREDIT, on_credit),
        part_of(FEES, -fees.cents, fees.references, words=how),
        part_of(REST, rest),
    ]
    return Reconciliation(
        environment, whose, own,
        opening.taken_at if opening else None,
        None if live else taken.taken_at,
        money.from_cents(expected["available"]),
        money.from_cents(actual["available"]),
        allowed, tuple(items),
        tuple(_notes(opening, since, taken, seen - {own, None}, own, file_ended, unused)),
        {name: (money.from_cents(expected[name]), money.from_cents(actual[name]))
         for name in actual},
    )  # fmt: skip


def reconcile_all(
    books: Books,
    balances: Iterable[Any] | None = None,
    *,
    environment: str,
    credit_limits: Mapping[str, Decimal] | None = None,
    **named: Any,
) -> pd.DataFrame:
    """A row for each merchant, with every part of its gap as a column.

    Args:
        books: the record of all of them.
        balances: 88Pay's answers, one for each merchant; by default the last snapshots in the
            books, of every merchant that has one.
        environment: which one.
        credit_limits: by merchant id, where they are known.
        named: as for :func:`reconcile`.

    A merchant that cannot be compared, such as one whose currency is not known, has a row with the
    reason in ``error``.

    Raises:
        WrongUse: as for :func:`reconcile`, where it is not about one merchant.
    """
    whose: list[tuple[Any, str | None]]
    if balances is None:
        known = books.accounts.merchants(environment)
        has = [id for id in known if books.accounts.snapshot(environment, id, last=True)]
        whose = [(None, id) for id in has]
    else:
        whose = [(balance, None) for balance in balances]
    rows = []
    for balance, merchant_id in whose:
        id = merchant_id or getattr(balance, "merchant_id", None)
        limit = (credit_limits or {}).get(id or "")
        try:
            result = reconcile(
                books, balance, environment=environment, merchant_id=id, credit_limit=limit, **named
            )
        except _NotComparable as error:
            rows.append({"merchant_id": id, "error": str(error)})
        else:
            rows.append(result.record() | {"error": None})
    return to_frame(rows, None if rows else ["merchant_id", "currency", "gap", "ok"])


# ---------------------------------------------------------------- what is compared


class _NotComparable(WrongUse):
    """Something is missing of one merchant."""


def _check(
    balance: Any,
    since: datetime | None,
    until: datetime | None,
    now: datetime | None,
    currency: str | None,
    rates: Mapping[str, Decimal],
) -> None:
    if balance is not None and until is not None:
        raise WrongUse("until: belongs to snapshots. Leave it out, or leave the balance out.")
    for name, moment in (("since", since), ("until", until), ("now", now)):
        if moment is not None and (fault := fault_of_time(moment)):
            raise WrongUse(f"{name}: {fault}")
    if since is not None and until is not None and since > until:
        raise WrongUse("since: is after until. Exchange them.")
    if currency is not None and currency not in CURRENCY_CODES:
        raise WrongUse(f"currency: {currency!r} is no ISO 4217 code. Use one such as COP.")
    for rate in rates.values():
        # A decimal, never a float; a percentage would be above 1.
        if not isinstance(rate, Decimal) or not rate.is_finite() or not 0 <= rate <= 1:
            raise WrongUse(
                f'rates: {rate!r} is no fraction from 0 to 1. Write 2.9 % as Decimal("0.029").'
            )


def _not_negative(name: str, value: Decimal | int | str) -> Decimal:
    amount = money.as_written(value, name)
    if amount < 0:
        raise WrongUse(f"{name}: {amount} is below zero. Give zero or more.")
    return amount


def _closing(
    books: Books,
    balance: Any,
    environment: str,
    merchant_id: str | None,
    config: Config | None,
    until: datetime | None,
) -> tuple[str, Snapshot]:
    """Whose balance it is, and the balance as a whole snapshot."""
    from pay88kit.books.accounts import Snapshot

    said = getattr(balance, "merchant_id", None)
    whose = merchant_id or said or (config.merchant_id if config else None)
    if not whose:
        raise WrongUse("merchant_id: is missing. Give merchant_id=, or config=client.config.")
    if said and said != whose:
        raise WrongUse(f"merchant_id: the balance is that of {said}, not of {whose}.")
    if balance is None:
        found = books.accounts.snapshot(environment, whose, before=until, last=True)
        if found is None:
            raise WrongUse(
                f"balance: the books have no whole snapshot of {whose} in {environment}. "
                "Give client.balance(), or keep one with: pay88 balance --save"
            )
        return whose, found
    five = Figures.of(balance)
    values = (five.payin, five.payout, five.settled, five.available, five.net)
    for name, value in zip(FIELDS, values, strict=True):
        if value is None:
            raise _NotComparable(
                f"balance: {name} is missing or no amount. Ask for the balance again."
            )
    return whose, Snapshot(datetime.max.replace(tzinfo=UTC), *values)  # type: ignore[arg-type]


def _opening(
    books: Books, environment: str, whose: str, since: datetime | None, end: Snapshot | None
) -> Snapshot | None:
    """The snapshot to start from, which is not the one to compare with."""
    ask = books.accounts.snapshot
    until = end.taken_at if end else None
    found = None
    if since is not None:
        before = since if until is None else min(since, until)
        found = ask(environment, whose, before=before, last=True)
    found = found or ask(environment, whose, before=until, after=since)
    return None if found == end else found


def _currency(whose: str, given: str | None, seen: set[str | None]) -> str:
    if given:
        return given
    country = whose.split("-")[1] if whose.count("-") >= 2 else ""
    own = CURRENCIES.get(country, ())
    known = sorted(each for each in seen if each)
    # Some countries have two; then the books may tell.
    used = [each for each in own if each in known]
    if own:
        return used[0] if len(used) == 1 else own[0]
    if len(known) == 1:
        return known[0]
    raise _NotComparable(
        f"currency: the id {whose} names no country, and its books have "
        f"{', '.join(known) or 'no currency'}. Give the merchant's own: currency='COP'."
    )


class _Sums:
    """What the books count since the opening, in cents of one currency."""

    def __init__(self, completed: Iterable[Completed], currency: str) -> None:
        self.payin = self.payout = 0
        for each in completed:
            if each.currency != currency:
                continue
            if each.operation == PAYOUT_OPERATION:
                self.payout += each.amount
            else:
                self.payin += each.amount


@dataclass(frozen=True)
class _Listed:
    """What a file or rates say: the sum in cents, and what it consists of."""

    cents: int = 0
    references: tuple[str, ...] = ()


def _listed(
    accounts: Any, environment: str, whose: str, kind: str, own: str, opening: Snapshot,
    end: Snapshot | None, change: int,
) -> _Listed:  # fmt: skip
    """What a file lists since the opening.

    Of a day on which a snapshot was taken, the file does not say what came before it. So those of
    such days count that make up the ``change`` that 88Pay shows; where none do, all.
    """
    found = accounts.movements(
        environment, whose, kind, opening.taken_at, end.taken_at if end else None
    )
    rows = [row for row in found if row.currency == own]
    open_ = change - sum(_cents(row.amount) for row in rows if row.sure)
    unsure = [Item(kind, row.reference, _cents(row.amount)) for row in rows if not row.sure]
    fit = fitting(unsure, open_)
    if fit is not None and fit.single:
        taken = fit.labels.get(kind, ())
        rows = [row for row in rows if row.sure or row.reference in taken]
    return _Listed(sum(_cents(row.amount) for row in rows), tuple(row.reference for row in rows))


def _by_rates(
    rates: Mapping[str, Decimal], completed: Iterable[Completed], own: str
) -> tuple[_Listed | None, list[str]]:
    """The fees by rates, None where no rate fits anything; and the rates that fit nothing."""
    cents = 0
    used = set()
    for each in completed:
        kind = PAYOUT_OPERATION if each.operation == PAYOUT_OPERATION else each.method_code or ""
        if each.currency == own and kind in rates:
            used.add(kind)
            up, down = rates[kind].as_integer_ratio()
            # To the even cent where it lies in the middle, as accounts are rounded.
            cents += round(Fraction(each.amount * up, down))
    return _Listed(cents) if used else None, [kind for kind in rates if kind not in used]


def _on_credit(added: int, start: Snapshot, taken: Snapshot, limit: Decimal | None) -> int:
    """What the credit has carried at least: only it adds to what is available (assumed).

    It carries payouts, so never more than those since the opening: above them, something that was
    held back has come free.
    """
    most = min(added, _cents(taken.total_payout) - _cents(start.total_payout))
    if limit is not None:
        most = min(most, _cents(limit))
    elif min(start.net_balance, taken.net_balance) >= 0:
        most = 0
    return max(0, most)


def _notes(
    opening: Snapshot | None,
    since: datetime | None,
    taken: Snapshot,
    others: set[Any],
    own: str,
    file_ended: datetime | None,
    unused: Sequence[str],
) -> Iterable[str]:
    if opening is None:
        yield _(
            "There is no opening snapshot, so this balance is where to start: keep it with "
            "books.save_balance(…) or: pay88 balance --save. The next one is compared with it."
        )
    elif since is not None and opening.taken_at > since:
        yield _("There is no snapshot at the time that was asked for: it starts at the next one.")
    if others:
        listed = ", ".join(sorted(others))
        yield _(
            "Operations in {others} are left out: a balance counts {own} only (assumed).",
            others=listed,
            own=own,
        )
    if file_ended is not None:
        yield _(
            "The imported settlements end on {day}, before the opening: what was settled since is "
            "what 88Pay says. Import those since then to compare them.",
            day=f"{file_ended:%Y-%m-%d}",
        )
    if unused and opening is not None:
        yield _(
            "rates: no completed operation here is of {unused}. Use method codes, such as PSE, "
            'and "cashout".',
            unused=", ".join(unused),
        )
    if taken.net_balance != minus(taken.total_payin, taken.total_payout):
        yield _("88Pay's net_balance is not its own total_payin − total_payout.")


def _cents(amount: Decimal) -> int:
    return money.to_cents(amount)
