"""The form of `run_a_report` in a real JupyterLab, behind a prefix as on Binder."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from driver import LOW_CONTRAST, PHONE, WIDE, Lab
from openpyxl import load_workbook
from playwright.sync_api import Download, Locator, Page, expect

NAME = "run_a_report.ipynb"
HOSTILE = '<img src=x onerror="window.harmed = true">'
# Texts of the form alone, not JupyterLab's own.
IN_FORM = LOW_CONTRAST.replace("document.querySelectorAll('body *')", "box.querySelectorAll('*')")
UNNAMED = """box => [...box.querySelectorAll('input, select, progress')]
    .filter(field => field.checkVisibility() && !field.labels?.[0]?.textContent
        && !field.getAttribute('aria-label'))
    .map(field => field.outerHTML)"""
TOO_WIDE = """box => [...box.querySelectorAll('input, select, button, section, small')]
    .filter(node => node.checkVisibility())
    .filter(node => node.getBoundingClientRect().right
        > Math.min(innerWidth, box.getBoundingClientRect().right) + 1)
    .map(node => node.outerHTML.slice(0, 80))"""


def form(lab: Lab) -> Locator:
    """The form, as Run All Cells shows it."""
    panel = lab.open(NAME)
    # What another test has made would be counted.
    lab.in_kernel("import shutil; shutil.rmtree('reports-out', ignore_errors=True)")
    lab.run_all()
    box = panel.locator(".jp-OutputArea-output .widget-vbox").first
    expect(box.get_by_role("button", name="Run the report")).to_be_visible()
    return box


def opened(lab: Lab, link: Locator) -> Page:
    """What a link opens in a window of its own."""
    with lab.page.context.expect_page() as popup:
        link.click()
    popup.value.wait_for_load_state()
    return popup.value


def saved(page: Page, link: Locator) -> Download:
    """What a link downloads."""
    with page.expect_download() as download:
        link.click()
    return download.value


def outputs(lab: Lab) -> list[str]:
    """What the notebook's cells show, by its kind."""
    return [out["output_type"] for cell in lab.cells() for out in cell.get("outputs", [])]


def test_a_spanish_report_from_the_form_to_its_excel_files(lab: Lab) -> None:
    box = form(lab)
    # Its code is hidden.
    expect(lab.panel.locator(".jp-InputArea-editor:visible")).to_have_count(0)
    box.get_by_label("Language").select_option("Español")
    expect(box.get_by_role("button", name="Ejecutar el informe")).to_be_visible()
    box.get_by_label("Informe").select_option("Saldo diario")
    box.get_by_label("Día", exact=True).select_option("Otro día")
    box.get_by_label("Día: fecha").fill("2026-01-16")
    assert box.evaluate(UNNAMED) == []
    box.get_by_role("button", name="Ejecutar el informe").click()
    expect(box.get_by_role("button", name="Ejecutar el informe")).to_be_disabled()
    # The kernel is free meanwhile.
    assert lab.in_kernel("print(6 * 7)") == "42"
    link = box.get_by_role("link", name="El informe como página")
    expect(link).to_be_visible()
    expect(box.get_by_role("button", name="Ejecutar el informe")).to_be_enabled()

    page = opened(lab, link)
    # The browser needs nothing but the Jupyter server that it is at already.
    assert page.url.startswith(f"{lab.url}/proxy/")
    assert page.locator("html").get_attribute("lang") == "es"
    expect(page.get_by_role("table").filter(has_text="total_available")).to_be_visible()
    # The style of the page is there, and its tables are files.
    assert page.evaluate("() => getComputedStyle(document.body).maxWidth") != "none"
    inside = saved(page, page.get_by_role("link", name="Excel (.xlsx)").first)
    beside = saved(lab.page, box.get_by_role("link", name=".xlsx").first)
    for file in (inside, beside):
        assert load_workbook(BytesIO(file.path().read_bytes())).active.max_row > 1
    notebook = saved(lab.page, box.get_by_role("link", name="El notebook ejecutado"))
    assert notebook.suggested_filename == "daily_balance-2026-01-16-es.ipynb"

    index = opened(lab, box.get_by_role("link", name="Todas las ejecuciones de esta carpeta"))
    expect(index.locator("tbody tr")).to_have_count(1)
    index.locator("tbody").get_by_role("link").first.click()
    expect(index.get_by_role("table").filter(has_text="total_available")).to_be_visible()
    folder = Path(lab.in_kernel("import os; print(os.path.abspath('reports-out'))"))
    assert folder.parent.name == "pay88-guide"
    # Nothing was printed, and nothing went wrong behind the form.
    assert outputs(lab) == ["execute_result"]


def test_a_wrong_value_is_told_beside_its_field_and_nothing_begins(lab: Lab) -> None:
    box = form(lab)
    zone = box.get_by_label("Time zone")
    zone.fill(f"Mars/{HOSTILE}")
    # From the keyboard: a day of the list, a report, and the button.
    day = box.get_by_label("Day", exact=True)
    day.press("ArrowUp")
    expect(day).to_have_value("Yesterday")
    expect(box.get_by_label("Day: date")).to_be_hidden()
    box.get_by_label("Profile").focus()
    lab.page.keyboard.press("Tab")
    expect(box.get_by_role("button", name="Run the report")).to_be_focused()
    lab.page.keyboard.press("Enter")
    alert = box.get_by_role("alert")
    expect(alert).to_contain_text("timezone: 'Mars/")
    expect(alert).to_contain_text("Use an IANA name such as America/Bogota.")
    expect(box.get_by_role("status")).to_contain_text("Nothing was begun")
    assert alert.bounding_box()["y"] > zone.bounding_box()["y"]
    assert lab.page.evaluate("() => window.harmed") is None
    assert lab.in_kernel("import os; print(os.path.exists('reports-out'))") == "False"

    report = box.get_by_label("Report")
    report.press("ArrowDown")
    expect(report).to_have_value("Onboarding")
    expect(report).to_be_focused()
    expect(zone).to_have_value(f"Mars/{HOSTILE}")
    expect(alert).to_have_count(0)
    assert outputs(lab) == ["execute_result"]


def test_it_can_be_read_on_a_phone(lab: Lab) -> None:
    box = form(lab)
    box.get_by_label("Report").select_option("Webhook check")
    results = box.get_by_label("Results")
    results.fill(f"{'a-long-name-' * 12}.json")
    box.get_by_role("button", name="Run the report").click()
    expect(box.get_by_role("link", name="The error page")).to_be_visible()
    assert box.evaluate(UNNAMED) == []
    lab.page.set_viewport_size(PHONE)
    try:
        lab.command("application:toggle-left-area")
        expect(results).to_be_visible()
        assert box.evaluate(TOO_WIDE) == []
        assert results.bounding_box()["width"] > 100
        assert box.evaluate(f"box => ({IN_FORM.strip()})()") == []
    finally:
        lab.command("application:toggle-left-area")
        lab.page.set_viewport_size(WIDE)
