"""The files of a run: their names, the page, the tables, the index."""

from __future__ import annotations

import json
import os
import re
import stat
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import nbformat
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from processes import Ended, at_once
from reports_support import a_run, notebook_of

from pay88kit import money, reports
from pay88kit.language import translated
from pay88kit.reports import index, page, tables

SCRIPT = "<script>alert(1)</script>"
FORMULA = '=HYPERLINK("http://evil.example")'


# ---------------------------------------------------------------- names

STRANGE = [
    "../../x",
    "a\"b'c",
    "😀 día",
    "line\nbreak\r",
    "CON",
    ".",
    "..",
    "a" * 300,
    "ñ" * 300,
    "{x}",
]


@pytest.mark.parametrize("value", STRANGE)
def test_a_strange_value_gives_a_safe_name(value: str, tmp_path: Path) -> None:
    source = notebook_of(tmp_path / "report.ipynb", parameters='x = ""')
    out = tmp_path / "out {y}"
    job = reports.prepare(str(source), {"x": value}, out)
    assert job.values == {"x": value}
    assert job.notebook.parent == out
    assert re.fullmatch(r"report(-[\w.-]*)?\.ipynb", job.notebook.name)
    assert len(os.fsencode(job.notebook.name)) < 200
    assert sorted(p.name for p in out.iterdir()) == [f"{job.notebook.stem}.html", job.notebook.name]


def test_many_long_values_give_a_name_that_a_file_system_takes(tmp_path: Path) -> None:
    names = "abcdefgh"
    source = notebook_of(
        tmp_path / "report.ipynb", parameters="\n".join(f'{name} = ""' for name in names)
    )
    job = reports.prepare(str(source), dict.fromkeys(names, "ñ" * 39 + "x"), tmp_path / "out")
    assert len(os.fsencode(job.notebook.name)) < 200


@pytest.mark.parametrize(
    "name", ["../daily_balance", "daily_balance\n", "😀", "", ".", "/", "a" * 5000]
)
def test_what_is_no_report_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(reports.ReportError, match="there is none") as error:
        reports.prepare(name, {}, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_own_reports_are_found_from_anywhere_and_see_that_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert reports.prepare("daily_balance", {}, "out").cwd == tmp_path
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    notebook_of(elsewhere / "mine.ipynb")
    assert reports.prepare("elsewhere/mine.ipynb", {}, "out").cwd == elsewhere


def test_braces_in_a_path_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "{day}").mkdir()
    source = notebook_of(tmp_path / "{day}" / "{}.ipynb", ("'fine'", "summary"))
    assert reports.run(str(source), out=tmp_path / "{out}").summary == "'fine'"


def test_what_a_cell_prints_before_its_summary_is_not_the_summary(tmp_path: Path) -> None:
    warns = "import warnings\nprint('said')\nwarnings.warn('careful')\n'fine'"
    source = notebook_of(tmp_path / "mine.ipynb", (warns, "summary"))
    assert reports.run(str(source), out=tmp_path / "out").summary == "'fine'"


def test_a_folder_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> Path:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "cwd", gone)
    with pytest.raises(reports.ReportError, match="The folder in which this runs is gone"):
        reports.prepare("daily_balance", {}, tmp_path / "out")


def test_no_file_that_is_there_is_taken(tmp_path: Path) -> None:
    source = notebook_of(tmp_path / "report.ipynb")
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("mine")
    (out / "report-2-tables").mkdir()
    first, second = (reports.prepare(str(source), {}, out).notebook.name for _ in range(2))
    assert (first, second) == ("report-3.ipynb", "report-4.ipynb")
    assert (out / "report.html").read_text() == "mine"
    assert not (out / "report.ipynb").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such file modes")
