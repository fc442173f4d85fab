"""The receiver of notifications, called over HTTP as 88Pay would call it."""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import plain_http

from pay88kit import (
    Books,
    Config,
    ConfigError,
    Inbox,
    Pay88,
    Pay88Error,
    PortInUse,
    Sandbox,
    WebhookRefused,
    webhooks,
)

SECRET = "whsec_0123456789abcdef"
NOW = datetime(2026, 1, 15, 12, 0, 0, tzinfo=UTC)
CHARGE: dict[str, Any] = {
    "method_code": "PSE",
    "amount": 50000,
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
}
# 88Pay's own sample, with its documented fields.
SAMPLE = {
    "transaction_date": "2025-01-17 14:30:45",
    "transaction_status": "COMPLETED",
    "transaction_id": "sess_4e91a5c1-b7f2-4c64-91b1-3d204a5738b4",
    "transaction_amount": "50000",
    "transaction_payment_method": "CREDIT_CARD",
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
def inbox(sandbox: Sandbox) -> Iterator[Inbox]:
    with Inbox(sandbox.config) as inbox:
        yield inbox


_nonces = iter(range(1, 10**6))


def signed(
    body: dict[str, Any], secret: Any, *, now: datetime = NOW, **claims: str
) -> dict[str, str]:
    """The headers that make a notification genuine, or not quite."""
    token = webhooks.sign(
        claims.get("transaction_id", str(body.get("transaction_id"))),
        claims.get("transaction_amount", str(body.get("transaction_amount"))),
        str(secret),
        now=now,
        nonce=next(_nonces).to_bytes(12, "big"),
    )
    return {"Authorization": token, "Content-Type": "application/json"}


def post(
    inbox: Inbox, body: Any, headers: dict[str, str] | None = None, query: str = ""
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with plain_http() as http:
        return http.post(inbox.url + query, content=content, headers=headers)


def is_received(answer: httpx.Response) -> bool:
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"received": True}
    return True


def count(inbox: Inbox) -> int:
    return len(inbox.frame())


# ---------------------------------------------------------------- the way it is meant to go


def test_a_paid_charge_arrives_is_verified_and_is_matched(
    sandbox: Sandbox, client: Pay88, inbox: Inbox
) -> None:
    charge = client.charge(**CHARGE, notification_url=inbox.url, key="order-1")
    sandbox.clock.advance(30)
    sandbox.complete(charge.reference)
    (received,) = inbox.wait(1)
    assert (received.reference, received.status) == (charge.reference, "COMPLETED")
    assert (received.amount, received.currency) == (Decimal("50000"), "COP")
    assert (received.outcome, received.times) == ("applied", 1)
    assert received.at == NOW + timedelta(seconds=30)
    (attempt,) = sandbox.webhooks(charge.reference)
    assert attempt["outcome"] == "delivered"
    assert attempt["response_body"].replace(" ", "") == '{"received":true}'
    row = client.books.operations().iloc[0]  # type: ignore[union-attr]
    assert (row["key"], row["status"]) == ("order-1", "COMPLETED")
    (kept,) = inbox.books.notifications().to_dict("records")
    assert (kept["matched_by"], kept["times"]) == ("marker", 1)
    assert kept["operation_id"] == row["id"]


def test_it_is_handed_over_as_a_table(sandbox: Sandbox, client: Pay88, inbox: Inbox) -> None:
    references = []
    for amount in ("100.50", "200"):
        charge = client.charge(**CHARGE | {"amount": amount}, notification_url=inbox.url)
        references.append(charge.reference)
        sandbox.complete(charge.reference)
    inbox.wait(2)
    frame = inbox.frame()
    assert list(frame["reference"]) == references
    assert list(frame["status"]) == ["COMPLETED", "COMPLETED"]
    assert frame["amount"].sum() == Decimal("300.50")


def test_a_rejected_charge_arrives_too(sandbox: Sandbox, client: Pay88, inbox: Inbox) -> None:
    charge = client.charge(**CHARGE, notification_url=inbox.url)
    sandbox.reject(charge.reference)
    (received,) = inbox.wait(1, reference=charge.reference, status="REJECTED")
    assert received.outcome == "applied"


def test_a_lost_answer_is_found_by_its_notification(sandbox: Sandbox, inbox: Inbox) -> None:
    from pay88kit import OutcomeUnknown
    from pay88kit.client.transports import InProcess

    class Lossy(InProcess):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = super().handle_request(request)
            if request.url.path.endswith("/charges"):
                raise httpx.ReadTimeout("slow")
            return answer

    with Pay88(sandbox.config, transport=Lossy(sandbox)) as client:
        with pytest.raises(OutcomeUnknown):
            client.charge(**CHARGE, notification_url=inbox.url, key="order-1")
        (transaction,) = sandbox.transactions()
        sandbox.complete(transaction["reference"])
        (received,) = inbox.wait(1)
        assert received.outcome == "applied"
        assert len(client.books.unknown()) == 0  # type: ignore[union-attr]
        row = client.books.operations().iloc[0]  # type: ignore[union-attr]
        assert row["reference"] == transaction["reference"]
        assert (row["state"], row["status"]) == ("created", "COMPLETED")


def test_the_default_books_are_shared_with_the_client(
    sandbox: Sandbox, client: Pay88, inbox: Inbox
) -> None:
    assert inbox.books is client.books
    with Sandbox() as other, Inbox(other.config) as stranger:
        assert stranger.books is not inbox.books


def test_88pays_own_sample_is_received_without_the_sandboxs_fields(
    sandbox: Sandbox, inbox: Inbox
) -> None:
    assert is_received(post(inbox, SAMPLE, signed(SAMPLE, sandbox.config.webhook_secret)))
    (received,) = inbox.wait(1)
    assert (received.outcome, received.reference) == ("unmatched", None)
    assert received.amount == Decimal("50000")


def test_fields_that_nobody_knows_are_kept(sandbox: Sandbox, inbox: Inbox) -> None:
    body = SAMPLE | {"transaction_order": {"n": 1}, "x": None}
    assert is_received(post(inbox, body, signed(body, sandbox.config.webhook_secret)))
    (received,) = inbox.wait(1)
    assert received.notification is not None
    assert received.notification.fields["transaction_order"] == {"n": 1}


# ---------------------------------------------------------------- repeats


def test_a_repeated_notification_counts_once(sandbox: Sandbox, client: Pay88, inbox: Inbox) -> None:
    charge = client.charge(**CHARGE, notification_url=inbox.url)
    sandbox.complete(charge.reference)
    for _ in range(2):
        again = sandbox.resend(sandbox.webhooks()[0]["id"])
        assert again["outcome"] == "delivered"
    assert len(inbox.wait(1)) == 1
    assert list(inbox.frame()["times"]) == [3]
    assert list(inbox.books.notifications()["times"]) == [3]
    with pytest.raises(Pay88Error, match="1 of 2"):
        inbox.wait(2, timeout=0.05)


def test_twenty_at_once_count_once(sandbox: Sandbox, inbox: Inbox) -> None:
    headers = signed(SAMPLE, sandbox.config.webhook_secret)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: post(inbox, SAMPLE, headers), range(20)))
    assert all(map(is_received, answers))
    assert len(inbox.wait(1)) == count(inbox) == 1
    assert list(inbox.books.notifications()["times"]) == [20]


