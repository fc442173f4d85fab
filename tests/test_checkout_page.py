"""The page where a customer pays or declines, over plain HTTP."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import urljoin

import httpx
import pytest
from support import CHARGES, Caller, Endpoint, caller, charge_body, served

from pay88kit import Sandbox

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>&"\'{body}'


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=None) as sandbox:
        yield sandbox


@pytest.fixture
def http(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with served(sandbox) as http:
        yield http


@pytest.fixture
def shop(sandbox: Sandbox, http: httpx.Client) -> Caller:
    return caller(sandbox, http)


def opened(shop: Caller, method: str = "PSE", **changes: object) -> tuple[str, str]:
    """A charge: its reference, and the address of its page."""
    data = shop.post(CHARGES, charge_body(method, **changes)).json()["data"]
    fields = ("urlCheckout", "voucher_url", "qr_code_url")
    return data["reference"], next(data[name] for name in fields if name in data)


@pytest.mark.parametrize("method", ["CARDS", "NEQUI", "PSE", "CASH", "USDT"])
def test_the_page_shows_what_is_to_be_paid(
    sandbox: Sandbox, shop: Caller, http: httpx.Client, method: str
) -> None:
    reference, url = opened(shop, method, description="Two coffees")
    page = http.get(url)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for text in ("50,000.00", reference, "Two coffees", "Simulated data, not 88Pay"):
        assert text in page.text
    assert len(re.findall("<h1", page.text)) == 1
    # Whatever the method, what pays is one button and what does not is another.
    assert page.text.count('name="decision" value="pay"') == 1
    assert page.text.count('name="decision" value="decline"') == 1


def test_hostile_text_is_shown_and_not_obeyed(shop: Caller, http: httpx.Client) -> None:
    back = 'https://shop.example/?a=1&b="><script>alert(2)</script>'.replace(" ", "")
    reference, url = opened(shop, description=HOSTILE, return_url=back)
    for _ in range(2):
        page = http.get(url).text
        assert "<script" not in page
        assert "<img" not in page
        assert html.escape(HOSTILE) in page
        http.post(url, data={"decision": "pay"})
    assert html.escape(back) in page
    assert reference in page


def test_the_page_loads_nothing_from_elsewhere(shop: Caller, http: httpx.Client) -> None:
    _, url = opened(shop)
    page = http.get(url)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(r"(src|action)\s*=|@import|url\(", page.text)


@pytest.mark.parametrize(("decision", "status"), [("pay", "COMPLETED"), ("decline", "REJECTED")])
def test_a_decision_ends_the_charge_and_is_told_to_the_shop(
    sandbox: Sandbox, shop: Caller, http: httpx.Client, decision: str, status: str
) -> None:
    with Endpoint() as endpoint:
        reference, url = opened(shop, notification_url=endpoint.url)
        answer = http.post(url, data={"decision": decision})
        assert answer.status_code == 303
        assert sandbox.transaction(reference)["status"] == status
        assert len(endpoint.received) == 1
        assert status.encode() in endpoint.received[0].body
    page = http.get(url).text
    assert status in page
    assert "<button" not in page
    assert 'href="https://shop.example/thanks"' in page


def test_declining_is_not_expiring(shop: Caller, http: httpx.Client) -> None:
    _, url = opened(shop)
    page = http.post(url, data={"decision": "decline"}, follow_redirects=True).text
    assert "Declined" in page
    assert "expired" not in page


def test_no_status_is_promised_to_the_shop(shop: Caller, http: httpx.Client) -> None:
    back = "https://shop.example/thanks?order=1001"
    _, url = opened(shop, return_url=back)
    page = http.post(url, data={"decision": "pay"}, follow_redirects=True).text
    assert f'href="{back}"' in page
    assert "by webhook" in page


def test_a_second_decision_changes_nothing(
    sandbox: Sandbox, shop: Caller, http: httpx.Client
) -> None:
    with Endpoint() as endpoint:
        reference, url = opened(shop, notification_url=endpoint.url)
        http.post(url, data={"decision": "pay"})
        for decision in ("decline", "pay"):
            answer = http.post(url, data={"decision": decision}, follow_redirects=True)
            assert answer.status_code == 200
            assert "COMPLETED" in answer.text
        assert len(endpoint.received) == 1
    assert sandbox.transaction(reference)["status"] == "COMPLETED"
    assert sandbox.transactions()[0]["updated_at"] == "2026-01-15T12:00:00Z"


def test_an_expired_charge_cannot_be_paid(
    sandbox: Sandbox, shop: Caller, http: httpx.Client
) -> None:
    reference, url = opened(shop)
    assert "2026-01-15 13:00:00 UTC" in http.get(url).text
    sandbox.clock.advance(3_600)
    page = http.post(url, data={"decision": "pay"}, follow_redirects=True)
    assert "REJECTED" in page.text
    assert "has expired" in page.text
    assert "Declined" not in page.text
    assert sandbox.transaction(reference)["status"] == "REJECTED"


def test_the_redirect_is_relative_so_that_it_stays_behind_a_proxy(
    shop: Caller, http: httpx.Client
) -> None:
    _, url = opened(shop)
    answer = http.post(url, data={"decision": "pay"})
    location = answer.headers["location"]
    assert not location.startswith(("/", "http"))
    seen = "https://hub.example/user/ana/proxy/40001" + httpx.URL(url).path
    assert urljoin(seen, location) == seen


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        # Another port of this machine is another program.
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": ""},
        # What a browser sends on plain HTTP, where it leaves the first header out.
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://[broken"},
        {"Origin": "https://evil.example", "X-Forwarded-Host": "hub.example"},
    ],
    ids=str,
)
def test_another_sites_page_cannot_pay(
    sandbox: Sandbox, shop: Caller, http: httpx.Client, headers: dict[str, str]
) -> None:
    reference, url = opened(shop)
    for decision in ("pay", "decline"):
        answer = http.post(url, data={"decision": decision}, headers=headers)
        assert answer.status_code == 403
    assert sandbox.transaction(reference)["status"] == "PENDING"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://hub.example"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://hub.example:8000", "Host": "hub.example:8000"},
        {"Origin": "http://HUB.example", "Host": "hub.example"},
        {"Origin": "http://hub.example", "X-Forwarded-Host": "hub.example, inner.example"},
        {},
    ],
    ids=str,
)
def test_the_sandboxs_own_page_and_programs_can_pay(
    shop: Caller, http: httpx.Client, headers: dict[str, str]
) -> None:
    _, url = opened(shop)
    assert http.post(url, data={"decision": "pay"}, headers=headers).status_code == 303


@pytest.mark.parametrize("data", [{}, {"decision": ""}, {"decision": "Pay"}, {"pay": "1"}])
def test_an_unclear_decision_changes_nothing(
    sandbox: Sandbox, shop: Caller, http: httpx.Client, data: dict[str, str]
) -> None:
    reference, url = opened(shop)
    assert http.post(url, data=data).status_code == 400
    assert sandbox.transaction(reference)["status"] == "PENDING"


def test_any_bytes_in_the_form_change_nothing(
    sandbox: Sandbox, shop: Caller, http: httpx.Client
) -> None:
    reference, url = opened(shop)
    for content in (b"\xff\xfe", b"decision", b"decision=%ff", b"&" * 2_000, b"a=1&" * 2_000):
        assert http.post(url, content=content).status_code == 400
    assert sandbox.transaction(reference)["status"] == "PENDING"


def test_an_unknown_page_is_not_found(http: httpx.Client) -> None:
    for path in ("/checkout/NOTHERE", "/voucher/NOTHERE", "/qr/NOTHERE"):
        for answer in (http.get(path), http.post(path, data={"decision": "pay"})):
            assert answer.status_code == 404
    assert http.get("/checkout/<script>").text.count("<script") == 0


def test_the_page_takes_get_and_post_only(shop: Caller, http: httpx.Client) -> None:
    _, url = opened(shop)
    answer = http.delete(url)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
    assert http.head(url).status_code == 200


# -- cards: contract, section 12

SUCCEEDS, DECLINED = "4242424242424846", "4242424242424341"


def card(number: str, expiry: str = "12/29", cvv: str = "123") -> dict[str, str]:
    return {"number": number, "expiry": expiry, "cvv": cvv, "decision": "pay"}


@pytest.mark.parametrize(
    ("form", "status"),
    [
        (card(SUCCEEDS), "COMPLETED"),
        (card(" 4242 4242 4242 4846 ", "12 / 29"), "COMPLETED"),
        (card("4242-4242-4242-4846", "1229", " 123 "), "COMPLETED"),
        (card(SUCCEEDS, "12/2029"), "COMPLETED"),
        (card(DECLINED), "REJECTED"),
        (card("4242 4242 4242 4341"), "REJECTED"),
        ({"decision": "decline"}, "REJECTED"),
    ],
    ids=str,
)
def test_the_test_cards_do_what_they_are_for(
    sandbox: Sandbox, shop: Caller, http: httpx.Client, form: dict[str, str], status: str
) -> None:
    reference, url = opened(shop, "CARDS")
    assert http.post(url, data=form).status_code == 303
    assert sandbox.transaction(reference)["status"] == status
    page = http.get(url).text
    assert status in page
    assert ("Paid." in page) is (status == "COMPLETED")


@pytest.mark.parametrize(
    ("form", "named"),
    [
        (card("4111111111111111"), {"number"}),
        (card("4242424242424242"), {"number"}),
        (card("４２４２４２４２４２４２４８４６"), {"number"}),
        (card(SUCCEEDS + "0"), {"number"}),
        (card(SUCCEEDS, "12/30"), {"expiry"}),
        (card(SUCCEEDS, cvv="1234"), {"cvv"}),
        (card("", "", ""), {"number", "expiry", "cvv"}),
        ({"decision": "pay"}, {"number", "expiry", "cvv"}),
    ],
    # A set is written in another order in each process.
    ids=lambda value: str(value if isinstance(value, dict) else sorted(value)),
)
def test_another_card_is_refused_with_the_two_that_work(
    sandbox: Sandbox, shop: Caller, http: httpx.Client, form: dict[str, str], named: set[str]
) -> None:
    reference, url = opened(shop, "CARDS")
    page = http.post(url, data=form)
    assert page.status_code == 422
    assert set(re.findall(r'id="wrong-(\w+)"', page.text)) == named
    alert = page.text[page.text.index('role="alert"') :]
    assert "4242 4242 4242 4846" in alert
    assert "4242 4242 4242 4341" in alert
    assert sandbox.transaction(reference)["status"] == "PENDING"
    # The person tries again on the page that came.
    assert http.post(url, data=card(SUCCEEDS)).status_code == 303
    assert sandbox.transaction(reference)["status"] == "COMPLETED"


def test_what_was_typed_goes_nowhere(
    sandbox: Sandbox,
    shop: Caller,
    http: httpx.Client,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    typed = ("5555666677778884", "09/31", "7q7")
    with caplog.at_level("DEBUG"), Endpoint() as endpoint:
        reference, url = opened(shop, "CARDS", notification_url=endpoint.url)
        answers = [http.post(url, data=card(*typed)), http.get(url)]
        answers.append(http.post(url, data=card("5555 6666 7777 8884")))
        answers.append(http.post(url, data=card(SUCCEEDS), follow_redirects=True))
        said = "".join(answer.text for answer in answers)
        said += "".join(str(http.get(f"/_sandbox/{name}").json()) for name in LISTS)
        said += str(sandbox.transaction(reference)) + str(endpoint.received)
    said += caplog.text + "".join(capfd.readouterr())
    for secret in (*typed, "5555 6666 7777 8884", SUCCEEDS):
        assert secret not in said
    # The requests of 88Pay's own paths are kept, as before.
    assert "/api/transactions/charges" in said


LISTS = ("requests", "transactions", "webhooks")


def test_a_card_after_the_end_changes_nothing(
    sandbox: Sandbox, shop: Caller, http: httpx.Client
) -> None:
    reference, url = opened(shop, "CARDS")
    http.post(url, data=card(DECLINED))
    for form in (card(SUCCEEDS), card("4111111111111111")):
        assert "REJECTED" in http.post(url, data=form, follow_redirects=True).text
    assert sandbox.transaction(reference)["status"] == "REJECTED"


def test_only_cards_ask_for_a_card(shop: Caller, http: httpx.Client) -> None:
    for method in ("NEQUI", "PSE", "CASH", "USDT"):
        assert "<input" not in http.get(opened(shop, method)[1]).text


@pytest.mark.parametrize(
    ("method", "payer"), [("NEQUI", "phone"), ("PSE", "Banco de Prueba"), ("PAYPAL", "PayPal")]
)
def test_wallets_and_banks_say_who_pays(
    shop: Caller, http: httpx.Client, method: str, payer: str
) -> None:
    page = http.get(opened(shop, method)[1]).text
    assert payer in page
    assert "(simulated)" in page


# -- vouchers and transfers


def test_a_voucher_has_its_code_and_its_end(shop: Caller, http: httpx.Client) -> None:
    data = shop.post(CHARGES, charge_body("CASH")).json()["data"]
    page = http.get(data["voucher_url"]).text
    assert f">{data['payment_code']}</code>" in page
    assert data["expires_at"] == "2026-01-18T12:00:00Z"
    assert "2026-01-18 12:00:00 UTC" in page
    assert "Paid at the counter" in page


def test_a_transfer_has_a_code_to_scan_and_the_same_as_text(
    shop: Caller, http: httpx.Client
) -> None:
    data = shop.post(CHARGES, charge_body("USDT")).json()["data"]
    for _ in range(2):
        page = http.get(data["qr_code_url"]).text
        assert f">{data['deposit_address']}</code>" in page
        assert data["network"] in page
        assert page.count("<svg") == 1


def test_a_page_shows_only_its_own_kind(sandbox: Sandbox, shop: Caller, http: httpx.Client) -> None:
    reference, url = opened(shop, "CASH")
    other = url.replace("/voucher/", "/checkout/")
    assert http.get(other).status_code == 404
    assert http.post(other, data={"decision": "pay"}).status_code == 404
    assert sandbox.transaction(reference)["status"] == "PENDING"


def test_the_script_of_the_copy_button(shop: Caller, http: httpx.Client) -> None:
    _, url = opened(shop, "CASH")
    page = http.get(url)
    assert re.findall(r"<script[^>]*>", page.text) == ['<script src="copy.js" defer>']
    assert "script-src 'self'" in page.headers["content-security-policy"]
    script = http.get(urljoin(str(page.url), "copy.js"))
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert http.post(urljoin(str(page.url), "copy.js")).status_code == 405
