"""What a lesson does instead of the local sandbox, where it is not there: its client, its inbox,
and the world around them.

The other 88Pay is a sandbox that is served: a client reaches it by its address alone.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pay88kit import (
    BadRequest,
    Books,
    Config,
    ConfigError,
    Forbidden,
    InvalidRequest,
    NotFound,
    Pay88,
    Pay88Error,
    Sandbox,
    WrongUse,
    webhooks,
)
from pay88kit.guide import World, by_hand, expect, lesson_client, lesson_inbox, practice_client
from pay88kit.guide.world import Notice

ORDER = {
    "method_code": "PSE",
    "amount": 50_000,
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
}


class Swift:
    """A clock whose waits take no time. ``at_wait`` runs at each of them."""

    def __init__(self, sandbox: Sandbox | None = None) -> None:
        self._sandbox = sandbox
        self.seconds = 0.0
        self.at_wait: Any = lambda: None

    def now(self) -> datetime:
        return self._sandbox.clock.now() if self._sandbox else datetime.now(UTC)

    def monotonic(self) -> float:
        return self.seconds

    def wait_until(self, moment: float) -> None:
        self.at_wait()
        self.seconds = max(self.seconds, moment)

    async def wait_until_async(self, moment: float) -> None:
        self.wait_until(moment)


class Screen:
    """What a lesson shows: each output with its words, the last ones that it had."""

    def __init__(self) -> None:
        self.outputs: list[list[Any]] = []

    def display(self, shown: Any, display_id: bool = False) -> Any:
        versions = [shown]
        self.outputs.append(versions)
        return SimpleNamespace(update=versions.append) if display_id else None

    @property
    def last(self) -> str:
        return repr(self.outputs[-1][-1])


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    monkeypatch.setattr("IPython.display.display", screen.display)
    return screen


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=7) as sandbox:
        yield sandbox


@pytest.fixture
def clock(sandbox: Sandbox) -> Swift:
    return Swift(sandbox)


@pytest.fixture
def client(sandbox: Sandbox, clock: Swift) -> Iterator[Pay88]:
    """A client that knows no more of the sandbox than its address and its credentials."""
    own = sandbox.config
    with sandbox.serve() as url:
        config = Config(
            "sandbox", url, own.api_key, own.merchant_id, own.webhook_secret, clock=clock
        )
        with Pay88(config, books=Books()) as client:
            yield client
            lesson_inbox(client).close()


def charge(client: Pay88, **changes: Any) -> Any:
    return client.charge(**{**ORDER, "notification_url": lesson_inbox(client).url, **changes})


def payout(client: Pay88, sandbox: Sandbox) -> Any:
    sandbox.complete(charge(client, amount=300_000))
    fields = {name: value for name, value in ORDER.items() if name != "method_code"}
    bank = {
        "bank_name": "Bancolombia",
        "account_number": "1234567890",
        "account_type": "SAVINGS",
        "holder_name": "Ana Pérez",
        "identification": "900123456",
    }
    return client.cashout(**fields, bank_details=bank, notification_url=lesson_inbox(client).url)


# ---------------------------------------------------------------- at the local sandbox


@pytest.fixture
def local(sandbox: Sandbox) -> Iterator[Pay88]:
    with Pay88(sandbox.config, books=Books()) as client:
        yield client
        lesson_inbox(client).close()


def test_at_the_local_sandbox_everything_happens_at_once(
    local: Pay88, sandbox: Sandbox, screen: Screen
) -> None:
    world = World(local)
    paid, declined = charge(local), charge(local)
    assert world.pay(paid) == "COMPLETED"
    assert world.decline(declined) == "REJECTED"
    assert world.transfer(payout(local, sandbox)) == "COMPLETED"
    assert world.refuse(payout(local, sandbox)) == "REJECTED"
    before = sandbox.clock.now()
    world.wait(72 * 3600)
    assert (sandbox.clock.now() - before).total_seconds() == 72 * 3600
    assert world.fresh("order-1") == "order-1"
    assert practice_client(local, "anything") is local
    assert screen.outputs == []
    # A person may have pressed the button on the page behind the link: that stays.
    assert world.pay(paid) == "COMPLETED"
    assert screen.outputs == []
    assert world.decline(paid) == "COMPLETED"
    assert screen.last == f"{paid.reference} is already final: COMPLETED. Nothing was changed."
    assert re.search("Open the page of", repr(world.show_checkout(paid)))


# ---------------------------------------------------------------- elsewhere: customers


def test_a_person_pays_on_the_page_that_is_shown(
    client: Pay88, sandbox: Sandbox, clock: Swift, screen: Screen
) -> None:
    paid = charge(client)

    def press() -> None:
        # What the person sees while the lesson waits.
        assert f"The page of {paid.reference}: {paid.url_checkout}" in screen.last
        assert "Open the page and pay." in screen.last
        assert "at most 5 minutes" in screen.last
        assert (
            "4242424242424846 (CVV 123, expiry 12/29) succeeds. It is 88Pay's test card"
            in screen.last
        )
        if sandbox.transaction(paid.reference)["status"] == "PENDING":
            httpx.post(paid.url_checkout, data={"decision": "pay"})

    clock.at_wait = press
    assert World(client).pay(paid) == "COMPLETED"
    assert "Its notification came: COMPLETED." in screen.last
    assert len(screen.outputs) == 1
    assert f'<a href="{paid.url_checkout}"' in screen.outputs[0][0]._repr_html_()


def test_what_the_person_did_counts_not_what_was_asked_for(
    client: Pay88, sandbox: Sandbox, clock: Swift, screen: Screen
) -> None:
    declined = charge(client)
    clock.at_wait = lambda: sandbox.complete(declined)
    assert World(client).decline(declined) == "COMPLETED"
    assert "4242424242424341" in screen.last


def test_who_has_paid_already_is_not_asked(client: Pay88, sandbox: Sandbox, screen: Screen) -> None:
    paid = charge(client)
    sandbox.complete(paid)
    lesson_inbox(client).wait()
    # The books know, also in a kernel to which no notification came.
    assert World(client).pay(paid) == "COMPLETED"
    assert screen.outputs == []
    assert World(client).decline(paid) == "COMPLETED"
    assert screen.last == f"{paid.reference} is already final: COMPLETED. Nothing was changed."


def test_a_payment_that_never_comes_ends_with_what_to_do(
    client: Pay88, clock: Swift, screen: Screen
) -> None:
    with pytest.raises(Pay88Error, match=r"5 minutes.*run this cell again"):
        World(client).pay(charge(client))
    assert clock.seconds == 300
    assert "No notification came within 5 minutes." in screen.last


def test_a_notification_that_cannot_be_read_ends_the_wait_for_its_operation_only(
    client: Pay88, sandbox: Sandbox, clock: Swift, screen: Screen
) -> None:
    foreign = Pay88(client.config.replace(webhook_secret="another"), books=Books())
    world = World(foreign)
    first, second = charge(foreign), charge(foreign)
    for paid in (first, second):
        clock.at_wait = lambda paid=paid: sandbox.complete(paid) if _open(sandbox, paid) else None
        before = clock.seconds
        assert world.pay(paid) == "PENDING"
        assert clock.seconds > before, "it was waited for this one"
        assert "kept as unverified" in screen.last
    lesson_inbox(foreign).close()


def _open(sandbox: Sandbox, paid: Any) -> bool:
    return bool(sandbox.transaction(paid)["status"] == "PENDING")


def test_a_notification_of_nobody_knows_what_is_told_once(
    client: Pay88, clock: Swift, screen: Screen
) -> None:
    paid, inbox = charge(client), lesson_inbox(client)
    body = json.dumps(
        {"transaction_id": "sess_x", "transaction_status": "COMPLETED", "transaction_amount": "1"}
    )

    def notify() -> None:
        token = webhooks.sign("sess_x", "1", "another cipher", now=clock.now(), nonce=b"0" * 12)
        httpx.post(inbox.url, content=body, headers={"Authorization": token}).raise_for_status()

    clock.at_wait = notify
    world = World(client)
    assert world.pay(paid) == "PENDING"
    assert "kept as unverified" in screen.last
    # It is told once: the next wait is for another one.
    clock.at_wait = lambda: None
    with pytest.raises(Pay88Error, match="No notification"):
        world.pay(paid)


# ---------------------------------------------------------------- elsewhere: banks and time


def test_a_payout_that_nobody_decides_stays_pending_and_the_lesson_goes_on(
    client: Pay88, sandbox: Sandbox, clock: Swift, screen: Screen
) -> None:
    sent = payout(client, sandbox)
    assert World(client).transfer(sent) == "PENDING"
    assert clock.seconds == 10
    assert f"{sent.reference} stays PENDING" in screen.last


def test_a_payout_that_the_bank_decides_is_seen(
    client: Pay88, sandbox: Sandbox, clock: Swift, screen: Screen
) -> None:
    sent = payout(client, sandbox)
    clock.at_wait = lambda: sandbox.reject(sent)
    assert World(client).refuse(sent) == "REJECTED"
    assert World(client).refuse(sent) == "REJECTED"
    assert len(screen.outputs) == 1


def test_time_passes_for_real_and_is_counted(client: Pay88, clock: Swift, screen: Screen) -> None:
    World(client).wait(51)
    assert clock.seconds == 51
    (versions,) = screen.outputs
    assert len(versions) == 52
    assert repr(versions[0]) == "Waiting for real: 51 of 51 s left."
    assert repr(versions[-1]) == "51 s have passed."


def test_nobody_is_asked_to_wait_longer_than_two_minutes(client: Pay88, clock: Swift) -> None:
    with pytest.raises(WrongUse, match=r"^seconds: 121 s .* Use 120 at most"):
        World(client).wait(121)
    assert clock.seconds == 0


def test_each_kernel_has_order_numbers_of_its_own(client: Pay88) -> None:
    one, other = World(client), World(client)
    assert one.fresh("1004") == one.fresh("1004") != other.fresh("1004")
    assert one.fresh("1004").startswith("1004-")


# ---------------------------------------------------------------- what is shown


class Links(HTMLParser):
    """The tags of a piece of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@given(st.text() | st.text().map("https://pay.example/{}".format), st.text())
