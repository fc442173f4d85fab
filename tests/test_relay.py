"""``pay88 webhook listen``, ``send``, ``resend`` and ``inspect``, against real endpoints."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from pay88kit import Books, Inbox, Sandbox, WebhookRefused, WrongUse, relay, webhooks
from pay88kit.cli import main
from pay88kit.config import Secret
from pay88kit.relay.forwarding import Forwarder, Passed
from pay88kit.relay.receiving import Heard
from pay88kit.sandbox.courier import Courier
from pay88kit.sandbox.world import RETRY_WAITS
from pay88kit.webhooks import Reason
from tests.support import Delivery, Endpoint, Say, plain_http

SECRET = "whsec_0123456789abcdefghij"
FIELDS = {
    "transaction_date": "2025-01-17 14:30:45",
    "transaction_status": "COMPLETED",
    "transaction_id": "sess_4e91a5c1-b7f2-4c64-91b1-3d204a5738b4",
    "transaction_amount": "50000",
    "transaction_payment_method": "CREDIT_CARD",
    "transaction_reference": "IP9BD7CJES6",
}
# With spaces that no JSON writer would choose: byte for byte is not read and written again.
BODY = json.dumps(FIELDS, indent=1).replace('": "', '" :  "').encode()


def signed(secret: str = SECRET, *, age: float = 0, body: Mapping[str, Any] = FIELDS) -> str:
    return webhooks.sign(
        body["transaction_id"],
        body["transaction_amount"],
        secret,
        now=datetime.now(UTC) - timedelta(seconds=age),
        nonce=os.urandom(12),
    )


def judged(delivery: Delivery, secret: str = SECRET) -> Reason | None:
    """Why an endpoint would not believe a delivery, now."""
    try:
        webhooks.verify(
            delivery.body, delivery.headers.get("authorization"), secret, now=datetime.now(UTC)
        )
    except WebhookRefused as refusal:
        reason: Reason = refusal.reason
        return reason
    return None


def answering(*statuses: int) -> Endpoint:
    """An endpoint that answers with these, and then with 200."""
    left = list(statuses)
    return Endpoint(lambda delivery: Say(left.pop(0) if left else 200))


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PAY88_WEBHOOK_SECRET", SECRET)
    return SECRET


# ---------------------------------------------------------------- send


def test_a_sent_notification_is_genuine(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Endpoint() as endpoint:
        assert main(["webhook", "send", endpoint.url + "?a=1&b=%2F"]) == 0
    (delivery,) = endpoint.received
    assert judged(delivery) is None
    assert (delivery.method, delivery.path) == ("POST", "/hook?a=1&b=%2F")
    assert delivery.headers["content-type"] == "application/json"
    sent = json.loads(delivery.body)
    assert (sent["transaction_status"], sent["transaction_amount"]) == ("COMPLETED", "50000")
    assert re.fullmatch("[A-Z0-9]{11}", sent["transaction_reference"])
    shown = capsys.readouterr()
    assert re.search(r'^200 in \d+ ms: {"received": true}$', shown.out, re.MULTILINE)
    assert shown.err == ""


def test_every_field_can_be_another(secret: str) -> None:
    options = [
        "--status", "REJECTED", "--amount", "10.50", "--reference", "R1", "--transaction-id", "t1",
        "--field", "transaction_note=a=b", "--field", "n:=[1, 2.50]", "--field", "empty=",
        "--without", "transaction_date",
    ]  # fmt: skip
    with Endpoint() as endpoint:
        assert main(["webhook", "send", endpoint.url, *options]) == 0
    (delivery,) = endpoint.received
    assert judged(delivery) is None
    sent = json.loads(delivery.body)
    assert sent | {
        "transaction_status": "REJECTED", "transaction_amount": "10.50", "n": [1, 2.5],
        "transaction_reference": "R1", "transaction_id": "t1", "transaction_note": "a=b",
        "empty": "",
    } == sent  # fmt: skip
    assert "transaction_date" not in sent


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--field", "transaction_amount=1"], Reason.OTHER_AMOUNT),
        (["--field", "transaction_id=other"], Reason.OTHER_TRANSACTION),
        (["--without", "transaction_status"], Reason.FIELD_MISSING),
        (["--no-token"], Reason.MISSING_TOKEN),
        (["--foreign-secret"], Reason.CANNOT_DECRYPT),
        (["--late", "301"], Reason.TOO_OLD),
        (["--late", "290"], None),
        (["--future", "310"], Reason.FROM_THE_FUTURE),
        (["--future", "290"], None),
    ],
)
def test_each_way_to_be_wrong_is_wrong_in_that_way_only(
    secret: str, options: list[str], reason: Reason | None
) -> None:
    with Endpoint(lambda delivery: Say(200 if judged(delivery) is None else 401)) as endpoint:
        assert main(["webhook", "send", endpoint.url, *options]) == (1 if reason else 0)
    (delivery,) = endpoint.received
    assert judged(delivery) is reason


def test_a_repeated_one_has_one_body_and_a_fresh_token_each(
    secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(503, 200, 500) as endpoint:
        assert main(["webhook", "send", endpoint.url, "--repeat", "3"]) == 1
    bodies = {delivery.body for delivery in endpoint.received}
    tokens = {delivery.headers["authorization"] for delivery in endpoint.received}
    assert (len(bodies), len(tokens)) == (1, 3)
    shown = capsys.readouterr().out
    for start in ("1 of 3: 503 ", "2 of 3: 200 ", "3 of 3: 500 "):
        assert f"\n{start}" in shown


def test_what_an_endpoint_says_is_escaped_cut_and_free_of_secrets(
    secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def echo(delivery: Delivery) -> Say:
        token = delivery.headers["authorization"].removeprefix("Bearer ")
        return Say(body=f"{token} {SECRET}\n\x1b[31m200 OK{'x' * 999}".encode())

    with Endpoint(echo) as endpoint:
        assert main(["webhook", "send", endpoint.url]) == 0
    told = capsys.readouterr()
    (delivery,) = endpoint.received
    for hidden in (SECRET, delivery.headers["authorization"].removeprefix("Bearer ")):
        assert hidden not in told.out + told.err
    last = told.out.splitlines()[-1]
    assert "… …\\x0a\\x1b[31m200 OK" in last
    assert len(last) < 250


def test_a_redirect_is_not_followed(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        Endpoint() as other,
        Endpoint(lambda delivery: Say(307, {"Location": other.url})) as endpoint,
    ):
        assert main(["webhook", "send", endpoint.url]) == 1
    assert other.received == []
    assert "a redirect, not followed" in capsys.readouterr().out


def test_an_endpoint_that_is_silent_is_waited_for_as_88pay_does(
    secret: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert relay.delivery.TIMEOUT == 5
    monkeypatch.setattr("pay88kit.sandbox.courier.TIMEOUT", 0.2)
    gone = threading.Event()
    with Endpoint(lambda delivery: Say(200 if gone.wait(20) else 500)) as endpoint:
        assert main(["webhook", "send", endpoint.url]) == 1
        gone.set()
    assert "no answer within 5 s" in capsys.readouterr().out


# ---------------------------------------------------------------- to whom


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://shop.example/hook", "add --mine"),
        ("https://127.0.0.1.shop.example/hook", "add --mine"),
        ("https://ana:pw@127.0.0.1/hook", "password"),
        ("https://api.88pay.io/hook", "88Pay's"),
        ("https://x.88pay.io./hook", "88Pay's"),
        ("ftp://127.0.0.1/", "no web address"),
        ("http://", "no web address"),
        ("http://127.0.0.1:99999/", "no web address"),
        ("127.0.0.1:8000", "no web address"),
    ],
)
@pytest.mark.parametrize("command", ["send {}", "resend --last --to {}", "listen --forward-to {}"])
def test_an_address_that_may_not_be_ones_own_is_asked_about(
    command: str, url: str, fault: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["webhook", *command.format(url).split()]) == 2
    assert fault in capsys.readouterr().err


def test_mine_says_that_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing leaves this machine: the name does not exist.
    assert main(["webhook", "send", "https://shop.invalid/hook", "--mine"]) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ["send"],
        ["send", "http://127.0.0.1/", "--amount", "5 COP"],
        ["send", "http://127.0.0.1/", "--field", "x"],
        ["send", "http://127.0.0.1/", "--field", "x:={"],
        ["send", "http://127.0.0.1/", "--repeat", "0"],
        ["send", "http://127.0.0.1/", "--repeat", "101"],
        ["send", "http://127.0.0.1/", "--late", "-1"],
        ["send", "http://127.0.0.1/", "--late", "1", "--no-token"],
        ["resend", "--to", "http://127.0.0.1/"],
        ["resend", "--last", "--reference", "R", "--to", "http://127.0.0.1/"],
        ["listen", "--port", "99999"],
        ["inspect"],
        ["inspect", "x", "--last"],
        ["inspect", ""],
    ],
)
def test_wrong_use_ends_with_2(wrong: list[str]) -> None:
    try:
        code = main(["webhook", *wrong])
    except SystemExit as error:
        code = int(error.code or 0)
    assert code == 2


# ---------------------------------------------------------------- which secret


def test_without_a_secret_the_local_sandboxs_is_used_and_said_to_be_simulated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Endpoint() as endpoint:
        assert main(["webhook", "send", endpoint.url]) == 0
    with Sandbox(seed=88) as sandbox:
        own = str(sandbox.config.webhook_secret)
    assert judged(endpoint.received[0], own) is None
    told = capsys.readouterr()
    assert "Simulated" in told.err
    assert own not in told.out + told.err


def test_outside_local_a_secret_must_be_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAY88_ENVIRONMENT", "sandbox")
    with Endpoint() as endpoint:
        assert main(["webhook", "send", endpoint.url]) == 2
        assert "PAY88_WEBHOOK_SECRET" in capsys.readouterr().err
        assert main(["webhook", "send", endpoint.url, "--secret", SECRET]) == 0
    assert [judged(delivery) for delivery in endpoint.received] == [None]
    assert SECRET not in "".join(capsys.readouterr())


# ---------------------------------------------------------------- resend


@pytest.fixture
def kept(tmp_path: Path, secret: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Books with two notifications, the second one received twice."""
    url = f"sqlite:///{tmp_path}/books.db"
    with Inbox(secret=secret, books=url) as inbox:
        inbox.receive(BODY, signed())
        other = FIELDS | {"transaction_reference": "R2", "transaction_amount": "10.50"}
        for _ in range(2):
            inbox.receive(json.dumps(other).encode(), signed(body=other))
    return url


