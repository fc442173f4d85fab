"""The console of `explore` in a real JupyterLab."""

from __future__ import annotations

from driver import LOW_CONTRAST, PHONE, WIDE, Lab
from playwright.sync_api import Locator, expect

NAME = "explore.ipynb"
HOSTILE = '<img src=x onerror="window.harmed = true">O\'Hara'
LAST = "explore.history[-1]"
# Texts of the console alone, not JupyterLab's own.
IN_CONSOLE = LOW_CONTRAST.replace(
    "document.querySelectorAll('body *')", "box.querySelectorAll('*')"
)
UNLABELLED = """box => [...box.querySelectorAll('input, select, textarea')]
    .filter(field => field.checkVisibility() && !field.labels?.length
        && !field.getAttribute('aria-label'))
    .map(field => field.outerHTML)"""
TOO_WIDE = """box => [...box.querySelectorAll('input, select, textarea, button, pre')]
    .filter(node => node.checkVisibility())
    .filter(node => node.getBoundingClientRect().right > innerWidth + 1)
    .map(node => node.outerHTML.slice(0, 80))"""


def console(lab: Lab) -> Locator:
    """The console of a notebook that has just been opened."""
    panel = lab.open(NAME)
    lab.command("editmenu:clear-all")
    sources = ["".join(cell["source"]) for cell in lab.cells()]
    lab.run(0, sources.index("explore.console()"))
    box = panel.locator(".jp-OutputArea-output .widget-vbox").first
    expect(box.get_by_role("button", name="Send", exact=True)).to_be_visible()
    return box


def test_the_form_is_filled_and_sent_from_the_keyboard(lab: Lab) -> None:
    box = console(lab)
    assert box.evaluate(UNLABELLED) == []
    box.get_by_label("method_code").select_option("SPEI")
    # What the method decides comes from the kernel.
    expect(box.get_by_label("currency")).to_contain_text("MXN")
    amount = box.get_by_label("amount")
    expect(amount).to_have_value("500")
    amount.fill("1250.50")
    box.get_by_label("description").fill(HOSTILE)
    # From field to field, up to the button.
    assert box.get_by_label("return_url").is_disabled()
    box.get_by_label("notification_url").focus()
    lab.page.keyboard.press("Tab")
    lab.page.keyboard.press("Tab")
    expect(box.get_by_role("button", name="Send", exact=True)).to_be_focused()
    lab.page.keyboard.press("Enter")

    expect(box.locator("b", has_text="Exchange 1: charge, 200")).to_be_visible()
    assert lab.in_kernel(f"print({LAST}.to_frame()['amount'][0])") == "1250.50"
    expect(box.get_by_role("region", name="cURL")).to_contain_text("O\\u0027Hara")
    expect(box.locator("img")).to_have_count(0)
    assert lab.page.evaluate("() => window.harmed") is None

    box.get_by_role("button", name="Pay it").click()
    reference = lab.in_kernel(f"print({LAST}.reference)")
    expect(box.get_by_role("status")).to_contain_text(f"{reference}: COMPLETED")
    expect(box.locator("details").first).to_contain_text("COMPLETED")
    # The cell printed nothing, and nothing went wrong behind it.
    outputs = [output for cell in lab.cells() for output in cell.get("outputs", [])]
    assert [output["output_type"] for output in outputs] == ["execute_result"]


def test_the_arrow_keys_choose_in_a_list_and_still_move_between_cells(lab: Lab) -> None:
    box = console(lab)
    method = box.get_by_label("method_code")
    for chosen in ("OXXO", "SPEI"):
        method.press("ArrowDown")
        # The form follows, and the keyboard stays where it is.
        expect(box.get_by_label("currency")).to_contain_text("MXN")
        expect(method).to_have_value(chosen)
        expect(method).to_be_focused()
    lab.page.evaluate("() => { window.notebook.content.activeCellIndex = 0; }")
    lab.page.evaluate("() => window.notebook.content.node.querySelector('.jp-Cell').focus()")
    lab.page.keyboard.press("ArrowDown")
    assert lab.page.evaluate("() => window.notebook.content.activeCellIndex") == 1


def test_each_copy_button_copies_its_program(lab: Lab) -> None:
    box = console(lab)
    lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    box.get_by_role("button", name="Send", exact=True).click()
    for name, attribute in {
        "Python": "python", "cURL": "curl", "JavaScript": "javascript", "JSON": "json"
    }.items():  # fmt: skip
        button = box.get_by_role("button", name=f"Copy {name}", exact=True)
        button.focus()
        lab.page.keyboard.press("Enter")
        expect(button).to_have_text("Copied")
        copied = lab.page.evaluate("() => navigator.clipboard.readText()")
        program = lab.in_kernel(f"print({LAST}.{attribute})")
        assert copied.strip() == program
        assert "PORT" not in copied


def test_without_a_clipboard_the_program_is_selected(lab: Lab) -> None:
    box = console(lab)
    box.get_by_role("button", name="Send", exact=True).click()
    button = box.get_by_role("button", name="Copy cURL", exact=True)
    expect(button).to_be_visible()
    lab.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject() }")
    button.click()
    expect(button).to_have_text("Copied")
    selected = lab.page.evaluate("() => getSelection().toString()")
    assert selected.strip() == lab.in_kernel(f"print({LAST}.curl)")


def test_an_error_is_the_kits_own_words(lab: Lab) -> None:
    box = console(lab)
    box.get_by_label("amount").fill("50.000")
    box.get_by_role("button", name="Send", exact=True).click()
    alert = box.get_by_role("alert")
    expect(alert).to_contain_text("which marks decimals")
    expect(alert).not_to_contain_text("Traceback")
    box.get_by_label("Operation").select_option("raw: anything")
    box.get_by_label("JSON body").fill("{")
    box.get_by_role("button", name="Send", exact=True).click()
    expect(alert).to_contain_text("JSON body: is not JSON.")
    assert box.evaluate(UNLABELLED) == []


def test_it_can_be_read_on_a_phone(lab: Lab) -> None:
    box = console(lab)
    box.get_by_role("button", name="Send", exact=True).click()
    expect(box.locator("b", has_text="Exchange 1: charge, 200")).to_be_visible()
    assert box.evaluate(f"box => ({IN_CONSOLE.strip()})()") == []
    wide = box.get_by_role("region").all()
    # Side by side, where there is room.
    assert len({region.bounding_box()["y"] for region in wide}) < len(wide)
    lab.page.set_viewport_size(PHONE)
    try:
        lab.command("application:toggle-left-area")
        expect(box.get_by_label("amount")).to_be_visible()
        assert box.evaluate(TOO_WIDE) == []
        for name in ("amount", "description"):
            assert box.get_by_label(name).bounding_box()["width"] > 100
    finally:
        lab.command("application:toggle-left-area")
        lab.page.set_viewport_size(WIDE)


def test_no_widget_is_saved(lab: Lab) -> None:
    console(lab)
    lab.page.evaluate("() => window.notebook.context.save()")
    saved = lab.page.evaluate(
        "async name => (await window.jupyterapp.serviceManager.contents.get(name)).content", NAME
    )
    assert "widgets" not in saved["metadata"]
    mimes = {
        mime
        for cell in saved["cells"]
        for output in cell.get("outputs", [])
        for mime in output.get("data", {})
    }
    assert mimes == {"text/plain"}
