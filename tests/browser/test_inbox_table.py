"""The inbox's live table in a real JupyterLab."""

from __future__ import annotations

from driver import Lab
from playwright.sync_api import expect

SHOW = """from pay88kit import Inbox, Pay88

client = Pay88()
inbox = Inbox(client.config)
inbox.widget()"""
# The kernel is busy until the test says so.
BUSY = """import time
from pathlib import Path

def pay(description):
    charge = client.charge(
        method_code="PSE", amount=50_000, currency="COP", country="COL",
        description=description, customer_id="<b>customer</b>", notification_url=inbox.url,
    )
    client.sandbox.complete(charge.reference)

def wait_for(name):
    limit = time.monotonic() + 30
    while not Path(name).exists() and time.monotonic() < limit:
        time.sleep(0.02)

pay("first")
wait_for("one.txt")
pay("second")
wait_for("two.txt")
print("done")"""
# Without waiting for its end.
RUN_SECOND = """() => {
    window.notebook.content.activeCellIndex = 1;
    window.jupyterapp.commands.execute('notebook:run-cell');
}"""
SAVE_NOTEBOOK = """content => window.jupyterapp.serviceManager.contents.save(
    'table.ipynb', {type: 'notebook', format: 'json', content})"""
SAVE = """name => window.jupyterapp.serviceManager.contents.save(
    name, {type: 'file', format: 'text', content: ''})"""


def test_rows_come_while_the_kernel_is_busy_and_open_from_the_keyboard(lab: Lab) -> None:
    cells = [
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [],
         "source": source, "id": f"cell-{number}"}
        for number, source in enumerate((SHOW, BUSY))
    ]  # fmt: skip
    # Without it JupyterLab asks which kernel to take.
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    lab.page.evaluate(SAVE_NOTEBOOK, notebook)
    panel = lab.open("table.ipynb")
    lab.run(0, 0)
    expect(panel.get_by_text("Nothing has come yet.").first).to_be_visible()
    lab.page.evaluate(RUN_SECOND)
    rows = panel.locator("details")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("COMPLETED")

    # The kernel is busy with the second cell: what opens a row is the browser alone.
    body = rows.first.locator("pre")
    expect(body).to_be_hidden()
    rows.first.locator("summary").focus()
    lab.page.keyboard.press("Enter")
    expect(body).to_be_visible()
    expect(body).to_contain_text('"<b>customer</b>"')
    expect(body.locator("b")).to_have_count(0)

    lab.page.evaluate(SAVE, "one.txt")
    expect(rows).to_have_count(2)
    # The new row closes none.
    expect(body).to_be_visible()
    lab.page.evaluate(SAVE, "two.txt")
    expect(panel.get_by_text("done", exact=True)).to_be_visible()

    first, second = lab.cells()
    assert [output["output_type"] for output in first["outputs"]] == ["execute_result"]
    assert [output.get("text") for output in second["outputs"]] in (["done\n"], [["done\n"]])
