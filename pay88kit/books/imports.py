"""Operations, settlements and fees from elsewhere: a merchant's other programs, its bank, 88Pay.

Every row is checked before one is written, and each is written once, however often its file comes:
its reference says which it is.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError

from pay88kit import money
from pay88kit.books import sheets
from pay88kit.books.cells import Reading, text
from pay88kit.books.database import Database
from pay88kit.books.operations import IMPORTED, as_created, change, new_row
from pay88kit.books.tables import FINAL, movements, operations
from pay88kit.config import BASE_URLS
from pay88kit.display import Row, Shown, one_line
from pay88kit.errors import BooksError, InvalidRequest, Problem, WrongUse

_STATUSES = ("PENDING", *FINAL)
# What may stand in the field `operation`, in any case, and what it is in the books: a new row the
# first. PAYIN and PAYOUT are 88Pay's flows, and a payin may be either of two.
_OPERATIONS = {
    "charge": ("charge",), "cash": ("cash",), "cashout": ("cashout",),
    "payin": ("charge", "cash"), "payout": ("cashout",),
}  # fmt: skip
_CURRENCY = re.compile(r"[A-Z]{3}")
# The first whole number of more digits than Excel keeps.
_EXCEL_KEEPS = 10**15
# SQLite allows few values in one statement.
_AT_ONCE = 400


@dataclass(frozen=True)
class _Kind:
    """What a file of one kind must have, and may have."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        return self.required + self.optional


KINDS: Mapping[str, _Kind] = {
    "operations": _Kind(
        ("reference", "operation", "amount", "currency", "status", "created_at", "merchant_id"),
        ("completed_at", "key", "method_code", "country", "customer_id", "description"),
    ),
    "settlements": _Kind(("reference", "amount", "currency", "at", "merchant_id")),
    "fees": _Kind(("reference", "amount", "currency", "at", "merchant_id")),
}  # fmt: skip
# Longer ones fit no index.
_LENGTHS = {"reference": 255, "key": 255, "merchant_id": 64}


@dataclass(frozen=True)
class BadRow:
    """A fault in a row; ``row`` is its number in the file, whose header is row 1."""

    row: int
    problem: Problem

    def __str__(self) -> str:
        return one_line(f"row {self.row}, {self.problem}")


class BadRows(BooksError):
    """Rows of a file cannot be taken; nothing was written. ``rows`` has every fault."""

    def __init__(self, name: str, rows: Sequence[BadRow]) -> None:
        self.rows = tuple(rows)
        count = len({each.row for each in rows})
        listed = "\n".join(map(str, rows))
        super().__init__(
            f"{name}: {count} bad row{'' if count == 1 else 's'}; nothing was written.\n{listed}"
        )


@dataclass(frozen=True, repr=False)
class Imported(Shown):
    """What became of a file.

    Attributes:
        new: rows that the books did not know.
        updated: pending operations that the file says have ended.
        known: rows that the books had already.
        differing: known rows that say another time or key; the books keep theirs.
        left_out: with ``skip_bad``, the faults of the rows that were not taken.
        ignored: columns that mean nothing here.
    """

    name: str
    kind: str
    new: int = 0
    updated: int = 0
    known: int = 0
    left_out: tuple[BadRow, ...] = ()
    ignored: tuple[str, ...] = ()
    differing: tuple[BadRow, ...] = ()

    def _title(self) -> str:
        return f"{self.kind.capitalize()} from {self.name}"

    def _rows(self) -> list[Row]:
        rows = [("new", f"{self.new:,}"), ("known already", f"{self.known:,}")]
        if self.kind == "operations":
            rows.insert(1, ("pending, now ended", f"{self.updated:,}"))
        if self.ignored:
            rows.append(("columns not used", ", ".join(self.ignored)))
        rows += [("the books differ", str(each)) for each in self.differing]
        return rows + [("left out", str(bad)) for bad in self.left_out]

    def __repr__(self) -> str:
        return str(self)


