"""The guide in a real JupyterLab."""

from __future__ import annotations

from pathlib import Path

import pytest
from driver import Lab
from playwright.sync_api import BrowserContext, Page, expect

from pay88kit import places

SIMULATED = "Simulated data, not 88Pay"
START = "00_start_here.ipynb"
NOTEBOOKS = sorted(
    path.relative_to(places.notebooks()).as_posix()
    for path in places.notebooks().rglob("*.ipynb")
    if ".ipynb_checkpoints" not in path.parts
)
# What a learner must not see: the signs of a broken output.
BROKEN = ("Error displaying widget", "Loading widget", "Traceback (most recent call last)")


def test_it_opens_on_the_first_page(lab: Lab, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{lab.url}/?token={lab.token}")
    heading = page.locator(".jp-NotebookPanel:visible").get_by_role("heading", level=1)
    expect(heading).to_contain_text("Start here")
    assert page.url.endswith(f"/tree/{START}")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_run_all(lab: Lab, name: str) -> None:
    panel = lab.open(name)
    cells = [cell for cell in lab.run_all() if cell["cell_type"] == "code"]

    outputs = [output for cell in cells for output in cell["outputs"]]
    assert [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"] == []
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert Path(lab.in_kernel("import os; print(os.getcwd())")).name == (
        Path("pay88-guide", name).parent.name
    )
    # Also further down than the window reaches.
    for text in BROKEN:
        expect(panel.get_by_text(text)).to_have_count(0)
    for picture in panel.locator("img").all():
        assert picture.evaluate("async img => { await img.decode(); return img.naturalWidth }")
    # Those of the prose. JupyterLab leaves out what an output's metadata says as alt text.
    for picture in panel.locator(".jp-MarkdownCell img").all():
        assert picture.get_attribute("alt")


def checkout(lab: Lab) -> Page:
    """The first lesson up to its link, and the page that the link opens."""
    panel = lab.open(START)
    lab.command("editmenu:clear-all")
    sources = ["".join(cell["source"]) for cell in lab.cells()]
    link_cell = next(n for n, source in enumerate(sources) if ".show_checkout(" in source)
    lab.run(0, link_cell)
    link = panel.get_by_role("link", name="Open the page of")
    # It can be seen to be one.
    assert link.evaluate("a => getComputedStyle(a).textDecorationLine") == "underline"
    with lab.page.expect_popup() as popup:
        link.click()
    page = popup.value
    # Through the Jupyter server: that is what works on Binder and on a hub.
    assert page.url.startswith(f"{lab.url}/proxy/")
    expect(page.get_by_text(SIMULATED)).to_be_visible()
    expect(page.get_by_text("50,000.00 COP")).to_be_visible()
    return page


def test_learner_pays_on_the_checkout_page(lab: Lab) -> None:
    page = checkout(lab)
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_text("COMPLETED")).to_be_visible()
    assert page.url.startswith(f"{lab.url}/proxy/")

    status = "print(inbox.wait(reference=charge.reference)[0].status)"
    assert lab.in_kernel(status) == "COMPLETED"
    assert lab.in_kernel("print(client.balance().total_available)") == "50000.00"


def test_learner_declines_on_the_checkout_page(lab: Lab) -> None:
    page = checkout(lab)
    page.get_by_role("button", name="Decline").click()
    expect(page.get_by_text("REJECTED")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)

    status = "print(inbox.wait(reference=charge.reference)[0].status)"
    assert lab.in_kernel(status) == "REJECTED"
    assert lab.in_kernel("print(client.balance().total_available)") == "0.00"


def test_nothing_pops_up(lab: Lab) -> None:
    settings = lab.page.evaluate(
        "id => window.jupyterapp.serviceManager.settings.fetch(id)",
        "@jupyterlab/apputils-extension:notification",
    )
    assert settings["schema"]["properties"]["fetchNews"]["default"] == "false"
    # The page has been open for all tests of this file, so whatever wants to pop up has.
    expect(lab.page.locator(".Toastify__toast, .jp-Dialog")).to_have_count(0)
