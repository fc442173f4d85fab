"""Under which names the served control side answers: a stranger's name may resolve to loopback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import TOKEN, caller, plain_http

from pay88kit import Sandbox
from pay88kit.sandbox.origin import is_ours
from pay88kit.sandbox.reply import Ask

HOME = "/_sandbox/"
OURS = ("localhost", "LOCALHOST:8088", "127.0.0.1", "127.0.0.1:8088", "127.8.8.8", "[::1]:8088")
STRANGERS = (
    "evil.example",
    "evil.example:8088",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.example#127.0.0.1",
    "evil.example/@localhost",
    "localhost@evil.example",
    "evil.example@localhost",
    "0.0.0.0",  # noqa: S104 - nothing is bound to it
    "192.168.0.7:8088",
    "[2001:db8::1]",
    "[evil.example]",
    "pay88.local",
    "",
)
# As a page sends them to what its browser takes for its own site.
REBOUND = {"Sec-Fetch-Site": "same-origin", "X-Forwarded-Host": "localhost", "X-Test": "1"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=None) as sandbox:
        yield sandbox


@pytest.fixture
def http(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with sandbox.serve() as url, plain_http(base_url=url) as http:
        yield http


@pytest.mark.parametrize("host", STRANGERS)
def test_a_strangers_name_reaches_nothing_of_the_control_side(
    sandbox: Sandbox, http: httpx.Client, host: str
) -> None:
    reference = caller(sandbox).charge()
    before = sandbox.clock.now()
    for method, path in (
        ("GET", ""),
        ("GET", "console.js"),
        ("GET", "merchants"),
        ("GET", "health"),
        ("POST", "clock"),
        ("POST", f"transactions/{reference}/complete"),
        ("DELETE", "faults"),
    ):
        answer = http.request(
            method, HOME + path, json={"advance": 60}, headers=REBOUND | {"Host": host}
        )
        assert answer.status_code == 403, path
        said = answer.json()
        assert (said["status"], said["code"]) == ("Error", 403)
        # The fault's name and the cure.
        assert said["message"].startswith("Host: ")
        assert "127.0.0.1" in said["message"]
        assert "--public-prefix" in said["message"]
    assert sandbox.transaction(reference)["status"] == "PENDING"
    assert sandbox.clock.now() == before


def test_no_way_of_writing_the_path_leads_around_it(http: httpx.Client) -> None:
    for path in (
        "/_sandbox",
        "/_sandbox/merchants",
        "/%5fsandbox/merchants",
        "/_sandbox%2Fmerchants",
    ):
        assert http.get(path, headers={"Host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("host", OURS)
def test_this_machines_names_reach_it(http: httpx.Client, host: str) -> None:
    assert http.get(HOME, headers={"Host": host}).status_code == 200
    assert http.get(HOME + "merchants", headers={"Host": host}).status_code == 200
    moved = http.post(HOME + "clock", json={"advance": 1}, headers={"Host": host})
    assert moved.status_code == 200


PIECES = ("localhost", "127.0.0.1", "[::1]", "::1", "[", "]", ":", "8088", "evil", *".@/#?, ")


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=4).map("".join)))
def test_only_a_whole_name_of_this_machine_counts(host: str) -> None:
    whole = re.fullmatch(r"\s*(localhost|127\.0\.0\.1|\[::1\])(:\d*)?\s*", host)
    assert is_ours(Ask("GET", HOME, headers={"host": host})) is bool(whole)


def test_88pays_paths_and_the_customers_pages_answer_to_every_name(
    sandbox: Sandbox, http: httpx.Client
) -> None:
    outside = {"Host": "hub.example"}
    merchant = sandbox.config
    headers = {"x-api-key": str(merchant.api_key), "x-merchant-id": str(merchant.merchant_id)}
    assert http.post(TOKEN, headers=headers | outside).status_code == 200
    assert http.get("/openapi.json", headers=outside).status_code == 200
    assert http.get("/checkout/unknown", headers=outside).status_code == 404


def test_a_public_prefix_is_a_good_name_too(sandbox: Sandbox) -> None:
    prefix = "https://Hub.example:8443/user/ana/proxy/8088"
    with sandbox.serve(public_prefix=prefix) as url, plain_http(base_url=url) as http:
        for host, status in (
            ("hub.example", 200),
            ("hub.example:8443", 200),
            ("127.0.0.1", 200),
            ("evil.example", 403),
            ("evil.hub.example", 403),
        ):
            assert http.get(HOME + "clock", headers={"Host": host}).status_code == status
    # A prefix without a name adds none.
    with sandbox.serve(public_prefix="/proxy/8088") as url, plain_http(base_url=url) as http:
        assert http.get(HOME + "clock", headers={"Host": ""}).status_code == 403


def test_the_link_of_a_notebook_works_under_every_name_by_its_key(sandbox: Sandbox) -> None:
    link = sandbox.show_console().url
    port, path = urlsplit(link).port, urlsplit(link).path
    hub = {"Host": "hub.example"}
    with plain_http(base_url=f"http://127.0.0.1:{port}") as http:
        assert http.get(path, headers=hub).status_code == 200
        assert http.get(path + "clock", headers=hub).status_code == 200
        moved = http.post(path + "clock", json={"advance": 5}, headers=hub)
        assert moved.status_code == 200
        # What the page links to is beside it.
        assert http.get(path.removesuffix(HOME) + "/openapi.json", headers=hub).status_code == 200
        # The key is what counts, and a page's origin counts still.
        assert http.get(HOME + "clock", headers=hub).status_code == 403
        assert http.get(f"/{'x' * 22}{HOME}clock", headers=hub).status_code == 404
        foreign = hub | {"Sec-Fetch-Site": "cross-site"}
        assert http.post(path + "clock", json={"advance": 5}, headers=foreign).status_code == 403
    with Sandbox() as other:
        assert urlsplit(other.show_console().url).path != path
