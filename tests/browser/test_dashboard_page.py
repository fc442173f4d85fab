"""The dashboard in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from driver import LOW_CONTRAST, PHONE, WIDE, Lab
from playwright.sync_api import Locator, expect

NAME = "dashboard.ipynb"
SHOW = """from pay88kit import Inbox, OutcomeUnknown, Pay88
from pay88kit.guide.dashboard import dashboard

client = Pay88()
inbox = Inbox(client.config, books=client.books)

def charge(amount):
    return client.charge(
        method_code="PSE", amount=amount, currency="COP", country="COL",
        description="Order", customer_id="customer-7", notification_url=inbox.url,
    ).reference

def pay(amount):
    client.sandbox.complete(charge(amount))

def keep():
    client.books.save_balance(
        client.balance(), environment="local", now=client.config.clock.now()
    )

for amount in (250_000, 100_000):
    pay(amount)
    keep()
    client.sandbox.clock.advance(3600)
client.sandbox.fault("charges", "drop_after")
try:
    charge(40_000)
except OutcomeUnknown:
    pass
other = dashboard(client, every=5)
board = dashboard(client)
board"""
SAVE = """([name, content]) => window.jupyterapp.serviceManager.contents.save(
    name, {type: 'notebook', format: 'json', content})"""
THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
# Texts of the dashboard alone, not JupyterLab's own.
CONTRAST = LOW_CONTRAST.replace("document.querySelectorAll('body *')", "box.querySelectorAll('*')")
UNLABELLED = """box => [...box.querySelectorAll('input, select, textarea')]
    .filter(field => !field.labels?.length && !field.getAttribute('aria-label'))
    .map(field => field.outerHTML)"""
# What scrolls by itself may be wider inside.
TOO_WIDE = """box => [box, ...box.querySelectorAll('*')]
    .filter(node => node.checkVisibility() && !node.parentElement.closest('.pay88-scroll'))
    .filter(node => node.getBoundingClientRect().right > innerWidth + 1
        || (node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX === 'auto'
            && !node.matches('.pay88-scroll')))
    .map(node => node.outerHTML.slice(0, 80))"""
RING = """node => {
    const {outlineStyle, outlineWidth} = getComputedStyle(node);
    return `${outlineStyle} ${outlineWidth}`;
}"""


@pytest.fixture
def box(lab: Lab) -> Iterator[Locator]:
    """The dashboard of a notebook that has just been run; afterwards JupyterLab is as it was."""
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [],
            "source": SHOW, "id": "show"}  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4,
                "nbformat_minor": 5}  # fmt: skip
    lab.page.evaluate(SAVE, [NAME, notebook])
    panel = lab.open(NAME)
    lab.run(0, 0)
    box = panel.locator(".pay88-dashboard.widget-vbox")
    expect(box.get_by_text("Simulated data, not 88Pay")).to_be_visible()
    yield box
    lab.page.set_viewport_size(WIDE)
    lab.page.evaluate(THEME, "JupyterLab Light")


def card(box: Locator, name: str) -> Locator:
    """The value on a card."""
    return box.locator("dl > div").filter(has_text=name).locator(".pay88-value")


def test_a_payment_shows_after_a_refresh_from_the_keyboard(lab: Lab, box: Locator) -> None:
    expect(card(box, "total_available")).to_have_text("350,000.00 COP")
    assert box.evaluate(UNLABELLED) == []
    lab.in_kernel("pay('1250.50')")
    expect(card(box, "total_available")).to_have_text("350,000.00 COP")

    refresh = box.get_by_role("button", name="Refresh")
    refresh.focus()
    lab.page.keyboard.press("Enter")
    expect(card(box, "total_available")).to_have_text("351,250.50 COP")
    expect(box.get_by_role("status")).to_contain_text("Balance of 2026-01-15 09:00:00")
    operations = box.get_by_role("region", name="Operations, 30 days")
    row = operations.get_by_role("row").filter(has_text="COMPLETED")
    expect(row).to_contain_text("351,250.50 COP")
    items = box.get_by_role("region", name="Open items: 1").get_by_role("row")
    expect(items.last).to_contain_text("unknown outcome")

    # From one control to the next, and it can be seen where one is.
    lab.page.keyboard.press("Tab")
    expect(box.get_by_role("button", name="today")).to_be_focused()
    lab.page.keyboard.press("Shift+Tab")
    expect(refresh).to_be_focused()
    assert refresh.evaluate(RING) == "solid 3px"
    for _ in range(2):
        lab.page.keyboard.press("Tab")
    days = box.get_by_role("button", name="7 days")
    expect(days).to_be_focused()
    assert days.evaluate(RING) == "solid 3px"
    lab.page.keyboard.press("Enter")
    expect(box.get_by_role("region", name="Operations, 7 days")).to_be_visible()
    for _ in range(3):
        lab.page.keyboard.press("Tab")
    never = box.get_by_role("button", name="never")
    expect(never).to_be_focused()
    expect(never).to_have_css("font-weight", "700")
    lab.page.keyboard.press("Tab")
    lab.page.keyboard.press("Space")
    expect(never).not_to_have_css("font-weight", "700")
    assert lab.in_kernel("print(board.interval.value)") == "1"
    # The cell printed nothing, and nothing went wrong behind it.
    outputs = [output for cell in lab.cells() for output in cell.get("outputs", [])]
    assert [output["output_type"] for output in outputs] == ["execute_result"]


def test_of_two_dashboards_the_one_that_is_told_to_refreshes_by_itself(
    lab: Lab, box: Locator
) -> None:
    assert lab.in_kernel("print(other.interval.value)") == "5"
    box.get_by_role("button", name="1 min").click()
    # The widget's message is before this one.
    assert lab.in_kernel("print(board.interval.value, other.interval.value)") == "1 0"


def test_it_can_be_read_on_a_phone_and_in_both_themes(lab: Lab, box: Locator) -> None:
    picture = box.get_by_role("img")
    assert picture.get_attribute("alt").startswith("2 snapshots of MCH-COL-29ZTP4")
    table = box.get_by_role("region", name="The history as a table")
    # Beside it, where there is room.
    assert picture.bounding_box()["x"] < table.bounding_box()["x"]
    lab.page.set_viewport_size(PHONE)
    lab.command("application:toggle-left-area")
    try:
        expect(card(box, "net_balance")).to_be_visible()
        assert box.evaluate(TOO_WIDE) == []
        assert picture.bounding_box()["x"] == table.bounding_box()["x"]
        assert card(box, "total_payin").bounding_box()["width"] > 100
        # The rest of a wide table is reached without a mouse.
        box.get_by_role("button", name="15 min").focus()
        lab.page.keyboard.press("Tab")
        expect(table).to_be_focused()
        assert table.evaluate(RING) == "solid 3px"
        lab.page.keyboard.press("ArrowRight")
        lab.page.wait_for_function("node => node.scrollLeft > 0", arg=table.element_handle())
    finally:
        lab.command("application:toggle-left-area")
    for theme in ("Light", "Dark"):
        lab.page.evaluate(THEME, f"JupyterLab {theme}")
        lab.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light",
            arg=str(theme == "Light").lower(),
        )
        assert box.evaluate(f"box => ({CONTRAST.strip()})()") == []


def test_the_saved_notebook_shows_the_numbers_without_its_kernel(lab: Lab, box: Locator) -> None:
    expect(card(box, "total_available")).to_have_text("350,000.00 COP")
    lab.page.evaluate("() => window.notebook.context.save()")
    lab.close()
    panel = lab.open(NAME)
    page = panel.locator(".pay88-dashboard")
    expect(page).to_have_count(1)
    expect(card(page, "total_available")).to_have_text("350,000.00 COP")
    expect(page.get_by_role("img")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    expect(panel.get_by_text("Error displaying widget")).to_have_count(0)
