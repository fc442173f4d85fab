"""Operations, settlements and fees from files: checked by row, and written once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from typing import Any
from zipfile import ZipFile

import pytest
from books_support import LATER, NOW, begin, create, only, operation, receive
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from pay88kit import Books, KeyConflict, money
from pay88kit.books.imports import BadRows, Imported
from pay88kit.cli import main
from pay88kit.errors import BooksError, WrongUse

MERCHANT = "MCH-COL-29ZTP4"
HEADER = "reference,operation,amount,currency,status,created_at"
ROW = "IPAAAAAAAA1,charge,50000.50,COP,COMPLETED,2026-01-15T12:00:00Z"
MOVED = "reference,amount,currency,at\nS-1,1000.25,COP,2026-01-15T12:00:00Z\n"


@pytest.fixture
def books(database_url: str) -> Iterator[Books]:
    with closing(Books(database_url)) as books:
        yield books


@pytest.fixture
def memory() -> Iterator[Books]:
    with closing(Books()) as books:
        yield books


def file(tmp_path: Path, *lines: str, name: str = "rows.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def take(books: Books, path: Path, kind: str = "operations", **named: Any) -> Imported:
    given = {"environment": "production", "merchant_id": MERCHANT} | named
    return books.import_file(path, kind, **given)


def faults(caught: pytest.ExceptionInfo[BadRows]) -> list[tuple[int, str]]:
    return [(bad.row, bad.problem.field) for bad in caught.value.rows]


# ---------------------------------------------------------------- what is written


def test_operations_are_among_the_books_own(books: Books, tmp_path: Path) -> None:
    result = take(
        books,
        file(
            tmp_path,
            HEADER + ",completed_at,key,method_code,note",
            ROW + ",2026-01-15T13:00:00-05:00,order-1,PSE,ours",
            "IPAAAAAAAA2,PAYOUT,1,COP,pending,2026-01-16,,,",
            "",
        ),
        timezone="America/Bogota",
    )
    assert (result.new, result.known, result.ignored) == (2, 0, ("note",))
    first, second = books.operations().to_dict("records")
    assert {name: first[name] for name in ("key", "operation", "state", "status", "amount")} == {
        "key": "order-1", "operation": "charge", "state": "created", "status": "COMPLETED",
        "amount": Decimal("50000.50"),
    }  # fmt: skip
    assert first["created_at"] == datetime(2026, 1, 15, 12, tzinfo=UTC)
    assert first["updated_at"] == datetime(2026, 1, 15, 18, tzinfo=UTC)
    assert (first["environment"], first["merchant_id"]) == ("production", MERCHANT)
    # A day alone is its midnight there.
    assert second["created_at"] == datetime(2026, 1, 16, 5, tzinfo=UTC)
    assert (second["operation"], second["status"]) == ("cashout", "PENDING")


@pytest.mark.parametrize("kind", ["settlements", "fees"])
def test_settlements_and_fees_are_kept(books: Books, tmp_path: Path, kind: str) -> None:
    assert take(books, file(tmp_path, MOVED), kind).new == 1
    (row,) = books.movements().to_dict("records")
    assert row == {
        "kind": kind[:-1], "reference": "S-1", "amount": Decimal("1000.25"), "currency": "COP",
        "at": datetime(2026, 1, 15, 12, tzinfo=UTC), "environment": "production",
        "merchant_id": MERCHANT,
    }  # fmt: skip


def test_the_same_reference_of_two_kinds_and_merchants_is_four_rows(
    books: Books, tmp_path: Path
) -> None:
    path = file(tmp_path, MOVED)
    for kind in ("settlements", "fees"):
        for merchant in (MERCHANT, "MCH-MEX-AAAAAA"):
            assert take(books, path, kind, merchant_id=merchant).new == 1
    assert len(books.movements()) == 4


@pytest.mark.parametrize("kind", ["operations", "settlements", "fees"])
def test_a_file_that_comes_twice_is_written_once(books: Books, tmp_path: Path, kind: str) -> None:
    text = MOVED if kind != "operations" else f"{HEADER}\n{ROW}\n"
    path = file(tmp_path, text.rstrip("\n"), text.splitlines()[1])
    assert (take(books, path, kind).new, take(books, path, kind).known) == (1, 2)
    assert len(books.operations()) + len(books.movements()) == 1


def test_more_rows_than_fit_one_statement(books: Books, tmp_path: Path) -> None:
    rows = [ROW.replace("AAAAAAAA1", f"{n:09}") + f",order-{n}" for n in range(950)]
    path = file(tmp_path, HEADER + ",key", *rows)
    assert take(books, path).new == 950
    assert (take(books, path).known, len(books.operations())) == (950, 950)


def test_a_pending_operation_that_has_ended_is_updated(books: Books, tmp_path: Path) -> None:
    create(books, environment="production", key="order-1")
    row = "IP9BD7CJES6,charge,50000.10,COP,COMPLETED,2026-01-15T12:00:00Z,2026-01-15T14:00:00Z"
    path = file(tmp_path, HEADER + ",completed_at", row)
    assert take(books, path).updated == 1
    assert take(books, path).known == 1
    found = operation(books)
    assert (found["status"], found["key"]) == ("COMPLETED", "order-1")
    assert found["updated_at"] == datetime(2026, 1, 15, 14, tzinfo=UTC)
    # What the file says of a time before does not undo it.
    assert take(books, file(tmp_path, HEADER + ",completed_at", row.replace(
        "COMPLETED,2026-01-15T12:00:00Z,2026-01-15T14:00:00Z", "PENDING,2026-01-15T12:00:00Z,"
    ))).known == 1  # fmt: skip
    assert operation(books)["status"] == "COMPLETED"


def test_a_notification_finds_an_imported_operation(books: Books, tmp_path: Path) -> None:
    take(books, file(tmp_path, HEADER, ROW.replace("COMPLETED", "PENDING")))
    event = receive(books, environment="production", reference="IPAAAAAAAA1", amount="50000.50")
    assert event.outcome == "applied"


def test_an_imported_key_is_not_charged_again(books: Books, tmp_path: Path) -> None:
    take(books, file(tmp_path, HEADER + ",key", ROW + ",order-1"))
    with pytest.raises(KeyConflict):
        begin(books, "op-9", environment="production", key="order-1")


# ---------------------------------------------------------------- what contradicts the books


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (("50000.10", "50000.11"), "amount"),
        (("COP", "USD"), "currency"),
        (("charge", "cash"), "operation"),
        (("COMPLETED", "REJECTED"), "status"),
    ],
)
def test_what_contradicts_the_books_is_named_and_not_written(
    books: Books, tmp_path: Path, change: tuple[str, str], field: str
) -> None:
    create(books, environment="production")
    receive(books, environment="production", reference="IP9BD7CJES6")
    before = operation(books)
    row = "IP9BD7CJES6,charge,50000.10,COP,COMPLETED,2026-01-15T12:00:00Z"
    with pytest.raises(BadRows, match="IP9BD7CJES6") as caught:
        take(books, file(tmp_path, HEADER, ROW, row.replace(*change)))
    assert faults(caught) == [(3, field)]
    assert operation(books) == before
    assert len(books.operations()) == 1


def test_a_settlement_that_contradicts_the_books_is_named(books: Books, tmp_path: Path) -> None:
    take(books, file(tmp_path, MOVED), "settlements")
    with pytest.raises(BadRows, match=r"amount: the books have 1000\.25 for S-1"):
        take(books, file(tmp_path, MOVED.replace("1000.25", "1000.26")), "settlements")
    assert list(books.movements()["amount"]) == [Decimal("1000.25")]


def test_an_unknown_outcome_is_resolved_by_a_person_not_by_a_file(
    books: Books, tmp_path: Path
) -> None:
    begin(books, environment="production", key="order-1")
    books.lost("op-1", "no answer", session_id=None, now=NOW)
    with pytest.raises(BadRows, match=r"books\.resolve\('order-1', created=…\)") as caught:
        take(books, file(tmp_path, HEADER + ",key", ROW + ",order-1"))
    assert faults(caught) == [(2, "key")]


def test_rows_of_one_file_that_contradict_each_other_are_named(
    books: Books, tmp_path: Path
) -> None:
    other = ROW.replace("50000.50", "1")
    third = ROW.replace("AAAAAAAA1", "AAAAAAAA3")
    with pytest.raises(BadRows, match="row 2 has the same with another amount") as caught:
        take(books, file(tmp_path, HEADER + ",key", ROW + ",k", other + ",k", third + ",k"))
    assert faults(caught) == [(n, f) for n in (2, 3) for f in ("reference", "key")] + [(4, "key")]


def test_of_rows_that_contradict_each_other_none_is_believed(books: Books, tmp_path: Path) -> None:
    good = ROW.replace("AAAAAAAA1", "AAAAAAAA2")
    path = file(tmp_path, HEADER, ROW, good, ROW.replace("50000.50", "1"), ROW)
    result = take(books, path, skip_bad=True)
    assert [(bad.row, bad.problem.field) for bad in result.left_out] == [
        (2, "reference"), (4, "reference"), (5, "reference")
    ]  # fmt: skip
    assert list(books.operations()["reference"]) == ["IPAAAAAAAA2"]


def test_88pays_flow_of_a_payin_is_a_charge_or_a_cash_payment(books: Books, tmp_path: Path) -> None:
    create(books, environment="production", operation="cash")
    row = "IP9BD7CJES6,PAYIN,50000.10,COP,COMPLETED,2026-01-15T12:00:00Z"
    assert take(books, file(tmp_path, HEADER, row)).updated == 1
    with pytest.raises(BadRows, match="operation: the books have cash"):
        take(books, file(tmp_path, HEADER, row.replace("PAYIN", "PAYOUT")))


def test_what_a_known_row_says_otherwise_is_named_and_a_key_is_recorded(
    books: Books, tmp_path: Path
) -> None:
    header = HEADER + ",completed_at,key"
    take(books, file(tmp_path, HEADER, ROW))
    assert take(books, file(tmp_path, header, ROW + ",,order-1")).differing == ()
    with pytest.raises(KeyConflict):
        begin(books, "op-9", environment="production", key="order-1")
    result = take(books, file(
        tmp_path, header, ROW.replace("T12", "T11") + ",2026-01-16T12:00:00Z,order-2"
    ))  # fmt: skip
    assert result.known == 1
    assert [each.problem.field for each in result.differing] == [
        "key", "created_at", "completed_at"
    ]  # fmt: skip
    assert "row 2, key: the books have 'order-1' for IPAAAAAAAA1" in str(result)
    assert only(books.operations())["key"] == "order-1"


def test_a_pending_operation_takes_effect_when_the_books_learn_of_its_end(
    books: Books, tmp_path: Path
) -> None:
    take(books, file(tmp_path, HEADER, ROW.replace("COMPLETED", "PENDING")))
    learned = datetime(2026, 1, 17, tzinfo=UTC)
    assert take(books, file(tmp_path, HEADER, ROW), now=learned).updated == 1
    assert only(books.operations())["updated_at"] == learned


# ---------------------------------------------------------------- what was lost, and imported


@pytest.mark.parametrize("how", ["notification", "resolve", "answer"])
@pytest.mark.parametrize("status", ["COMPLETED", "PENDING"])
def test_an_operation_that_receives_an_imported_reference_is_one_with_it(
    books: Books, tmp_path: Path, how: str, status: str
) -> None:
    begin(books, environment="production", key="order-1")
    books.lost("op-1", "no answer", session_id=None, now=NOW)
    row = f"R1,charge,50000.10,COP,{status},2026-01-15T12:00:00Z"
    take(books, file(tmp_path, HEADER, row))
    if how == "notification":
        event = receive(books, environment="production", marker="op-1", reference="R1")
        assert event.outcome == "applied"
    elif how == "resolve":
        books.resolve("order-1", created="R1", now=LATER)
    else:
        answer = {"data": {"reference": "R1"}}
        books.created("op-1", answer, reference="R1", session_id="s", now=LATER)
    found = only(books.operations())
    assert (found["id"], found["key"], found["reference"]) == ("op-1", "order-1", "R1")
    heard = how == "notification" and status == "PENDING"
    assert found["status"] == ("COMPLETED" if heard else status)
    assert found["updated_at"] == (LATER if heard else NOW)
    assert take(books, file(tmp_path, HEADER, row)).known == 1


def test_an_imported_row_of_another_merchant_or_environment_stays(
    books: Books, tmp_path: Path
) -> None:
    others = [
        {"merchant_id": "MCH-MEX-AAAAAA"}, {"environment": "sandbox"}, {},
        {"merchant_id": "MCH-BRA-AAAAAA"},
    ]  # fmt: skip
    for named in others:
        take(
            books,
            file(tmp_path, HEADER, "R1,charge,50000.10,COP,COMPLETED,2026-01-15T12:00:00Z"),
            **named,
        )
    begin(books, environment="production", key="order-1")
    books.lost("op-1", "no answer", session_id=None, now=NOW)
    books.resolve("order-1", created="R1", now=LATER)
    found = books.operations()
    assert set(found["reference"]) == {"R1"}
    whose = zip(found["environment"], found["merchant_id"], found["id"] == "op-1", strict=True)
    assert sorted(whose) == [
        ("production", "MCH-BRA-AAAAAA", False),
        ("production", MERCHANT, True),
        ("production", "MCH-MEX-AAAAAA", False),
        ("sandbox", MERCHANT, False),
    ]


def test_a_payin_of_a_file_is_one_with_a_lost_cash_payment(books: Books, tmp_path: Path) -> None:
    begin(books, environment="production", key="order-1", operation="cash")
    books.lost("op-1", "no answer", session_id=None, now=NOW)
    take(books, file(tmp_path, HEADER, "R1,PAYIN,50000.10,COP,COMPLETED,2026-01-15T12:00:00Z"))
    books.resolve("order-1", created="R1", now=LATER)
    found = only(books.operations())
    assert (found["operation"], found["status"]) == ("cash", "COMPLETED")


def test_an_imported_key_is_kept_where_the_operation_has_none_and_never_lost(
    books: Books, tmp_path: Path
) -> None:
    row = "R1,charge,50000.10,COP,COMPLETED,2026-01-15T12:00:00Z,order-7"
    for id, key in (("op-1", "order-1"), ("op-2", None)):
        begin(books, id, environment="production", key=key)
        books.lost(id, "no answer", session_id=None, now=NOW)
    take(books, file(tmp_path, HEADER + ",key", row))
    with pytest.raises(BooksError, match="with the key 'order-7', which 'order-1' is not"):
        books.resolve("order-1", created="R1", now=LATER)
    books.resolve("op-2", created="R1", now=LATER)
    assert list(books.operations()["key"]) == ["order-1", "order-7"]


def test_a_notification_of_the_imported_row_belongs_to_the_operation_then(
    books: Books, tmp_path: Path
) -> None:
    begin(books, environment="production", key="order-1")
    books.lost("op-1", "no answer", session_id=None, now=NOW)
    take(books, file(tmp_path, HEADER, "R1,charge,50000.10,COP,PENDING,2026-01-15T12:00:00Z"))
    assert receive(books, environment="production", reference="R1").outcome == "applied"
    books.resolve("order-1", created="R1", now=LATER)
    assert only(books.operations())["status"] == "COMPLETED"
    assert only(books.notifications())["operation_id"] == "op-1"


@pytest.mark.parametrize("cells", ["R1,cashout,50000.10", "R1,charge,50000.11"])
def test_a_reference_of_something_else_is_not_resolved(
    books: Books, tmp_path: Path, cells: str
) -> None:
    begin(books, environment="production", key="order-1")
    books.lost("op-1", "no answer", session_id=None, now=NOW)
    take(books, file(tmp_path, HEADER, f"{cells},COP,COMPLETED,2026-01-15T12:00:00Z"))
    with pytest.raises(BooksError, match=r"an imported file has R1 as a c.*order-1.* is not"):
        books.resolve("order-1", created="R1", now=LATER)
    assert list(books.unknown()["id"]) == ["op-1"]


def test_two_imports_at_once_write_each_row_once(database_url: str, tmp_path: Path) -> None:
    rows = [ROW.replace("AAAAAAAA1", f"{n:09}") for n in range(1200)]
    path = file(tmp_path, HEADER, *rows)
    ready = Barrier(2)

    def importing() -> int:
        with closing(Books(database_url)) as books:
            ready.wait()
            return take(books, path).new

    Books(database_url).close()
    with ThreadPoolExecutor(2) as pool:
        new = [each.result() for each in [pool.submit(importing) for _ in range(2)]]
    with closing(Books(database_url)) as books:
        assert (sorted(new), len(books.operations())) == ([0, 1200], 1200)


# ---------------------------------------------------------------- bad rows

BAD = {
    "amount": ["1e3", "NaN", "-5", "0", "1.234", "9" * 30, "1,000", "1.000,50", "five", "١٢"],
    "currency": ["cop", "CO", "PESO"],
    "status": ["done", "=COMPLETED"],
    "operation": ["refund"],
    "created_at": [
        "2026-01-15T12:00:00", "15/01/2026", "2026-13-01", "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-05:00", "yesterday", "0033-01-15T12:00:00Z", "1999-12-31T23:59:59Z",
        "9999-12-31",
    ],
    "reference": ["", "IP\x00AAAAAAA1"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "cell"), [(field, cell) for field, cells in BAD.items() for cell in cells]
)
def test_a_bad_cell_is_named_with_its_row(
    memory: Books, tmp_path: Path, field: str, cell: str
) -> None:
    fields = HEADER.split(",")
    cells = ROW.split(",")
    cells[fields.index(field)] = f'"{cell}"'
    with pytest.raises(BadRows) as caught:
        take(memory, file(tmp_path, HEADER, ROW, ",".join(cells)))
    assert faults(caught) == [(3, field)]
    assert caught.value.rows[0].problem.cure
    assert memory.operations().empty


def test_every_bad_row_is_named_and_nothing_is_written(memory: Books, tmp_path: Path) -> None:
    bad = ["x,charge,1e3,COP,done,2026-01-15", ",charge,1,COP,PENDING,2026-01-15T12:00:00Z"]
    with pytest.raises(BadRows, match="2 bad rows; nothing was written") as caught:
        take(memory, file(tmp_path, HEADER, bad[0], ROW, bad[1]))
    assert faults(caught) == [(2, "amount"), (2, "status"), (2, "created_at"), (4, "reference")]
    assert memory.operations().empty


def test_with_skip_bad_the_good_rows_are_taken(memory: Books, tmp_path: Path) -> None:
    path = file(tmp_path, HEADER, ROW.replace("50000.50", "0"), ROW.replace("1,ch", "2,ch"))
    result = take(memory, path, skip_bad=True)
    assert (result.new, [(bad.row, bad.problem.field) for bad in result.left_out]) == (
        1, [(2, "amount")]
    )  # fmt: skip
    assert list(memory.operations()["reference"]) == ["IPAAAAAAAA2"]


def test_an_end_before_the_beginning_is_refused(memory: Books, tmp_path: Path) -> None:
    with pytest.raises(BadRows) as caught:
        take(memory, file(tmp_path, HEADER + ",completed_at", ROW + ",2026-01-15T11:59:59Z"))
    assert faults(caught) == [(2, "completed_at")]


def test_a_divider_without_quotes_is_noticed(memory: Books, tmp_path: Path) -> None:
    with pytest.raises(BadRows) as caught:
        take(memory, file(tmp_path, HEADER, ROW.replace("50000.50", "50000,50")))
    assert (2, "row") in faults(caught)


@pytest.mark.parametrize("moment", ["2026-03-08T02:30:00", "2026-11-01T01:30:00"])
def test_a_time_at_a_change_of_the_clocks_is_refused(
    memory: Books, tmp_path: Path, moment: str
) -> None:
    path = file(tmp_path, HEADER, ROW.replace("2026-01-15T12:00:00Z", moment))
    with pytest.raises(BadRows, match="clocks change"):
        take(memory, path, timezone="America/New_York")


# ---------------------------------------------------------------- how files are written


def test_a_day_alone_begins_with_its_first_moment(memory: Books, tmp_path: Path) -> None:
    # In Chile the clocks went from the end of the day before to one o'clock.
    path = file(tmp_path, HEADER, ROW.replace("2026-01-15T12:00:00Z", "2026-09-06"))
    take(memory, path, timezone="America/Santiago")
    assert only(memory.operations())["created_at"] == datetime(2026, 9, 6, 4, tzinfo=UTC)


def test_a_year_of_two_digits_is_stored_as_it_is(memory: Books) -> None:
    long_ago = datetime(33, 1, 15, tzinfo=UTC)
    begin(memory, now=long_ago)
    with memory._database.reading() as db:
        stored = db.exec_driver_sql("SELECT created_at FROM operations").scalar()
    assert stored == "0033-01-15T00:00:00.000000Z"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("divider", [",", ";", "\t"])
def test_encodings_and_dividers_are_found(
    memory: Books, tmp_path: Path, encoding: str, divider: str
) -> None:
    lines = [HEADER + ",description", ROW + ",Café"]
    path = file(tmp_path, *(line.replace(",", divider) for line in lines), encoding=encoding)
    take(memory, path)
    assert list(memory.operations()["description"]) == ["Café"]


def test_a_named_encoding_does_not_keep_the_mark_of_excel(memory: Books, tmp_path: Path) -> None:
    path = file(tmp_path, HEADER, ROW, encoding="utf-8-sig")
    assert take(memory, path, encoding="utf-8").new == 1


def test_another_encoding_is_named_not_guessed(memory: Books, tmp_path: Path) -> None:
    path = file(tmp_path, HEADER + ",description", ROW + ",Café", encoding="cp1252")
    with pytest.raises(WrongUse, match=r"is not utf-8.*cp1252"):
        take(memory, path)
    take(memory, path, encoding="cp1252")
    assert list(memory.operations()["description"]) == ["Café"]


@pytest.mark.parametrize(
    ("decimal", "cell", "amount"),
    [
        (",", "1.234.567,89", "1234567.89"), (",", "1234567,89", "1234567.89"),
        (".", "1,234,567.89", "1234567.89"), (",", "50.000", "50000"), (".", "50,000", "50000"),
        (",", "7", "7"),
    ],
)  # fmt: skip
def test_thousands_marks_count_where_they_are_told(
    memory: Books, tmp_path: Path, decimal: str, cell: str, amount: str
) -> None:
    take(memory, file(tmp_path, HEADER, ROW.replace("50000.50", f'"{cell}"')), decimal=decimal)
    assert list(memory.operations()["amount"]) == [Decimal(amount)]


@pytest.mark.parametrize("cell", ["1.23", "12.34.567", "1,2,3", "1.234,567.8", "1,234.50"])
def test_marks_in_wrong_places_are_refused(memory: Books, tmp_path: Path, cell: str) -> None:
    path = file(tmp_path, HEADER, ROW.replace("50000.50", f'"{cell}"'))
    with pytest.raises(BadRows) as caught:
        take(memory, path, decimal=",")
    assert faults(caught) == [(2, "amount")]


@pytest.mark.parametrize("cell", ["50.000", "1.250", "10.000"])
def test_thousands_that_look_like_decimals_are_refused(
    memory: Books, tmp_path: Path, cell: str
) -> None:
    path = file(tmp_path, HEADER, ROW.replace("50000.50", cell))
    with pytest.raises(BadRows, match="say which mark is the decimal one") as caught:
        take(memory, path)
    assert faults(caught) == [(2, "amount")]
    take(memory, path, decimal=",")
    assert list(memory.operations()["amount"]) == [Decimal(cell.replace(".", ""))]


@given(st.integers(1, 999_999_999_999_999_999))
def test_every_amount_arrives_exactly(tmp_path_factory: pytest.TempPathFactory, cents: int) -> None:
    amount = money.from_cents(cents)
    path = file(tmp_path_factory.mktemp("f"), HEADER, ROW.replace("50000.50", f'"{amount:,}"'))
    with closing(Books()) as books:
        take(books, path, decimal=".")
        assert list(books.operations()["amount"]) == [amount]


def workbook(tmp_path: Path, *rows: list[Any], sheet: str = "Sheet") -> Path:
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = sheet
    for row in rows:
        page.append(row)
    path = tmp_path / "rows.xlsx"
    book.save(path)
    return path


def test_a_spreadsheet_with_numbers_times_and_formula_like_text(
    memory: Books, tmp_path: Path
) -> None:
    text = '=HYPERLINK("https://evil.example","Pay")'
    path = workbook(
        tmp_path,
        [*HEADER.split(","), "description"],
        ["IPAAAAAAAA1", "charge", 0.1 + 0.2, "COP", "COMPLETED", datetime(2026, 1, 15, 7), "x"],
        [],
        [20260002, "cash", 50000, "COP", "PENDING", "2026-01-15T12:00:00Z", None],
    )
    from openpyxl import load_workbook

    book = load_workbook(path)
    cell = book.active["G2"]
    cell.value, cell.data_type = text, "s"
    book.save(path)
    take(memory, path, timezone="America/Bogota")
    first, second = memory.operations().to_dict("records")
    assert (first["amount"], first["description"]) == (Decimal("0.30"), text)
    assert first["created_at"] == second["created_at"] == datetime(2026, 1, 15, 12, tzinfo=UTC)
    assert (second["reference"], second["amount"]) == ("20260002", Decimal(50000))


@pytest.mark.parametrize(
    ("kept", "amount"),
    [
        ("0.30000000000000004", "0.30"), ("34490.299999999999", "34490.30"), ("5E4", "50000.00"),
        ("12345678901234.56", "12345678901234.56"),
    ],
)  # fmt: skip
def test_what_excel_keeps_is_read_as_what_it_shows(
    memory: Books, tmp_path: Path, kept: str, amount: str
) -> None:
    path = workbook(
        tmp_path, ["reference", "amount", "currency", "at"],
        ["S-1", 123.25, "COP", "2026-01-15T12:00:00Z"],
    )  # fmt: skip
    written = tmp_path / "by_excel.xlsx"
    # A sum that Excel made: openpyxl would round it as it writes.
    with ZipFile(path) as old, ZipFile(written, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"<v>123.25</v>", f"<v>{kept}</v>".encode()))
    take(memory, written, "fees")
    assert list(memory.movements()["amount"]) == [Decimal(amount)]


@given(st.integers(1, 999_999_999_999_999))
def test_a_number_of_a_spreadsheet_is_the_one_it_shows(
    tmp_path_factory: pytest.TempPathFactory, cents: int
) -> None:
    amount = money.from_cents(cents)
    path = workbook(tmp_path_factory.mktemp("f"), ["reference", "amount", "currency", "at"], [
        "S-1", float(amount), "COP", "2026-01-15T12:00:00Z"
    ])  # fmt: skip
    with closing(Books()) as books:
        take(books, path, "settlements")
        assert list(books.movements()["amount"]) == [amount]


def test_a_sheet_is_named(memory: Books, tmp_path: Path) -> None:
    path = workbook(tmp_path, HEADER.split(","), ROW.split(","), sheet="Enero")
    with pytest.raises(WrongUse, match="has Enero, not 'Marzo'"):
        take(memory, path, sheet="Marzo")
    assert take(memory, path, sheet="Enero").new == 1


def test_columns_of_other_names_are_mapped_and_missing_ones_set(
    memory: Books, tmp_path: Path
) -> None:
    path = file(tmp_path, "Ref;Monto;Fecha;status", "A1;1.000,50;2026-01-15T12:00:00Z;PENDING")
    take(
        memory, path, decimal=",",
        columns={"Ref": "reference", "Monto": "amount", "Fecha": "created_at"},
        values={"operation": "charge", "currency": "COP"},
    )  # fmt: skip
    assert list(memory.operations()["amount"]) == [Decimal("1000.50")]


def test_a_files_own_merchants_count(memory: Books, tmp_path: Path) -> None:
    path = file(tmp_path, HEADER + ",merchant_id", ROW + ",MCH-COL-OTHER1")
    take(memory, path)
    assert list(memory.operations()["merchant_id"]) == ["MCH-COL-OTHER1"]


@pytest.mark.parametrize(
    ("lines", "named", "match"),
    [
        ([""], {}, "first row is empty"),
        (["reference,reference"], {}, "two columns are called 'reference'"),
        (["reference"], {}, "no column is operation, amount, currency, status, created_at"),
        ([HEADER], {"columns": {"Monto": "amount"}}, "no column 'Monto'"),
        ([HEADER], {"columns": {"amount": "sum"}}, "'sum' is no field"),
        ([HEADER], {"values": {"sum": "1"}}, "'sum' is no field"),
        ([HEADER], {"values": {"amount": "1"}}, "has a column for amount"),
        ([HEADER + ",a"], {"columns": {"a": "amount", "amount": "amount"}}, "are both amount"),
        ([HEADER], {"merchant_id": None}, "no column is merchant_id"),
        ([HEADER], {"kind": "refunds"}, "'refunds' is unknown"),
        ([HEADER], {"decimal": ";"}, "no decimal mark"),
        ([HEADER], {"timezone": "Bogota"}, "'Bogota' is unknown"),
        ([HEADER], {"encoding": "klingon"}, "'klingon' is unknown"),
        ([HEADER], {"sheet": "1"}, r"no \.xlsx file"),
        (['"' + HEADER], {}, "is no CSV file"),
    ],
)
def test_wrong_use_is_told_before_anything_is_read(
    memory: Books, tmp_path: Path, lines: list[str], named: dict[str, Any], match: str
) -> None:
    with pytest.raises(WrongUse, match=match):
        take(memory, file(tmp_path, *lines), **named)


def test_what_only_ends_in_xlsx_is_refused(memory: Books, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"is no \.xlsx file"):
        take(memory, file(tmp_path, HEADER, name="rows.xlsx"))


def test_a_damaged_sheet_in_a_good_archive_is_refused(memory: Books, tmp_path: Path) -> None:
    path = workbook(tmp_path, HEADER.split(","), ROW.split(","))
    with ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with ZipFile(path, "w") as archive:
        for name, raw in parts.items():
            damaged = name.endswith("sheet1.xml")
            archive.writestr(name, raw[: raw.index(b"</row>")] if damaged else raw)
    with pytest.raises(WrongUse, match="the sheet is damaged"):
        take(memory, path)


def test_a_number_too_long_for_excel_is_no_reference(memory: Books, tmp_path: Path) -> None:
    cells: list[Any] = ROW.split(",")
    cells[0] = 1234567890123450
    with pytest.raises(BadRows, match="Format the column as text") as caught:
        take(memory, workbook(tmp_path, HEADER.split(","), cells))
    assert faults(caught) == [(2, "reference")]


def test_an_unknown_environment_is_refused(memory: Books, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="environment: 'prod' is unknown"):
        take(memory, file(tmp_path, HEADER, ROW), environment="prod")


def test_a_row_that_another_program_writes_meanwhile_is_told(
    memory: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pay88kit.books.imports import _Movements

    monkeypatch.setattr(_Movements, "_here", lambda *_: {})
    take(memory, file(tmp_path, MOVED), "fees")
    with pytest.raises(BooksError, match="Nothing was written: import it again"):
        take(memory, file(tmp_path, MOVED), "fees")
    assert len(memory.movements()) == 1


# ---------------------------------------------------------------- the command


def test_the_command_takes_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAY88_ENVIRONMENT", "production")
    monkeypatch.setenv("PAY88_BOOKS", f"sqlite:///{tmp_path / 'kept.db'}")
    path = file(tmp_path, "Ref;Monto;at", "S-1;1.000,25;2026-01-15")
    words = [
        "books", "import", str(path), "--kind", "settlements", "--map", "Ref=reference", "--map",
        "Monto=amount", "--set", "currency=COP", "--merchant", MERCHANT, "--decimal", ",",
        "--timezone", "America/Bogota",
    ]  # fmt: skip
    assert main(words) == 0
    assert main(words) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "new 1 known already 0" in said
    assert "new 0 known already 1" in said
    with closing(Books(f"sqlite:///{tmp_path / 'kept.db'}")) as books:
        assert list(books.movements()["amount"]) == [Decimal("1000.25")]
        assert list(books.movements()["environment"]) == ["production"]


def test_the_command_says_no_and_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file(tmp_path, HEADER, ROW, ROW.replace("50000.50", "x\x1b[2J").replace("A1", "A2"))
    words = ["books", "import", str(path), "--merchant", MERCHANT]
    assert main(words) == 2
    assert "kept in memory" in capsys.readouterr().err
    monkeypatch.setenv("PAY88_BOOKS", f"sqlite:///{tmp_path / 'kept.db'}")
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "row 3, amount:" in said
    assert "\x1b" not in said
    assert main([*words, "--map", "x=amount"]) == 2
    assert main([*words, "--map", "a=amount", "--map", "a=key"]) == 2
    assert main([*words, "--skip-bad"]) == 1
    assert "left out row 3, amount:" in " ".join(capsys.readouterr().out.split())
    assert main(["books", "import", str(tmp_path / "none.csv"), "--merchant", MERCHANT]) == 1


def test_what_a_file_wrote_is_escaped(memory: Books, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    path = file(tmp_path, f"{HEADER},{hostile}", ROW + ",x", ROW.replace("COP", hostile) + ",")
    result = take(memory, path, skip_bad=True)
    assert hostile in str(result)
    assert hostile not in result._repr_html_()