def test_another_status_of_the_same_transaction_is_another_notification(
    sandbox: Sandbox, inbox: Inbox
) -> None:
    secret = sandbox.config.webhook_secret
    for status in ("COMPLETED", "REJECTED"):
        body = SAMPLE | {"transaction_status": status}
        assert is_received(post(inbox, body, signed(body, secret)))
    assert [received.status for received in inbox.wait(2)] == ["COMPLETED", "REJECTED"]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("reason", "headers"),
    [
        ("missing token", lambda secret: {}),
        ("missing token", lambda secret: {"Authorization": "Bearer"}),
        ("missing token", lambda secret: {"Authorization": "Basic abc"}),
        ("cannot decrypt", lambda secret: {"Authorization": "Bearer not.a.token"}),
        ("cannot decrypt", lambda secret: signed(SAMPLE, "whsec_another_secret_1234")),
        ("other transaction", lambda secret: signed(SAMPLE, secret, transaction_id="sess_other")),
        ("other amount", lambda secret: signed(SAMPLE, secret, transaction_amount="50001")),
        ("too old", lambda secret: signed(SAMPLE, secret, now=NOW - timedelta(seconds=301))),
        (
            "from the future",
            lambda secret: signed(SAMPLE, secret, now=NOW + timedelta(seconds=301)),
        ),
    ],
)
def test_a_forged_notification_is_refused_with_its_reason(
    sandbox: Sandbox, inbox: Inbox, reason: str, headers: Any
) -> None:
    answer = post(inbox, SAMPLE, headers(sandbox.config.webhook_secret))
    assert answer.status_code == 401
    assert reason in answer.text
    assert count(inbox) == 0
    assert len(inbox.books.notifications()) == 0
    assert list(inbox.refused()["reason"]) == [reason]


