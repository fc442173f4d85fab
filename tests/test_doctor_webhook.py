"""``pay88 doctor --create --notify``: one notification, received over HTTP and judged.

Between sandbox and doctor stands a tunnel, as it does between 88Pay and a developer's machine; in
the tests it changes one thing of the notification on its way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import pytest

from pay88kit import Config, Inbox, Sandbox, WrongUse, webhooks
from pay88kit.cli import main
from pay88kit.contract import POINTS, Observe, point
from pay88kit.doctor import Doctor, Report, Verdict
from pay88kit.serving import bind
from pay88kit.webhooks import MARKER, Incoming
from tests.support import Delivery, Endpoint, Say, plain_http

WEBHOOK = {entry.id for entry in POINTS if entry.observe is Observe.WEBHOOK}
_nonces = iter(range(1, 10**6))


def named(report: Report) -> set[str]:
    """The ids of what deviates."""
    return {finding.point.id for finding in report.deviations}


def observed(report: Report) -> dict[str, tuple[Verdict, str]]:
    return {f.point.id: (f.verdict, f.observed) for f in report.findings if f.point.id in WEBHOOK}


# ---------------------------------------------------------------- a sandbox, a tunnel, an inbox


@dataclass
class Sent:
    """A notification on its way, to be altered."""

    method: str
    query: str
    headers: dict[str, str]
    fields: Any
    secret: str
    body: bytes | None = None
    seen: list[str] = field(default_factory=list)

    def sign(self, *, secret: str | None = None, age: float = 0, **claims: str) -> None:
        """A token that fits the fields, but for what is said."""
        self.headers["authorization"] = webhooks.sign(
            claims.get("transaction_id", str(self.fields.get("transaction_id"))),
            claims.get("transaction_amount", str(self.fields.get("transaction_amount"))),
            secret or self.secret,
            now=datetime.now().astimezone() - timedelta(seconds=age),
            nonce=next(_nonces).to_bytes(12, "big"),
        )

    def change(self, **fields: Any) -> None:
        """Fields that are signed for; ``...`` leaves one out."""
        names = {f"transaction_{name}": value for name, value in fields.items()}
        self.fields = {n: v for n, v in {**self.fields, **names}.items() if v is not ...}
        self.sign()


Alter = Callable[[Sent], Any]


@contextmanager
def tunnel(port: int, secret: str, alter: Alter = lambda sent: None) -> Iterator[Endpoint]:
    """An address that leads to a port of this machine."""

    def forward(delivery: Delivery) -> Say:
        headers = {
            name: delivery.headers[name]
            for name in ("authorization", "content-type")
            if name in delivery.headers
        }
        query = delivery.path.partition("?")[2]
        sent = Sent(delivery.method, query, headers, json.loads(delivery.body), secret)
        alter(sent)
        content = json.dumps(sent.fields).encode() if sent.body is None else sent.body
        with plain_http() as http:
            answer = http.request(
                sent.method,
                f"http://127.0.0.1:{port}/hook?{sent.query}",
                headers=sent.headers,
                content=content,
            )
        return Say(answer.status_code, body=answer.content)

    with Endpoint(forward) as endpoint:
        yield endpoint


def port_of(inbox: Inbox) -> int:
    """Where it listens."""
    port = urlsplit(inbox.url).port
    assert port is not None
    return port


def hearing(calls: SimpleQueue[Incoming]) -> Callable[[float], Incoming | None]:
    def hear(seconds: float) -> Incoming | None:
        try:
            return calls.get(timeout=seconds)
        except Empty:
            return None

    return hear


def served_config(sandbox: Sandbox, url: str, secret: str | None = "") -> Config:
    config = sandbox.config
    return Config(
        base_url=url,
        api_key=config.api_key,
        merchant_id=config.merchant_id,
        webhook_secret=config.webhook_secret if secret == "" else secret,
    )


def examined(
    alter: Alter = lambda sent: None,
    *,
    clock: str = "real",
    secret: str | None = "",
    say: Callable[[str], None] = lambda line: None,
    timeout: float = 20,
    **options: Any,
) -> Report:
    """A run against a sandbox that is served."""
    calls: SimpleQueue[Incoming] = SimpleQueue()
    with Sandbox(clock=clock, limits=None, **options) as sandbox, sandbox.serve() as url:
        known = str(sandbox.config.webhook_secret)
        config = served_config(sandbox, url, secret)
        with (
            Inbox(config, secret=known, books="sqlite://", tap=calls.put) as inbox,
            tunnel(port_of(inbox), known, alter) as address,
        ):
            doctor = Doctor(config, create=True, notify=address.url, timeout=timeout, say=say)
            return doctor.run(hearing(calls))


# ---------------------------------------------------------------- nothing is invented


def test_every_point_of_a_notification_is_seen() -> None:
    report = examined()
    assert named(report) == set()
    found = observed(report)
    for id in WEBHOOK - {"webhook.other-methods"}:
        held = Verdict.DOCUMENTED if point(id).documented else Verdict.ASSUMED
        assert found[id][0] is held, id
    assert found["webhook.other-methods"] == (
        Verdict.NOT_OBSERVABLE, "the charge was paid with CARDS"
    )  # fmt: skip
    assert found["webhook.token-form"][1] == "5 part(s): a JWE (dir, A256GCM)"
    assert found["webhook.id"][1] == "an id of its own"
    assert found["webhook.sandbox-fields"][1] == "reference, currency, country, customer_id"
    assert report.notified is None
    assert "was not seen here" not in report.text()


def test_the_embedded_sandbox_pays_by_itself_and_keeps_its_own_time() -> None:
    said: list[str] = []
    calls: SimpleQueue[Incoming] = SimpleQueue()
    with Sandbox() as sandbox, Inbox(sandbox.config, books="sqlite://", tap=calls.put) as inbox:
        doctor = Doctor(sandbox.config, create=True, notify=inbox.url, say=said.append)
        report = doctor.run(hearing(calls))
        paid = [t for t in sandbox.transactions() if t["status"] == "COMPLETED"]
        told = sandbox.webhooks()
    assert named(report) == set()
    assert observed(report)["webhook.zone"][0] is Verdict.ASSUMED
    assert [t["method_code"] for t in paid] == ["CARDS"]
    # No other charge of the run has this address.
    assert {attempt["reference"] for attempt in told} == {paid[0]["reference"]}
    assert len(said) == 1
    assert f"The charge {paid[0]['reference']} was paid in the sandbox" in said[0]


def test_a_served_clock_that_is_not_this_machines_says_nothing_about_time() -> None:
    report = examined(clock="manual")
    assert named(report) == set()
    found = observed(report)
    assert found["webhook.zone"] == (
        Verdict.NOT_OBSERVABLE, "this 88Pay's clock is not this machine's"
    )  # fmt: skip
    assert found["webhook.check"][0] is Verdict.NOT_OBSERVABLE
    assert found["webhook.cipher"][0] is Verdict.ASSUMED


def test_the_id_may_be_the_session_of_the_create() -> None:
    report = examined(transaction_ids="session")
    assert named(report) == set()
    assert observed(report)["webhook.id"] == (
        Verdict.ASSUMED, "the session id of the create"
    )  # fmt: skip


def test_without_a_secret_the_token_is_not_tried_and_the_rest_is_seen() -> None:
    report = examined(secret=None)
    assert named(report) == set()
    found = observed(report)
    for id in ("webhook.cipher", "webhook.check"):
        assert found[id][0] is Verdict.NOT_OBSERVABLE
        assert "PAY88_WEBHOOK_SECRET" in found[id][1]
    assert found["webhook.transaction_amount"][0] is Verdict.DOCUMENTED


def test_further_fields_are_named_without_their_values() -> None:
    report = examined(lambda sent: sent.change(email="ana@customer.example", order_id="A-1001"))
    assert named(report) == set()
    assert "transaction_email, transaction_order_id" in observed(report)["webhook.more-fields"][1]
    assert "ana@" not in report.text() + report.json()


# ---------------------------------------------------------------- one deviation at a time


def replay(sent: Sent, **headers: str) -> None:
    sent.headers.update(headers)


def three_parts(sent: Sent) -> None:
    sent.headers["authorization"] = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJ0cyI6MX0.c2lnbmF0dXJl"


def not_json(sent: Sent) -> None:
    sent.body = b"transaction_id=sess_1&transaction_status=COMPLETED"


def as_list(sent: Sent) -> None:
    sent.fields = [sent.fields]


DEVIATIONS: dict[str, tuple[Alter, set[str]]] = {
    "PUT": (lambda sent: setattr(sent, "method", "PUT"), {"webhook.post"}),
    "a form by its header": (
        lambda sent: replay(sent, **{"content-type": "application/x-www-form-urlencoded"}),
        {"webhook.content-type"},
    ),
    "no Content-Type": (lambda sent: sent.headers.pop("content-type"), {"webhook.content-type"}),
    "a form by its body": (not_json, {"webhook.body"}),
    "a list": (as_list, {"webhook.body"}),
    "no Authorization": (lambda sent: sent.headers.pop("authorization"), {"webhook.bearer"}),
    "Basic": (lambda sent: replay(sent, authorization="Basic YWJjOmRlZg=="), {"webhook.bearer"}),
    "Bearer without a token": (
        lambda sent: replay(sent, authorization="Bearer"),
        {"webhook.bearer"},
    ),
    "a JWT": (three_parts, {"webhook.token-form", "webhook.cipher"}),
    "an opaque token": (
        lambda sent: replay(sent, authorization="Bearer 0123456789abcdef"),
        {"webhook.token-form", "webhook.cipher"},
    ),
    "another secret": (lambda sent: sent.sign(secret="somebody else's"), {"webhook.cipher"}),
    "a token of another transaction": (
        lambda sent: sent.sign(transaction_id="sess_other"),
        {"webhook.check"},
    ),
    "a token of another amount": (
        lambda sent: sent.sign(transaction_amount="1"),
        {"webhook.check"},
    ),
    "an old token": (lambda sent: sent.sign(age=600), {"webhook.check"}),
    "a token of the future": (lambda sent: sent.sign(age=-600), {"webhook.check"}),
    "no transaction_id": (lambda sent: sent.change(id=...), {"webhook.transaction_id"}),
    "a number as transaction_id": (lambda sent: sent.change(id=7), {"webhook.transaction_id"}),
    "an id of another form": (lambda sent: sent.change(id="TX-1001"), {"webhook.id-form"}),
    "no transaction_status": (lambda sent: sent.change(status=...), {"webhook.transaction_status"}),
    "another status": (lambda sent: sent.change(status="PAID"), {"webhook.transaction_status"}),
    "status in small letters": (
        lambda sent: sent.change(status="completed"),
        {"webhook.transaction_status"},
    ),
    "notified while pending": (lambda sent: sent.change(status="PENDING"), {"webhook.when"}),
    "no transaction_amount": (lambda sent: sent.change(amount=...), {"webhook.transaction_amount"}),
    "the amount is a number": (
        lambda sent: sent.change(amount=50000),
        {"webhook.transaction_amount"},
    ),
    "the amount has a separator": (
        lambda sent: sent.change(amount="50,000.00"),
        {"webhook.transaction_amount"},
    ),
    "the amount less a fee": (lambda sent: sent.change(amount="48250.00"), {"webhook.amount"}),
    "no transaction_date": (lambda sent: sent.change(date=...), {"webhook.transaction_date"}),
    "a date with a zone": (
        lambda sent: sent.change(date="2026-01-15T12:00:00Z"),
        {"webhook.transaction_date"},
    ),
    "no such day": (
        lambda sent: sent.change(date="2026-02-30 12:00:00"),
        {"webhook.transaction_date"},
    ),
    "Colombia's time": (
        lambda sent: sent.change(date=_hours_earlier(sent, 5)),
        {"webhook.zone"},
    ),
    "no transaction_payment_method": (
        lambda sent: sent.change(payment_method=...),
        {"webhook.transaction_payment_method"},
    ),
    "CARDS as the method": (lambda sent: sent.change(payment_method="CARDS"), {"webhook.cards"}),
    "the query is dropped": (lambda sent: setattr(sent, "query", ""), {"webhook.marker"}),
}


def _hours_earlier(sent: Sent, hours: int) -> str:
    moment = datetime.fromisoformat(sent.fields["transaction_date"])
    return f"{moment - timedelta(hours=hours):%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize("name", DEVIATIONS)
def test_one_deviation_is_named_and_no_other(name: str) -> None:
    alter, touched = DEVIATIONS[name]
    # Only what is no POST is waited out, in case that a POST follows.
    report = examined(alter, timeout=2 if name == "PUT" else 120)
    assert named(report) == touched
    assert report.ok is not any(point(id).documented for id in touched)
    text = report.text()
    for id in touched:
        assert f"  {id}" in text.partition("Summary")[2]


def test_the_deviations_cover_every_point_of_a_notification() -> None:
    covered = set().union(*(touched for _, touched in DEVIATIONS.values()))
    # The first three are only told; the last has a test of its own.
    assert WEBHOOK - covered == {
        "webhook.id", "webhook.more-fields", "webhook.sandbox-fields", "webhook.other-methods",
    }  # fmt: skip


@pytest.mark.parametrize("method", ["CREDIT_CARD", "PSE"])
def test_where_cards_are_not_to_be_had_another_method_is_paid(method: str) -> None:
    """An account without cards, by a proxy that refuses them."""
    import httpx

    calls: SimpleQueue[Incoming] = SimpleQueue()
    with Sandbox(clock="real", limits=None) as sandbox, sandbox.serve() as url:

        class WithoutWallets(httpx.BaseTransport):
            def handle_request(self, request: httpx.Request) -> httpx.Response:
                refused = (b'"CARDS"', b'"NEQUI"', b'"DAVIPLATA"', b'"PAYPAL"')
                if any(code in request.read() for code in refused):
                    body = {"status": "Error", "code": 422, "message": "Not available"}
                    return httpx.Response(422, json=body)
                with plain_http() as http:
                    answer = http.send(
                        http.build_request(
                            request.method,
                            request.url,
                            headers=request.headers,
                            content=request.content,
                        )
                    )
                return httpx.Response(
                    answer.status_code, headers=answer.headers, content=answer.content
                )

        config = served_config(sandbox, url)
        known = str(config.webhook_secret)
        with (
            Inbox(config, books="sqlite://", tap=calls.put) as inbox,
            tunnel(
                port_of(inbox), known, lambda sent: sent.change(payment_method=method)
            ) as address,
        ):
            doctor = Doctor(config, create=True, notify=address.url, transport=WithoutWallets())
            report = doctor.run(hearing(calls))
    found = observed(report)
    assert found["webhook.cards"][0] is Verdict.NOT_OBSERVABLE
    expected = set() if method == "PSE" else {"webhook.other-methods"}
    assert named(report) & WEBHOOK == expected
    assert found["webhook.other-methods"][1] == method


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"null", b"[" * 9999, b'{"transaction_id": ' + b"9" * 5000 + b"}"]
)
def test_any_bytes_are_a_finding_and_no_traceback(body: bytes) -> None:
    report = examined(lambda sent: setattr(sent, "body", body))
    assert named(report) & WEBHOOK
    assert report.notified is None


@pytest.mark.parametrize("value", [None, True, [], {}, "x" * 999, 10**30, "é\x1b[2J", "", 0.1])
def test_any_value_in_any_field_is_a_finding_and_no_traceback(value: Any) -> None:
    def spoil(sent: Sent) -> None:
        sent.fields = dict.fromkeys(sent.fields, value)

    report = examined(spoil)
    assert "webhook.transaction_amount" in named(report)
    assert "\x1b" not in report.text()


# ---------------------------------------------------------------- whose request it is


def test_strangers_and_earlier_runs_are_not_taken_for_the_notification() -> None:
    """Before the notification comes what a public address gets: a look, a scan, an old retry."""

    class Busy(SimpleQueue[Incoming]):
        def put(self, item: Incoming, *args: Any, **kwargs: Any) -> None:
            bearer = {"authorization": "Bearer a.b.c"}
            old = Incoming("POST", bearer, b'{"transaction_id": 1}', "doctor-0123456789abcdef")
            for other in (
                Incoming("GET", {}, b"", None),
                Incoming("POST", {}, b'{"jsonrpc": "2.0"}', None),
                Incoming("GET", {}, b"", item.marker),
                old,
            ):
                super().put(other)
            super().put(item)

    calls = Busy()
    with Sandbox() as sandbox, Inbox(sandbox.config, books="sqlite://", tap=calls.put) as inbox:
        doctor = Doctor(sandbox.config, create=True, notify=inbox.url)
        report = doctor.run(hearing(calls))
    assert named(report) == set()
    assert observed(report)["webhook.post"][0] is Verdict.DOCUMENTED


# ---------------------------------------------------------------- the customer is a person


@pytest.mark.parametrize(("decision", "status"), [("pay", "COMPLETED"), ("decline", "REJECTED")])
def test_without_the_control_side_a_person_is_asked_to_pay(decision: str, status: str) -> None:
    said: list[str] = []

    def person(line: str) -> None:
        """Does what the doctor says."""
        said.append(line)
        found = re.search(r"2\. Open (\S+)", line)
        if found:
            card = re.search(r"card (\d+) \(CVV (\d+), expiry (\S+)\)", line)
            assert card is not None
            form = dict(zip(("number", "cvv", "expiry"), card.groups(), strict=True))
            with plain_http() as http:
                answer = http.post(found.group(1), data={"decision": decision, **form})
            assert answer.status_code == 303

    report = examined(control=False, say=person, timeout=20)
    assert named(report) == set()
    assert observed(report)["webhook.transaction_status"] == (Verdict.DOCUMENTED, status)
    (steps,) = (line for line in said if "1. Keep" in line)
    assert "within 20 s" in steps
    assert "leading to this machine" in steps


def test_what_does_not_come_in_time_is_not_observable_and_the_run_says_what_to_check() -> None:
    report = examined(control=False, timeout=0.2)
    assert named(report) == set()
    for verdict, reason in observed(report).values():
        assert verdict is Verdict.NOT_OBSERVABLE
        assert reason == "no notification came within 0.2 s"
    text = report.text()
    assert f"The charge {report.notified} was created with your notification_url" in text
    for hint in ("paid or declined", "tunnel", "--deliver-anywhere"):
        assert hint in text


def test_a_long_wait_says_how_long_it_still_is(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("pay88kit.doctor.webhook.time.monotonic", lambda: now[0])
    said: list[str] = []

    def nothing(seconds: float) -> None:
        now[0] += seconds

    with Sandbox(control=False) as sandbox:
        doctor = Doctor(
            sandbox.config, create=True, notify="https://shop.example/hook", timeout=100,
            say=said.append,
        )  # fmt: skip
        report = doctor.run(nothing)
    waiting = [line for line in said if line.startswith("Still")]
    assert waiting == [f"Still waiting: {left} s are left." for left in (71, 41, 11)]
    assert observed(report)["webhook.post"][1] == "no notification came within 100 s"


def test_an_endpoint_of_ones_own_gets_the_charge_and_the_marker() -> None:
    with Endpoint() as endpoint, Sandbox() as sandbox:
        doctor = Doctor(sandbox.config, create=True, notify=f"{endpoint.url}?shop=1")
        report = doctor.run()
        assert report.notified is not None
        assert report.notified in report.text()
        assert endpoint.received == []
        sandbox.complete(report.notified)
        (delivery,) = endpoint.received
    assert json.loads(delivery.body)["transaction_reference"] == report.notified
    assert re.fullmatch(rf"/hook\?shop=1&{MARKER}=doctor-[0-9a-f]{{16}}", delivery.path)
    assert named(report) == set()
    assert observed(report)["webhook.post"] == (
        Verdict.NOT_OBSERVABLE, "nobody listened for it here"
    )  # fmt: skip


# ---------------------------------------------------------------- what it says, spends and keeps


def test_the_plan_counts_the_charge_and_the_run_keeps_to_it() -> None:
    calls: SimpleQueue[Incoming] = SimpleQueue()
    with (
        Sandbox(limits=None) as sandbox,
        Inbox(sandbox.config, books="sqlite://", tap=calls.put) as inbox,
    ):
        without = Doctor(sandbox.config, create=True).plan()
        doctor = Doctor(sandbox.config, create=True, notify=inbox.url)
        plan = doctor.plan()
        report = doctor.run(hearing(calls))
    assert (plan.tokens, plan.calls) == (without.tokens + 1, without.calls + 1)
    assert "One more charge is made for its notification" in str(plan)
    assert "One more charge" not in str(without)
    assert report.tokens <= plan.tokens <= 30
    assert report.calls <= plan.calls


def test_no_secret_of_a_notification_is_told() -> None:
    tokens: list[str] = []
    ids: list[str] = []

    def parrot(sent: Sent) -> None:
        """The token, in every place that is told."""
        sent.sign()
        token = sent.headers["authorization"].removeprefix("Bearer ")
        tokens.append(token)
        ids.append(sent.fields["transaction_id"])
        sent.headers["content-type"] = token
        sent.fields["transaction_status"] = f"{token} {sent.secret}"
        sent.fields["transaction_payment_method"] = f"{ids[0]} {token.split('.')[3]}"
        sent.fields[f"transaction_{token}"] = 1

    said: list[str] = []
    report = examined(parrot, say=said.append)
    shown = [*said, report.text(), report.json(), repr(report), report._repr_html_()]
    assert named(report) >= {"webhook.content-type", "webhook.transaction_status", "webhook.cards"}
    for secret in (*tokens, *ids, *(part for token in tokens for part in token.split(".") if part)):
        for text in shown:
            assert secret.lower() not in text.lower()


def test_the_repr_of_a_request_keeps_its_token() -> None:
    request = Incoming("POST", {"authorization": "Bearer a.b.c"}, b"body", "m")
    assert repr(request) == "Incoming(method='POST', marker='m')"


# ---------------------------------------------------------------- the command


def free_port() -> int:
    """One that nobody has now."""
    socket = bind()
    port: int = socket.getsockname()[1]
    socket.close()
    return port


def test_the_command_with_the_embedded_sandbox(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    file = tmp_path / "report.json"
    url = f"http://127.0.0.1:{port}"
    command = ["doctor", "--create", "--notify", url, "--json", "--save", str(file)]
    assert main(command) == 0
    shown = capsys.readouterr()
    assert f"Listening on http://127.0.0.1:{port}" in shown.err
    report = json.loads(shown.out)
    assert json.loads(file.read_text("utf-8")) == report
    verdicts = {f["id"]: f["verdict"] for f in report["findings"]}
    assert verdicts["webhook.post"] == "as documented"
    assert verdicts["webhook.cipher"] == "as assumed"
    # The books of this user have nothing of it.
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []


def test_the_command_behind_a_tunnel(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    with Sandbox(clock="real") as sandbox, sandbox.serve() as url:
        config = sandbox.config
        monkeypatch.setenv("PAY88_BASE_URL", url)
        monkeypatch.setenv("PAY88_API_KEY", str(config.api_key))
        monkeypatch.setenv("PAY88_MERCHANT_ID", str(config.merchant_id))
        # Without PAY88_WEBHOOK_SECRET: where it comes from is not documented.
        with tunnel(
            port, "unknown", lambda sent: sent.fields.update(transaction_amount=50000)
        ) as address:
            assert main(["doctor", "--create", "--notify", address.url, "--port", str(port)]) == 1
    shown = capsys.readouterr()
    point = "a notification has transaction_amount, a number as text"
    assert f"DEVIATES       {point} — a number" in shown.out
    assert "there is no PAY88_WEBHOOK_SECRET" in shown.out
    assert address.url not in shown.out


def test_a_port_that_is_taken_is_said_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    socket = bind()
    port = socket.getsockname()[1]
    with socket:
        url = f"http://127.0.0.1:{port}"
        assert main(["doctor", "--create", "--notify", url]) == 2
    shown = capsys.readouterr()
    assert f"Port {port} is in use" in shown.err
    assert "Listening" not in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "8089"], "--notify"),
        (["--notify", "https://shop.example"], "--create"),
        (["--create", "--notify", "http://127.0.0.1:0"], "https://"),
    ],
)
def test_wrong_use_ends_with_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon", "1e9"])
def test_a_wait_has_a_bound(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--timeout", seconds])
    assert ended.value.code == 2
    assert "above 0" in capsys.readouterr().err


def test_in_production_nothing_is_created_or_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAY88_ENVIRONMENT", "production")
    monkeypatch.setenv("PAY88_API_KEY", "sk_" + "live_" + "x" * 32)
    monkeypatch.setenv("PAY88_MERCHANT_ID", "MCH-COL-29ZTP4")
    assert main(["doctor", "--create", "--notify", "https://shop.example"]) == 2
    with pytest.raises(WrongUse, match="production"):
        Doctor(create=True, notify="https://shop.example")