def test_a_new_folder_is_its_owners(tmp_path: Path) -> None:
    source = notebook_of(tmp_path / "report.ipynb")
    job = reports.prepare(str(source), {}, tmp_path / "a" / "out")
    assert stat.S_IMODE(job.notebook.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("place", ["file/out", "file", "a\x00b"])
def test_a_folder_that_cannot_be_written(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    source = notebook_of(tmp_path / "report.ipynb")
    with pytest.raises(reports.ReportError, match=r"out: .*cannot be written: .*Choose another"):
        reports.prepare(str(source), {}, tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"


def test_somebody_elses_index_stops_a_run_before_it_begins(tmp_path: Path) -> None:
    source = notebook_of(tmp_path / "report.ipynb")
    (tmp_path / "index.html").write_text("<p>my site")
    with pytest.raises(reports.ReportError, match="is not an index of reports"):
        reports.prepare(str(source), {}, tmp_path)
    assert (tmp_path / "index.html").read_text() == "<p>my site"


# ---------------------------------------------------------------- the page


def executed(*outputs: dict[str, object], prose: str = "# A title") -> nbformat.NotebookNode:
    cells = [nbformat.v4.new_markdown_cell(prose)]
    made = [nbformat.from_dict(output) for output in outputs]
    cells.append(nbformat.v4.new_code_cell("secret_code()", outputs=made))
    return nbformat.v4.new_notebook(cells=cells)


def shown(**data: object) -> dict[str, object]:
    named = {name.replace("_", "/", 1).replace("__", "+"): text for name, text in data.items()}
    return {"output_type": "display_data", "data": named, "metadata": {}}


def made_of(notebook: nbformat.NotebookNode, folder: Path, **named: str) -> str:
    body, _ = page.to_html(notebook, name="run", tables_in=folder / "run-tables", **named)
    return body


def test_the_page_is_complete_without_code_script_or_network(tmp_path: Path) -> None:
    body = made_of(
        executed(
            {"output_type": "stream", "name": "stdout", "text": f"printed {SCRIPT}"},
            {"output_type": "stream", "name": "stderr", "text": "a warning"},
            {**shown(image_png="iVBORw0KGgo="), "metadata": {"image/png": {"alt": 'Bars "high"'}}},
            shown(text_markdown="**bold**", text_plain="plain"),
            shown(application_javascript="alert(2)", text_plain="instead"),
            prose="# A *title*\n\nWords.",
        ),
        tmp_path,
    )
    assert "secret_code" not in body
    assert "a warning" not in body
    assert "<script" not in body
    assert "alert(2)" not in body
    assert "instead" in body
    assert "&lt;script&gt;" in body
    assert 'alt="Bars &quot;high&quot;"' in body or "alt='Bars \"high\"'" in body
    assert "<strong>bold</strong>" in body
    assert "<title>A title</title>" in body
    assert '<html lang="en">' in body
    assert "default-src 'none'" in body
    assert "size: A4" in body
    assert "color-scheme: light dark" in body
    assert not re.findall(r'(?:src|href)="(?!data:)', body)


def test_an_error_page_says_what_failed_and_keeps_the_rest(tmp_path: Path) -> None:
    traceback = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["line 1"]}
    body = made_of(
        executed(shown(text_plain="before it"), traceback), tmp_path, failure=f"E: {SCRIPT}"
    )
    assert "This report could not be finished." in body
    assert "E: &lt;script&gt;" in body
    assert "before it" in body
    assert "line 1" not in body
    assert 'href="run.ipynb"' in body


# ---------------------------------------------------------------- the tables

TABLE = f"""<p>before</p><table><caption><b>Sums: A/B</b></caption>
<thead><tr><th>name</th><th style="text-align: right">amount</th><th>note</th></tr></thead><tbody>
<tr><td>{FORMULA.replace('"', "&quot;")}</td><td style="text-align:right">1,234,567.89</td>
<td>{SCRIPT.replace("<", "&lt;")}</td></tr>
<tr><td>1,000.00</td><td style="text-align:right">007</td><td></td></tr>
<tr><td>b</td><td style="text-align:right">12</td><td>–</td></tr>
<tr><td>c</td><td style="text-align:right">–</td><td>x<br>y</td></tr>
</tbody></table><p>after</p>"""


def test_a_table_becomes_a_workbook_with_a_link_under_it(tmp_path: Path) -> None:
    body = made_of(executed(shown(text_html=TABLE)), tmp_path)
    (file,) = (tmp_path / "run-tables").iterdir()
    assert f'href="run-tables/{file.name}"' in body
    assert body.index("</table>") < body.index(file.name) < body.index("<p>after")
    sheet = openpyxl.load_workbook(file).active
    assert [list(row) for row in sheet.iter_rows(values_only=True)] == [
        ["name", "amount", "note"],
        [FORMULA, 1234567.89, SCRIPT],
        ["1,000.00", "007", None],
        ["b", 12, "–"],
        ["c", None, "x y"],
    ]
    # Text, and not a formula that its reader would run.
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"inlineStr", "s", "n"}


def amounts(*cells: str, style: str = "text-align:right") -> str:
    rows = "".join(f'<tr><td>x</td><td style="{style}">{cell}</td></tr>' for cell in cells)
    return f"<table><tr><th>name</th><th>amount</th></tr>{rows}</table>"


def in_excel(html: str, folder: Path) -> list[Any]:
    """The cells of the second column as Excel has them."""
    (table,) = tables.found_in(html)
    sheet = openpyxl.load_workbook(tables.save(table, folder, 1)).active
    return [row[1] for row in sheet.iter_rows(min_row=2)]


def test_an_amount_with_its_currency_is_a_number_that_shows_it(tmp_path: Path) -> None:
    said = ["14,066.24 MXN", "-0.50 BRL", "1,250 COP", "0.12345\xa0USD"]
    cells = in_excel(amounts(*said), tmp_path / "t")
    assert [cell.value for cell in cells] == [14066.24, -0.5, 1250, 0.12345]
    assert [cell.number_format for cell in cells] == [
        '#,##0.00 "MXN"', '#,##0.00 "BRL"', '#,##0.00 "COP"', '#,##0.00000 "USD"',
    ]  # fmt: skip


@given(st.decimals(-(10**15), 10**15, places=2), st.from_regex(r"[A-Z]{3}", fullmatch=True))
@example(Decimal("-9999999999999.99"), "COP")
@example(Decimal("10000000000000.00"), "COP")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_digit_of_an_amount_with_its_currency_is_lost(
    tmp_path: Path, amount: Decimal, currency: str
) -> None:
    said = money.show(amount, currency)
    (cell,) = in_excel(amounts(said), tmp_path / "t")
    # Excel keeps 15 digits.
    if len(amount.as_tuple().digits) > 15:
        assert (cell.data_type, cell.value) == ("s", said)
    else:
        assert cell.data_type == "n"
        assert money.show(Decimal(f"{cell.value:.2f}"), currency) == said


@pytest.mark.parametrize(
    "said",
    ["12 mxn", "12 MXNS", "12 MX", "MXN 12", "12 MXN 3", "1,2 MXN", "007 MXN", "=1+1 MXN",
     '12 "&A', "12 MXN;0", "12 ＭＸＮ", "١٢ MXN", "– MXN", "12MXN"],
)  # fmt: skip
def test_what_only_resembles_an_amount_stays_text(said: str, tmp_path: Path) -> None:
    (cell,) = in_excel(amounts(said), tmp_path / "t")
    assert (cell.data_type, cell.value, cell.number_format) == ("s", said, "General")


def test_an_amount_among_words_stays_text(tmp_path: Path) -> None:
    (cell,) = in_excel(amounts("12.00 MXN", style=""), tmp_path / "t")
    assert (cell.data_type, cell.value) == ("s", "12.00 MXN")


def test_in_spanish_the_page_and_its_workbooks_are_spanish(tmp_path: Path) -> None:
    frame = pd.DataFrame({"status": ["COMPLETED", FORMULA], "count": [7, 8], "mine": ["a", "b"]})
    frame["amount"] = [Decimal("1234567.89"), None]
    try:
        reports.speak("es")
        shown_table = reports.Table("Sums", frame)._repr_html_()
    finally:
        reports.speak("en")
    body = made_of(
        executed(shown(text_html=shown_table), shown(text_html="<table><tr><td>a<td>b</table>")),
        tmp_path,
        failure=f"E: {SCRIPT}",
        language="es",
    )
    assert '<html lang="es">' in body
    assert "No se pudo terminar este informe." in body
    assert 'en el <a href="run.ipynb">notebook de esta ejecución</a>.' in body
    assert "E: &lt;script&gt;" in body
    first, second = sorted((tmp_path / "run-tables").iterdir())
    assert second.name == "2-tabla.xlsx"
    sheet = openpyxl.load_workbook(first).active
    assert [list(row) for row in sheet.iter_rows(values_only=True)] == [
        ["estado", "cantidad", "mine", "monto"],
        ["COMPLETED", 7, "a", 1234567.89],
        [FORMULA, 8, "b", None],
    ]
    book = openpyxl.load_workbook(second)
    assert [cell.value for cell in book.active[1]] == ["nombre", "valor"]
    assert book.sheetnames == ["Tabla"]


def test_merged_cells_count_for_each_that_they_cover() -> None:
    (table,) = tables.found_in(
        "<table><tr><th rowspan=2>a</th><th colspan=2>b</th></tr><tr><td>1</td><td>2</td></tr>"
        "<tr><td colspan=3>all</table>"
    )
    texts = [[cell.text for cell in row] for row in table.rows]
    assert texts == [["a", "b", "b"], ["a", "1", "2"], ["all", "all", "all"]]


def test_a_frame_of_pandas_keeps_its_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [Decimal("1.10"), None], "b": ["x", FORMULA]})
    (table,) = tables.found_in(frame.to_html())
    sheet = openpyxl.load_workbook(tables.save(table, tmp_path / "t", 1)).active
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    assert rows == [["column 1", "a", "b"], ["0", 1.1, "x"], ["1", None, FORMULA]]