def test_five_minutes_are_not_too_old(sandbox: Sandbox, inbox: Inbox) -> None:
    headers = signed(SAMPLE, sandbox.config.webhook_secret, now=NOW - timedelta(minutes=5))
    assert is_received(post(inbox, SAMPLE, headers))


def test_a_changed_body_does_not_pass_with_a_genuine_token(
    sandbox: Sandbox, client: Pay88, inbox: Inbox
) -> None:
    charge = client.charge(**CHARGE, notification_url=inbox.url)
    headers = signed(SAMPLE, sandbox.config.webhook_secret)
    for changed in (
        SAMPLE | {"transaction_amount": "5000000"},
        SAMPLE | {"transaction_id": "sess_of_somebody_else"},
    ):
        assert post(inbox, changed, headers).status_code == 401
    assert client.books.operations()["status"][0] == "PENDING"  # type: ignore[union-attr]
    assert charge.reference


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 60_000,
        {},
        {**SAMPLE, "transaction_id": ""},
        {**SAMPLE, "transaction_id": 7},
        {**SAMPLE, "transaction_status": None},
        {**SAMPLE, "transaction_amount": "fifty"},
        {**SAMPLE, "transaction_amount": None},
        {k: v for k, v in SAMPLE.items() if k != "transaction_amount"},
    ],
)
def test_a_malformed_notification_is_a_bad_request(
    sandbox: Sandbox, inbox: Inbox, body: Any
) -> None:
    headers = signed(SAMPLE, sandbox.config.webhook_secret)
    assert post(inbox, body, headers).status_code == 400
    assert len(inbox.books.notifications()) == 0


def test_a_body_above_64_kib_is_too_large(sandbox: Sandbox, inbox: Inbox) -> None:
    headers = signed(SAMPLE, sandbox.config.webhook_secret)
    padding = "x" * (64 * 1024)
    assert post(inbox, SAMPLE | {"note": padding}, headers).status_code == 413
    assert post(inbox, b"x" * (64 * 1024 + 1)).status_code == 413
    assert is_received(post(inbox, SAMPLE | {"note": padding[:60_000]}, headers))


def test_only_post_is_taken(inbox: Inbox) -> None:
    with plain_http() as http:
        answer = http.get(inbox.url)
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


@pytest.fixture(scope="module")
def lasting() -> Iterator[Inbox]:
    with Sandbox(limits=None) as sandbox, Inbox(sandbox.config) as inbox:
        yield inbox


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=100), token=st.text(st.characters(codec="ascii"), max_size=40))
def test_any_bytes_are_refused_and_nothing_else(lasting: Inbox, body: bytes, token: str) -> None:
    with pytest.raises(WebhookRefused):
        lasting.receive(body, f"Bearer {token}")


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "=cmd|'/c calc'!A1", "\x00\ud800"])
def test_hostile_text_is_kept_and_shown_harmlessly(
    sandbox: Sandbox, inbox: Inbox, text: str
) -> None:
    body = SAMPLE | {"transaction_reference": text, "transaction_status": text}
    answer = post(inbox, body, signed(body, sandbox.config.webhook_secret))
    assert is_received(answer)
    (received,) = inbox.wait(1)
    assert "<script" not in received._repr_html_()


# ---------------------------------------------------------------- committed, then acknowledged


