"""The pages a customer sees, served by the sandbox itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import pytest
from driver import LOW_CONTRAST, PHONE, WIDE
from playwright.sync_api import Browser, BrowserContext, Page, expect

from pay88kit import Pay88, Sandbox

SIMULATED = "Simulated data, not 88Pay"
HOSTILE = """<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">'"&amp;"""
ORDER: dict[str, Any] = {
    "amount": 50_000,
    "currency": "COP",
    "country": "COL",
    "customer_id": "customer-7",
    "description": "Order 1001",
    # Nobody listens there, and nobody has to.
    "notification_url": "http://127.0.0.1:9/hook",
    "return_url": "http://127.0.0.1:9/thanks",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Iterator[Pay88]:
    """A client whose answers lead to the served sandbox."""
    with sandbox.serve(), Pay88(sandbox.config) as client:
        yield client


def checkout(client: Pay88, **fields: Any) -> Any:
    return client.charge(method_code="PSE", **(ORDER | fields))


def by_card(client: Pay88, **fields: Any) -> Any:
    return client.charge(method_code="CARDS", **(ORDER | fields))


def voucher(client: Pay88, **fields: Any) -> Any:
    return client.cash(**(ORDER | fields))


def qr(client: Pay88, **fields: Any) -> Any:
    return client.charge(method_code="USDT", **(ORDER | {"currency": "USD", "amount": 25} | fields))


def address(charge: Any) -> str:
    return charge.url_checkout or charge.voucher_url or charge.qr_code_url


KINDS = [
    pytest.param(checkout, "Pay", id="checkout"),
    pytest.param(voucher, "Paid at the counter", id="voucher"),
    pytest.param(qr, "Payment sent", id="qr"),
]


def open_page(context: BrowserContext, charge: Any, **size: int) -> Page:
    page = context.new_page()
    page.set_viewport_size(size or WIDE)
    page.goto(address(charge))
    return page


@pytest.mark.parametrize(("create", "button"), KINDS)
def test_customer_pays(
    client: Pay88, sandbox: Sandbox, context: BrowserContext, create: Any, button: str
) -> None:
    charge = create(client)
    page = open_page(context, charge)
    expect(page.get_by_text(SIMULATED)).to_be_visible()
    page.get_by_role("button", name=button).click()
    expect(page.get_by_text("COMPLETED")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    assert sandbox.transaction(charge.reference)["status"] == "COMPLETED"
    # Reloading is a plain GET: the browser does not ask whether to send the form again.
    page.reload()
    expect(page.get_by_text("COMPLETED")).to_be_visible()


@pytest.mark.parametrize(("create", "button"), KINDS)
def test_page_is_whole(client: Pay88, context: BrowserContext, create: Any, button: str) -> None:
    page = open_page(context, create(client))
    assert page.locator("html").get_attribute("lang")
    assert page.title().strip()
    expect(page.locator("h1")).to_have_count(1)
    expect(page.locator("main")).to_have_count(1)
    expect(page.get_by_text(SIMULATED)).to_be_visible()


def test_customer_declines(client: Pay88, sandbox: Sandbox, context: BrowserContext) -> None:
    charge = checkout(client)
    page = open_page(context, charge)
    page.get_by_role("button", name="Decline").click()
    expect(page.get_by_text("REJECTED")).to_be_visible()
    assert sandbox.transaction(charge.reference)["status"] == "REJECTED"


def test_second_tab_shows_what_was_decided(client: Pay88, context: BrowserContext) -> None:
    charge = checkout(client)
    first, second = open_page(context, charge), open_page(context, charge)
    first.get_by_role("button", name="Decline").click()
    expect(first.get_by_text("REJECTED")).to_be_visible()
    second.get_by_role("button", name="Pay").click()
    expect(second.get_by_text("REJECTED")).to_be_visible()


def test_hostile_text_stays_text(client: Pay88, context: BrowserContext) -> None:
    page = open_page(context, checkout(client, description=HOSTILE))
    expect(page.get_by_text(HOSTILE, exact=True)).to_be_visible()
    expect(page.locator("script, img")).to_have_count(0)
    assert page.evaluate("() => window.hacked") is None
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_text(HOSTILE, exact=True)).to_be_visible()
    assert page.evaluate("() => window.hacked") is None


@pytest.mark.parametrize(
    "description", ["Order 1001", "x" * 255, HOSTILE], ids=["short", "long", "hostile"]
)
@pytest.mark.parametrize(("create", "button"), KINDS)
def test_page_fits_a_phone(
    client: Pay88, context: BrowserContext, create: Any, button: str, description: str
) -> None:
    page = open_page(context, create(client, description=description), **PHONE)
    for _ in range(2):
        assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
        if page.get_by_role("button").count():
            page.get_by_role("button", name=button).click()
            expect(page.get_by_text("COMPLETED")).to_be_visible()


def test_customer_pays_by_keyboard(client: Pay88, context: BrowserContext) -> None:
    page = open_page(context, checkout(client))
    page.keyboard.press("Tab")
    pay = page.get_by_role("button", name="Pay")
    expect(pay).to_be_focused()
    # The focus can be seen.
    assert pay.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_text("COMPLETED")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Back to the shop")).to_be_focused()


@pytest.mark.parametrize(("create", "button"), KINDS)
def test_page_asks_no_other_host(
    client: Pay88, context: BrowserContext, create: Any, button: str
) -> None:
    charge = create(client)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = open_page(context, charge)
    page.get_by_role("button", name=button).click()
    expect(page.get_by_text("COMPLETED")).to_be_visible()
    # The page, the form and its answer; nothing beside them but the script that copies.
    script = urljoin(address(charge), "copy.js")
    assert set(asked) - {script} == {address(charge)}
    assert (script in asked) is (create is not checkout)


def test_unknown_page(client: Pay88, context: BrowserContext) -> None:
    page = context.new_page()
    answer = page.goto(address(checkout(client))[:-4] + "none")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", level=1)).to_have_text("Not found")


# -- cards

SUCCEEDS, DECLINED = "4242 4242 4242 4846", "4242 4242 4242 4341"


def fill(page: Page, number: str, expiry: str = "12/29", cvv: str = "123") -> None:
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry").fill(expiry)
    page.get_by_label("CVV").fill(cvv)


@pytest.mark.parametrize(
    ("number", "status"), [(SUCCEEDS, "COMPLETED"), (DECLINED, "REJECTED")], ids=str
)
def test_customer_pays_by_card(
    client: Pay88, sandbox: Sandbox, context: BrowserContext, number: str, status: str
) -> None:
    charge = by_card(client)
    page = open_page(context, charge)
    # The page itself says which numbers to type.
    expect(page.get_by_text(number)).to_be_visible()
    fill(page, number)
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_text(status)).to_be_visible()
    assert sandbox.transaction(charge.reference)["status"] == status
    expect(page.get_by_text("by webhook")).to_be_visible()
    back = page.get_by_role("link", name="Back to the shop")
    assert back.get_attribute("href") == ORDER["return_url"]


def test_customer_types_a_real_card(client: Pay88, context: BrowserContext) -> None:
    page = open_page(context, by_card(client), **PHONE)
    fill(page, "4111 1111 1111 1111", "01/30", "999")
    page.get_by_role("button", name="Pay").click()
    number = page.get_by_label("Card number")
    # The person stands where the mistake is, and hears what it is.
    expect(number).to_be_focused()
    expect(number).to_have_value("")
    expect(number).to_have_accessible_description(re.compile(f"{SUCCEEDS}.*{DECLINED}"))
    expect(page.get_by_role("alert")).to_be_visible()
    for name in ("Expiry", "CVV"):
        expect(page.get_by_label(name)).to_have_value("")
    assert "4111" not in page.content()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    fill(page, SUCCEEDS)
    page.keyboard.press("Enter")
    expect(page.get_by_text("COMPLETED")).to_be_visible()


def test_customer_pays_by_card_and_keyboard(client: Pay88, context: BrowserContext) -> None:
    page = open_page(context, by_card(client))
    for text in (SUCCEEDS, "12/29", "123"):
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Pay")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("COMPLETED")).to_be_visible()


def test_customer_comes_too_late(client: Pay88, sandbox: Sandbox, context: BrowserContext) -> None:
    page = open_page(context, by_card(client))
    fill(page, SUCCEEDS)
    sandbox.clock.advance(3_600)
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_text("has expired")).to_be_visible()
    expect(page.get_by_text("REJECTED")).to_be_visible()


# -- vouchers and transfers


@pytest.mark.parametrize(
    ("create", "field", "label"),
    [(voucher, "payment_code", "Payment code"), (qr, "deposit_address", "Deposit address")],
)
def test_customer_copies_the_code(
    client: Pay88, context: BrowserContext, create: Any, field: str, label: str
) -> None:
    charge = create(client)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = open_page(context, charge)
    expect(page.get_by_text(getattr(charge, field), exact=True)).to_be_visible()
    copy = page.get_by_role("button", name=f"Copy: {label}")
    copy.click()
    expect(copy).to_have_text("Copied")
    assert page.evaluate("() => navigator.clipboard.readText()") == getattr(charge, field)


def test_the_qr_code_is_drawn_large_enough(client: Pay88, context: BrowserContext) -> None:
    page = open_page(context, qr(client), **PHONE)
    box = page.get_by_role("img", name="QR code of the deposit address").bounding_box()
    assert box is not None
    assert 180 < box["width"] == pytest.approx(box["height"], abs=1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("create", [by_card, voucher, qr])
def test_text_can_be_read(client: Pay88, browser: Browser, create: Any, scheme: Any) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(address(create(client)))
    assert page.evaluate(LOW_CONTRAST) == []
    page.close()