def import_file(
    database: Database,
    path: Path,
    kind: str,
    *,
    environment: str,
    merchant_id: str | None,
    columns: Mapping[str, str],
    values: Mapping[str, str],
    reading: Reading,
    skip_bad: bool,
    encoding: str | None,
    sheet: str | None,
    now: datetime | None = None,
) -> Imported:
    """Check and write a file; see :meth:`pay88kit.Books.import_file`."""
    if kind not in KINDS:
        raise WrongUse(f"kind: {kind!r} is unknown. Use one of {', '.join(KINDS)}.")
    if environment not in BASE_URLS:
        raise WrongUse(
            f"environment: {environment!r} is unknown. Use one of {', '.join(BASE_URLS)}."
        )
    table = sheets.read(path, encoding=encoding, sheet=sheet)
    if merchant_id and "merchant_id" not in (*columns.values(), *table.columns):
        values = {"merchant_id": merchant_id, **values}
    names, ignored = _names(path.name, KINDS[kind], table.columns, columns, values)
    bad: list[BadRow] = []
    good: list[tuple[int, dict[str, Any]]] = []
    for number, cells in table.rows:
        record, faults = _check(kind, cells, names, values, reading)
        if faults:
            bad += [BadRow(number, fault) for fault in faults]
        else:
            good.append((number, record))
    writer = (_Operations if kind == "operations" else _Movements)(
        kind, environment, now or datetime.now(UTC)
    )
    try:
        with database.writing(alone=True) as db:
            bad += writer.take(db, good)
            if bad and not skip_bad:
                raise BadRows(path.name, sorted(bad, key=lambda each: each.row))
            writer.write(db)
    except IntegrityError:
        raise BooksError(
            f"books: another program wrote a row of {path.name} at the same time. Nothing was "
            "written: import it again."
        ) from None
    left_out = tuple(sorted(bad, key=lambda each: each.row))
    return Imported(
        path.name, kind, len(writer.new), writer.updated, writer.known, left_out, ignored,
        tuple(writer.differing),
    )  # fmt: skip