def test_nothing_is_acknowledged_before_it_is_committed(sandbox: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "books.db"
    with Inbox(sandbox.config, books=f"sqlite:///{file}") as inbox:
        assert len(inbox.books.notifications()) == 0
        headers = signed(SAMPLE, sandbox.config.webhook_secret)
        db = sqlite3.connect(file, isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(post, inbox, SAMPLE, headers)
            # The database is taken, so it cannot be committed, so there is no answer.
            with pytest.raises(NotYet):
                answer.result(0.5)
            db.execute("ROLLBACK")
            assert is_received(answer.result(10))
        assert db.execute("SELECT times FROM notifications").fetchall() == [(1,)]
        db.close()


def test_what_cannot_be_kept_is_not_acknowledged(sandbox: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "books.db"
    with Inbox(sandbox.config, books=f"sqlite:///{file}") as inbox:
        assert len(inbox.books.notifications()) == 0
        db = sqlite3.connect(file)
        db.execute("ALTER TABLE notifications RENAME TO away")
        db.commit()
        headers = signed(SAMPLE, sandbox.config.webhook_secret)
        answer = post(inbox, SAMPLE, headers)
        assert answer.status_code == 503
        assert "received" not in answer.json() or answer.json()["received"] is False
        assert count(inbox) == 0
        # Once the books are there again, 88Pay's next attempt is received.
        db.execute("ALTER TABLE away RENAME TO notifications")
        db.commit()
        db.close()
        assert is_received(post(inbox, SAMPLE, headers))
        assert count(inbox) == 1


# ---------------------------------------------------------------- outside local


def outside(**kwargs: Any) -> Inbox:
    config = Config(environment="sandbox", webhook_secret=SECRET, clock=FixedClock())
    return Inbox(config, books=Books(), **kwargs)


class FixedClock:
    """Always the same moment: what is sent is neither too old nor too early."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    def wait_until(self, moment: float) -> None:
        raise AssertionError("an inbox waits in real time")

    async def wait_until_async(self, moment: float) -> None:
        raise AssertionError("an inbox waits in real time")


def test_outside_local_what_does_not_decrypt_is_kept_unverified() -> None:
    with outside() as inbox:
        forged = {"Authorization": "Bearer eyJ.what.88Pay.may.send"}
        assert is_received(post(inbox, SAMPLE, forged))
        (received,) = inbox.wait(1)
        assert received.outcome == "unverified"
        (kept,) = inbox.books.notifications().to_dict("records")
        assert (kept["outcome"], kept["operation_id"]) == ("unverified", None)


def test_what_is_unverified_changes_nothing(tmp_path: Path) -> None:
    books = Books()
    books.begin(
        "charge",
        {"amount": 50000, "currency": "COP"},
        id="marker-1",
        environment="sandbox",
        merchant_id="MCH-COL-29ZTP4",
        key="order-1",
        now=NOW,
    )
    books.created("marker-1", {}, reference="IP000000001", session_id="sess_1", now=NOW)
    config = Config(environment="sandbox", webhook_secret=SECRET, clock=FixedClock())
    with Inbox(config, books=books) as inbox:
        query = "?pay88_operation=marker-1"
        body = SAMPLE | {"transaction_reference": "IP000000001"}
        assert is_received(post(inbox, body, {"Authorization": "Bearer x.y.z"}, query))
        assert list(books.operations()["status"]) == ["PENDING"]
        # Were its token right, it would count, and the unverified one does not stand in the way.
        assert is_received(post(inbox, body, signed(body, SECRET), query))
        assert list(books.operations()["status"]) == ["COMPLETED"]


def test_outside_local_it_can_be_asked_to_refuse() -> None:
    with outside(on_unverified="refuse") as inbox:
        answer = post(inbox, SAMPLE, {"Authorization": "Bearer x.y.z"})
        assert answer.status_code == 401
        assert "cannot decrypt" in answer.text
        assert len(inbox.books.notifications()) == 0


def test_outside_local_a_token_of_another_amount_is_refused_all_the_same() -> None:
    with outside() as inbox:
        headers = signed(SAMPLE, SECRET, transaction_amount="1")
        assert post(inbox, SAMPLE, headers).status_code == 401
        assert post(inbox, b"not json", headers).status_code == 400


def test_a_decryption_of_ones_own_takes_the_place_of_the_guess() -> None:
    def decrypt(token: str, secret: str) -> bytes:
        assert (token, secret) == ("their-cipher", SECRET)
        claims = {name: SAMPLE[name] for name in ("transaction_id", "transaction_amount")}
        return json.dumps(claims | {"ts": int(NOW.timestamp() * 1000)}).encode()

    with outside(decrypt=decrypt) as inbox:
        assert is_received(post(inbox, SAMPLE, {"Authorization": "Bearer their-cipher"}))
        assert inbox.wait(1)[0].outcome == "unmatched"


# ---------------------------------------------------------------- waiting


def test_waiting_ends_when_it_arrives(sandbox: Sandbox, inbox: Inbox) -> None:
    headers = signed(SAMPLE, sandbox.config.webhook_secret)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(inbox.wait, 1, 20)
        assert is_received(post(inbox, SAMPLE, headers))
        assert len(waiting.result(10)) == 1


def test_waiting_in_vain_says_what_to_look_at(sandbox: Sandbox, inbox: Inbox) -> None:
    with pytest.raises(Pay88Error) as caught:
        inbox.wait(1, timeout=0.05)
    for hint in ("0 of 1", "notification_url", "final status"):
        assert hint in str(caught.value)
    post(inbox, SAMPLE, signed(SAMPLE, "whsec_another_secret_1234"))
    with pytest.raises(Pay88Error, match="cannot decrypt"):
        inbox.wait(1, timeout=0.05)
    assert sandbox.clock.now() == NOW


def test_waiting_counts_only_what_fits(sandbox: Sandbox, client: Pay88, inbox: Inbox) -> None:
    one, two = (client.charge(**CHARGE, notification_url=inbox.url) for _ in range(2))
    sandbox.complete(one.reference)
    sandbox.reject(two.reference)
    (received,) = inbox.wait(1, reference=two.reference)
    assert received.status == "REJECTED"
    with pytest.raises(Pay88Error):
        inbox.wait(1, timeout=0.05, reference=two.reference, status="COMPLETED")


# ---------------------------------------------------------------- ports and settings


def test_a_port_in_use_is_named(inbox: Inbox, sandbox: Sandbox) -> None:
    port = httpx.URL(inbox.url).port
    with pytest.raises(PortInUse, match=str(port)):
        Inbox(sandbox.config, port=port or 0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortInUse):
            Inbox(sandbox.config, port=taken.getsockname()[1])
    with pytest.raises(Pay88Error, match="65535"):
        Inbox(sandbox.config, port=70_000)


def test_a_closed_inbox_frees_its_port(sandbox: Sandbox) -> None:
    with Inbox(sandbox.config) as inbox:
        port = httpx.URL(inbox.url).port
    with Inbox(sandbox.config, port=port or 0) as again:
        assert httpx.URL(again.url).port == port


def test_it_listens_on_loopback_when_the_constructor_returns(sandbox: Sandbox) -> None:
    for _ in range(5):
        with Inbox(sandbox.config) as inbox:
            assert httpx.URL(inbox.url).host == "127.0.0.1"
            assert post(inbox, b"{}").status_code == 400


def test_a_public_address_is_what_it_gives_to_88pay(sandbox: Sandbox) -> None:
    with Inbox(sandbox.config, public_url="https://tunnel.example/") as inbox:
        assert inbox.url.startswith("https://tunnel.example/")
        assert "//" not in inbox.url.removeprefix("https://")


def test_without_a_secret_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAY88_WEBHOOK_SECRET", raising=False)
    with pytest.raises(ConfigError, match="PAY88_WEBHOOK_SECRET"):
        Inbox(Config(environment="sandbox"))


def test_its_secret_is_in_no_repr(sandbox: Sandbox, inbox: Inbox) -> None:
    assert str(sandbox.config.webhook_secret) not in repr(inbox)


def test_many_different_ones_are_all_kept(sandbox: Sandbox, inbox: Inbox) -> None:
    secret = sandbox.config.webhook_secret
    lock = threading.Lock()

    def send(number: int) -> httpx.Response:
        body = SAMPLE | {"transaction_id": f"sess_{number}"}
        with lock:
            headers = signed(body, secret)
        return post(inbox, body, headers)

    with ThreadPoolExecutor(10) as pool:
        assert all(map(is_received, pool.map(send, range(50))))
    assert len(inbox.wait(50)) == 50
    assert len(inbox.books.notifications()) == 50


# ---------------------------------------------------------------- onlookers


def test_an_onlooker_is_told_of_what_was_kept_and_can_spoil_nothing(client: Pay88) -> None:
    seen: list[tuple[str | None, str]] = []

    def look(received: Any) -> None:
        seen.append((received.status, received.outcome))
        raise RuntimeError("an onlooker's own fault")

    with Inbox(client.config, watch=look) as inbox:
        charge = client.charge(**CHARGE, notification_url=inbox.url)
        assert client.sandbox
        client.sandbox.complete(charge.reference)
        (first,) = client.sandbox.webhooks(charge.reference)
        assert first["status_code"] == 200
        client.sandbox.resend(first["id"])
        # It was told before anybody who waits.
        assert inbox.wait(1)[0].status == "COMPLETED"
        forged = post(inbox, SAMPLE, {"Authorization": "Bearer forged"})
    assert forged.status_code == 401
    assert seen == [("COMPLETED", "applied"), ("COMPLETED", "repeated")]
