"""The console's files over plain HTTP, and the link that a notebook shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from support import caller, in_process, plain_http, served

from pay88kit import Sandbox, WrongUse

HOME = "/_sandbox/"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=None) as sandbox:
        yield sandbox


@pytest.fixture
def http(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with in_process(sandbox) as http:
        yield http


def test_the_page_is_whole_and_says_that_it_is_simulated(http: httpx.Client) -> None:
    page = http.get(HOME)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert '<html lang="en">' in page.text
    assert len(re.findall("<h1", page.text)) == 1
    assert "Simulated data, not 88Pay" in page.text
    # Every field has its label.
    fields = set(re.findall(r'<input [^>]*id="(\w+)"', page.text))
    labelled = set(re.findall(r'<label[^>]* for="(\w+)"', page.text))
    assert fields - labelled == {"live"}  # inside its label
    assert http.head(HOME).status_code == 200


def test_its_policy_lets_nothing_in(http: httpx.Client) -> None:
    page = http.get(HOME)
    policy = dict(
        part.split(" ", 1) for part in page.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    for kind in ("script-src", "style-src", "connect-src"):
        assert policy[kind] == "'self'"
    assert policy["base-uri"] == "'none'"
    assert policy["frame-ancestors"] == "'self'"
    assert "unsafe" not in str(policy)
    # Nothing is written that the policy would stop.
    assert not re.search(r"\son\w+\s*=|style\s*=|<style|javascript:", page.text)
    assert re.findall(r"<script[^>]*>[^<]", page.text) == []


def test_every_address_stays_behind_a_proxy(http: httpx.Client) -> None:
    root = "https://hub.example/user/ana/proxy/40001/"
    seen = root + "_sandbox/"
    page = http.get(HOME).text
    addresses = re.findall(r'(?:href|src|action)="([^"#][^"]*)"', page)
    assert {"console.js", "console.css", "transactions", "../openapi.json"} <= set(addresses)
    for address in addresses:
        assert urljoin(seen, address).startswith(root)
        assert http.get(urljoin(HOME, address)).status_code == 200
    script = http.get(HOME + "console.js").text
    assert "//" not in re.sub(r"(?m)//\s.*$", "", script)
    assert "innerHTML" not in script
    # Without its last slash, the page's addresses would be beside it.
    moved = http.get(HOME.rstrip("/"))
    assert moved.status_code == 307
    assert urljoin(seen.rstrip("/"), moved.headers["location"]) == seen


@pytest.mark.parametrize(
    ("name", "kind"),
    [("console.js", "javascript"), ("copy.js", "javascript"), ("console.css", "css")],
)
def test_its_files_are_what_they_say(http: httpx.Client, name: str, kind: str) -> None:
    answer = http.get(HOME + name)
    assert answer.headers["content-type"] == f"text/{kind}; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "http" not in re.sub(r"HTTP", "", answer.text)


def test_it_takes_get_only_and_hides_nothing_of_the_control_side(http: httpx.Client) -> None:
    for path in (HOME, HOME + "console.js"):
        answer = http.post(path)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET"
    assert http.get(HOME + "health").json() == {"status": "ready"}
    assert http.get(HOME + "../pages.py").status_code == 404
    assert http.get(HOME + "console.html").status_code == 404


def test_there_is_none_without_the_control_side() -> None:
    with Sandbox(control=False) as sandbox:
        http = in_process(sandbox)
        for path in (HOME, HOME.rstrip("/"), HOME + "console.js"):
            assert http.get(path).status_code == 404
        with pytest.raises(WrongUse, match="control=True"):
            sandbox.show_console()


ACTIONS = ("clock", "transactions/{}/complete", "transactions/{}/reject", "transactions/{}/expire")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_its_buttons_work_for_its_own_page_only(
    sandbox: Sandbox, http: httpx.Client, headers: dict[str, str]
) -> None:
    reference = caller(sandbox, http).charge()
    for path in (*ACTIONS, "webhooks/1/resend", "reset", "faults"):
        answer = http.post(HOME + path.format(reference), json={"advance": 60}, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["status"] == "Error"
    assert http.delete(HOME + "faults", headers=headers).status_code == 403
    assert sandbox.transaction(reference)["status"] == "PENDING"
    assert f"{sandbox.clock.now():%H:%M}" == "12:00"
    own = {"Sec-Fetch-Site": "same-origin", "Origin": "https://hub.example"}
    assert http.post(HOME + f"transactions/{reference}/reject", headers=own).status_code == 200


def test_what_a_program_calls_needs_no_origin(sandbox: Sandbox) -> None:
    with served(sandbox) as http:
        assert http.post(HOME + "clock", json={"advance": 5}).status_code == 200


# -- the link


def test_the_link_leads_to_the_served_console(sandbox: Sandbox) -> None:
    link = sandbox.show_console()
    assert urlsplit(link.url).path.endswith(HOME)
    with plain_http() as http:
        assert "Sandbox console" in http.get(link.url).text
    # One server for all links, and addresses in answers stay the fixed text that they are.
    assert sandbox.show_console().url == link.url


def test_the_link_is_kept_out_of_compared_output(sandbox: Sandbox) -> None:
    link = sandbox.show_console()
    port = str(urlsplit(link.url).port)
    bundle = link._repr_mimebundle_()
    assert port not in repr(link)
    assert port not in str(bundle)
    assert bundle["text/plain"] == "Open the sandbox's console (run this cell to get the link)"
    assert any("widget" in kind for kind in bundle)


def test_the_link_of_a_hub_goes_through_its_proxy(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ana/")
    assert re.fullmatch(r"/user/ana/proxy/\d+/[\w-]{22}/_sandbox/", sandbox.show_console().url)
