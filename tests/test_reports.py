"""The daily report, run by papermill as a person would."""

from __future__ import annotations

import html
import os
import re
import stat
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import nbformat
import pytest

from pay88kit import Pay88, reports
from pay88kit.cli import main


def text_of(page: Path) -> str:
    """What a reader sees."""
    body = page.read_text(encoding="utf-8").partition("<main>")[2]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


@pytest.fixture(scope="module")
def colombian(tmp_path_factory: pytest.TempPathFactory) -> reports.Result:
    """The report with its defaults."""
    return reports.run("daily_balance", out=tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="module")
def mexican(tmp_path_factory: pytest.TempPathFactory) -> reports.Result:
    """The report for another merchant, day and country, through the command line."""
    out = tmp_path_factory.mktemp("reports")
    wanted = ["-p", "merchant_id=MCH-MEX-DEMO01", "-p", "day=2026-02-03"]
    assert main(["report", "run", "daily_balance", *wanted, "--out", str(out)]) == 0
    (page,) = out.glob("daily_balance*.html")
    return reports.Result(page.with_suffix(".ipynb"), page)


def test_the_first_line_says_what_the_report_is_about(
    colombian: reports.Result, mexican: reports.Result
) -> None:
    assert (
        "Environment: local · Merchant: MCH-COL-29ZTP4 · "
        "Day: 2026-01-15, 00:00 to 24:00 America/Bogota · Simulated data, not 88Pay"
    ) in text_of(colombian.html)
    assert (
        "Merchant: MCH-MEX-DEMO01 · Day: 2026-02-03, 00:00 to 24:00 America/Mexico_City"
    ) in text_of(mexican.html)


def test_the_balance_is_what_the_operations_of_the_day_add_up_to(
    colombian: reports.Result,
) -> None:
    text = text_of(colombian.html)

    def amount(pattern: str) -> Decimal:
        return sum(
            (Decimal(found.replace(",", "")) for found in re.findall(pattern, text)), Decimal(0)
        )

    assert amount(r"charge \S+ COP COMPLETED \d+ ([\d,.]+)") == amount(r"total_payin ([\d,.]+)")
    assert amount(r"cashout \S+ COP COMPLETED \d+ ([\d,.]+)") == amount(r"total_payout ([\d,.]+)")
    assert amount(r"total_payin ([\d,.]+)") > 0


def test_the_page_has_no_code_and_needs_no_network(colombian: reports.Result) -> None:
    page = colombian.html.read_text(encoding="utf-8")
    assert '<html lang="en">' in page
    assert "<title>Daily balance</title>" in page
    assert page.count("<h1") == 1
    assert "client_for" not in page
    assert "<script" not in page
    # Only what was made beside it is linked, and only when somebody presses the link.
    linked = re.findall(r'(?:src|href)="(?!data:|#)([^"]*)', page)
    assert linked
    assert all((colombian.html.parent / name).is_file() for name in linked)
    (picture,) = re.findall(r"<img [^>]+>", page)
    assert 'alt="Bars for each hour of 2026-01-15: payins of' in picture


def test_the_same_parameters_give_the_same_report(
    colombian: reports.Result, tmp_path: Path
) -> None:
    again = reports.run("daily_balance", out=tmp_path)
    assert text_of(again.html) == text_of(colombian.html)