def test_what_the_books_have_is_sent_again_as_it_came(
    kept: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Endpoint() as endpoint:
        arguments = ["webhook", "resend", "--to", endpoint.url]
        assert main([*arguments, "--reference", "IP9BD7CJES6", "--books", kept]) == 0
        monkeypatch.setenv("PAY88_BOOKS", kept)
        assert main([*arguments, "--last"]) == 0
        assert main([*arguments, "--reference", "R3"]) == 1
    first, last = endpoint.received
    assert first.body == BODY
    assert json.loads(last.body)["transaction_reference"] == "R2"
    assert [judged(delivery) for delivery in (first, last)] == [None, None]
    shown = capsys.readouterr()
    assert "2 time(s)" in shown.out
    assert "no notification of R3" in shown.err


def test_what_was_purged_cannot_be_sent(kept: str, capsys: pytest.CaptureFixture[str]) -> None:
    Books(kept).purge(before=datetime.now(UTC) + timedelta(days=1))
    with Endpoint() as endpoint:
        assert main(["webhook", "resend", "--to", endpoint.url, "--last", "--books", kept]) == 1
    assert endpoint.received == []
    assert "purged" in capsys.readouterr().err


def test_books_in_memory_have_nothing_and_it_is_said_why(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Endpoint() as endpoint:
        assert main(["webhook", "resend", "--last", "--to", endpoint.url]) == 1
    assert "--books or PAY88_BOOKS" in capsys.readouterr().err


# ---------------------------------------------------------------- inspect


def test_a_token_is_read_from_standard_input_and_never_shown(
    secret: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    authorization = signed()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"Authorization: {authorization}\n"))
    assert main(["webhook", "inspect", "-"]) == 0
    told = capsys.readouterr()
    assert "JWE in compact form" in told.out
    assert "It is what the kit assumes" in told.out
    assert FIELDS["transaction_id"] in told.out
    for part in authorization.removeprefix("Bearer ").split("."):
        assert not part or part not in told.out + told.err


def test_a_token_that_nothing_reads_ends_with_1_and_says_what_to_ask(
    secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["webhook", "inspect", signed("another secret").removeprefix("Bearer ")]) == 1
    assert "Which cipher" in capsys.readouterr().out


def test_the_newest_unverified_notification_of_the_books_is_inspected(
    tmp_path: Path, secret: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/books.db"
    inspect = ["webhook", "inspect", "--last", "--books", url]
    with Inbox(secret="another secret", books=url) as inbox:
        assert inbox.receive(BODY, signed()).outcome == "unverified"
    assert main(inspect) == 0
    assert main([*inspect, "--secret", "a third secret"]) == 1
    told = capsys.readouterr()
    assert "This reading fits: jwe dir A256GCM sha256" in told.out
    assert "a third secret" not in told.out + told.err
    assert main([*inspect[:-1], "sqlite://"]) == 1


# ---------------------------------------------------------------- passing on


class Passing:
    """A forwarder with a clock of its own, until nothing is owed."""

    def __init__(self, url: str, waits: tuple[float, ...], renew: Any = lambda heard: None) -> None:
        self.courier = Courier()
        self.reports: SimpleQueue[Passed] = SimpleQueue()
        self.time = 0.0
        self.slept: list[float] = []
        self.forwarder = Forwarder(
            url, self.courier, waits, renew, self.reports.put, lambda: self.time
        )

    def run(self, *heard: Heard) -> list[Passed]:
        found: list[Passed] = []
        for each in heard:
            self.forwarder.take(each)
        try:
            while self.forwarder.open and (not found or found[-1].again is not None):
                if (wait := self.forwarder.step()) is not None:
                    self.slept.append(wait)
                    self.time += wait
                    continue
                found.append(self.reports.get(timeout=60))
                self.forwarder.ended(found[-1])
        finally:
            self.courier.close()
        return found


def heard(number: int = 1, query: str = "pay88_operation=op-1&sig=a%2Fb+c") -> Heard:
    return Heard(
        number, datetime.now(UTC), query, BODY, Secret("Bearer as.it.came"),
        "application/json; charset=utf-8", 200, "", object(),
    )  # fmt: skip


def test_a_delivery_is_passed_on_byte_for_byte() -> None:
    with Endpoint() as endpoint:
        renewed = Secret("Bearer made anew")
        passing = Passing(endpoint.url + "?own=1", (7.0,), lambda heard: renewed)
        (passed,) = passing.run(heard())
    (delivery,) = endpoint.received
    assert delivery.body == BODY
    assert delivery.path == "/hook?own=1&pay88_operation=op-1&sig=a%2Fb+c"
    assert delivery.headers["authorization"] == "Bearer as.it.came"
    assert delivery.headers["content-type"] == "application/json; charset=utf-8"
    assert (passed.result.outcome, passed.again) == ("delivered", None)
    assert passing.forwarder.delivered == 1


def test_it_is_tried_again_ten_times_with_the_sandboxs_waits_and_a_fresh_token() -> None:
    fresh = iter(range(100))
    with answering(*[503] * 99) as endpoint:
        passing = Passing(
            endpoint.url, RETRY_WAITS, lambda heard: Secret(f"Bearer fresh-{next(fresh)}")
        )
        passed = passing.run(heard())
    assert [each.attempt for each in passed] == list(range(1, 12))
    assert passing.slept == list(RETRY_WAITS)
    assert passed[-1].again is None
    tokens = [delivery.headers["authorization"] for delivery in endpoint.received]
    assert tokens == ["Bearer as.it.came", *(f"Bearer fresh-{n}" for n in range(10))]
    assert {delivery.body for delivery in endpoint.received} == {BODY}
    ((owed, last),) = passing.forwarder.open.values()
    assert owed.number == 1
    assert last is not None
    assert last.attempt == 11


def test_one_that_fails_does_not_hold_up_another() -> None:
    with Endpoint(lambda delivery: Say(500 if "bad" in delivery.path else 200)) as endpoint:
        passing = Passing(endpoint.url, (60.0,))
        passing.forwarder.take(heard(1, "bad"))
        passing.forwarder.take(heard(2, "good"))
        assert passing.forwarder.step() is None
        for _ in range(2):
            passing.forwarder.ended(passing.reports.get(timeout=60))
        assert passing.forwarder.step() == 60
        passing.courier.close()
    assert sorted(passing.forwarder.open) == [1]
    assert passing.forwarder.delivered == 1


# ---------------------------------------------------------------- listen


class Listening:
    """A running ``pay88 webhook listen``."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        command = [sys.executable, "-m", "pay88kit", "webhook", "listen", "--port", "0", *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            encoding="utf-8", env={**os.environ, "PYTHONUTF8": "1", **environment},
        )  # fmt: skip
        # What it never says must not be waited for without end.
        self.patience = threading.Timer(180, self.process.kill)
        self.patience.start()
        self.said: list[str] = []
        self.url = self.until("Listening on ").rsplit(" ", 1)[1]
        self.until("Stop it")

    def until(self, text: str) -> str:
        """The next line with this text."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            if text in line:
                return self.said[-1]
        assert self.process.stderr is not None
        raise AssertionError(f"{text!r} was not said: {self.said} {self.process.stderr.read()}")

    def stop(self) -> tuple[int, str, str]:
        """Ctrl-C; the exit code, the rest of what it says, and its errors."""
        self.process.send_signal(signal.SIGINT)
        out, error = self.process.communicate(timeout=120)
        self.said += out.splitlines()
        return self.process.returncode, out, error

    def post(self, body: bytes, authorization: str | None, query: str = "") -> int:
        headers = {"Content-Type": "application/json"}
        if authorization is not None:
            headers["Authorization"] = authorization
        with plain_http() as http:
            return http.post(self.url + query, content=body, headers=headers).status_code


@contextmanager
def listening(*arguments: str, **environment: str) -> Iterator[Listening]:
    if sys.platform == "win32":
        pytest.skip("Ctrl-C cannot be sent to one process there")
    running = Listening(*arguments, **environment)
    with running.process:
        try:
            yield running
        finally:
            running.process.kill()
            running.patience.cancel()


def test_listening_shows_passes_on_tries_again_and_sums_up(tmp_path: Path) -> None:
    books = f"sqlite:///{tmp_path}/books.db"
    hostile = FIELDS | {"transaction_reference": "\x1b[2J\nR", "transaction_id": "sess_2"}
    with (
        answering(503, 500) as endpoint,
        listening(
            "--forward-to", endpoint.url, "--quick", "--books", books, PAY88_WEBHOOK_SECRET=SECRET
        ) as listen,
    ):
        first = signed()
        assert listen.post(BODY, first, "?pay88_operation=op-1") == 200
        line = listen.until("#1 ")
        assert re.match(
            r"\d\d:\d\d:\d\d #1 IP9BD7CJES6 COMPLETED 50,000.00 · verified · unma", line
        )
        assert "503" in listen.until("attempt 1 →")
        assert "500" in listen.until("attempt 2 →")
        assert "200" in listen.until("attempt 3 →")
        assert listen.post(BODY, signed(), "?pay88_operation=op-1") == 200
        assert "· repeated (2 times)" in listen.until("#2 ")
        listen.until("#2 passed on")
        assert listen.post(b"{", signed()) == 400
        assert "– · refused with 400: not JSON" in listen.until("#3 ")
        assert listen.post(BODY, None) == 401
        assert "refused with 401: missing token" in listen.until("#4 ")
        assert listen.post(json.dumps(hostile).encode(), signed(body=hostile)) == 200
        assert "#5 \\x1b[2J\\x0aR COMPLETED" in listen.until("#5 ")
        listen.until("#5 passed on")
        code, out, error = listen.stop()
    assert (code, error) == (0, "")
    assert "Received 5: 3 kept and answered 200, 2 refused." in out
    assert "Passed on: 3 answered 200, 0 not yet." in out
    # The first three attempts are the first delivery's.
    deliveries = endpoint.received
    assert [judged(delivery) for delivery in deliveries] == [None] * 5
    assert {delivery.path for delivery in deliveries[:4]} == {"/hook?pay88_operation=op-1"}
    assert {delivery.body for delivery in deliveries[:4]} == {BODY}
    tokens = [delivery.headers["authorization"] for delivery in deliveries[:3]]
    assert tokens[0] == first
    assert len(set(tokens)) == 3
    told = "\n".join(listen.said)
    for hidden in (SECRET, *tokens):
        assert hidden not in told
    assert list(Books(books).notifications()["times"]) == [2, 1]


def test_what_is_not_delivered_is_named_and_can_be_sent_again(tmp_path: Path) -> None:
    books = f"sqlite:///{tmp_path}/books.db"
    with (
        answering(500) as endpoint,
        listening(
            "--forward-to", endpoint.url, "--books", books, PAY88_WEBHOOK_SECRET=SECRET
        ) as listen,
    ):
        assert listen.post(BODY, signed()) == 200
        assert "again in 10 s" in listen.until("attempt 1 →")
        code, out, _ = listen.stop()
        assert code == 1
        assert "Passed on: 0 answered 200, 1 not yet." in out
        assert re.search(r"#1 IP9BD7CJES6 COMPLETED 50,000.00 attempt 1: 500", out)
        again = ["webhook", "resend", "--reference", "IP9BD7CJES6", "--to", endpoint.url]
        assert main([*again, "--books", books, "--secret", SECRET]) == 0
    assert [delivery.body for delivery in endpoint.received] == [BODY, BODY]


def test_what_cannot_be_read_is_kept_passed_on_as_it_came_and_explained() -> None:
    # Outside local: 88Pay's cipher is not documented.
    with (
        answering(500) as endpoint,
        listening(
            "--forward-to", endpoint.url, "--quick", "--books", "sqlite://",
            PAY88_WEBHOOK_SECRET=SECRET,
        ) as listen,
    ):  # fmt: skip
        strange = signed("another secret")
        assert listen.post(BODY, strange) == 200
        assert "not verified: cannot decrypt · unverified" in listen.until("#1 ")
        assert "JWE in compact form" in listen.until("Its token")
        listen.until("attempt 2 →")
        assert listen.stop()[0] == 0
    # What this secret does not read, it does not make anew.
    assert [each.headers["authorization"] for each in endpoint.received] == [strange, strange]
    assert strange.removeprefix("Bearer ") not in "\n".join(listen.said)


def test_in_local_it_hears_a_served_sandbox() -> None:
    with (
        listening("--public-url", "https://tunnel.example/") as listen,
        Sandbox(clock="real", limits=None) as sandbox,
    ):
        from pay88kit import Pay88

        charge = Pay88(sandbox.config, books=False).charge(
            method_code="PSE", amount=50_000, currency="COP", country="COL", description="Order",
            customer_id="c", notification_url=listen.url,
        )  # fmt: skip
        sandbox.complete(charge.reference)
        assert "Give as notification_url: https://tunnel.example/webhooks/88pay" in listen.said
        line = listen.until("#1 ")
        assert f"{charge.reference} COMPLETED 50,000.00 COP · verified" in line
        assert listen.post(BODY, signed("another secret")) == 401
        code, out, error = listen.stop()
    assert code == 0
    assert "Simulated" in error
    assert "Received 2: 1 kept and answered 200, 1 refused." in out


def test_a_port_in_use_is_one_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    with listening() as listen:
        port = listen.url.split(":")[2].partition("/")[0]
        assert main(["webhook", "listen", "--port", port]) == 2
    assert f"Port {port} is in use" in capsys.readouterr().err


def test_books_that_cannot_be_opened_are_found_before_anything_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = f"sqlite:///{tmp_path}/no/books.db"
    assert main(["webhook", "listen", "--port", "0", "--books", missing]) == 1
    assert "books" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["listen", "send", "resend", "inspect"])
def test_every_help_teaches(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["webhook", command, "--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"For example: pay88 webhook {command}" in shown
    assert "exit code 0" in shown.lower()


def test_an_address_is_checked_without_being_asked() -> None:
    for url in ("http://127.0.0.1:8000/x", "https://shop.example", "http://[::1]:8000"):
        relay.check_address(url)
    with pytest.raises(WrongUse):
        relay.check_address("http://127.0.0.1/a\nb")
    assert relay.is_here("http://[::1]:8000")
    assert not relay.is_here("http://shop.example")
