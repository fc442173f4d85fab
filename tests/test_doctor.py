"""``pay88 doctor``: what deviates is named, nothing is invented, and nothing secret is told."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from pay88kit import (
    Config,
    ConfigError,
    ConnectionFailed,
    Sandbox,
    Unauthorized,
    WrongUse,
    money,
)
from pay88kit.cli import main
from pay88kit.client.transports import InProcess
from pay88kit.contract import POINTS, Observe, point
from pay88kit.doctor import Doctor, Report, Verdict
from pay88kit.doctor.wire import Budget, Stopped
from tests.support import BALANCE, CASH, CASHOUT, CHARGES, TOKEN, caller, plain_http


def named(report: Report) -> set[str]:
    """The ids of what deviates."""
    return {finding.point.id for finding in report.deviations}


def verdicts(report: Report) -> dict[str, Verdict]:
    return {finding.point.id: finding.verdict for finding in report.findings}


# ---------------------------------------------------------------- nothing is invented


def test_the_embedded_sandbox_is_as_documented_and_as_assumed() -> None:
    with Sandbox() as sandbox:
        report = Doctor(sandbox.config).run()
    assert named(report) == set()
    assert report.ok
    found = verdicts(report)
    assert list(found) == [entry.id for entry in POINTS]
    for entry in POINTS:
        if entry.id == "limits.429" or entry.observe is Observe.NO:
            assert found[entry.id] is Verdict.NOT_OBSERVABLE, entry.id
        elif entry.observe in (Observe.CREATES, Observe.WEBHOOK):
            assert found[entry.id] is Verdict.NOT_ASKED, entry.id
        else:
            held = Verdict.DOCUMENTED if entry.documented else Verdict.ASSUMED
            assert found[entry.id] is held, entry.id


@pytest.mark.parametrize("scenario", ["profitable", "advance", "settled", "pending", "empty"])
def test_with_creates_every_point_that_can_be_seen_is_seen(scenario: str) -> None:
    with Sandbox() as sandbox:
        sandbox.scenario(scenario)
        report = Doctor(sandbox.config, create=True).run()
        made = sandbox.transactions()
    assert named(report) == set()
    unseen = {
        finding.point.id
        for finding in report.findings
        if finding.point.observe not in (Observe.NO, Observe.WEBHOOK)
        and finding.verdict not in (Verdict.DOCUMENTED, Verdict.ASSUMED)
    }
    assert unseen - {"cashout.body"} == {"limits.429"}
    # Where there are no funds, nothing is said about what a payout answers.
    assert ("cashout.body" in unseen) is (scenario != "profitable")
    assert {"PAYIN"} <= {transaction["flow"] for transaction in made}


@pytest.mark.parametrize(("country", "currency"), [("MEX", "MXN"), ("BRA", "BRL"), ("CHL", "CLP")])
def test_merchants_of_other_countries(country: str, currency: str) -> None:
    with Sandbox() as sandbox:
        merchant = sandbox.merchant(country=country, currency=currency, credit_limit="100000")
        config = sandbox.config_for(merchant["merchant_id"])
        report = Doctor(config, create=True).run()
    assert named(report) == set()
    assert verdicts(report)["cashout.body"] is Verdict.ASSUMED


@pytest.mark.parametrize("clock", ["real", "manual"])
@pytest.mark.parametrize("limited", [True, False])
def test_a_served_sandbox_without_moving_time(clock: str, limited: bool) -> None:
    with Sandbox(clock=clock) as sandbox, sandbox.serve() as url:
        if not limited:
            sandbox.merchant(merchant_id=sandbox.config.merchant_id, limits=None)
        report = Doctor(served_config(sandbox, url), create=True).run()
    assert named(report) == set()
    found = verdicts(report)
    assert found["token.life"] is Verdict.NOT_ASKED
    limit = found["limits.token"]
    assert limit is (Verdict.DOCUMENTED if limited else Verdict.NOT_OBSERVABLE)
    # A manual clock that is served is not this machine's time.
    assert (found["limits.minute"] is Verdict.ASSUMED) is (clock == "real")


def served_config(sandbox: Sandbox, url: str) -> Config:
    config = sandbox.config
    return Config(
        base_url=url,
        api_key=config.api_key,
        merchant_id=config.merchant_id,
        webhook_secret=config.webhook_secret,
    )


def test_waiting_on_the_clock_of_the_configuration() -> None:
    said: list[str] = []
    with Sandbox() as sandbox, sandbox.serve() as url:
        config = served_config(sandbox, url).replace(clock=sandbox.clock)
        report = Doctor(config, wait=True, say=said.append).run()
    assert named(report) == set()
    assert verdicts(report)["token.life"] is Verdict.DOCUMENTED
    assert said == ["Waiting 61 s for a token to expire."]


def test_a_clock_that_does_not_follow_is_no_deviation() -> None:
    class Hurried:
        """Real time, whose waits are over at once."""

        def __init__(self) -> None:
            self.ahead = 0.0

        def now(self) -> datetime:
            return datetime.now().astimezone() + timedelta(seconds=self.ahead)

        def monotonic(self) -> float:
            return self.ahead

        def wait_until(self, moment: float) -> None:
            self.ahead = max(self.ahead, moment)

        async def wait_until_async(self, moment: float) -> None:
            self.wait_until(moment)

    with Sandbox() as sandbox, sandbox.serve() as url:
        config = served_config(sandbox, url).replace(clock=Hurried())
        report = Doctor(config, wait=True).run()
    assert named(report) == set()
    assert verdicts(report)["token.life"] is Verdict.NOT_OBSERVABLE


def test_an_account_in_use_is_waited_for_and_not_blamed() -> None:
    said: list[str] = []
    with Sandbox() as sandbox:
        others = caller(sandbox)
        while others.token().status_code == 200:
            pass
        report = Doctor(sandbox.config, say=said.append).run()
    assert named(report) == set()
    assert verdicts(report)["limits.429"] is Verdict.DOCUMENTED
    assert said == ["88Pay answered 429. Waiting 60 s."]


# ---------------------------------------------------------------- one deviation at a time


@dataclass
class Exchange:
    """A request and its answer, to be altered."""

    path: str
    method: str
    asked: dict[str, str]
    sent: Any
    own_id: bool
    status: int = 0
    body: dict[str, Any] = field(default_factory=dict)
    headers: httpx.Headers = field(default_factory=httpx.Headers)

    @property
    def data(self) -> dict[str, Any]:
        data = self.body["data"]
        assert isinstance(data, dict)
        return data

    @property
    def summary(self) -> dict[str, Any]:
        summary = self.data["balance_summary"]
        assert isinstance(summary, dict)
        return summary

    def fail(self, status: int, message: str = "No.") -> None:
        self.status = status
        self.body = {"status": "Error", "code": status, "message": message}


class Altered(httpx.BaseTransport):
    """The real sandbox, with one thing changed before or after it answers."""

    def before(self, x: Exchange) -> None:
        """Change what the sandbox gets."""

    def after(self, x: Exchange) -> None:
        """Change what it answers."""

    def __init__(self) -> None:
        self.sandbox: Any = None
        self.seen: list[Exchange] = []
        # token → session id, as the sandbox knows them, and when they were made
        self.sessions: dict[str, str] = {}
        self.made: dict[str, datetime] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        content = request.read()
        x = Exchange(
            request.url.path,
            request.method,
            dict(request.headers),
            money.loads(content) if content else None,
            request.url.params.get("id") == self.sandbox.config.merchant_id,
        )
        self.seen.append(x)
        self.before(x)
        headers = {k: v for k, v in x.asked.items() if k != "content-length"}
        changed = httpx.Request(
            x.method,
            request.url,
            headers=headers,
            content=None if x.sent is None else money.dumps(x.sent).encode(),
        )
        answer = InProcess(self.sandbox).handle_request(changed)
        x.status, x.headers = answer.status_code, httpx.Headers(answer.headers)
        x.body = money.loads(answer.content)
        if x.path == TOKEN and x.status == 200:
            token = x.data["access_token"]
            self.sessions[token] = x.data["session_id"]
            self.made[token] = self.sandbox.clock.now()
        self.after(x)
        x.headers.pop("content-length", None)
        return httpx.Response(x.status, headers=x.headers, content=money.dumps(x.body).encode())


def token_of(x: Exchange) -> str:
    return x.asked.get("authorization", "").removeprefix("Bearer ")


def after(alter: Callable[[Exchange], Any]) -> Altered:
    altered = Altered()
    altered.after = alter  # type: ignore[method-assign]
    return altered


def before(alter: Callable[[Exchange], Any]) -> Altered:
    altered = Altered()
    altered.before = alter  # type: ignore[method-assign]
    return altered


def on(path: str, alter: Callable[[Exchange], Any], status: int = 200) -> Altered:
    """Answers on a path with a status are altered."""
    return after(lambda x: alter(x) if x.path == path and x.status == status else None)


def charged(code: str, alter: Callable[[Exchange], Any]) -> Altered:
    """The accepted charge of one method is altered."""

    def change(x: Exchange) -> None:
        if x.path == CHARGES and x.status == 200 and x.sent["method_code"] == code:
            alter(x)

    return after(change)


class PairingUnchecked(Altered):
    def before(self, x: Exchange) -> None:
        if "x-session-id" in x.asked and token_of(x) in self.sessions:
            x.asked["x-session-id"] = self.sessions[token_of(x)]


class AnyAuthorization(Altered):
    def before(self, x: Exchange) -> None:
        if x.path != TOKEN and "authorization" not in x.asked:
            by_session = {session: token for token, session in self.sessions.items()}
            x.asked["authorization"] = f"Bearer {by_session[x.asked['x-session-id']]}"


class AnySession(Altered):
    def before(self, x: Exchange) -> None:
        if x.path != TOKEN:
            x.asked.setdefault("x-session-id", self.sessions.get(token_of(x), ""))


class OneSession(PairingUnchecked):
    def after(self, x: Exchange) -> None:
        if x.path == TOKEN and x.status == 200:
            x.data["session_id"] = next(iter(self.sessions.values()))


class ShortSessionIds(Altered):
    def before(self, x: Exchange) -> None:
        if "x-session-id" in x.asked:
            x.asked["x-session-id"] = f"sess_{x.asked['x-session-id']}"

    def after(self, x: Exchange) -> None:
        if x.path == TOKEN and x.status == 200:
            x.data["session_id"] = x.data["session_id"].removeprefix("sess_")


class OneTokenAlive(Altered):
    def after(self, x: Exchange) -> None:
        if x.path != TOKEN and x.status != 401 and token_of(x) != list(self.sessions)[-1]:
            x.fail(401, "Invalid or expired token")


class LongerLife(Altered):
    good: dict[str, Any]

    def after(self, x: Exchange) -> None:
        if x.path == BALANCE and x.status == 200:
            self.good = x.body
        pair = (token_of(x), x.asked.get("x-session-id"))
        if x.path == BALANCE and x.status == 401 and pair in self.sessions.items():
            x.status, x.body = 200, self.good


class ShorterLife(Altered):
    def after(self, x: Exchange) -> None:
        made = self.made.get(token_of(x))
        if made is not None and self.sandbox.clock.now() - made > timedelta(seconds=30):
            x.fail(401, "Invalid or expired token")


class UsedOnce(Altered):
    """Each token gives one balance, as a page says that asks for a new one each time."""

    def after(self, x: Exchange) -> None:
        asked = [y for y in self.seen if y.path == BALANCE]
        if x.path == BALANCE and len(asked) == 2:
            x.fail(401, "Invalid or expired token")


class NoRetryAfter(Altered):
    def after(self, x: Exchange) -> None:
        if len(self.seen) == 1:
            x.fail(429, "Rate limit exceeded. Please try again later.")
            x.headers["X-RateLimit-Remaining"] = "0"


class CashApart(Altered):
    """Cash payments with a limit of their own."""

    def after(self, x: Exchange) -> None:
        if x.path == CASH:
            x.headers["X-RateLimit-Remaining"] = "59"


def shift(name: str, change: Callable[[int], int]) -> Altered:
    def alter(x: Exchange) -> None:
        if name in x.headers:
            x.headers[name] = str(change(int(x.headers[name])))

    return after(alter)


def text_is_fine(x: Exchange) -> None:
    if x.path == CHARGES and isinstance(x.sent["amount"], str):
        x.sent["amount"] = int(x.sent["amount"])


def on_request(wanted: Callable[[Exchange], bool], alter: Callable[[Exchange], Any]) -> Altered:
    return after(lambda x: alter(x) if wanted(x) else None)


def is_charge(**fields: Any) -> Callable[[Exchange], bool]:
    def wanted(x: Exchange) -> bool:
        return x.path == CHARGES and all(x.sent.get(k) == v for k, v in fields.items())

    return wanted


def week_later(x: Exchange) -> None:
    moment = datetime.fromisoformat(x.data["expires_at"]) + timedelta(days=4)
    x.data["expires_at"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")


DEVIATIONS: dict[str, tuple[Callable[[], Altered], set[str]]] = {
    "token message": (
        lambda: on(TOKEN, lambda x: x.body.update(message="OK")),
        {"token.message"},
    ),
    "token lives 300 by its answer": (
        lambda: on(TOKEN, lambda x: x.data.update(expires_in=300)),
        {"token.expires-in"},
    ),
    "expires_in is text": (
        lambda: on(TOKEN, lambda x: x.data.update(expires_in="60")),
        {"token.expires-in"},
    ),
    "no expires_in": (lambda: on(TOKEN, lambda x: x.data.pop("expires_in")), {"token.expires-in"}),
    "no access_token": (
        lambda: on(TOKEN, lambda x: x.data.pop("access_token")),
        {"token.access-token"},
    ),
    "201 for a token": (
        lambda: on(TOKEN, lambda x: setattr(x, "status", 201)),
        {"token.call", "envelope.code"},
    ),
    "session ids of another form": (ShortSessionIds, {"token.session-id"}),
    "one session for all tokens": (OneSession, {"token.own-session"}),
    "pairing not checked": (PairingUnchecked, {"token.pairing"}),
    "no Authorization needed": (AnyAuthorization, {"token.no-authorization"}),
    "no session needed": (AnySession, {"token.no-session"}),
    "only the newest token": (OneTokenAlive, {"token.several"}),
    "a token for each call": (UsedOnce, {"token.reuse"}),
    "tokens live longer": (LongerLife, {"token.life"}),
    "tokens live 30 s": (ShorterLife, {"token.life"}),
    "another text for a bad token": (
        lambda: on(BALANCE, lambda x: x.body.update(message="Unauthorized"), 401),
        {"token.unknown", "token.expired"},
    ),
    "403 for a wrong key": (
        lambda: on_request(
            lambda x: x.asked.get("x-api-key", "").endswith("0" * 32), lambda x: x.fail(403)
        ),
        {"token.wrong-key"},
    ),
    "another text for a wrong merchant": (
        lambda: on_request(
            lambda x: x.asked.get("x-merchant-id") == "MCH-COL-000000",
            lambda x: x.body.update(message="Who?"),
        ),
        {"token.wrong-merchant"},
    ),
    "400 without credentials": (
        lambda: on_request(
            lambda x: x.path == TOKEN and "x-api-key" not in x.asked, lambda x: x.fail(400)
        ),
        {"token.no-credentials"},
    ),
    "status ok": (
        lambda: on(BALANCE, lambda x: x.body.update(status="ok")),
        {"envelope.success"},
    ),
    "code is text": (lambda: after(lambda x: x.body.update(code=str(x.status))), {"envelope.code"}),
    "errors without a message": (
        lambda: on(BALANCE, lambda x: x.body.pop("message"), 400),
        {"envelope.error"},
    ),
    "404 is 400": (
        lambda: after(lambda x: x.fail(400) if x.status == 404 else None),
        {"errors.unknown-path"},
    ),
    "405 is 404": (
        lambda: after(lambda x: x.fail(404) if x.status == 405 else None),
        {"errors.other-method"},
    ),
    "no Remaining header": (
        lambda: after(lambda x: x.headers.pop("X-RateLimit-Remaining", None)),
        {"limits.headers"},
    ),
    "no limit headers on errors": (
        lambda: on(BALANCE, lambda x: x.headers.pop("X-RateLimit-Reset"), 403),
        {"limits.headers"},
    ),
    "20 tokens a minute": (
        lambda: on(TOKEN, lambda x: x.headers.update({"X-RateLimit-Limit": "20"})),
        {"limits.token"},
    ),
    "100 balances a minute": (
        lambda: on(BALANCE, lambda x: x.headers.update({"X-RateLimit-Limit": "100"})),
        {"limits.balance"},
    ),
    "1,000 transactions": (
        lambda: on(CHARGES, lambda x: x.headers.update({"X-RateLimit-Limit": "1000"})),
        {"limits.transactions"},
    ),
    "Remaining stands still": (
        lambda: on(BALANCE, lambda x: x.headers.update({"X-RateLimit-Remaining": "59"})),
        {"limits.remaining"},
    ),
    "Reset in milliseconds": (
        lambda: shift("X-RateLimit-Reset", lambda at: at * 1000),
        {"limits.reset"},
    ),
    "Reset of the hour": (
        lambda: shift("X-RateLimit-Reset", lambda at: at + 3_540),
        {"limits.minute"},
    ),
    "429 without Retry-After": (NoRetryAfter, {"limits.429"}),
    "cash with a limit of its own": (CashApart, {"limits.shared"}),
    "balance message": (
        lambda: on(BALANCE, lambda x: x.body.update(message="Success")),
        {"balance.message"},
    ),
    "no inner message": (
        lambda: on(BALANCE, lambda x: x.data.pop("message")),
        {"balance.inner-message"},
    ),
    "another merchant's figures": (
        lambda: on(BALANCE, lambda x: x.data.update(merchant_id="MCH-COL-OTHER1")),
        {"balance.merchant-id"},
    ),
    "a figure is a number": (
        lambda: on(BALANCE, lambda x: x.summary.update(total_payin=1_000_000)),
        {"balance.total_payin"},
    ),
    "a figure with one decimal": (
        lambda: on(BALANCE, lambda x: x.summary.update(total_available="300000.0")),
        {"balance.total_available"},
    ),
    "a figure is missing": (
        lambda: on(BALANCE, lambda x: x.summary.pop("total_settled")),
        {"balance.total_settled"},
    ),
    "a figure is null": (
        lambda: on(BALANCE, lambda x: x.summary.update(total_payout=None)),
        {"balance.total_payout"},
    ),
    "net is text": (
        lambda: on(BALANCE, lambda x: x.summary.update(net_balance="500000.00")),
        {"balance.net_balance"},
    ),
    "net is another figure": (
        lambda: on(BALANCE, lambda x: x.summary.update(net_balance=300_000)),
        {"balance.net-formula"},
    ),
    "a currency": (lambda: on(BALANCE, lambda x: x.data.update(currency="COP")),
                   {"balance.no-currency"}),
    "404 for another merchant": (
        lambda: on(BALANCE, lambda x: x.fail(404), 403),
        {"balance.other-merchant"},
    ),
    "422 without an id": (lambda: on(BALANCE, lambda x: x.fail(422), 400), {"balance.no-id"}),
    "charge message": (
        lambda: on(CHARGES, lambda x: x.body.update(message="OK")),
        {"charge.message"},
    ),
    "references in small letters": (
        lambda: charged("CARDS", lambda x: x.data.update(reference=x.data["reference"].lower())),
        {"charge.reference"},
    ),
    "amounts come back as text": (
        lambda: charged("CARDS", lambda x: x.data.update(amount="50000")),
        {"charge.echo"},
    ),
    "a status in the answer": (
        lambda: charged("PSE", lambda x: x.data.update(status="PENDING")),
        {"charge.no-status"},
    ),
    "no urlCheckout": (
        lambda: charged("NEQUI", lambda x: x.data.pop("urlCheckout")),
        {"charge.NEQUI"},
    ),
    "checkout_url": (
        lambda: charged("CARDS", lambda x: x.data.update(checkout_url=x.data.pop("urlCheckout"))),
        {"charge.CARDS"},
    ),
    "another payment code": (
        lambda: charged("OXXO", lambda x: x.data.update(payment_code="123456789")),
        {"charge.OXXO"},
    ),
    "another network": (
        lambda: charged("USDT", lambda x: x.data.update(network="ERC20")),
        {"charge.USDT"},
    ),
    "no bank name": (
        lambda: charged("SPEI", lambda x: x.data["bank_details"].pop("bank_name")),
        {"charge.SPEI"},
    ),
    "another reference_number": (
        lambda: charged("BANK_TRANSFER",
                        lambda x: x.data["bank_details"].update(reference_number="1")),
        {"charge.BANK_TRANSFER"},
    ),
    "vouchers live seven days": (lambda: charged("OXXO", week_later), {"charge.voucher-life"}),
    "a method fails": (lambda: charged("DAVIPLATA", lambda x: x.fail(400)), {"charge.DAVIPLATA"}),
    "amounts as text": (lambda: before(text_is_fine), {"charge.text-amount"}),
    "422 for three decimals": (
        lambda: on_request(is_charge(amount=money.loads("50000.123")), lambda x: x.fail(422)),
        {"charge.decimals"},
    ),
    "404 for an unknown method": (
        lambda: on_request(is_charge(method_code="PAY88_DOCTOR"), lambda x: x.fail(404)),
        {"charge.unknown-method"},
    ),
    "400 above the limit": (
        lambda: on_request(is_charge(amount=50_000_001), lambda x: x.fail(400)),
        {"charge.over-limit"},
    ),
    "400 in another country": (
        lambda: on_request(is_charge(method_code="PSE", country="MEX"), lambda x: x.fail(400)),
        {"charge.other-country"},
    ),
    "unknown fields refused": (
        lambda: on_request(is_charge(pay88_doctor=True), lambda x: x.fail(400)),
        {"charge.unknown-field"},
    ),
    "no cash path": (lambda: on(CASH, lambda x: x.fail(404)), {"cash.body"}),
    "another text for missing funds": (
        lambda: on_request(
            lambda x: x.path == CASHOUT and x.sent["amount"] > 10**9,
            lambda x: x.body.update(message="No funds"),
        ),
        {"cashout.funds"},
    ),
    "foreign payouts": (
        lambda: on_request(
            lambda x: x.path == CASHOUT and x.sent["currency"] != "COP", lambda x: x.fail(400)
        ),
        {"cashout.currency"},
    ),
    "payouts without a reference": (
        lambda: on(CASHOUT, lambda x: x.data.pop("reference")),
        {"cashout.body"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DEVIATIONS)
def test_one_deviation_is_named_and_no_other(name: str) -> None:
    make, touched = DEVIATIONS[name]
    altered = make()
    with Sandbox() as sandbox:
        sandbox.scenario("profitable")
        altered.sandbox = sandbox
        report = Doctor(sandbox.config, create=True, transport=altered).run()
    assert named(report) == touched
    assert report.ok is not any(point(id).documented for id in touched)
    text = report.text()
    for id in touched:
        assert f"  {id}" in text.partition("Summary")[2]
    assert text.count("  DEVIATES ") == len(touched)


def test_the_deviations_cover_every_point_that_can_be_seen() -> None:
    covered = set().union(*(touched for _, touched in DEVIATIONS.values()))
    # Those of a notification have tests of their own.
    apart = (Observe.NO, Observe.WEBHOOK)
    seen = {entry.id for entry in POINTS if entry.observe not in apart}
    # token.form is only told, token.headers and balance.call go down together with the rest.
    assert seen - covered == {
        "token.form", "token.headers", "balance.call", "charge.PSE", "charge.PAYPAL", "charge.CASH",
        "charge.category", "charge.return-url", "charge.http-notification",
    }  # fmt: skip


def test_a_balance_that_fails_leaves_the_rest_unobserved() -> None:
    altered = on(BALANCE, lambda x: x.fail(503))
    with Sandbox() as sandbox:
        altered.sandbox = sandbox
        report = Doctor(sandbox.config, transport=altered).run()
    assert "balance.call" in named(report)
    assert verdicts(report)["balance.total_payin"] is Verdict.NOT_OBSERVABLE
    assert verdicts(report)["envelope.error"] is Verdict.DOCUMENTED


def test_a_method_that_the_account_lacks_is_no_deviation() -> None:
    altered = charged("PAYPAL", lambda x: x.fail(422, "Method not available"))
    with Sandbox() as sandbox:
        altered.sandbox = sandbox
        report = Doctor(sandbox.config, create=True, transport=altered).run()
    assert named(report) == set()
    assert verdicts(report)["charge.PAYPAL"] is Verdict.NOT_OBSERVABLE


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'"x"', b"{}", b"\xff", b'{"data": []}', b"[" * 9999, b"9" * 5000],
)
def test_any_bytes_are_a_finding_and_no_traceback(body: bytes) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=body))
    with Sandbox() as sandbox:
        report = Doctor(sandbox.config, create=True, transport=transport).run()
    assert "envelope.success" in named(report)
    assert report.tokens == 1


@pytest.mark.parametrize("value", [None, True, [], {}, "x" * 99, 10**30, "é", "\n", "²"])
def test_any_value_in_any_field_is_a_finding_and_no_traceback(value: Any) -> None:
    def spoil(found: Any) -> Any:
        if isinstance(found, dict):
            return {name: spoil(inner) for name, inner in found.items()}
        return value

    def alter(x: Exchange) -> None:
        if x.path != TOKEN and x.status == 200:
            x.body = spoil(x.body)

    altered = after(alter)
    with Sandbox() as sandbox:
        altered.sandbox = sandbox
        report = Doctor(sandbox.config, create=True, transport=altered).run()
    assert "balance.total_payin" in named(report)
    assert json.loads(report.json())["ok"] is False


# ---------------------------------------------------------------- secrets


def test_no_secret_is_told_even_when_88pay_repeats_them(tmp_path: Path) -> None:
    shown: list[str] = []

    class Parrot(Altered):
        """Puts all it knows into every text of its answers."""

        def after(self, x: Exchange) -> None:
            config = self.sandbox.config
            key = str(config.api_key)
            known = [*self.sessions, *self.sessions.values(), key, key.upper()]
            known += [str(config.webhook_secret), config.merchant_id]
            for secret in known:
                x.body["message"] = f"{x.body['message']} {secret}"
            if x.status == 200 and x.path == CHARGES:
                x.data["status"] = " ".join(known)
                x.headers["X-RateLimit-Reset"] = config.api_key

    altered = Parrot()
    with Sandbox() as sandbox:
        altered.sandbox = sandbox
        doctor = Doctor(sandbox.config, create=True, transport=altered, say=shown.append)
        report = doctor.run()
        config = sandbox.config
    report.save(tmp_path / "report.txt")
    report.save(tmp_path / "report.json")
    shown += [
        report.text(), report.json(), repr(report), str(report), report._repr_html_(),
        str(doctor.plan()),
        *((tmp_path / name).read_text("utf-8") for name in ("report.txt", "report.json")),
    ]  # fmt: skip
    secrets = [str(config.api_key), str(config.webhook_secret), str(config.merchant_id)]
    secrets += [*altered.sessions, *altered.sessions.values()]
    assert len(secrets) > 6
    for text in shown:
        for secret in secrets:
            assert secret.lower() not in text.lower()
            assert secret[-12:].lower() not in text.lower()


def test_refused_credentials_are_said_without_showing_them() -> None:
    with Sandbox() as sandbox:
        key = "sk_test_" + "x" * 32
        with pytest.raises(Unauthorized) as error:
            Doctor(sandbox.config.replace(api_key=key)).run()
    assert "Invalid API key or merchant ID" in str(error.value)
    assert key not in str(error.value)


def test_no_connection_is_said_as_one() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    with Sandbox() as sandbox, pytest.raises(ConnectionFailed, match=r"http://pay88\.local"):
        Doctor(sandbox.config, transport=httpx.MockTransport(refuse)).run()


def test_a_create_without_an_answer_is_not_sent_again() -> None:
    class Lost(Altered):
        def after(self, x: Exchange) -> None:
            if x.path == CASH:
                raise httpx.ReadTimeout("late")

    altered = Lost()
    with Sandbox() as sandbox:
        altered.sandbox = sandbox
        report = Doctor(sandbox.config, create=True, transport=altered).run()
        asked = [r for r in sandbox.requests() if r["path"] == CASH]
    assert len(asked) == 1
    assert named(report) == set()
    (found,) = (f for f in report.findings if f.point.id == "cash.body")
    assert found.verdict is Verdict.NOT_OBSERVABLE
    assert "may exist" in found.observed


# ---------------------------------------------------------------- production, and what it spends


def production(sandbox: Sandbox) -> tuple[Config, Altered]:
    """A production that is played by a sandbox."""
    live = "sk_" + "live_" + "x" * 32

    def swap(x: Exchange) -> None:
        if x.asked.get("x-api-key") == live:
            x.asked["x-api-key"] = str(sandbox.config.api_key)

    altered = before(swap)
    altered.sandbox = sandbox
    config = sandbox.config
    return Config(
        environment="production",
        api_key=live,
        merchant_id=config.merchant_id,
        clock=config.clock,
    ), altered


def test_production_is_only_read() -> None:
    with Sandbox() as sandbox:
        config, altered = production(sandbox)
        report = Doctor(config, wait=True, transport=altered).run()
        assert sandbox.transactions() == []
        # The one refusal is of the token that was waited out.
        assert [r["status_code"] for r in sandbox.requests()].count(401) == 1
    for x in altered.seen:
        assert (x.method, x.sent) == ("POST", None)
        assert x.path == TOKEN or (x.path == BALANCE and x.own_id)
    assert named(report) == set()
    assert verdicts(report)["token.wrong-key"] is Verdict.NOT_ASKED
    assert verdicts(report)["balance.total_payin"] is Verdict.DOCUMENTED
    with pytest.raises(WrongUse, match="production"):
        Doctor(config, create=True)


@pytest.mark.parametrize("create", [True, False])
def test_a_run_keeps_to_what_it_said(create: bool) -> None:
    with Sandbox(limits=None) as sandbox:
        doctor = Doctor(sandbox.config, create=create)
        plan = doctor.plan()
        report = doctor.run()
        asked = sandbox.requests()
    tokens = [datetime.fromisoformat(r["at"]) for r in asked if r["path"] == TOKEN]
    assert report.tokens == len(tokens) <= plan.tokens <= 30
    assert report.calls == len(asked) - len(tokens) <= plan.calls
    for moment in tokens:
        minute = timedelta(seconds=60)
        assert sum(moment <= other < moment + minute for other in tokens) <= 8
    assert f"{plan.tokens} tokens" in str(plan)
    assert f"{plan.calls} other calls" in str(plan)
    assert ("creates nothing" in str(plan)) is not create


def test_a_slow_88pay_is_paced_and_the_bound_holds() -> None:
    class Slow(Altered):
        """Takes so long for each create that every one needs a token of its own."""

        def after(self, x: Exchange) -> None:
            if x.path in (CHARGES, CASH, CASHOUT):
                self.sandbox.clock.advance(45)

    altered = Slow()
    with Sandbox() as sandbox:
        altered.sandbox = sandbox
        doctor = Doctor(sandbox.config, create=True, transport=altered)
        report = doctor.run()
    assert report.tokens == doctor.plan().tokens
    assert named(report) == set()
    assert any("of the plan are used" in f.observed for f in report.findings)


def test_a_busy_88pay_is_waited_for_three_times_only() -> None:
    class Busy(Altered):
        """Answers every second request 429."""

        def after(self, x: Exchange) -> None:
            if len(self.seen) % 2:
                x.fail(429, "Rate limit exceeded. Please try again later.")
                x.body["retry_after"] = 1
                x.headers["X-RateLimit-Remaining"] = "0"
                x.headers["Retry-After"] = "1"

    said: list[str] = []
    altered = Busy()
    with Sandbox() as sandbox:
        altered.sandbox = sandbox
        doctor = Doctor(sandbox.config, create=True, transport=altered, say=said.append)
        report = doctor.run()
    assert said == ["88Pay answered 429. Waiting 1 s."] * 3
    assert report.calls <= doctor.plan().calls
    assert named(report) == set()
    assert verdicts(report)["limits.429"] is Verdict.DOCUMENTED
    assert verdicts(report)["charge.PSE"] is Verdict.NOT_OBSERVABLE


def test_at_most_eight_tokens_a_minute_and_thirty_in_all() -> None:
    said: list[str] = []
    with Sandbox() as sandbox:
        budget = Budget(sandbox.clock, 30, said.append)
        taken = []
        for _ in range(30):
            budget.take()
            taken.append(sandbox.clock.now())
        with pytest.raises(Stopped, match="30"):
            budget.take()
    for at in range(30 - 8):
        assert taken[at + 8] - taken[at] >= timedelta(seconds=60)
    assert taken[7] == taken[0]
    assert len(said) == 3


@pytest.mark.parametrize(
    "url",
    ["x", "http://shop.example/hook", "ftp://shop.example", "https://", "http://127.0.0.1:99999"],
)
def test_notify_needs_creating_and_an_address_that_can_be_called(url: str) -> None:
    with Sandbox() as sandbox:
        with pytest.raises(WrongUse, match="https"):
            Doctor(sandbox.config, create=True, notify=url)
        with pytest.raises(WrongUse, match="--create"):
            Doctor(sandbox.config, notify="https://shop.example/hook")


# ---------------------------------------------------------------- the command


def test_the_command_says_what_it_will_use_and_then_what_it_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor"]) == 0
    shown = capsys.readouterr()
    assert "at most 7 tokens (8 a minute at most)" in shown.err
    assert "Simulated data, not 88Pay" in shown.out
    assert "data has expires_in, the number 60 — 60" in shown.out
    assert "Nothing deviates." in shown.out


def test_as_json_the_output_is_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["simulated"] is True
    assert report["summary"]["deviates"] == 0
    (found,) = (f for f in report["findings"] if f["id"] == "token.pairing")
    assert (found["basis"], found["verdict"]) == ("assumed", "as assumed")


def test_a_saved_report_is_private_and_replaces_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "report.txt"
    assert main(["doctor", "--save", str(file)]) == 0
    first = capsys.readouterr()
    text = file.read_text("utf-8")
    assert text == first.out
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert main(["doctor", "--save", str(file)]) == 2
    refused = capsys.readouterr()
    assert "exists" in refused.err
    # Nothing was asked for a report that could not be kept.
    assert "tokens" not in refused.err
    assert file.read_text("utf-8") == text
    assert main(["doctor", "--save", str(tmp_path / "none" / "report.txt")]) == 2


def test_a_documented_deviation_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sandbox(clock="real", limits={"token": (9, 100)}) as sandbox, sandbox.serve() as url:
        monkeypatch.setenv("PAY88_BASE_URL", url)
        monkeypatch.setenv("PAY88_API_KEY", str(sandbox.config.api_key))
        monkeypatch.setenv("PAY88_MERCHANT_ID", str(sandbox.config.merchant_id))
        assert main(["doctor"]) == 1
        out = capsys.readouterr().out
        assert "DEVIATES       tokens: 10 a minute (and 100 an hour) — 9 a minute" in out
        assert "Ask 88Pay's support" in out
        assert url in out
        assert plain_http(url).get("/_sandbox/health").status_code == 200


def test_wrong_use_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--notify", "https://shop.example/hook"]) == 2
    monkeypatch.setenv("PAY88_ENVIRONMENT", "sandbox")
    assert main(["doctor"]) == 2
    assert "PAY88_API_KEY and PAY88_MERCHANT_ID" in capsys.readouterr().err
    with pytest.raises(ConfigError):
        Doctor()