@example("<table><tr><td>1</td></tr></table><![foo[x]]>")
@given(st.text(alphabet="<>/tablerdh= \n\"'sp1-![]", max_size=200))
def test_no_html_breaks_the_search_for_tables(text: str) -> None:
    for table in tables.found_in(text):
        assert re.search(r"</table[^<>]*>$", text[: table.end])


# ---------------------------------------------------------------- the index


def test_the_index_gives_back_what_was_added(tmp_path: Path) -> None:
    rows = [a_run(1), a_run(2, words=f'{SCRIPT} "é😀"\n', values={"x": 1, "y": None, "z": True})]
    for row in rows:
        index.add_run(tmp_path, row)
    assert reports.runs(tmp_path) == rows
    assert reports.runs(tmp_path / "nothing") == []
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    # Its own, and the words that it reads.
    assert re.findall(r"<script[^>]*>", text) == [
        '<script type="application/json" id="words">', "<script>",
    ]  # fmt: skip
    assert text.isascii()


def test_the_index_has_each_of_its_sentences_in_each_language(tmp_path: Path) -> None:
    index.add_run(tmp_path, a_run())
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    words = json.loads(re.findall(r'<script [^>]*id="words">(.+)</script>', text)[0])
    data = {"failed", "done"}  # the states of a run
    said = {*re.findall(r"data-say>([^<]+)<", text), *re.findall(r'say\(\s*"([^"]+)"', text)} | data
    # The heads of the columns are also their labels on a phone.
    assert set(re.findall(r'cell\(row, "([^"]+)"', text)) <= said
    assert words == {code: {s: translated(s, code) for s in said} for code in ("en", "es")}
    assert [sentence for sentence in said if words["es"][sentence] == sentence] == ["notebook"]