def test_an_address_of_88pays_is_never_more_than_a_link(url: str, line: str) -> None:
    notice = Notice(line, url=url, label="The page")
    tags = Links(notice._repr_html_()).tags
    assert [tag for tag, _ in tags if tag not in ("p", "br", "code")] in ([], ["a"])
    for tag, attributes in tags:
        if tag == "a":
            assert set(attributes) == {"href", "target", "rel"}
            assert str(attributes["href"]).lower().startswith(("http://", "https://"))
    assert len(repr(notice).splitlines()) <= 2


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//x.example", "https://", "file:///x", ""]
)
def test_what_does_not_lead_into_the_web_is_no_link(url: str) -> None:
    notice = Notice(url=url, label="The page")
    assert [tag for tag, _ in Links(notice._repr_html_()).tags] == ["p", "code"]
    assert repr(notice) == f"The page: {url}"


# ---------------------------------------------------------------- the lesson's inbox


def at_88pay(**changes: str) -> Pay88:
    """A client of 88Pay's own sandbox. Nothing is sent."""
    key = "sk_" + "test_" + "x" * 32
    config = Config("sandbox", None, key, "MCH-COL-TEST-1", "a secret", clock=Swift())
    return Pay88(config.replace(**changes), books=Books())


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_88pay_needs_a_public_address_and_the_error_says_how_to_get_one() -> None:
    with pytest.raises(ConfigError) as error:
        lesson_inbox(at_88pay())
    said = str(error.value)
    assert said.startswith("PAY88_PUBLIC_URL: not set")
    assert "cloudflared tunnel --url http://localhost:8089" in said
    assert "restart the kernel" in said


