"""A learner's way through the guide in a real JupyterLab, step by step.

``test_learner.py`` walks it and looks at what comes, ``make bench`` measures how long it takes to
begin, and ``tests/tools/take_screenshot.py`` takes the README's pictures on it.
"""

from __future__ import annotations

from driver import Lab
from playwright.sync_api import Locator, expect

START = "00_start_here.ipynb"
WEBHOOKS = "04_webhooks.ipynb"
EXPLORE = "explore.ipynb"
# The starter asks for three words.
WRONG = 'charged = "COMPLETED"\npaid = "COMPLETED"\ndeclined = "REJECTED"'
RIGHT = 'charged = "PENDING"\npaid = "COMPLETED"\ndeclined = "REJECTED"'

ACTIVATE = """
async index => {
    const content = window.notebook.content;
    content.deselectAll();
    content.activeCellIndex = index;
    await content.scrollToItem(index, 'start');
}
"""


def index_of(lab: Lab, text: str) -> int:
    """The first code cell with this text."""
    return next(
        number
        for number, cell in enumerate(lab.cells())
        if cell["cell_type"] == "code" and text in "".join(cell["source"])
    )


def cell(lab: Lab, index: int) -> Locator:
    """A cell, scrolled into the window and active."""
    lab.page.evaluate(ACTIVATE, index)
    return lab.panel.locator(".jp-Notebook-cell.jp-mod-active")


def run(lab: Lab, index: int, source: str | None = None) -> Locator:
    """Type into a cell, where ``source`` is given, and run it with Ctrl+Enter."""
    active = cell(lab, index)
    active.locator(".cm-content").click()
    if source is not None:
        lab.page.keyboard.press("Control+A")
        lab.page.keyboard.insert_text(source)
    lab.page.keyboard.press("Control+Enter")
    return active


def run_new(lab: Lab, after: int, source: str) -> Locator:
    """Run code in a new cell below another one."""
    lab.page.evaluate(ACTIVATE, after)
    lab.command("notebook:insert-cell-below")
    return run(lab, after + 1, source)


def gets_a_token(lab: Lab) -> Locator:
    """The lesson of the first call, up to the token; returns what shows it."""
    panel = lab.open("02_token.ipynb")
    lab.command("editmenu:clear-all")
    run(lab, index_of(lab, "token = client.token()"))
    return panel.get_by_text("sess_…").first


def pays(lab: Lab) -> None:
    """The first lesson up to its checkout page, and a click on *Pay* there."""
    lab.open(START)
    lab.command("editmenu:clear-all")
    link_cell = index_of(lab, ".show_checkout(")
    lab.run(0, link_cell)
    active = cell(lab, link_cell)
    with lab.page.expect_popup() as popup:
        active.get_by_role("link", name="Open the page of").click()
    page = popup.value
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_text("COMPLETED")).to_be_visible()
    page.close()


def solves(lab: Lab) -> None:
    """An exercise of the lesson: not tried, wrong, a hint, right."""
    exercise = index_of(lab, 'your_turn("00.1")')
    lab.run(index_of(lab, ".show_checkout(") + 1, exercise)
    call = lab.cells()[exercise]["source"].splitlines()[-1]
    expect(cell(lab, exercise).get_by_text("00.1 · Not tried")).to_be_visible()
    tried = run(lab, exercise, f"{WRONG}\n\n{call}")
    expect(tried.get_by_text("00.1 · Not yet")).to_be_visible()
    expect(tried.get_by_text("charged: 'PENDING', you predicted 'COMPLETED'")).to_be_visible()
    hint = run_new(lab, exercise, 'your_turn("00.1").hint()')
    expect(hint.get_by_text("00.1 · Hint 1 of 2")).to_be_visible()
    solved = run(lab, exercise, f"{RIGHT}\n\n{call}")
    expect(solved.get_by_text("00.1 · Right")).to_be_visible()
    expect(solved.get_by_text("item 11 practised locally")).to_be_visible()


def sees_the_board(lab: Lab) -> Locator:
    """The checklist, run again."""
    board = run(lab, index_of(lab, "checklist()"))
    expect(board.get_by_role("row")).to_have_count(21)
    return board


def explores(lab: Lab) -> Locator:
    """A charge from the console, paid with its button; returns the console."""
    panel = lab.open(EXPLORE)
    lab.command("editmenu:clear-all")
    lab.run(0, index_of(lab, "explore.console()"))
    box = panel.locator(".jp-OutputArea-output .widget-vbox").first
    box.get_by_role("button", name="Send", exact=True).click()
    expect(box.locator("b", has_text="Exchange 1: charge, 200")).to_be_visible()
    box.get_by_role("button", name="Pay it").click()
    expect(box.get_by_role("status")).to_contain_text("COMPLETED")
    return box


def watches(lab: Lab) -> Locator:
    """The live inbox of the lesson about webhooks, while a customer pays; returns its cell."""
    lab.open(WEBHOOKS)
    lab.command("editmenu:clear-all")
    table = index_of(lab, ".widget()")
    lab.run(0, table)
    return cell(lab, table)