def _names(
    file: str,
    kind: _Kind,
    columns: Sequence[str],
    mapped: Mapping[str, str],
    values: Mapping[str, str],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The column of each field, and the columns that are none."""
    has = one_line(f"It has: {', '.join(columns)}.")
    for column, name in mapped.items():
        if column not in columns:
            raise WrongUse(f"map: {file} has no column {column!r}. {has}")
        if name not in kind.fields:
            raise WrongUse(f"map: {name!r} is no field. Use one of {', '.join(kind.fields)}.")
    for name in values:
        if name not in kind.fields:
            raise WrongUse(f"set: {name!r} is no field. Use one of {', '.join(kind.fields)}.")
    found: dict[str, str] = {}
    for column in columns:
        # A column of a field's name stands for it, unless another one does.
        name = mapped.get(column, "" if column in mapped.values() else column)
        if name not in kind.fields:
            continue
        if name in found:
            raise WrongUse(f"map: {found[name]!r} and {column!r} are both {name}. Keep one.")
        if name in values:
            raise WrongUse(f"set: {file} has a column for {name}. Leave out one of them.")
        found[name] = column
    missing = [name for name in kind.required if name not in found and name not in values]
    if missing:
        raise WrongUse(
            f"{file}: no column is {', '.join(missing)}. {has} Name the "
            f"column (map COLUMN={missing[0]}), or one value for all rows (set {missing[0]}=VALUE)."
        )
    return found, tuple(column for column in columns if column not in found.values())


# ---------------------------------------------------------------- one row


def _check(
    kind: str,
    cells: Mapping[str, Any],
    names: Mapping[str, str],
    values: Mapping[str, str],
    reading: Reading,
) -> tuple[dict[str, Any], list[Problem]]:
    """A row as the fields of its kind, or all that is wrong with it."""
    record: dict[str, Any] = {}
    faults: list[Problem] = []
    if "" in cells:
        faults.append(Problem("row", "it has more cells than the header.", "Quote its texts."))
    for name in KINDS[kind].fields:
        cell = cells.get(names[name]) if name in names else values.get(name)
        if cell is None:
            record[name] = None
            if name in KINDS[kind].required:
                faults.append(Problem(name, "it is empty.", "Fill it in."))
            continue
        try:
            if name == "at":
                record[name], record["until"] = reading.period(cell, name)
            else:
                record[name] = _read(kind, name, cell, reading)
        except InvalidRequest as error:
            faults += error.problems
    if not faults and kind == "operations":
        done, made = record["completed_at"], record["created_at"]
        if done is not None and done < made:
            faults.append(Problem("completed_at", "it is before created_at.", "Correct one."))
    return record, faults


def _read(kind: str, name: str, cell: Any, reading: Reading) -> Any:
    if name == "amount":
        amount = reading.amount(cell, name)
        if amount <= 0 and not (kind == "fees" and amount):
            raise _refuse(name, f"{amount} is not above zero.", "Correct it.")
        return amount
    if name in ("created_at", "completed_at"):
        return reading.moment(cell, name)
    if not isinstance(cell, str) and _digits_lost(cell):
        raise _refuse(
            name, "it is a number of more than 15 digits, of which Excel keeps 15.",
            "Format the column as text, and enter it again.",
        )  # fmt: skip
    said = text(cell)
    if "\x00" in said or any("\ud800" <= each <= "\udfff" for each in said):
        raise _refuse(name, "it has a character that no database keeps.", "Remove it.")
    if name == "status":
        if said.upper() not in _STATUSES:
            raise _refuse(name, f"{said[:40]!r} is no status.", f"Use {', '.join(_STATUSES)}.")
        return said.upper()
    if name == "operation":
        if said.lower() not in _OPERATIONS:
            raise _refuse(
                name, f"{said[:40]!r} is no operation.",
                "Use charge, cash or cashout, or 88Pay's PAYIN or PAYOUT.",
            )  # fmt: skip
        return said.lower()
    if name == "currency" and not _CURRENCY.fullmatch(said):
        raise _refuse(name, f"{said[:40]!r} is no ISO 4217 code.", "Use one such as COP.")
    if len(said) > _LENGTHS.get(name, len(said)):
        raise _refuse(name, f"it is longer than {_LENGTHS[name]} characters.", "Correct it.")
    return said


def _digits_lost(cell: Any) -> bool:
    return isinstance(cell, int | Decimal) and not -_EXCEL_KEEPS < cell < _EXCEL_KEEPS


def _refuse(field: str, fault: str, cure: str) -> InvalidRequest:
    return InvalidRequest(Problem(field, fault, cure))


# ---------------------------------------------------------------- all rows, beside the books


class _Writer:
    """Tells new rows from known ones, and writes what is new."""

    def __init__(self, kind: str, environment: str, now: datetime) -> None:
        self.kind = kind
        self.environment = environment
        self.now = now
        self.new: list[dict[str, Any]] = []
        self.updated = 0
        self.known = 0
        self.differing: list[BadRow] = []

    def take(self, db: Any, rows: Sequence[tuple[int, dict[str, Any]]]) -> list[BadRow]:
        """Sort the rows; returns those that contradict the books or another row."""
        bad = list(self._clashes(rows))
        clashing = {each.row for each in bad}
        taken: set[tuple[str, str]] = set()
        rest = (row for row in rows if row[0] not in clashing)
        while chunk := list(islice(rest, _AT_ONCE)):
            here = self._here(db, [record for _, record in chunk])
            for number, record in chunk:
                whose = (record["merchant_id"], record["reference"])
                if whose in taken:
                    self.known += 1
                    continue
                taken.add(whose)
                fault = self._sort(number, record, here)
                if fault is not None:
                    bad.append(BadRow(number, fault))
        return bad

    def write(self, db: Any) -> None:
        """Write what is new, and what has changed."""
        raise NotImplementedError

    def _clashes(self, rows: Sequence[tuple[int, dict[str, Any]]]) -> Iterator[BadRow]:
        """Rows that share a reference and are not the same: none of them can be believed."""
        groups: dict[tuple[str, str], list[tuple[int, dict[str, Any]]]] = {}
        for row in rows:
            groups.setdefault((row[1]["merchant_id"], row[1]["reference"]), []).append(row)
        for group in groups.values():
            record = group[0][1]
            others = [number for number, its in group if its != record]
            for number, its in group if others else ():
                which, other = (others[0], dict(group)[others[0]]) if its == record else group[0]
                fields = ", ".join(name for name in its if its[name] != other[name])
                fault = f"row {which} has the same with another {fields}."
                yield BadRow(number, Problem("reference", fault, "Keep the true one."))

    def _here(self, db: Any, records: Sequence[dict[str, Any]]) -> Any:
        raise NotImplementedError

    def _sort(self, number: int, record: dict[str, Any], here: Any) -> Problem | None:
        raise NotImplementedError

    def _differs(self, number: int, name: str, known: Any, reference: str) -> None:
        fault = f"the books have {known} for {reference}, and keep it."
        self.differing.append(BadRow(number, Problem(name, fault, "Find out which is true.")))


class _Movements(_Writer):
    """Settlements and fees."""

    def _here(self, db: Any, records: Sequence[dict[str, Any]]) -> Any:
        row = movements.c
        found = db.execute(
            sql.select(movements).where(
                row.environment == self.environment,
                row.kind == self._its_kind,
                row.reference.in_({record["reference"] for record in records}),
            )
        ).mappings()
        return {(each["merchant_id"], each["reference"]): each for each in found}

    def _sort(self, number: int, record: dict[str, Any], here: Any) -> Problem | None:
        known = here.get((record["merchant_id"], record["reference"]))
        if known is None:
            self.new.append(record | {"environment": self.environment, "kind": self._its_kind})
            return None
        for name in ("amount", "currency", "at"):
            if known[name] != record[name]:
                return _contradicts(name, known[name], record["reference"])
        self.known += 1
        return None

    @property
    def _its_kind(self) -> str:
        return self.kind.removesuffix("s")

    def write(self, db: Any) -> None:
        if self.new:
            db.execute(movements.insert(), self.new)


class _Operations(_Writer):
    """Operations, which the client may have written before."""

    def __init__(self, kind: str, environment: str, now: datetime) -> None:
        super().__init__(kind, environment, now)
        self._changes: list[tuple[str, dict[str, Any]]] = []

    def _clashes(self, rows: Sequence[tuple[int, dict[str, Any]]]) -> Iterator[BadRow]:
        yield from super()._clashes(rows)
        by_key: dict[tuple[str, str, str], dict[str, list[int]]] = {}
        for number, record in rows:
            if record["key"] is not None:
                kind = _OPERATIONS[record["operation"]][0]
                its = by_key.setdefault((record["merchant_id"], kind, record["key"]), {})
                its.setdefault(record["reference"], []).append(number)
        for (_, _, key), its in by_key.items():
            for reference, numbers in its.items():
                for other in [each for each in its if each != reference][:1]:
                    for number in numbers:
                        yield BadRow(number, _key_taken(key, other))

    def _here(self, db: Any, records: Sequence[dict[str, Any]]) -> Any:
        row = operations.c
        by: list[Callable[[Any], Any]] = [
            lambda each: (each["merchant_id"], each["reference"]),
            lambda each: (each["merchant_id"], each["operation"], each["key"]),
        ]
        keys = {record["key"] for record in records} - {None}
        where = (
            row.reference.in_({record["reference"] for record in records}),
            sql.and_(
                row.merchant_id.in_({record["merchant_id"] for record in records}),
                row.operation.in_({each for kinds in _OPERATIONS.values() for each in kinds}),
                row.key.in_(keys),
            ),
        )
        found = []
        for which, name_of in zip(where, by, strict=True):
            query = sql.select(operations).where(row.environment == self.environment, which)
            rows = db.execute(query.order_by(row.number.desc())).mappings()
            found.append({name_of(each): each for each in rows})
        return found

    def _sort(self, number: int, record: dict[str, Any], here: Any) -> Problem | None:
        by_reference, by_key = here
        reference, key = record["reference"], record["key"]
        known = by_reference.get((record["merchant_id"], reference))
        if key is not None:
            for kind in _OPERATIONS[record["operation"]]:
                other = by_key.get((record["merchant_id"], kind, key))
                if other is not None and other["reference"] != reference:
                    return _key_taken(key, other["reference"])
        if known is None:
            self.new.append(self._new(record))
            return None
        if known["operation"] not in _OPERATIONS[record["operation"]]:
            return _contradicts("operation", known["operation"], reference)
        for name in ("amount", "currency"):
            if known[name] != record[name]:
                return _contradicts(name, known[name], reference)
        ends = record["status"] in FINAL and known["status"] != record["status"]
        if ends and known["status"] in FINAL:
            return _contradicts("status", known["status"], reference)
        values: dict[str, Any] = {}
        if ends:
            # What the file does not date takes effect when the books learn of it.
            at = record["completed_at"] or max(self.now, known["created_at"])
            values = {"status": record["status"], "updated_at": at}
            self.updated += 1
        else:
            self.known += 1
        if key is not None and known["key"] is None:
            values["key"] = key
        if values:
            self._changes.append((known["id"], values))
        for name, its in self._told_otherwise(record, known, ends):
            self._differs(number, name, its, reference)
        return None

    @staticmethod
    def _told_otherwise(
        record: Mapping[str, Any], known: Mapping[str, Any], ends: bool
    ) -> Iterator[tuple[str, Any]]:
        """What a file says of a known row and the books do not; the name and what they have."""
        if record["key"] is not None and known["key"] not in (None, record["key"]):
            yield "key", repr(known["key"])
        if not known["id"].startswith(IMPORTED):
            # The client and the notification set the times of its own, which no other program's
            # equal to the second.
            return
        if known["created_at"] != record["created_at"]:
            yield "created_at", known["created_at"].isoformat()
        done = record["completed_at"]
        if done is not None and not ends and done != known["updated_at"]:
            yield "completed_at", known["updated_at"].isoformat()

    def _new(self, record: dict[str, Any]) -> dict[str, Any]:
        asked = ("amount", "currency", "country", "method_code", "customer_id", "description")
        body = {name: record[name] for name in asked if record[name] is not None}
        row = new_row(
            body, record["created_at"], id=f"{IMPORTED}{uuid.uuid4()}",
            environment=self.environment, merchant_id=record["merchant_id"],
            operation=_OPERATIONS[record["operation"]][0], key=record["key"],
        )  # fmt: skip
        row |= as_created(record["reference"])
        at = record["completed_at"] or record["created_at"]
        return row | {"status": record["status"], "updated_at": at}

    def write(self, db: Any) -> None:
        if self.new:
            db.execute(operations.insert(), self.new)
        for id, values in self._changes:
            change(db, id, **values)


def _contradicts(name: str, known: Any, reference: str) -> Problem:
    said = money.to_text(known) if name == "amount" and known is not None else known
    return Problem(
        name, f"the books have {said} for {reference}.",
        "Find out which is true; the books are not overwritten.",
    )  # fmt: skip


def _key_taken(key: str, reference: str | None) -> Problem:
    if reference is None:
        cure = f"First record it: books.resolve({key!r}, created=…)."
        return Problem("key", f"{key!r} has no known outcome in the books.", cure)
    return Problem("key", f"{key!r} belongs to {reference} already.", "Correct it.")