def test_a_row_that_was_broken_off_takes_no_other_with_it(tmp_path: Path) -> None:
    for number in (1, 2):
        index.add_run(tmp_path, a_run(number))
    path = tmp_path / "index.html"
    path.write_bytes(path.read_bytes()[:-40])  # its program was killed
    assert reports.runs(tmp_path) == [a_run(1)]
    index.add_run(tmp_path, a_run(3))
    assert reports.runs(tmp_path) == [a_run(1), a_run(3)]


def test_an_index_that_is_not_filled_yet_is_nobody_elses(tmp_path: Path) -> None:
    """Another run has made it at this moment, or its program was killed there."""
    (tmp_path / "index.html").touch()
    reports.prepare(str(notebook_of(tmp_path / "report.ipynb")), {}, tmp_path)
    assert reports.runs(tmp_path) == []
    index.add_run(tmp_path, a_run())
    assert reports.runs(tmp_path) == [a_run()]
    assert (tmp_path / "index.html").read_bytes().startswith(b"<!DOCTYPE html>")


def test_many_runs_add_their_rows_at_once(tmp_path: Path) -> None:
    workers = at_once(
        4,
        "import sys\nfrom pathlib import Path\nfrom reports_support import a_run\n"
        "from pay88kit.reports.index import add_run",
        "folder = Path(sys.argv[1])",
        "for n in range(25): add_run(folder, a_run(number * 100 + n))",
        str(tmp_path),
    )
    assert workers == [Ended(0, "", "")] * 4
    expected = {f"daily-{w * 100 + n}.html" for w in range(4) for n in range(25)}
    found = [row.html for row in reports.runs(tmp_path)]
    assert len(found) == 100
    assert set(found) == expected


def test_a_row_is_as_quick_after_ten_thousand_as_before(tmp_path: Path) -> None:
    index.add_run(tmp_path, a_run())
    path = tmp_path / "index.html"
    line = path.read_bytes().splitlines(keepends=True)[-1]
    with path.open("ab") as file:
        file.write(line * 9_998)
    times = []
    for number in range(20):
        begun = time.perf_counter()
        index.add_run(tmp_path, a_run(number))
        times.append(time.perf_counter() - begun)
    assert len(reports.runs(tmp_path)) == 10_019
    assert min(times) < 0.05


def test_a_full_disk_leaves_the_index_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add_run(tmp_path, a_run())
    before = (tmp_path / "index.html").read_bytes()

    class Full:
        """A file on a disk with room for ten bytes."""

        def __init__(self, file: object) -> None:
            self.file = file

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

        def write(self, data: bytes) -> int:
            return self.file.write(data[:10])  # type: ignore[attr-defined, no-any-return]

    with (
        (tmp_path / "index.html").open("r+b", buffering=0) as file,
        pytest.raises(OSError, match="space"),
    ):
        index._append(Full(file), b"x" * 100 + b"\n")
    assert (tmp_path / "index.html").read_bytes() == before
