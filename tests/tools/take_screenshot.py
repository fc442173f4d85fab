"""Take the README's pictures: ``python tests/tools/take_screenshot.py [folder]``.

Walks a learner's way (``tests/browser/learner.py``) in a real JupyterLab, in Chromium, and writes
``docs/images/``. With a folder, it also writes there what a person who changes the guide wants to
look at: every notebook from top to bottom, and a checkout page on a desktop and on a phone.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "browser"))
import learner  # noqa: E402
from driver import PHONE, WIDE, Lab, chromium, jupyterlab  # noqa: E402
from playwright.sync_api import Browser, expect  # noqa: E402

from pay88kit import demo, reports  # noqa: E402

IMAGES = ROOT / "docs" / "images"
FIRST = "00_start_here.ipynb"
# High enough for the picture of a payment's life.
WINDOW = {"width": 1280, "height": 940}
# As high as the longest notebook: JupyterLab draws only the cells that are in its window.
TALL = {"width": 1280, "height": 7000}
# The upper part of a report.
PAPER = {"width": 1100, "height": 1240}


def to_top(lab: Lab) -> None:
    """Show the notebook's beginning, all pictures loaded, with no mouse over a cell."""
    lab.page.mouse.move(0, 0)
    lab.page.evaluate(
        """async () => {
            window.notebook.content.activeCellIndex = 0;
            await window.notebook.content.scrollToItem(0, 'start');
        }"""
    )
    expect(lab.panel.locator("h1")).to_be_in_viewport()
    for picture in lab.panel.locator("img").all():
        picture.evaluate("img => img.decode()")


def walk(lab: Lab) -> None:
    """The learner's way, with a picture where the README shows one."""
    lab.open(FIRST)
    lab.run_all()
    to_top(lab)
    take(lab, "guide")
    lab.close()
    learner.pays(lab)
    learner.solves(lab)
    # From the exercise's text on.
    learner.cell(lab, learner.index_of(lab, 'your_turn("00.1").check') - 1)
    take(lab, "exercise")
    learner.sees_the_board(lab)
    learner.cell(lab, learner.index_of(lab, "checklist()"))
    take(lab, "checklist")
    lab.close()
    learner.explores(lab).scroll_into_view_if_needed()
    take(lab, "explore")
    lab.close()


def take(lab: Lab, name: str) -> None:
    """A picture of the window."""
    lab.page.mouse.move(0, 0)
    path = IMAGES / f"{name}.png"
    lab.page.screenshot(path=path)
    print(path.relative_to(ROOT))


def take_reports(browser: Browser) -> None:
    """Two reports of a year of ``pay88 demo``: a month in English, a day in Spanish."""
    month = {"first_day": "2025-12-01", "last_day": "2025-12-31"}
    wanted = {
        "transactions": {"merchant_id": "MCH-MEX-88DEMO", **month},
        "daily_balance": {"merchant_id": "MCH-COL-29ZTP4", "day": "2025-12-15", "language": "es"},
    }
    with tempfile.TemporaryDirectory() as folder:
        made = demo.make_year(Path(folder) / "year")
        os.environ["PAY88_BOOKS"] = f"sqlite:///{made.books.as_posix()}"
        try:
            for name, values in wanted.items():
                result = reports.run(name, values, out=Path(folder) / "reports")
                page = browser.new_page(viewport=PAPER)
                page.goto(result.html.as_uri())
                path = IMAGES / f"report_{name}.png"
                page.screenshot(path=path)
                page.close()
                print(path.relative_to(ROOT))
        finally:
            del os.environ["PAY88_BOOKS"]


def take_all(lab: Lab, browser: Browser, folder: Path) -> None:
    """Every notebook, whole, and the checkout page."""
    lab.page.set_viewport_size(TALL)
    names = [path.relative_to(ROOT / "notebooks") for path in (ROOT / "notebooks").rglob("*.ipynb")]
    for name in sorted(n for n in names if ".ipynb_checkpoints" not in n.parts):
        lab.open(name.as_posix())
        lab.run_all()
        to_top(lab)
        lab.page.screenshot(path=folder / f"{name.stem}.png")
        lab.close()

    lab.open(FIRST)
    lab.run(0, next(n for n, c in enumerate(lab.cells()) if ".show_checkout(" in c["source"]))
    with lab.page.expect_popup() as popup:
        lab.panel.get_by_role("link", name="Open the page of").click()
    # As the same person, but with the screen of a phone.
    for label, size in (("desktop", WIDE), ("phone", PHONE)):
        state = lab.page.context.storage_state()
        context = browser.new_context(storage_state=state, viewport=size)
        page = context.new_page()
        page.goto(popup.value.url)
        page.screenshot(path=folder / f"checkout-{label}.png")
        if label == "phone":
            page.get_by_role("button", name="Pay").click()
            page.get_by_text("COMPLETED").wait_for()
            page.screenshot(path=folder / "checkout-paid.png")
        context.close()
    lab.close()


def main() -> None:
    """Take the picture; with a folder, all of them."""
    temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with temporary as home, chromium() as browser, jupyterlab(Path(home)) as (url, token):
        lab = Lab(browser.new_context(viewport=WINDOW).new_page(), url, token)
        lab.start()
        IMAGES.mkdir(parents=True, exist_ok=True)
        walk(lab)
        take_reports(browser)
        if sys.argv[1:]:
            folder = Path(sys.argv[1])
            folder.mkdir(parents=True, exist_ok=True)
            take_all(lab, browser, folder)


if __name__ == "__main__":
    main()
