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


def opened(shop: Caller, method: str = "CARDS", **changes: object) -> tuple[str, str]:
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
    sandbox.clock.advance(3_600)
    page = http.post(url, data={"decision": "pay"}, follow_redirects=True)
    assert "REJECTED" in page.text
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


@pytest.mark.parametrize("site", ["cross-site"])
def test_another_sites_page_cannot_pay(
    sandbox: Sandbox, shop: Caller, http: httpx.Client, site: str
) -> None:
    reference, url = opened(shop)
    headers = {"Sec-Fetch-Site": site, "Origin": "https://evil.example"}
    for decision in ("pay", "decline"):
        answer = http.post(url, data={"decision": decision}, headers=headers)
        assert answer.status_code == 403
    assert sandbox.transaction(reference)["status"] == "PENDING"
    own = {"Sec-Fetch-Site": "same-origin"}
    assert http.post(url, data={"decision": "pay"}, headers=own).status_code == 303


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
