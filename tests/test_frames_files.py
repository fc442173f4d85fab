"""Frames as files: Parquet and CSV and back, and a workbook that a spreadsheet cannot misread."""

from __future__ import annotations

import csv
import json
import os
import re
import stat
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pay88kit import to_frame
from pay88kit.config import Secret
from pay88kit.errors import FrameError
from pay88kit.frames import (
    coded,
    local_day,
    read_csv,
    read_parquet,
    save_csv,
    save_parquet,
    save_xlsx,
)

FORMULA = '=HYPERLINK("http://evil.example","click")'
texts = st.text(max_size=8) | st.sampled_from(
    ["", "=1+1", "'=1", "''", "+57 300", "-x", "@a", "\t=", "\r", "\n", "a\r\nb", '"', ",", "007",
     "NULL", "NaN", "true", "1e5", "\0", "ñ\U0001f600", "#N/A", "_x0041_", "\x07"]
)  # fmt: skip
amounts = st.decimals(-(10**16) + 1, 10**16 - 1, places=2).map(lambda number: f"{number:f}")
times = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
whole = st.integers(-(2**63), 2**63 - 1)
mixed = st.one_of(texts, st.booleans(), st.integers(), st.decimals(-100, 100, places=3),
                  st.lists(texts, max_size=2))  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with nothing else in it."""
    folder = tmp_path / "frames"
    folder.mkdir()
    return folder


def column(values: Any) -> Any:
    return st.none() | values


frames = st.lists(
    st.fixed_dictionaries(
        {"reference": column(texts), "amount": column(amounts), "created_at": column(times)},
        optional={
            "times": column(whole),
            "flag": column(st.booleans()),
            "rate": column(st.decimals(-100, 100, places=4)),
            "other": column(mixed),
            '=transaction_"x",\n': column(texts),
        },
    ),
    max_size=6,
).map(lambda rows: to_frame(rows, None if rows else ["reference", "amount", "created_at"]))


def assert_same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left, right, check_exact=True)
    for name in left:
        assert list(map(repr, left[name])) == list(map(repr, right[name])), name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames)
@example(to_frame([{"reference": None}, {"reference": ""}, {"reference": None}]))
def test_parquet_and_csv_give_the_same_frame_back(folder: Path, frame: pd.DataFrame) -> None:
    save_parquet(frame, folder / "frame.parquet")
    assert_same(read_parquet(folder / "frame.parquet"), frame)
    save_csv(frame, folder / "frame.csv")
    assert_same(read_csv(folder / "frame.csv", like=frame), frame)


def test_a_csv_alone_guesses_nothing(folder: Path) -> None:
    frame = to_frame([{"reference": "007", "amount": "1.50", "at": "2026-01-15T12:00:00Z"}])
    save_csv(frame, folder / "frame.csv")
    assert_same(read_csv(folder / "frame.csv"), frame)
    text = (folder / "frame.csv").read_text(encoding="utf-8-sig")
    assert text.splitlines()[1] == '"007",1.50,2026-01-15 12:00:00.000000Z'


def test_a_csv_runs_no_formula_in_a_spreadsheet(folder: Path) -> None:
    rows = [{"=name": text, "amount": -5} for text in ("=1+1", "+1", "-1", "@x", "\t=1", "\n=1")]
    save_csv(to_frame(rows), folder / "frame.csv")
    with (folder / "frame.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = list(csv.reader(file))
    assert all(row[0].startswith("'") for row in cells)
    assert {row[1] for row in cells} == {"amount", "-5.00"}


def test_a_csv_runs_no_formula_where_semicolons_separate(folder: Path) -> None:
    notes = ["a;=1+1", "a\n=1+1", "a\t-1", "a;'=b", ";;@x", "\n\n=1", "a;'b"]
    frame = to_frame([{"note": note, "n;=1": None} for note in notes])
    save_csv(frame, folder / "frame.csv")
    written = (folder / "frame.csv").read_text(encoding="utf-8-sig")
    for cell in re.split(r"[;\t\r\n]", written):
        assert cell[:1] not in ("=", "+", "-", "@"), cell
    assert_same(read_csv(folder / "frame.csv", like=frame), frame)


@pytest.mark.parametrize("names", [[], ["amount", "at", "x"]])
def test_an_empty_table_survives(folder: Path, names: list[str]) -> None:
    frame = to_frame([], names)
    save_csv(frame, folder / "frame.csv")
    assert_same(read_csv(folder / "frame.csv", like=frame), frame)
    save_parquet(frame, folder / "frame.parquet")
    assert_same(read_parquet(folder / "frame.parquet"), frame)


@pytest.mark.parametrize("save", [save_csv, save_parquet, save_xlsx])
def test_two_columns_of_one_name_are_refused(folder: Path, save: Any) -> None:
    frame = to_frame([{"amount": 1}])
    for twice in (pd.concat([frame, frame], axis=1), frame.set_index(frame["amount"])):
        with pytest.raises(FrameError, match="column amount: two columns have this name"):
            save(twice, folder / "frame")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("amount,amount\n1.00,2.00\n", "column amount: is there twice"),
        ("reference,amount\nA,1.50\nB,50.000\n", "row 1, column amount: '50.000' has 3 digits"),
        ("reference,amount\nA,1.50\nB,1e3\n", "row 1, column amount: '1e3'"),
        ("reference,created_at\nA,soon\n", "row 0, column created_at: 'soon'"),
        ("reference,count\nA,1\nB,x\n", "row 1, column count: 'x' is not of the type int64"),
        ("reference,mixture\nA,[\n", "row 0, column mixture: '\\[' is not JSON"),
        ("reference\nA,B\n", "is no CSV"),
        ("", "is no CSV"),
        ("a\n\xff", "is no CSV"),
    ],
)
def test_a_csv_with_a_fault_names_it(folder: Path, text: str, message: str) -> None:
    like = to_frame([{"count": 1, "mixture": [1]}])
    (folder / "frame.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(FrameError, match=message):
        read_csv(folder / "frame.csv", like)


def test_categories_and_their_index_survive_parquet(folder: Path) -> None:
    frame = coded(to_frame([{"reference": n, "currency": "COP", "amount": 1} for n in "AB"]))
    missing = coded(to_frame([{"status": s} for s in ("B", None, "A")]))
    save_parquet(missing, folder / "frame.parquet")
    assert_same(read_parquet(folder / "frame.parquet"), missing)
    save_parquet(frame, folder / "frame.parquet")
    back = read_parquet(folder / "frame.parquet")
    assert back.index.tolist() == ["A", "B"]
    assert back["currency"].dtype == "category"
    assert back["currency"].tolist() == ["COP", "COP"]


def test_a_parquet_of_another_program_is_read(folder: Path) -> None:
    pd.DataFrame({"amount": [1], "note": ["x"]}).to_parquet(folder / "frame.parquet")
    assert read_parquet(folder / "frame.parquet").to_dict("records") == [{"amount": 1, "note": "x"}]


def test_what_has_no_exact_form_is_named(folder: Path) -> None:
    frame = to_frame([{"other": 1}, {"other": [0.5]}])
    for save in (save_csv, save_parquet):
        with pytest.raises(FrameError, match="row 1, column other: a float"):
            save(frame, folder / "frame")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("save", [save_csv, save_parquet, save_xlsx])
def test_a_file_is_its_owners_and_whole_or_not_there(folder: Path, save: Any) -> None:
    path = folder / "frame"
    path.write_text("before")
    path.chmod(0o644)
    key = Secret("sk_test_0123456789abcdef0123")
    frame = to_frame([{"secret": key, "more": [key]}, {"more": {"deep": [key]}}])
    save(frame, path)
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"0123456789abcdef" not in path.read_bytes()
    assert [entry.name for entry in folder.iterdir()] == ["frame"]
    written = path.read_bytes()
    with pytest.raises(FrameError):
        save(to_frame([{"other": "x" * 40_000}, {"other": [0.5]}]), path)
    assert path.read_bytes() == written
    assert [entry.name for entry in folder.iterdir()] == ["frame"]


# ---------------------------------------------------------------- the workbook


def cells_of(path: Path) -> list[list[Any]]:
    return [list(row) for row in openpyxl.load_workbook(path)["88Pay"].iter_rows()]


def test_a_workbook_has_numbers_times_and_text(folder: Path) -> None:
    rows = [
        {"reference": "007", "amount": "-1234567.89", "at": "2026-01-15T12:00:00Z", "times": 3,
         "done": True, "note": FORMULA},
        {"reference": "A", "amount": "9999999999999999.99", "at": "1815-12-10T00:00:00Z",
         "times": 2**62, "note": "#N/A"},
    ]  # fmt: skip
    save_xlsx(to_frame(rows), folder / "frame.xlsx")
    header, first, second = cells_of(folder / "frame.xlsx")
    assert [cell.value for cell in header] == list(rows[0])
    assert [cell.data_type for cell in first] == ["s", "n", "d", "n", "b", "s"]
    assert [cell.value for cell in first] == [
        "007", -1234567.89, datetime(2026, 1, 15, 12), 3, True, FORMULA,
    ]  # fmt: skip
    assert first[1].number_format == "#,##0.00"
    assert first[5].quotePrefix
    # More digits than Excel keeps, a time before its calendar: nothing is lost, as text.
    assert [cell.data_type for cell in second] == ["s", "s", "s", "s", "n", "s"]
    assert second[1].value == "9999999999999999.99"
    assert second[3].value == str(2**62)
    assert second[4].value is None
    assert second[5].value == "#N/A"


@given(st.decimals(-(10**13) + 1, 10**13 - 1, places=2), st.text(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(Decimal("623597500.00"), "")
def test_a_workbook_shows_its_numbers_and_times(folder: Path, amount: Decimal, note: str) -> None:
    # Excel shows #### where one does not fit, as in Colombian pesos.
    row = {"amount": amount, "at": "2026-01-15T12:00:00Z", "note": note}
    save_xlsx(to_frame([row]), folder / "frame.xlsx")
    page = openpyxl.load_workbook(folder / "frame.xlsx")["88Pay"]
    width = {letter: found.width for letter, found in page.column_dimensions.items()}
    assert width["A"] > len(f"{amount:,.2f}")
    assert width["B"] > len("2026-01-15 12:00:00")
    assert width["C"] <= 60


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.decimals(-(10**13) + 1, 10**13 - 1, places=2), min_size=1))
def test_amounts_in_a_workbook_are_exact_to_the_cent(folder: Path, exact: list[Decimal]) -> None:
    save_xlsx(to_frame([{"amount": amount} for amount in exact]), folder / "frame.xlsx")
    read = [row[0].value for row in cells_of(folder / "frame.xlsx")[1:]]
    assert all(isinstance(value, int | float) for value in read)
    assert [Decimal(f"{value:.2f}") for value in read] == exact


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts)
@example("=cmd|' /C calc'!A0")
@example("x" * 32_767)
def test_text_in_a_workbook_is_text_whatever_it_says(folder: Path, text: str) -> None:
    save_xlsx(to_frame([{"note": text}]), folder / "frame.xlsx")
    cell = cells_of(folder / "frame.xlsx")[1][0]
    assert cell.data_type in ("s", "n" if not text else "s", "inlineStr")
    plain = openpyxl.utils.escape.unescape(cell.value or "")
    assert plain.encode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass")
    with zipfile.ZipFile(folder / "frame.xlsx") as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


@pytest.mark.parametrize("name", ["a/b", "", "x" * 32, "'a", "[a]", "a\0"])
def test_a_name_that_no_sheet_has_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(FrameError, match=r"sheet: .* is no name of a sheet"):
        save_xlsx(to_frame([{"amount": 1}]), folder / "frame.xlsx", sheet=name)
    assert list(folder.iterdir()) == []


def test_a_day_in_a_workbook_is_a_day(folder: Path) -> None:
    days = local_day(to_frame([{"at": "2026-01-16T04:30:00Z"}])["at"], "America/Bogota")
    save_xlsx(pd.DataFrame({"day": days}), folder / "frame.xlsx")
    cell = cells_of(folder / "frame.xlsx")[1][0]
    assert (cell.data_type, cell.value) == ("d", datetime(2026, 1, 15))
    assert cell.number_format == "yyyy-mm-dd"


def test_what_a_sheet_cannot_hold_is_refused(folder: Path) -> None:
    with pytest.raises(FrameError, match="row 1, column note: has 32,768 characters"):
        save_xlsx(to_frame([{"note": ""}, {"note": "x" * 32_768}]), folder / "frame.xlsx")
    wide = pd.DataFrame([[None] * 16_385], columns=[str(number) for number in range(16_385)])
    with pytest.raises(FrameError, match="16,384 columns"):
        save_xlsx(wide, folder / "frame.xlsx")
    long = pd.DataFrame(index=pd.RangeIndex(1_048_576))
    with pytest.raises(FrameError, match="1,048,575 rows"):
        save_xlsx(long, folder / "frame.xlsx")
    assert list(folder.iterdir()) == []


def test_json_and_a_workbook_agree_on_an_empty_table(folder: Path) -> None:
    frame = to_frame(json.dumps([]).encode(), ["reference", "amount"])
    save_xlsx(frame, folder / "frame.xlsx")
    assert [[cell.value for cell in row] for row in cells_of(folder / "frame.xlsx")] == [
        ["reference", "amount"]
    ]


def test_a_workbook_of_another_frame(folder: Path) -> None:
    bogota = pd.Timestamp("2026-01-15T23:30:00", tz="America/Bogota")
    frame = pd.DataFrame({"share": [0.1, float("inf")], "when": [bogota, None]})
    save_xlsx(frame, folder / "frame.xlsx")
    _, first, second = cells_of(folder / "frame.xlsx")
    assert [cell.value for cell in first] == [0.1, datetime(2026, 1, 16, 4, 30)]
    assert [cell.value for cell in second] == ["inf", None]
