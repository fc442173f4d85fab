"""The console as a person meets it, while programs work with the same sandbox."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from driver import LOW_CONTRAST, PHONE, WIDE, Lab
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from support import Delivery, Endpoint, Say, plain_http

from pay88kit import OutcomeUnknown, Pay88, Sandbox

SIMULATED = "Simulated data, not 88Pay"
HOSTILE = (
    """</pre><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">'"&amp;"""
)
ORDER: dict[str, Any] = {
    "method_code": "PSE",
    "currency": "COP",
    "country": "COL",
    "customer_id": "customer-7",
    "description": "Order 1001",
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=None) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Pay88]:
    with Pay88(sandbox.config) as client:
        yield client


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def console(sandbox: Sandbox, context: BrowserContext) -> Iterator[Callable[[], Page]]:
    """Opens the console, up to date. It reports no error and asks nobody else."""
    page = context.new_page()
    page.set_viewport_size(WIDE)
    wrong: list[str] = []
    asked: set[str] = set()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    with sandbox.serve() as url:

        def open_console() -> Page:
            page.goto(f"{url}/_sandbox/")
            expect(page.get_by_text("Up to date")).to_be_visible()
            return page

        yield open_console
        assert wrong == []
        assert asked == {urlsplit(url).netloc}
        assert page.evaluate("() => window.hacked") is None
        # Open, it would keep its connection, and the server would wait for that.
        page.close()


def charge(client: Pay88, endpoint: Endpoint, **fields: Any) -> str:
    order = ORDER | {"amount": 50_000, "notification_url": endpoint.url} | fields
    return str(client.charge(**order).reference)


def entries(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name).get_by_role("listitem")


def entry(page: Page, name: str, text: str) -> Locator:
    return entries(page, name).filter(has_text=text)


def test_an_empty_one_says_what_to_do(console: Callable[[], Page]) -> None:
    page = console()
    for text in (SIMULATED, "Create one with your program", "press Complete", "No requests yet"):
        expect(page.get_by_text(text)).to_be_visible()
    expect(page.locator("h1")).to_have_count(1)
    assert page.title() == "Sandbox console · simulated 88Pay"


def test_it_updates_by_itself(
    console: Callable[[], Page], sandbox: Sandbox, client: Pay88, endpoint: Endpoint
) -> None:
    page = console()
    reference = charge(client, endpoint, amount="1250000.50")
    row = entry(page, "Transactions", reference)
    expect(row).to_contain_text("PENDING")
    expect(row).to_contain_text("1,250,000.50 COP")
    expect(page.get_by_text("No transactions yet")).to_be_hidden()
    expect(entry(page, "Requests", "POST /api/transactions/charges")).to_contain_text("200")
    sandbox.complete(reference)
    expect(row).to_contain_text("COMPLETED")
    expect(row.get_by_role("button")).to_have_count(0)
    expect(entry(page, "Notifications", reference)).to_contain_text("delivered")
    sandbox.clock.advance(86_400)
    expect(page.get_by_text("2026-01-16 12:00:00")).to_be_visible()


def test_a_person_ends_transactions(
    console: Callable[[], Page], sandbox: Sandbox, client: Pay88, endpoint: Endpoint
) -> None:
    done = {"Complete": "COMPLETED", "Reject": "REJECTED", "Expire": "REJECTED"}
    references = {action: charge(client, endpoint) for action in done}
    other = charge(client, endpoint)
    page = console()
    for action, status in done.items():
        reference = references[action]
        page.get_by_role("button", name=f"{action} {reference}").click()
        expect(entry(page, "Transactions", reference)).to_contain_text(status)
        expect(page.get_by_role("status")).to_contain_text(reference)
        assert sandbox.transaction(reference)["status"] == status
    assert sandbox.transaction(other)["status"] == "PENDING"
    assert len(endpoint.received) == len(done)


def test_a_person_pays_and_sees_the_notification_and_sends_it_again(
    console: Callable[[], Page], client: Pay88
) -> None:
    answers = [Say(500, body=HOSTILE.encode()), Say()]

    def answer(delivery: Delivery) -> Say:
        return answers.pop(0)

    with Endpoint(answer) as endpoint:
        reference = charge(client, endpoint)
        page = console()
        page.get_by_role("button", name=f"Complete {reference}").click()
        row = entry(page, "Notifications", reference)
        expect(row).to_contain_text("refused")
        expect(row).to_contain_text("HTTP 500")
        # Its bodies are one click away.
        row.locator("summary").click()
        expect(row.get_by_text(HOSTILE, exact=True)).to_be_visible()
        expect(row.locator("pre").first).to_contain_text('"transaction_status": "COMPLETED"')
        row.get_by_role("button", name="Resend").click()
        expect(entries(page, "Notifications")).to_have_count(2)
        expect(entries(page, "Notifications").first).to_contain_text("delivered")
        # What was open stays open.
        expect(row.get_by_text(HOSTILE, exact=True)).to_be_visible()
        assert [delivery.method for delivery in endpoint.received] == ["POST", "POST"]


def test_a_person_moves_the_clock(
    console: Callable[[], Page], sandbox: Sandbox, client: Pay88, endpoint: Endpoint
) -> None:
    reference = charge(client, endpoint)
    page = console()
    for button, now in (("+1 min", "12:01:00"), ("+1 h", "13:01:00")):
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.locator("#now")).to_have_text(f"2026-01-15 {now}")
    # An unpaid charge ends after an hour, and the page says so.
    expect(entry(page, "Transactions", reference)).to_contain_text("REJECTED")
    expect(page.get_by_role("status")).to_contain_text(f"{reference} expired")
    page.get_by_role("button", name="+1 day").click()
    expect(page.locator("#now")).to_have_text("2026-01-16 13:01:00")
    page.get_by_label("Seconds").fill("90")
    page.get_by_label("Seconds").press("Enter")
    expect(page.locator("#now")).to_have_text("2026-01-16 13:02:30")
    assert f"{sandbox.clock.now():%d %H:%M:%S}" == "16 13:02:30"


def test_foreign_text_stays_text(
    console: Callable[[], Page], client: Pay88, endpoint: Endpoint
) -> None:
    reference = charge(client, endpoint, description=HOSTILE, customer_id=HOSTILE)
    page = console()
    scripts = page.locator("script, img").count()
    row = entry(page, "Transactions", reference)
    row.locator("summary").click()
    expect(row.get_by_text(HOSTILE, exact=True)).to_have_count(2)
    request = entry(page, "Requests", "POST /api/transactions/charges")
    request.locator("summary").click()
    expect(request.locator("pre").first).to_contain_text("<script>window.hacked = 1</script>")
    assert page.locator("script, img").count() == scripts
    assert page.evaluate("() => window.hacked") is None


def test_amounts_in_bodies_are_exact(
    console: Callable[[], Page], client: Pay88, endpoint: Endpoint
) -> None:
    # JavaScript's own numbers would make 9007199254740993.1 and 50000.5 of them.
    charge(client, endpoint, method_code="SPEI", currency="MXN", country="MEX",
           amount="9007199254740993.17")  # fmt: skip
    charge(client, endpoint, amount="50000.50")
    page = console()
    for row, amount in zip(
        entry(page, "Requests", "POST /api/transactions/charges").all(),
        ("50000.50", "9007199254740993.17"),
        strict=True,
    ):
        row.locator("summary").click()
        expect(row.locator("pre").first).to_contain_text(f'"amount": {amount},')


def test_it_says_how_to_script_what_happens(
    console: Callable[[], Page], sandbox: Sandbox, client: Pay88, endpoint: Endpoint
) -> None:
    page = console()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    reference = charge(client, endpoint)
    summary = page.locator("summary", has_text="Script it")
    expect(page.get_by_role("button", name="Copy: fault")).to_be_hidden()
    # By keyboard alone.
    summary.focus()
    page.keyboard.press("Enter")
    examples: dict[str, str] = {}
    for name in ("fault", "plan", "clock", "end all faults"):
        button = page.get_by_role("button", name=f"Copy: {name}", exact=True)
        button.focus()
        page.keyboard.press("Enter")
        expect(button).to_have_text("Copied")
        examples[name] = page.evaluate("() => navigator.clipboard.readText()")

    def run(name: str) -> None:
        """What curl would do."""
        words = shlex.split(examples[name].replace("REFERENCE", reference))
        assert words.pop(0) == "curl"
        assert words[-1].startswith(page.url)
        method, body = ("DELETE", None) if words[:2] == ["-X", "DELETE"] else ("POST", words[1])
        assert words[:-1] == (["-X", "DELETE"] if body is None else ["-d", body])
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else None
        with plain_http() as http:
            assert http.request(method, words[-1], content=body, headers=headers).is_success

    run("fault")
    with pytest.raises(OutcomeUnknown):
        charge(client, endpoint)
    run("plan")
    sandbox.complete(reference)
    run("clock")
    sent = [json.loads(delivery.body)["transaction_status"] for delivery in endpoint.received]
    assert sent[:3] == ["COMPLETED", "COMPLETED", "PENDING"]
    assert f"{sandbox.clock.now():%H:%M}" == "13:00"
    sandbox.fault("*", "status", times=None)
    run("end all faults")
    client.balance()
    expect(page.get_by_role("link", name="openapi.json")).to_be_visible()


def test_it_is_worked_by_keyboard_while_it_updates(
    console: Callable[[], Page], sandbox: Sandbox, client: Pay88, endpoint: Endpoint
) -> None:
    reference = charge(client, endpoint)
    page = console()
    reject = page.get_by_role("button", name=f"Reject {reference}")
    page.get_by_role("heading", name="Transactions").focus()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(reject).to_be_focused()
    assert reject.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    # Others come, above and beside it; the focus stays where the person is.
    others = [charge(client, endpoint) for _ in range(3)]
    sandbox.complete(others[1])
    expect(entry(page, "Transactions", others[1])).to_contain_text("COMPLETED")
    expect(entries(page, "Transactions")).to_have_count(4)
    expect(entries(page, "Transactions").first).to_contain_text(others[2])
    expect(reject).to_be_focused()
    page.keyboard.press("Enter")
    # The button is gone; the person goes on from its entry, and opens it.
    summary = entry(page, "Transactions", reference).locator("summary")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("REJECTED")
    page.keyboard.press("Enter")
    expect(entry(page, "Transactions", reference).locator("dd").first).to_have_text(reference)


def test_it_rests_when_told_and_when_nobody_looks(
    console: Callable[[], Page], client: Pay88, endpoint: Endpoint
) -> None:
    page = console()
    page.evaluate(
        """() => {
            window.asked = 0;
            const real = window.fetch;
            window.fetch = (...args) => { window.asked++; return real(...args); };
            Object.defineProperty(document, 'hidden', {get: () => window.away, configurable: true});
            window.later = [];
            window.setTimeout = (...args) => { window.later.push(args); return 0; };
        }"""
    )
    live = page.get_by_label("Update by itself")
    live.uncheck()
    expect(page.get_by_text("Not updating")).to_be_visible()
    # From here on nothing is planned; one update more was under way.
    page.evaluate("() => { window.asked = 0; window.later = []; }")
    reference = charge(client, endpoint)
    assert page.evaluate("() => [window.asked, window.later.length]") == [0, 0]
    page.evaluate("() => { window.away = true; }")
    live.check()
    expect(entry(page, "Transactions", reference)).to_be_visible()
    expect(page.get_by_text("Up to date")).to_be_visible()
    assert page.evaluate("() => window.later.length") == 0
    another = charge(client, endpoint)
    page.evaluate(
        "() => { window.away = false; document.dispatchEvent(new Event('visibilitychange')); }"
    )
    expect(entry(page, "Transactions", another)).to_be_visible()
    page.wait_for_function("() => window.later.length === 1")


def test_many_are_cut_to_the_newest(
    console: Callable[[], Page], sandbox: Sandbox, client: Pay88
) -> None:
    world = [client.charge(**ORDER, amount=50_000 + number, notification_url="https://shop.example")
             for number in range(203)]  # fmt: skip
    page = console()
    rows = page.locator("#transactions li")
    expect(rows).to_have_count(200)
    expect(rows.first).to_contain_text(world[-1].reference)
    expect(page.locator("#transactions")).to_contain_text("Only the newest 200 are shown")
    expect(rows.filter(has_text=world[2].reference)).to_have_count(0)
    expect(rows.filter(has_text=world[3].reference)).to_have_count(1)


def test_it_says_when_the_sandbox_is_gone(sandbox: Sandbox, context: BrowserContext) -> None:
    page = context.new_page()
    with sandbox.serve() as url:
        page.goto(f"{url}/_sandbox/")
        expect(page.get_by_text("Up to date")).to_be_visible()
    expect(page.get_by_text("No news from the sandbox")).to_be_visible()
    page.get_by_role("button", name="+1 min").click()
    expect(page.get_by_role("status")).to_contain_text("does not answer")


def test_it_fits_a_phone(console: Callable[[], Page], client: Pay88, endpoint: Endpoint) -> None:
    for description in ("x" * 255, HOSTILE):
        charge(client, endpoint, description=description, customer_id="y" * 200)
    client.sandbox.complete(charge(client, endpoint, amount="49999999.99"))
    page = console()
    page.set_viewport_size(PHONE)
    expect(entries(page, "Transactions")).to_have_count(3)
    expect(entries(page, "Notifications")).to_have_count(1)
    for row in page.locator("summary").all():
        row.click()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    # Where a finger shall hit, there is room for it.
    for button in page.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 40


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(
    sandbox: Sandbox, client: Pay88, endpoint: Endpoint, browser: Browser, scheme: Any
) -> None:
    sandbox.complete(charge(client, endpoint))
    sandbox.reject(charge(client, endpoint))
    charge(client, endpoint)
    page = browser.new_page(color_scheme=scheme)
    with sandbox.serve() as url:
        page.goto(f"{url}/_sandbox/")
        expect(entries(page, "Transactions")).to_have_count(3)
        page.locator("#requests summary").first.click()
        page.locator("summary", has_text="Script it").click()
        assert page.evaluate(LOW_CONTRAST) == []
        page.close()


def test_it_works_behind_jupyters_proxy(lab: Lab) -> None:
    lab.open("00_start_here.ipynb")
    path = lab.in_kernel(
        "from pay88kit import Pay88\n"
        "proxied = Pay88(books=False)\n"
        "print(proxied.sandbox.show_console().url)"
    )
    assert path.startswith("/user/ana/proxy/")
    page = lab.page.context.new_page()
    page.goto(urljoin(lab.url, path))
    expect(page.get_by_text("Up to date")).to_be_visible()
    order = ORDER | {"amount": 50_000, "notification_url": "http://127.0.0.1:9/hook"}
    reference = lab.in_kernel(f"print(proxied.charge(**{order!r}).reference)")
    page.get_by_role("button", name=f"Complete {reference}").click()
    expect(entry(page, "Transactions", reference)).to_contain_text("COMPLETED")
    assert lab.in_kernel(f"print(proxied.sandbox.transaction({reference!r})['status'])") == (
        "COMPLETED"
    )