@pytest.mark.parametrize("url", ["http://shop.example", "shop.example", "https://", "https://[x"])
def test_a_public_address_is_https(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAY88_PUBLIC_URL", url)
    with pytest.raises(ConfigError, match=r"^PAY88_PUBLIC_URL: is no public web address"):
        lesson_inbox(at_88pay())


@pytest.mark.parametrize("port", ["0", "65536", "eighty", "-1"])
def test_the_port_is_a_number(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAY88_INBOX_PORT", port)
    with pytest.raises(ConfigError, match=r"^PAY88_INBOX_PORT: .* is no port"):
        lesson_inbox(at_88pay())


def test_the_inbox_listens_where_the_tunnel_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("PAY88_PUBLIC_URL", "https://some-words.trycloudflare.com/")
    monkeypatch.setenv("PAY88_INBOX_PORT", str(port))
    client = at_88pay()
    inbox = lesson_inbox(client)
    assert inbox.url == "https://some-words.trycloudflare.com/webhooks/88pay"
    assert httpx.get(f"http://127.0.0.1:{port}/webhooks/88pay").status_code == 405
    assert lesson_inbox(client) is inbox
    # The first cell is run again: a new client, and the port is still its own.
    again = lesson_inbox(at_88pay())
    assert again is not inbox
    assert httpx.get(f"http://127.0.0.1:{port}/webhooks/88pay").status_code == 405
    again.close()


def test_the_address_may_stand_in_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    Path(".env").write_text(
        f"PAY88_PUBLIC_URL=https://shop.example\nPAY88_INBOX_PORT={port}\n", "utf-8"
    )
    with lesson_inbox(at_88pay()) as inbox:
        assert inbox.url == "https://shop.example/webhooks/88pay"


def test_a_port_that_another_kernel_has_is_said_with_the_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PAY88_PUBLIC_URL", "https://shop.example")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("PAY88_INBOX_PORT", str(port))
        with pytest.raises(ConfigError, match=f"port {port} is in use.* Shut that kernel down"):
            lesson_inbox(at_88pay())


def test_a_sandbox_on_this_machine_needs_no_public_address(client: Pay88) -> None:
    inbox = lesson_inbox(client)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/webhooks/88pay", inbox.url)
    assert charge(client).reference
    # 88Pay's own cannot reach it: the client says so before anything is sent.
    with pytest.raises(InvalidRequest, match="notification_url"):
        at_88pay().charge(**ORDER, notification_url=inbox.url)


# ---------------------------------------------------------------- practice, and what is assumed


def test_what_only_the_local_sandbox_can_do_runs_there_and_says_so(
    client: Pay88, screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAY88_BOOKS", f"sqlite:///{tmp_path / 'books.db'}")
    practice = practice_client(client, "72 hours that pass at once")
    assert screen.last == (
        "This part needs 72 hours that pass at once, so it runs on the local sandbox. "
        "Simulated data, not 88Pay."
    )
    assert practice.config.environment == "local"
    assert practice.sandbox is not None
    inbox = lesson_inbox(practice)
    unpaid = practice.cash(**(ORDER | {"method_code": "CASH"}), notification_url=inbox.url)
    World(practice).wait(72 * 3600)
    assert inbox.wait(reference=unpaid.reference)[0].status == "REJECTED"
    # It was practice: the learner's own books know nothing of it.
    assert Books(f"sqlite:///{tmp_path / 'books.db'}").operations().empty
    assert client.books is not None
    assert client.books.operations().empty


def test_what_is_assumed_may_be_otherwise_elsewhere(
    client: Pay88, local: Pay88, screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        (client if at is client else local).balance("MCH-MEX-SOMEBODY")

    at = local
    with expect(Forbidden, at=at):
        refuse()
    with pytest.raises(Forbidden), expect(NotFound, at=at):
        refuse()
    with pytest.raises(AssertionError), expect(Forbidden, at=at):
        pass
    at = client
    with expect(NotFound, at=at):
        refuse()
    assert screen.last.startswith("Forbidden")
    assert capsys.readouterr().out == (
        "NotFound was assumed here. 88Pay does not document it, and says otherwise.\n"
    )
    with expect(BadRequest, at=at):
        pass
    assert "and accepted it" in capsys.readouterr().out
    with pytest.raises(InvalidRequest), expect(BadRequest, at=at):
        client.charge(amount=0)


def test_by_hand_is_the_same_88pay_without_the_clients_headers(client: Pay88, local: Pay88) -> None:
    for of in (client, local):
        with by_hand(of) as http:
            merchant = {"id": str(of.config.merchant_id)}
            assert http.post("/api/balance", params=merchant).status_code == 401
            asked = http.post("/api/balance", params=merchant, headers=of.token().headers)
            assert asked.status_code == 200


def test_a_lessons_client_is_never_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAY88_ENVIRONMENT", "production")
    monkeypatch.setenv("PAY88_API_KEY", "sk_" + "live_" + "x" * 32)
    monkeypatch.setenv("PAY88_MERCHANT_ID", "MCH-COL-TEST-1")
    with pytest.raises(ConfigError, match="refuse production"):
        lesson_client()


# ---------------------------------------------------------------- books


def test_the_sandbox_of_a_kernel_has_books_that_end_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = f"sqlite:///{(tmp_path / 'kept.db').as_posix()}"
    monkeypatch.setenv("PAY88_BOOKS", kept)
    for sandbox in (Sandbox(seed=88), Sandbox(seed=88)):  # as two kernels begin
        client = lesson_client(sandbox.config)
        assert lesson_inbox(client).books is client.books
        assert lesson_client(sandbox.config).books is client.books
        paid = charge(client)
        assert [each.reference for each in client.books.operations().itertuples()] == [
            paid.reference
        ]
        lesson_inbox(client).close()
    assert Books(kept).operations().empty  # the evidence is there, and nothing else
