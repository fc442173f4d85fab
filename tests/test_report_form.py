"""The form of a report, driven from Python; `browser` has a test of it in JupyterLab."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import ipywidgets
import pytest
from openpyxl import load_workbook
from reports_support import notebook_of

from pay88kit import Books, Pay88, Sandbox, language, places, reports
from pay88kit.errors import WrongUse
from pay88kit.guide.report_form import ReportForm
from pay88kit.guide.report_form.controls import control
from pay88kit.guide.report_form.words import PARAMETERS, REPORTS
from pay88kit.reports import Parameter
from pay88kit.reports.engine import forking, watching

HOSTILE = "<img src=x onerror=alert(1)>"
OUT = Path("reports-out")
LINK = re.compile(r'<a href="([^"]*)"([^>]*)>([^<]*)</a>')


@pytest.fixture
def form() -> Iterator[ReportForm]:
    form = ReportForm()
    yield form
    form.wait(60)
    form.close()
    language.speak("en")


def states(widget: Any) -> str:
    """All that a widget and those in it send to the browser."""
    inner = "".join(states(child) for child in getattr(widget, "children", ()))
    return repr(widget.get_state()) + inner


def texts(widget: Any) -> str:
    """The HTML in a widget."""
    own = widget.value if isinstance(widget, ipywidgets.HTML) else ""
    return own + "".join(map(texts, getattr(widget, "children", ())))


def links(page: str) -> dict[str, str]:
    return {html.unescape(label): html.unescape(url) for url, _, label in LINK.findall(page)}


# ---------------------------------------------------------------- what is asked


def test_every_report_and_parameter_of_the_kit_has_words_of_its_own() -> None:
    assert set(REPORTS) == set(reports.names())
    named = {p.name for name in reports.names() for p in reports.parameters(name)}
    assert named - {"language"} == set(PARAMETERS)
    for title, _purpose in REPORTS.values():
        for code in language.LANGUAGES:
            # As its page calls itself.
            heading = language.translated(f"# {title}", code)
            assert heading == f"# {language.translated(title, code)}"


def test_the_language_changes_the_form_at_once_and_the_report(form: ReportForm) -> None:
    assert form.values()["language"] == "en"
    form.language.value = "es"
    assert form.run_button.description == "Ejecutar el informe"
    assert ("Saldo diario", "daily_balance") in form.report.options
    assert form.values()["language"] == "es"
    shown = states(form.box)
    assert "Comercio" in shown
    assert "vacío: el de la configuración" in shown
    assert "empty: the configured one" not in shown


def test_two_forms_speak_each_its_own_language(form: ReportForm) -> None:
    other = ReportForm("other", language="es")
    form.report.value = "onboarding"
    assert "Developer" in states(form.box)
    other.controls["timezone"].text = "Mars"
    other.run_button.click()
    assert "no se conoce" in texts(other.box)
    form.run_button.click()
    form.wait(60)
    assert "It has ended" in form.status.value
    assert "done in" in texts(form.results)
    other.close()


def test_a_form_in_no_language_of_the_kit_is_refused() -> None:
    with pytest.raises(WrongUse, match="language: 'fr' is none of en, es"):
        ReportForm(language="fr")


def test_what_was_typed_is_there_in_another_report_and_another_language(form: ReportForm) -> None:
    form.controls["merchant_id"].text = "MCH-MEX-1"
    form.report.value = "onboarding"
    assert "merchant_id" not in form.controls
    form.report.value = "transactions"
    form.language.value = "es"
    assert form.report.value == "transactions"
    assert form.values() == {
        "merchant_id": "MCH-MEX-1",
        "first_day": "2026-01-15", "last_day": "2026-01-17", "language": "es",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "default", "texts"),
    [
        ("text", '"a"', ["b", HOSTILE]),
        ("date", '"2026-01-15"', ["2026-01-16", "today", "yesterday"]),
        ("date", '""', ["", "2026-01-16", "today"]),
        ("date", "", ["", "yesterday"]),
        ("choice", '"one"', ["two"]),
        ("choice", "", ["", "two"]),
        ("yes or no", "True", ["no", "yes"]),
        ("whole number", "3", ["30", "many"]),
        ("amount", '"1.50"', ["50000.50"]),
        ("number", "1.5", ["2.5"]),
        ("time zone", '""', ["America/Bogota", "anything"]),
        ("profile", '""', ["SHOP"]),
        ("Python value", "[1, 2]", ["[3]"]),
    ],
)
def test_a_control_holds_what_the_command_line_takes(
    kind: str, default: str, texts: list[str]
) -> None:
    choices = ("one", "two") if kind == "choice" else ()
    made = control(Parameter("x", kind, default, "what it is", choices))
    assert made.text == made.default
    for text in texts:
        made.text = text
        assert made.text == text
        # Another report has a parameter of the same name.
        assert control(made.parameter, text).text == text
    if kind in ("date", "choice", "yes or no"):
        assert control(made.parameter, "no such value").text == made.default


def test_no_day_can_be_picked_that_has_begun_nowhere() -> None:
    day = control(Parameter("day", "date", '"2026-01-15"', ""))
    latest = (datetime.now(UTC) + timedelta(hours=14)).date()
    day.text = date.max.isoformat()
    assert abs(date.fromisoformat(day.text) - latest) <= timedelta(days=1)


def test_it_offers_the_merchants_of_the_books_and_the_names_of_profiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As whoever looks after the integration names them for somebody who only opens the form.
    url = f"sqlite:///{Path.cwd() / 'books.db'}"
    Path(".env").write_text(f"PAY88_BOOKS={url}\nBAR_PAY88_API_KEY=sk_test_of_the_bar_0123456789\n")
    with Sandbox() as sandbox:
        balance = Pay88(sandbox.config, books=False).balance()
        Books(url).save_balance(balance, environment="local", now=sandbox.clock.now())
        merchant_id = sandbox.config.merchant_id
    monkeypatch.setenv("SHOP_PAY88_API_KEY", "sk_test_of_the_shop_0123456789")
    form = ReportForm()
    offered = {
        name: each.box.children[0].options
        for name, each in form.controls.items()
        if isinstance(each.box.children[0], ipywidgets.Combobox)
    }
    assert offered["merchant_id"] == (merchant_id,)
    assert offered["profile"] == ("BAR", "SHOP")
    assert "America/Bogota" in offered["timezone"]
    assert "of_the" not in states(form.box)


# ---------------------------------------------------------------- what is refused


def test_a_fault_stands_beside_its_field_and_nothing_is_begun(form: ReportForm) -> None:
    form.controls["timezone"].text = f"Mars/{HOSTILE}"
    form.controls["merchant_id"].text = "MCH-COL-1"
    form.run_button.click()
    fault = form.controls["timezone"].box.children[-1].value
    assert 'role="alert"' in fault
    assert "is unknown. Use an IANA name" in fault
    assert HOSTILE not in texts(form.box)
    assert "Nothing was begun" in form.status.value
    assert texts(form.controls["merchant_id"].box).count("alert") == 0
    assert not form.run_button.disabled
    assert not OUT.exists()
    form.controls["timezone"].text = ""
    form.report.value = "webhook_check"
    assert "Nothing was begun" not in form.status.value


def test_what_concerns_no_field_is_said_above_them(form: ReportForm) -> None:
    OUT.mkdir()
    (OUT / "index.html").write_text("mine")
    form.run_button.click()
    assert "is not an index of reports" in form.status.value
    assert (OUT / "index.html").read_text() == "mine"


def test_a_configuration_that_cannot_be_used_is_said_too(
    form: ReportForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAY88_ENVIRONMENT", "moon")
    form.run_button.click()
    assert "moon" in form.status.value
    assert not OUT.exists()


def test_a_secret_is_not_repeated(form: ReportForm) -> None:
    secret = "sk_test_" + "a1b2c3d4" * 4
    form.controls["merchant_id"].text = secret
    form.run_button.click()
    assert "looks like a secret" in texts(form.controls["merchant_id"].box.children[-1])
    assert secret not in form.status.value + texts(form.results)
    assert not OUT.exists()


# ---------------------------------------------------------------- a run, and what came of it


def test_results_stand_newest_first_and_every_link_leads_to_its_file(form: ReportForm) -> None:
    form.report.value = "webhook_check"
    form.run_button.click()
    assert form.run_button.disabled
    assert "<progress" in form.status.value
    form.wait(60)
    assert not form.run_button.disabled
    form.report.value = "onboarding"
    form.controls["developer"].text = HOSTILE
    form.run_button.click()
    form.wait(60)
    newest, first = (each.value for each in form.results.children)
    assert newest.count("onboarding developer=") == 1
    assert HOSTILE not in texts(form.box)
    assert "webhook_check language=en: done in" in first

    found = links(first)
    page = httpx.get(found["The report as a page"])
    assert "<h1" in page.text
    # A report's own link to its table, as the browser follows it.
    (inside, *_) = re.findall(r'href="([^"]*\.xlsx)"', page.text)
    table = httpx.get(urljoin(str(page.url), inside))
    assert load_workbook(BytesIO(table.content)).active.max_row > 1
    assert urljoin(str(page.url), inside) in found.values()
    notebook = httpx.get(found["The executed notebook"])
    assert json.loads(notebook.text)["cells"]
    assert notebook.headers["content-disposition"] == "attachment"
    index = httpx.get(links(texts(form.box))["All runs in this folder"])
    assert index.text.count("data-run=") == 2


def test_the_files_are_for_who_has_the_link_and_apart_from_jupyter(form: ReportForm) -> None:
    form.report.value = "webhook_check"
    form.run_button.click()
    form.wait(60)
    url = links(texts(form.results))["The report as a page"]
    answer = httpx.get(url)
    policy = answer.headers["content-security-policy"]
    # Without an origin, so that it reaches nothing of the Jupyter server's.
    assert policy.startswith("sandbox ")
    assert "allow-same-origin" not in policy
    scheme, rest = url.split("://")
    host, name, file = rest.split("/")
    assert len(name) >= 20
    Path("beside.html").write_text("not a report")
    for path in (file, f"x{name}/{file}", f"{name}/../beside.html", f"{name}/%2e%2e/beside.html"):
        assert httpx.get(f"{scheme}://{host}/{path}").status_code == 404
    form.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_report_that_fails_has_its_error_page_and_what_to_do(form: ReportForm) -> None:
    form.language.value = "es"
    form.report.value = "webhook_check"
    form.controls["results"].text = f"{HOSTILE}.json"
    form.run_button.click()
    form.wait(60)
    shown = texts(form.results)
    assert "no se pudo terminar" in shown
    assert "hay que corregirlo y ejecutar el informe de nuevo" in shown
    assert HOSTILE not in shown
    page = httpx.get(links(shown)["La página del error"])
    assert 'class="failure"' in page.text
    assert [run.state for run in reports.runs(OUT)] == ["failed"]


def test_a_report_that_is_stopped_leaves_nothing(form: ReportForm) -> None:
    form.report.value = "webhook_check"
    form.run_button.click()
    form.stop_button.click()
    form.wait(60)
    assert "nothing of it was kept" in texts(form.results)
    assert [path.name for path in OUT.iterdir()] == []
    assert form.values() == {"language": "en"}


def test_where_processes_are_not_forked_it_works_too(
    form: ReportForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "available", lambda: False)
    form.report.value = "webhook_check"
    form.run_button.click()
    form.wait(60)
    assert "The report as a page" in links(texts(form.results))


@pytest.mark.parametrize("forks", [True, False])
def test_progress_counts_every_cell(
    forks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not forks:
        monkeypatch.setattr(forking, "available", lambda: False)
    source = notebook_of(tmp_path / "small.ipynb", "# Title", "1 + 1", "2 + 2")
    told: list[tuple[int, int]] = []
    engine = watching.engine(lambda done, cells: told.append((done, cells)))
    reports.carry_out(reports.prepare(str(source), {}, OUT), engine=engine)
    assert told == [(done, 4) for done in range(1, 5)]


# ---------------------------------------------------------------- without widgets


def test_the_notebook_says_how_the_same_is_done_without_the_form() -> None:
    cells = json.loads((places.notebooks() / "run_a_report.ipynb").read_bytes())["cells"]
    source = "".join(cells[-1]["source"])
    (program,) = re.findall(r"```python\n(.*?)```", source, re.DOTALL)
    exec(program, {})  # noqa: S102 - the notebook's own
    (command,) = re.findall(r"^pay88 (report run .*)$", source, re.MULTILINE)
    from pay88kit.cli import main

    assert main(command.split()) == 0
    first, second = reports.runs(OUT)
    assert first.values == second.values == {"day": "2026-01-15", "language": "es"}


def test_nobodys_reports_come_among_the_notebooks_that_are_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "checkout" / "notebooks"
    shutil.copytree(places.notebooks() / "reports", shipped / "reports")
    monkeypatch.setattr(places, "checkout", lambda: shipped.parent)
    monkeypatch.chdir(shipped)
    form = ReportForm()
    form.report.value = "webhook_check"
    form.run_button.click()
    form.wait(60)
    assert len(reports.runs(shipped.parent / "reports-out")) == 1
    assert [path.name for path in shipped.iterdir()] == ["reports"]


def test_its_twin_is_text_in_both_languages(form: ReportForm) -> None:
    bundle = form._repr_mimebundle_()
    assert "daily_balance" in bundle["text/plain"]
    assert "El saldo de un día" in bundle["text/markdown"]
    assert "The balance of a day" in bundle["text/markdown"]
    assert os.fspath(Path.cwd()) not in repr(bundle)