def test_the_executed_notebook_holds_the_parameters(mexican: reports.Result) -> None:
    notebook = nbformat.read(mexican.notebook, as_version=4)
    (injected,) = [
        cell.source
        for cell in notebook.cells
        if "injected-parameters" in cell.metadata.get("tags", [])
    ]
    assert 'merchant_id = "MCH-MEX-DEMO01"' in injected


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such file modes")
def test_only_the_owner_may_read_the_files(colombian: reports.Result) -> None:
    folder = colombian.html.parent
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert {".ipynb", ".html", ".xlsx"} <= {file.suffix for file in files}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_second_run_keeps_the_files_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "daily_balance.ipynb").write_text("mine")
    result = reports.run("daily_balance", out=tmp_path)
    assert (tmp_path / "daily_balance.ipynb").read_text() == "mine"
    assert result.notebook.name == "daily_balance-2.ipynb"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["daily_balance", "-p", "merchant=x"], "Did you mean merchant_id?"),
        (["no_such_report"], "there is none. Use daily_balance"),
        (["../README.md"], "there is none"),
    ],
)
def test_wrong_use_ends_with_2_and_writes_nothing(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["report", "run", *arguments, "--out", str(out)]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_the_list_shows_each_parameter_with_type_default_and_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["report", "list"]) == 0
    shown = capsys.readouterr().out
    assert {
        "daily_balance",
        "reconciliation",
        "transactions",
        "webhook_check",
        "onboarding",
    } <= set(shown.splitlines())
    assert '  day: date = "2026-01-15"  the day, as 2026-01-15, today or yesterday' in shown
    assert '  timezone: time zone = ""  an IANA name such as America/Bogota' in shown


def test_a_day_is_cut_in_the_merchants_country() -> None:
    day = reports.day_of("MCH-COL-29ZTP4", "2026-01-15")
    # Bogotá is five hours behind UTC: 23:30 there belongs to that day.
    assert day.start == datetime(2026, 1, 15, 5, tzinfo=UTC)
    assert day.start <= datetime(2026, 1, 16, 4, 30, tzinfo=UTC) < day.end


def test_a_day_of_a_clock_change_has_its_own_length() -> None:
    # Chile sets its clocks forward on 2026-09-06.
    day = reports.day_of("MCH-CHL-1", "2026-09-06")
    assert (day.end - day.start).total_seconds() == 23 * 3600


def test_the_zone_can_be_named(tmp_path: Path) -> None:
    assert reports.day_of("MCH-COL-1", "2026-01-15", "UTC").start.hour == 0
    with pytest.raises(reports.ReportError, match="unknown"):
        reports.day_of("MCH-COL-1", "2026-01-15", "Bogota")


def test_a_day_before_the_sandboxs_time_is_refused() -> None:
    from pay88kit import Pay88Error, demo

    day = reports.day_of("MCH-COL-29ZTP4", "2026-01-14")
    with pytest.raises(Pay88Error, match="begins on 2026-01-15"):
        demo.play_days("MCH-COL-29ZTP4", [(day.start, day.end)])


def test_two_currencies_are_never_summed() -> None:
    client = Pay88(books="sqlite://")
    order = {
        "method_code": "PAYPAL",
        "country": "COL",
        "description": "Order",
        "customer_id": "c",
        "notification_url": "http://127.0.0.1:9/hook",
        "return_url": "https://shop.example/thanks",
    }
    for amount, currency in ((10, "USD"), (20, "USD"), (5_000, "COP")):
        client.charge(amount=amount, currency=currency, **order)
    operations = client.books.operations().assign(status="COMPLETED")
    day = reports.day_of("MCH-COL-29ZTP4", "2026-01-15")
    hours = reports.by_hour(operations, day)
    assert hours.currency == "USD"
    assert sum(hours.amounts["payin"]) == 30
    shown = repr(reports.by_method(operations))
    assert re.search(r"COP +COMPLETED +1 +5,000.00", shown)
    assert re.search(r"USD +COMPLETED +2 +30.00", shown)


def test_a_day_without_operations_says_so() -> None:
    client = Pay88(books="sqlite://")
    day = reports.day_of("MCH-COL-29ZTP4", "2026-01-15")
    hours = reports.by_hour(client.books.operations(), day)
    assert hours.describe().endswith("no completed payins; no completed payouts.")


def test_a_refused_operation_stays_in_the_table() -> None:
    from pay88kit import UnprocessableEntity

    client = Pay88(books="sqlite://")
    with pytest.raises(UnprocessableEntity):
        client.charge(
            check=False,
            method_code="OXXO",
            method_category="CASH",
            amount=100,
            currency="COP",
            country="COL",
            description="Order",
            customer_id="c",
            notification_url="http://127.0.0.1:9/hook",
        )
    assert re.search(
        r"charge +OXXO +COP +– +1 +100.00", repr(reports.by_method(client.books.operations()))
    )
