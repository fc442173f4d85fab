"""``Pay88`` and ``AsyncPay88``: the same tests for both, wherever they can be."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pytest
from sqlalchemy import Engine, event
from support import BALANCE, CASH, CASHOUT, CHARGES, MERCHANT, TOKEN, Delivery, Endpoint, Say

from pay88kit import (
    AsyncPay88,
    BadGateway,
    BadRequest,
    Books,
    BooksError,
    ChargeRequest,
    Config,
    ConfigError,
    ConnectionFailed,
    Forbidden,
    GatewayTimeout,
    InternalServerError,
    InvalidRequest,
    KeyConflict,
    MalformedAnswer,
    NotFound,
    OutcomeUnknown,
    Pay88,
    Pay88Error,
    Policy,
    RateLimited,
    Sandbox,
    ServiceUnavailable,
    StatusError,
    Unauthorized,
    UnprocessableEntity,
)
from pay88kit.client.transports import InProcess
from pay88kit.policy import Decision, Step

CHARGE = {
    "method_code": "PSE",
    "amount": 50000,
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
    "notification_url": "https://shop.example/webhooks/88pay?shop=1",
}
PAYOUT = {
    "amount": 1000,
    "currency": "COP",
    "country": "COL",
    "description": "Payout 7",
    "customer_id": "supplier-7",
    "notification_url": "https://shop.example/webhooks/88pay",
    "bank_details": {
        "bank_name": "Bancolombia",
        "account_number": "1234567890",
        "account_type": "SAVINGS",
        "holder_name": "Ana Pérez",
        "identification": "900123456",
    },
}

Forward = Callable[[], httpx.Response]
Fault = Callable[[httpx.Request, Forward], httpx.Response]


def lose(error: Exception) -> Fault:
    """The request is accepted, and its answer is lost."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        assert forward().status_code == 200
        raise error

    return fault


def fail(error: Exception) -> Fault:
    """The request never arrives."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        raise error

    return fault


def say(status: int, body: Any = None, headers: dict[str, str] | None = None) -> Fault:
    """Another answer; the request never arrives."""
    if body is None:
        body = {"status": "Error", "code": status, "message": f"About {status}"}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        return httpx.Response(status, content=content, headers=headers)

    return fault


class Wire(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The way to a sandbox, on which every request is noted and some go wrong.

    ``faults`` holds for each path what happens to its next requests; the last one stays when
    ``for_ever``.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._inner = InProcess(sandbox)
        self._clock = sandbox.clock
        self.sent: list[httpx.Request] = []
        self.at: list[float] = []
        self.faults: dict[str, list[Fault]] = {}
        self.for_ever = False

    def of(self, path: str) -> list[httpx.Request]:
        return [request for request in self.sent if request.url.path == path]

    def times(self, path: str) -> list[float]:
        pairs = zip(self.sent, self.at, strict=True)
        return [at for request, at in pairs if request.url.path == path]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        self.at.append(self._clock.monotonic())
        waiting = self.faults.get(request.url.path)
        if not waiting:
            return self._inner.handle_request(request)
        fault = waiting[0] if self.for_ever and len(waiting) == 1 else waiting.pop(0)
        return fault(request, lambda: self._inner.handle_request(request))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self.handle_request(request)


class Waiting:
    """An ``AsyncPay88`` whose calls are waited for, so that it reads as ``Pay88``."""

    def __init__(self, client: AsyncPay88, runner: asyncio.Runner) -> None:
        self._client, self._runner = client, runner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        if not callable(value) or name in ("config", "sandbox", "books"):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            async def wait() -> Any:
                return await value(*args, **kwargs)

            return self._runner.run(wait())

        return call

    def __repr__(self) -> str:
        return repr(self._client)


Make = Callable[..., Any]


@pytest.fixture(params=[Pay88, AsyncPay88])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes clients of one kind, and closes them at the end."""
    made: list[Any] = []
    with asyncio.Runner() as runner:

        def make(config: Config | None = None, **kwargs: Any) -> Any:
            client = request.param(config, **kwargs)
            made.append(Waiting(client, runner) if request.param is AsyncPay88 else client)
            return made[-1]

        yield make
        for client in made:
            client.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits=None) as sandbox:
        yield sandbox


@pytest.fixture
def wire(sandbox: Sandbox) -> Wire:
    return Wire(sandbox)


@pytest.fixture
def client(make: Make, sandbox: Sandbox, wire: Wire) -> Any:
    return make(sandbox.config, transport=wire)


def states(client: Any) -> list[str]:
    return list(client.books.operations()["state"])


# ---------------------------------------------------------------- the verbs


def test_five_verbs_and_any_other_request(client: Any, sandbox: Sandbox) -> None:
    token = client.token()
    assert token.expires_in == 60
    assert token.session_id.startswith("sess_")
    charge = client.charge(**CHARGE)
    assert (charge.amount, charge.currency, charge.customer_id) == (50000, "COP", "customer-7")
    assert charge.raw["message"] == "Method processed"
    sandbox.complete(charge.reference)
    cash = client.cash(**CHARGE | {"method_code": "CASH"})
    assert cash.expires_at == "2026-01-18T12:00:00Z"
    cashout = client.cashout(**PAYOUT)
    assert sandbox.transaction(cashout.reference)["flow"] == "PAYOUT"
    balance = client.balance()
    assert balance.merchant_id == MERCHANT
    assert (balance.total_payin, balance.net_balance) == (Decimal("50000.00"), 50000)
    assert isinstance(balance.total_available, Decimal)
    answer = client.request("POST", BALANCE, params={"id": MERCHANT})
    assert answer.raw["data"]["balance_summary"]["total_payin"] == "50000.00"
    assert [t["method_code"] for t in sandbox.transactions()] == ["PSE", "CASH", "BANK_TRANSFER"]


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("CARDS", ["url_checkout"]),
        ("NEQUI", ["url_checkout"]),
        ("DAVIPLATA", ["url_checkout"]),
        ("PAYPAL", ["url_checkout"]),
        ("PSE", ["url_checkout"]),
        ("BANK_TRANSFER", ["bank_details"]),
        ("SPEI", ["bank_details"]),
        ("CASH", ["voucher_url", "payment_code", "expires_at"]),
        ("OXXO", ["voucher_url", "payment_code", "expires_at"]),
        ("USDT", ["deposit_address", "network", "qr_code_url"]),
    ],
)
def test_all_ten_methods_answer_their_own_fields(
    client: Any, method: str, fields: list[str]
) -> None:
    place = {"OXXO": ("MXN", "MEX"), "SPEI": ("MXN", "MEX"), "USDT": ("USD", "COL")}
    currency, country = place.get(method, ("COP", "COL"))
    body = {"method_code": method, "currency": currency, "country": country}
    charge = client.charge(**CHARGE | body, return_url="https://shop.example/thanks")
    every = (
        "url_checkout",
        "bank_details",
        "voucher_url",
        "payment_code",
        "expires_at",
        "deposit_address",
        "network",
        "qr_code_url",
    )
    assert [name for name in every if getattr(charge, name) is not None] == fields


def test_flow_and_category_follow_from_the_method(client: Any, wire: Wire) -> None:
    client.charge(**CHARGE)
    sent = json.loads(wire.of(CHARGES)[0].content)
    assert (sent["flow"], sent["method_category"]) == ("PAYIN", "BANK")
    with pytest.raises(UnprocessableEntity, match="Insufficient funds"):
        client.cashout(**PAYOUT)
    sent = json.loads(wire.of(CASHOUT)[0].content)
    assert (sent["flow"], sent["method_code"]) == ("PAYOUT", "BANK_TRANSFER")
    client.cash(**{name: value for name, value in CHARGE.items() if name != "method_code"})
    assert json.loads(wire.of(CASH)[0].content)["method_code"] == "CASH"


def test_a_model_says_the_same_as_keywords(client: Any, wire: Wire) -> None:
    client.charge(**CHARGE)
    client.charge(ChargeRequest(**CHARGE))
    client.charge(ChargeRequest(**CHARGE), description="Another")
    one, two, three = (json.loads(request.content) for request in wire.of(CHARGES))
    for body in (one, two, three):
        del body["notification_url"]
    assert one == two
    assert three == one | {"description": "Another"}


@pytest.mark.parametrize("amount", [50000, Decimal("50000.25"), "50000.25", Decimal("5E+4")])
def test_an_amount_is_sent_as_an_exact_number(client: Any, wire: Wire, amount: Any) -> None:
    client.charge(**CHARGE | {"amount": amount})
    (sent,) = wire.of(CHARGES)
    number = json.loads(sent.content, parse_float=Decimal)["amount"]
    assert isinstance(number, int | Decimal)
    assert number == Decimal(amount)
    assert sent.headers["content-type"] == "application/json"


def test_a_balance_is_asked_for_without_a_body(client: Any, wire: Wire) -> None:
    client.balance()
    (sent,) = wire.of(BALANCE)
    assert (sent.method, sent.content) == ("POST", b"")
    assert "content-type" not in sent.headers
    assert sent.url.params["id"] == MERCHANT


# ---------------------------------------------------------------- checks before anything is sent


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", 0),
        ("amount", -5),
        ("amount", "50000.001"),
        ("amount", 50000.0),
        ("amount", True),
        ("amount", "1,000"),
        ("amount", None),
        ("currency", "USD"),
        ("country", "CO"),
        ("method_code", "pse"),
        ("method_code", "OXXO"),
        ("method_category", "CARD"),
        ("flow", "PAYOUT"),
        ("description", ""),
        ("description", "x" * 256),
        ("customer_id", 7),
        ("notification_url", "http://shop.example/hook"),
        ("notification_url", "https://10.0.0.1/hook"),
        ("return_url", "thanks"),
        ("ammount", 5),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_sent(
    client: Any, wire: Wire, field: str, value: Any
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        client.charge(**CHARGE | {field: value})
    assert caught.value.field == field
    assert wire.sent == []
    assert len(client.books.operations()) == 0


def test_a_float_is_refused_with_the_literal_to_write(client: Any) -> None:
    with pytest.raises(InvalidRequest, match=r'Decimal\("50000\.1"\)'):
        client.charge(**CHARGE | {"amount": 50000.1})


def test_loopback_addresses_are_for_local_only(make: Make, wire: Wire) -> None:
    config = Config(environment="sandbox", api_key="sk_test_abcdef", merchant_id=MERCHANT)
    client = make(config, transport=wire, books=False)
    with pytest.raises(InvalidRequest, match="notification_url"):
        client.charge(**CHARGE | {"notification_url": "http://127.0.0.1:8000/hook"})
    assert wire.sent == []


@pytest.mark.parametrize("books", ["sqlite://", False])
@pytest.mark.parametrize(
    "value",
    [date(2026, 1, 15), {1}, b"x", Decimal("NaN"), Decimal("1E+999999"), 10**5_000,
     np.float32(1.5), np.int64(1)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_json_does_not_have_is_named_and_nothing_is_sent(
    make: Make, sandbox: Sandbox, wire: Wire, books: Any, value: Any
) -> None:
    client = make(sandbox.config, transport=wire, books=books)
    with pytest.raises(InvalidRequest) as caught:
        client.charge(**CHARGE, extra={"lines": [{"due": value}]})
    assert caught.value.field == "lines.0.due"
    assert wire.sent == []


def test_extra_fields_are_sent(client: Any, wire: Wire) -> None:
    client.charge(**CHARGE, extra={"order": {"id": 7}})
    assert json.loads(wire.of(CHARGES)[0].content)["order"] == {"id": 7}


def test_extra_does_not_change_what_was_checked(client: Any, wire: Wire) -> None:
    with pytest.raises(InvalidRequest, match="amount: is a field that the kit knows"):
        client.charge(**CHARGE, extra={"amount": 1})
    client.charge(**CHARGE, extra={"amount": 1}, check=False)
    assert [json.loads(sent.content)["amount"] for sent in wire.of(CHARGES)] == [1]


@pytest.mark.parametrize("key", ["", "  ", 5, "x" * 256, "a\x00", "a\ud800"])
def test_a_key_is_a_name(client: Any, wire: Wire, key: Any) -> None:
    with pytest.raises(InvalidRequest, match="key: is not a name"):
        client.charge(**CHARGE, key=key)
    assert wire.of(CHARGES) == []


def test_without_checks_88pay_decides(client: Any, wire: Wire) -> None:
    with pytest.raises(BadRequest, match="amount"):
        client.charge(**CHARGE | {"amount": "fifty"}, check=False)
    assert json.loads(wire.of(CHARGES)[0].content)["amount"] == "fifty"
    with pytest.raises(BadRequest, match="customer_id"):
        client.charge(check=False, **CHARGE | {"customer_id": None})
    # A float is not even sent so: what arrives would not be what was meant.
    with pytest.raises(InvalidRequest, match="amount"):
        client.charge(**CHARGE | {"amount": 0.1}, check=False)
    with pytest.raises(InvalidRequest, match="fee"):
        client.charge(**CHARGE, extra={"fee": [0.1]})
    assert len(wire.of(CHARGES)) == 2


# ---------------------------------------------------------------- the token


def test_a_token_is_kept_for_fifty_seconds_and_swapped_with_its_session(
    client: Any, wire: Wire, sandbox: Sandbox
) -> None:
    first = client.token()
    sandbox.clock.advance(49.999)
    assert client.token() == first
    client.balance()
    assert len(wire.of(TOKEN)) == 1
    sandbox.clock.advance(0.001)
    client.balance()
    second = client.token()
    assert len(wire.of(TOKEN)) == 2
    assert second.access_token != first.access_token
    assert second.session_id != first.session_id
    for request, token in zip(wire.of(BALANCE), (first, second), strict=True):
        assert request.headers["authorization"] == f"Bearer {token.access_token}"
        assert request.headers["x-session-id"] == token.session_id


def test_a_fresh_token_can_be_asked_for(client: Any, wire: Wire) -> None:
    first = client.token()
    assert client.token(fresh=True).session_id != first.session_id
    assert len(wire.of(TOKEN)) == 2


def test_a_401_costs_one_new_token_and_one_more_try(client: Any, wire: Wire) -> None:
    client.balance()
    wire.faults[BALANCE] = [say(401)]
    assert client.balance().merchant_id == MERCHANT
    assert (len(wire.of(TOKEN)), len(wire.of(BALANCE))) == (2, 3)
    one, two, three = wire.of(BALANCE)
    assert one.headers["authorization"] == two.headers["authorization"]
    assert three.headers["authorization"] != two.headers["authorization"]
    assert three.headers["x-session-id"] != two.headers["x-session-id"]


@pytest.mark.parametrize("verb", ["balance", "charge"])
def test_a_second_401_is_unauthorized(client: Any, wire: Wire, verb: str) -> None:
    path, fields = (BALANCE, {}) if verb == "balance" else (CHARGES, CHARGE)
    wire.faults[path] = [say(401)]
    wire.for_ever = True
    with pytest.raises(Unauthorized) as caught:
        getattr(client, verb)(**fields)
    assert (len(wire.of(TOKEN)), len(wire.of(path))) == (2, 2)
    assert caught.value.operation == verb
    if verb == "charge":
        assert states(client) == ["refused"]


def test_wrong_credentials_are_tried_once(make: Make, sandbox: Sandbox, wire: Wire) -> None:
    client = make(sandbox.config.replace(api_key="sk_test_wrong"), transport=wire)
    with pytest.raises(Unauthorized, match="Invalid API key or merchant ID"):
        client.charge(**CHARGE)
    assert len(wire.sent) == 1


def test_twenty_threads_on_a_cold_cache_cost_one_token(sandbox: Sandbox, wire: Wire) -> None:
    another = threading.Event()

    def slow(request: httpx.Request, forward: Forward) -> httpx.Response:
        # Were each thread to ask for itself, the second one would come by now.
        another.wait(0.3)
        return forward()

    def hurried(request: httpx.Request, forward: Forward) -> httpx.Response:
        another.set()
        return forward()

    wire.faults[TOKEN] = [slow, *[hurried] * 19]
    start = threading.Barrier(20)

    def ask(_: int) -> Any:
        start.wait()
        return client.balance().merchant_id

    with Pay88(sandbox.config, transport=wire) as client, ThreadPoolExecutor(20) as pool:
        assert list(pool.map(ask, range(20))) == [MERCHANT] * 20
    assert (len(wire.of(TOKEN)), len(wire.of(BALANCE))) == (1, 20)


class SlowToken(Wire):
    """A wire on which a token waits to be let through."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if request.url.path == TOKEN:
            self.asked.set()
            await self.go.wait()
        return answer


def test_twenty_tasks_on_a_cold_cache_cost_one_token(sandbox: Sandbox) -> None:
    async def story() -> None:
        wire = SlowToken(sandbox)
        async with AsyncPay88(sandbox.config, transport=wire) as client:
            tasks = [asyncio.create_task(client.balance()) for _ in range(20)]
            await wire.asked.wait()
            for _ in range(20):
                await asyncio.sleep(0)
            wire.go.set()
            answers = await asyncio.gather(*tasks)
        assert [answer.merchant_id for answer in answers] == [MERCHANT] * 20
        assert (len(wire.of(TOKEN)), len(wire.of(BALANCE))) == (1, 20)

    asyncio.run(asyncio.wait_for(story(), 60))


def test_a_cancelled_leader_does_not_strand_the_others(sandbox: Sandbox) -> None:
    async def story() -> None:
        wire = SlowToken(sandbox)
        async with AsyncPay88(sandbox.config, transport=wire) as client:
            leader = asyncio.create_task(client.balance())
            await wire.asked.wait()
            others = [asyncio.create_task(client.balance()) for _ in range(5)]
            for _ in range(5):
                await asyncio.sleep(0)
            wire.asked.clear()
            leader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leader
            # One of the others asks in its place.
            await wire.asked.wait()
            wire.go.set()
            answers = await asyncio.gather(*others)
        assert [answer.merchant_id for answer in answers] == [MERCHANT] * 5
        assert len(wire.of(TOKEN)) == 2

    asyncio.run(asyncio.wait_for(story(), 60))


def test_a_cancelled_follower_does_not_disturb_the_leader(sandbox: Sandbox) -> None:
    async def story() -> None:
        wire = SlowToken(sandbox)
        async with AsyncPay88(sandbox.config, transport=wire) as client:
            leader = asyncio.create_task(client.balance())
            await wire.asked.wait()
            follower = asyncio.create_task(client.balance())
            await asyncio.sleep(0)
            follower.cancel()
            with pytest.raises(asyncio.CancelledError):
                await follower
            wire.go.set()
            assert (await leader).merchant_id == MERCHANT
        assert len(wire.of(TOKEN)) == 1

    asyncio.run(asyncio.wait_for(story(), 60))


def test_a_failed_token_fails_everyone_and_is_tried_again_afterwards(
    client: Any, wire: Wire
) -> None:
    wire.faults[TOKEN] = [say(403)]
    with pytest.raises(Forbidden):
        client.balance()
    assert client.balance().merchant_id == MERCHANT


@pytest.mark.parametrize(
    "body",
    [
        b"<html>", b"[]", {"data": {}}, {"data": {"access_token": "a"}}, {"data": None},
        # What cannot be put into a header.
        {"data": {"access_token": "a\r\nx-more: b", "session_id": "s"}},
        {"data": {"access_token": "ñ", "session_id": "s"}},
        {"data": {"access_token": "a", "session_id": ""}},
    ],
)  # fmt: skip
def test_a_token_answer_without_a_token_is_malformed(client: Any, wire: Wire, body: Any) -> None:
    wire.faults[TOKEN] = [say(200, body)] * 4
    with pytest.raises(MalformedAnswer):
        client.charge(**CHARGE)
    assert wire.of(CHARGES) == []
    assert states(client) == ["refused"]


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (422, UnprocessableEntity),
        (429, RateLimited),
        (500, InternalServerError),
        (502, BadGateway),
        (503, ServiceUnavailable),
        (504, GatewayTimeout),
        (418, StatusError),
    ],
)
def test_each_status_has_its_class_and_says_what_is_needed(
    make: Make, sandbox: Sandbox, wire: Wire, status: int, kind: type[StatusError]
) -> None:
    client = make(sandbox.config, transport=wire, policy=Policy(backoff=()))
    wire.faults[BALANCE] = [say(status), say(status)]
    with pytest.raises(kind) as caught:
        client.balance()
    error = caught.value
    assert type(error) is kind
    assert (error.status_code, error.message) == (status, f"About {status}")
    assert error.operation == "balance"
    assert error.session_tail == client.token().session_id[-4:]
    for part in ("balance", str(status), f"About {status}", f"…{error.session_tail}"):
        assert part in str(error)
    assert isinstance(error, Pay88Error)


@pytest.mark.parametrize("where", ["message", "body"])
def test_an_error_never_carries_a_secret_not_even_when_the_server_echoes_it(
    make: Make, sandbox: Sandbox, wire: Wire, where: str
) -> None:
    client = make(sandbox.config, transport=wire, policy=Policy(backoff=()))
    token = client.token()
    config = sandbox.config
    secrets = [config.api_key, config.webhook_secret, token.access_token, token.session_id]
    said = "You sent " + ", ".join(map(str, secrets))
    if where == "message":
        # Also where the text is cut, nothing of a secret may be left before the cut.
        texts = [said, *("x" * (500 - n) + str(config.api_key) for n in (10, 20, 30))]
        bodies: list[Any] = [{"status": "Error", "code": 400, "message": text} for text in texts]
    else:
        bodies = [{"message": "no", "debug": {"headers": [said]}, str(token.session_id): 1}]
    for body in bodies:
        wire.faults[BALANCE] = [say(400, body)]
        with pytest.raises(BadRequest) as caught:
            client.balance()
        error = caught.value
        shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        shown += "".join(repr(argument) for argument in error.args)
        for secret in map(str, secrets):
            assert secret not in shown
        assert str(config.api_key)[:16] not in shown


def test_an_error_page_that_is_no_json_is_still_an_error(client: Any, wire: Wire) -> None:
    wire.faults[BALANCE] = [say(404, b"<h1>nginx</h1>"), say(404, b"")]
    for _ in range(2):
        with pytest.raises(NotFound) as caught:
            client.balance()
        assert caught.value.message
        assert caught.value.body == {}


def test_another_merchants_balance_is_forbidden(client: Any, wire: Wire) -> None:
    with pytest.raises(Forbidden):
        client.balance("MCH-COL-OTHER1")
    assert len(wire.of(BALANCE)) == 1


def test_no_secret_is_in_a_repr(client: Any, sandbox: Sandbox) -> None:
    token, config = client.token(), sandbox.config
    shown = (
        f"{client!r} {config!r} {config!s} {token!r} {token!s} {token._repr_html_()} {token.raw}"
    )
    shown += repr(vars(token)) + repr(token.headers)
    for secret in (config.api_key, config.webhook_secret, token.access_token, token.session_id):
        assert str(secret) not in shown


# ---------------------------------------------------------------- retries of what changes nothing

LOST: list[tuple[str, Fault]] = [
    ("a time-out", lose(httpx.ReadTimeout("slow"))),
    ("a write time-out", lose(httpx.WriteTimeout("slow"))),
    ("a broken connection", lose(httpx.ReadError("reset"))),
    ("a connection that closed", lose(httpx.RemoteProtocolError("closed"))),
    ("500", say(500)),
    ("502", say(502, b"<html>Bad Gateway</html>")),
    ("503", say(503)),
    ("504", say(504)),
    ("broken JSON", say(200, b'{"status": "Success", "da')),
    ("an empty answer", say(200, b"")),
]
lost = pytest.mark.parametrize("fault", [f for _, f in LOST], ids=[name for name, _ in LOST])
REFUSED = [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.PoolTimeout("full")]


@lost
@pytest.mark.parametrize("path", [BALANCE, TOKEN])
def test_a_read_is_retried_after_1_2_and_4_seconds(
    client: Any, wire: Wire, fault: Fault, path: str
) -> None:
    wire.faults[path] = [fault] * 3
    assert client.balance().merchant_id == MERCHANT
    assert wire.times(path) == [0, 1, 3, 7]


@lost
def test_the_fourth_failure_of_a_read_is_raised(client: Any, wire: Wire, fault: Fault) -> None:
    wire.faults[BALANCE] = [fault]
    wire.for_ever = True
    with pytest.raises((ConnectionFailed, StatusError)):
        client.balance()
    assert wire.times(BALANCE) == [0, 1, 3, 7]


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_what_is_the_callers_fault_is_never_retried(client: Any, wire: Wire, status: int) -> None:
    wire.faults[BALANCE] = [say(status)]
    with pytest.raises(StatusError):
        client.balance()
    assert len(wire.of(BALANCE)) == 1


@pytest.mark.parametrize("error", REFUSED)
def test_a_create_that_was_never_sent_is_retried(
    client: Any, wire: Wire, sandbox: Sandbox, error: Exception
) -> None:
    wire.faults[CHARGES] = [fail(error)] * 3
    charge = client.charge(**CHARGE)
    assert wire.times(CHARGES) == [0, 1, 3, 7]
    assert [t["reference"] for t in sandbox.transactions()] == [charge.reference]


@pytest.mark.parametrize("error", REFUSED)
def test_a_create_that_could_not_be_sent_surely_did_not_happen(
    client: Any, wire: Wire, error: Exception
) -> None:
    wire.faults[CHARGES] = [fail(error)] * 4
    with pytest.raises(ConnectionFailed) as caught:
        client.charge(**CHARGE, key="order-1")
    assert caught.value.sent is False
    assert states(client) == ["refused"]
    # So the same key may be tried again.
    assert client.charge(**CHARGE, key="order-1").reference
    assert states(client) == ["created"]


def test_no_connection_at_all_says_so(make: Make, sandbox: Sandbox) -> None:
    with Endpoint() as gone:
        pass
    address = gone.url.removesuffix("/hook")
    config = Config("local", address, "sk_test_abcdef", MERCHANT, clock=sandbox.clock)
    client = make(config)
    with pytest.raises(ConnectionFailed, match=address):
        client.balance()
    assert sandbox.clock.monotonic() == 7


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(client: Any, wire: Wire, status: int) -> None:
    moved = say(status, b"", {"Location": "http://pay88.local" + BALANCE})
    wire.faults[BALANCE] = [moved]
    wire.faults[CHARGES] = [moved]
    with pytest.raises(StatusError) as caught:
        client.balance()
    assert caught.value.status_code == status
    with pytest.raises(OutcomeUnknown):
        client.charge(**CHARGE)
    assert (len(wire.of(BALANCE)), len(wire.of(CHARGES))) == (1, 1)


def test_a_rate_limit_is_raised_or_waited_for(make: Make) -> None:
    with Sandbox() as sandbox:
        impatient = make(sandbox.config, policy=Policy(max_wait=0))
        for _ in range(10):
            impatient.token(fresh=True)
        with pytest.raises(RateLimited) as caught:
            impatient.token(fresh=True)
        assert (caught.value.retry_after, caught.value.sent) == (60, False)
        assert "12:01:00 UTC" in str(caught.value)
        assert len(sandbox.requests()) == 10
        # Who does not count along is told by 88Pay.
        careless = make(sandbox.config, policy=Policy(max_wait=0, pace=False))
        with pytest.raises(RateLimited) as caught:
            careless.token()
        assert (caught.value.retry_after, caught.value.sent) == (60, True)
        assert sandbox.clock.monotonic() == 0
        patient = make(sandbox.config)
        assert patient.token().expires_in == 60
        assert sandbox.clock.monotonic() == 60


def test_the_body_of_a_429_says_the_wait_where_no_header_does(client: Any, wire: Wire) -> None:
    wire.faults[BALANCE] = [say(429, {"message": "Rate limit exceeded.", "retry_after": 7})]
    assert client.balance().merchant_id == MERCHANT
    first, second = wire.times(BALANCE)
    assert second - first == 7


# ---------------------------------------------------------------- creates whose outcome is unknown

CREATES = [
    ("charge", CHARGES, CHARGE),
    ("cash", CASH, CHARGE | {"method_code": "CASH"}),
    ("cashout", CASHOUT, PAYOUT),
]
NO_REFERENCE: list[tuple[str, Fault]] = [
    ("no reference", say(200, {"status": "Success", "data": {"customer_id": "c"}})),
    ("an empty reference", say(200, {"status": "Success", "data": {"reference": ""}})),
    ("a blank reference", say(200, {"data": {"reference": " "}})),
    ("an endless reference", say(200, {"data": {"reference": "R" * 256}})),
    ("a reference that is no text", say(200, {"status": "Success", "data": {"reference": 7}})),
    ("no data", say(200, {"status": "Success"})),
    ("a list", say(200, [])),
    ("204", say(204, b"")),
]


@pytest.mark.parametrize(("verb", "path", "fields"), CREATES)
@pytest.mark.parametrize(
    "fault",
    [f for _, f in [*LOST, *NO_REFERENCE]],
    ids=[name for name, _ in [*LOST, *NO_REFERENCE]],
)
def test_a_create_whose_answer_was_lost_is_unknown_and_sent_once(
    client: Any, wire: Wire, sandbox: Sandbox, verb: str, path: str, fields: Any, fault: Fault
) -> None:
    sandbox.scenario("profitable")
    wire.faults[path] = [fault]
    with pytest.raises(OutcomeUnknown) as caught:
        getattr(client, verb)(**fields, key="order-1")
    assert len(wire.of(path)) == 1
    assert sandbox.clock.monotonic() == 0
    error = caught.value
    assert (error.operation, error.key) == (verb, "order-1")
    row = client.books.unknown().iloc[0]
    assert len(client.books.unknown()) == 1
    assert (row["key"], row["operation"], row["state"]) == ("order-1", verb, "unknown")
    assert row["id"] == error.marker
    # The session under which it was sent is what a notification may have to be matched by.
    assert row["session_id"] == wire.of(path)[0].headers["x-session-id"]
    # The same key again does not send it again.
    with pytest.raises(OutcomeUnknown):
        getattr(client, verb)(**fields, key="order-1")
    assert len(wire.of(path)) == 1


@pytest.mark.parametrize(
    "path",
    [CHARGES, f"{CHARGES}?x=1", CHARGES.replace("charges", "%63harges"), f"/api/..{CHARGES}"],
)
def test_a_raw_create_is_as_careful(client: Any, wire: Wire, path: str) -> None:
    wire.faults[CHARGES] = [lose(httpx.ReadTimeout("slow"))]
    body = {**CHARGE, "flow": "PAYIN", "method_category": "BANK"}
    with pytest.raises(OutcomeUnknown):
        client.request("POST", path, json=body)
    assert len(wire.of(CHARGES)) == 1


def test_a_real_time_out_of_a_create_is_unknown(make: Make) -> None:
    stop = threading.Event()

    def answer(delivery: Delivery) -> Say:
        if delivery.path == TOKEN:
            data = {"access_token": "t", "expires_in": 60, "session_id": "sess_1"}
            return Say(body=json.dumps({"data": data}).encode())
        stop.wait(120)
        return Say()

    with Endpoint(answer) as endpoint:
        address = endpoint.url.removesuffix("/hook")
        # So long that even a busy machine has the token in time.
        client = make(Config("local", address, "sk_test_abcdef", MERCHANT), timeout=2.0)
        with pytest.raises(OutcomeUnknown):
            client.charge(**CHARGE)
        stop.set()
    assert [d.path for d in endpoint.received] == [TOKEN, CHARGES]


def test_a_cancelled_create_is_unknown(sandbox: Sandbox) -> None:
    class Stuck(Wire):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await super().handle_async_request(request)
            if request.url.path == CHARGES:
                asked.set()
                await asyncio.Event().wait()
            return answer

    asked = asyncio.Event()

    async def story() -> None:
        wire = Stuck(sandbox)
        async with AsyncPay88(sandbox.config, transport=wire) as client:
            task = asyncio.create_task(client.charge(**CHARGE, key="order-1"))
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert client.books is not None
            row = client.books.unknown().iloc[0]
            assert row["key"] == "order-1"
            assert row["session_id"] == wire.of(CHARGES)[0].headers["x-session-id"]

    asyncio.run(asyncio.wait_for(story(), 60))


def test_an_interrupted_create_is_unknown(sandbox: Sandbox, wire: Wire) -> None:
    wire.faults[CHARGES] = [lose(KeyboardInterrupt())]  # type: ignore[arg-type]
    with Pay88(sandbox.config, transport=wire) as client:
        with pytest.raises(KeyboardInterrupt):
            client.charge(**CHARGE)
        assert states(client) == ["unknown"]


def test_an_interrupted_record_of_an_answer_is_written_again(
    sandbox: Sandbox, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, stops = Books.created, [KeyboardInterrupt()]

    def created(*args: Any, **kwargs: Any) -> bool:
        if stops:
            raise stops.pop()
        return written(*args, **kwargs)

    monkeypatch.setattr(Books, "created", created)
    with Pay88(sandbox.config, transport=wire) as client:
        with pytest.raises(KeyboardInterrupt):
            client.charge(**CHARGE)
        assert states(client) == ["created"]


@pytest.mark.parametrize("call", ["begin", "created", "refused"])
def test_ctrl_c_does_not_stop_a_transaction_in_the_middle(
    sandbox: Sandbox, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    url, written = f"sqlite:///{tmp_path / 'books.db'}", getattr(Books, call)
    inside, pressed = threading.Event(), threading.Event()

    def write(*args: Any, **kwargs: Any) -> Any:
        inside.set()
        return written(*args, **kwargs)

    def ctrl_c(*_: object) -> None:
        if inside.is_set() and not pressed.is_set():
            pressed.set()
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Books, call, write)
    event.listen(Engine, "before_cursor_execute", ctrl_c)
    request.addfinalizer(lambda: event.remove(Engine, "before_cursor_execute", ctrl_c))
    if call == "refused":
        wire.faults[CHARGES] = [say(422)]
    with Pay88(sandbox.config, transport=wire, books=url) as client:
        with pytest.raises(KeyboardInterrupt):
            client.charge(**CHARGE, key="order-1")
        assert states(client) == ["created" if call == "created" else "refused"]
        assert client.charge(**CHARGE, key="order-1").reference
        assert len(sandbox.transactions()) == 1


class Raises(Policy):
    """Somebody's idea of never trying again."""

    def decide(self, *args: Any, **kwargs: Any) -> Decision:
        return Decision(Step.RAISE)


class Insists(Policy):
    """Somebody's idea of trying until it works."""

    def decide(self, *args: Any, **kwargs: Any) -> Decision:
        return Decision(Step.RETRY)


@pytest.mark.parametrize("fault", [f for _, f in LOST], ids=[name for name, _ in LOST])
def test_no_policy_sends_again_what_may_have_happened(
    make: Make, wire: Wire, sandbox: Sandbox, fault: Fault
) -> None:
    wire.faults[CHARGES] = [fault]
    client = make(sandbox.config, transport=wire, policy=Insists())
    with pytest.raises(OutcomeUnknown):
        client.charge(key="order-1001", **CHARGE)
    assert len(wire.of(CHARGES)) == 1
    assert states(client) == ["unknown"]


@pytest.mark.parametrize("fault", [f for _, f in LOST], ids=[name for name, _ in LOST])
def test_no_policy_makes_a_refusal_of_what_may_have_happened(
    make: Make, sandbox: Sandbox, wire: Wire, fault: Fault
) -> None:
    client = make(sandbox.config, transport=wire, policy=Raises())
    wire.faults[CHARGES] = [fault]
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            client.charge(**CHARGE, key="order-1")
    assert states(client) == ["unknown"]
    assert len(wire.of(CHARGES)) == 1


def test_what_breaks_off_before_the_create_leaves_is_no_charge(
    make: Make, sandbox: Sandbox, wire: Wire
) -> None:
    client = make(sandbox.config, transport=wire)
    # Not every program's error has words.
    wire.faults[TOKEN] = [fail(RuntimeError())]
    with pytest.raises(RuntimeError):
        client.charge(**CHARGE, key="order-1")
    assert states(client) == ["refused"]
    assert client.charge(**CHARGE, key="order-1").reference


@pytest.mark.parametrize("late", ["accepted", "refused", "lost"])
def test_a_late_answer_does_not_change_what_became_of_the_next_sending(
    sandbox: Sandbox, late: str, caplog: pytest.LogCaptureFixture
) -> None:
    books = Books()
    resolved, sent_again = threading.Event(), threading.Event()
    told: list[Any] = []

    def slow(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward() if late == "accepted" else httpx.Response(422, json={})
        while books.unknown().empty:
            time.sleep(0.01)
        # A person looks too early, and somebody sends it again.
        books.resolve("order-1", created=None)
        resolved.set()
        assert sent_again.wait(60)
        if late == "lost":
            raise httpx.ReadTimeout("slow")
        return answer

    def hold(request: httpx.Request, forward: Forward) -> httpx.Response:
        sent_again.set()
        outlived.join(60)
        assert operation_states() == ["sending", "created"][: 1 + (late == "accepted")]
        return forward()

    def operation_states() -> list[str]:
        return list(books.operations()["state"])

    def run() -> None:
        wire = Wire(sandbox)
        wire.faults[CHARGES] = [slow]
        policy = Policy(deadline=0.5, max_wait=0)
        with Pay88(sandbox.config, books=books, transport=wire, policy=policy) as first:
            # Beforehand: only the charge is to take longer than it may.
            first.token()
            try:
                told.append(first.charge(**CHARGE, key="order-1"))
            except Pay88Error as error:
                told.append(error)

    outlived = threading.Thread(target=run)
    outlived.start()
    assert resolved.wait(60)
    wire = Wire(sandbox)
    wire.faults[CHARGES] = [hold]
    with Pay88(sandbox.config, books=books, transport=wire) as second:
        again = second.charge(**CHARGE, key="order-1")
    rows = books.operations()
    kept = rows.iloc[0][["key", "state", "reference"]].tolist()
    assert kept == ["order-1", "created", again.reference]
    if late == "accepted":
        # Two charges, and the books know both.
        assert rows["reference"].tolist() == [again.reference, told[0].reference]
        assert rows["key"].isna().tolist() == [False, True]
        assert "charged twice" in rows["error"][1]
        assert f"{told[0].reference} was accepted by 88Pay after its key" in caplog.text
    else:
        assert isinstance(told[0], UnprocessableEntity if late == "refused" else OutcomeUnknown)
        assert len(rows) == 1


def test_what_a_machine_held_in_its_sleep_does_not_leave_any_more(
    make: Make, sandbox: Sandbox, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(days=1)

    def sleep(request: httpx.Request, forward: Forward) -> httpx.Response:
        # Its clock that never runs backwards stands still meanwhile.
        monkeypatch.setattr("pay88kit.client.exchange.datetime", Tomorrow)
        return forward()

    client = make(sandbox.config, transport=wire)
    wire.faults[TOKEN] = [sleep]
    with pytest.raises(ConnectionFailed, match="nothing was sent"):
        client.charge(**CHARGE, key="order-1")
    assert wire.of(CHARGES) == []


def test_another_caller_is_not_waited_for_without_end(
    make: Make, sandbox: Sandbox, wire: Wire
) -> None:
    books = Books()
    policy = Policy(deadline=0.1, max_wait=0)
    client = make(sandbox.config, books=books, transport=wire, policy=policy)
    now = datetime.now(UTC)
    # Left by a process that was killed, on a machine whose time was ahead by a year.
    books.begin(
        "charge", {**CHARGE, "flow": "PAYIN", "method_category": "BANK"}, id="op-1", now=now,
        environment="local", merchant_id=MERCHANT, key="order-1",
        deadline=now + timedelta(days=365),
    )  # fmt: skip
    with pytest.raises(OutcomeUnknown, match="Another caller is still sending it"):
        client.charge(**CHARGE, key="order-1")
    assert wire.of(CHARGES) == []


# ---------------------------------------------------------------- keys and books


def test_a_key_never_charges_twice(client: Any, wire: Wire, sandbox: Sandbox) -> None:
    first = client.charge(**CHARGE, key="order-1")
    again = client.charge(**CHARGE, key="order-1")
    assert again == first
    assert again.url_checkout == first.url_checkout
    assert len(wire.of(CHARGES)) == 1
    other = client.charge(**CHARGE, key="order-2")
    assert other.reference != first.reference
    with pytest.raises(KeyConflict):
        client.charge(**CHARGE | {"amount": 50001}, key="order-1")
    # The key of another operation is another key.
    assert client.cash(**CHARGE | {"method_code": "CASH"}, key="order-1").reference
    assert len(sandbox.transactions()) == 3


def test_without_a_key_every_call_is_a_charge(client: Any, sandbox: Sandbox) -> None:
    references = {client.charge(**CHARGE).reference for _ in range(3)}
    assert len(references) == len(sandbox.transactions()) == 3


def test_many_threads_with_one_key_make_one_charge(sandbox: Sandbox, wire: Wire) -> None:
    start = threading.Barrier(8)

    def charge(_: int) -> str:
        start.wait()
        try:
            return client.charge(**CHARGE, key="order-1").reference
        except OutcomeUnknown:
            return "another one is at it"

    with Pay88(sandbox.config, transport=wire) as client, ThreadPoolExecutor(8) as pool:
        told = set(pool.map(charge, range(8)))
    (transaction,) = sandbox.transactions()
    assert told <= {transaction["reference"], "another one is at it"}
    assert transaction["reference"] in told


def test_a_refused_create_may_be_repeated_under_its_key(client: Any, sandbox: Sandbox) -> None:
    with pytest.raises(UnprocessableEntity, match="Insufficient funds"):
        client.cashout(**PAYOUT, key="payout-1")
    assert states(client) == ["refused"]
    sandbox.scenario("profitable")
    assert client.cashout(**PAYOUT, key="payout-1").reference
    assert states(client) == ["created"]


def test_an_operation_is_in_the_books_before_its_request_leaves(client: Any, wire: Wire) -> None:
    seen: list[str] = []

    def look(request: httpx.Request, forward: Forward) -> httpx.Response:
        seen.extend(states(client))
        return forward()

    wire.faults[CHARGES] = [look]
    charge = client.charge(**CHARGE, key="order-1")
    assert seen == ["sending"]
    row = client.books.operations().iloc[0]
    assert row["reference"] == charge.reference
    assert (row["state"], row["status"]) == ("created", "PENDING")
    assert (row["amount"], row["currency"]) == (Decimal("50000.00"), "COP")
    assert row["session_id"] == wire.of(CHARGES)[0].headers["x-session-id"]


def broken(path: Path) -> None:
    """Take the table of operations away from under the kit."""
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE operations")
    db.close()


def test_what_cannot_be_recorded_is_not_sent(
    make: Make, sandbox: Sandbox, wire: Wire, tmp_path: Path
) -> None:
    client = make(sandbox.config, transport=wire, books=f"sqlite:///{tmp_path}/books.db")
    assert len(client.books.operations()) == 0
    broken(tmp_path / "books.db")
    with pytest.raises(BooksError):
        client.charge(**CHARGE)
    assert wire.of(CHARGES) == []


def test_a_reference_reaches_the_caller_even_when_it_cannot_be_recorded(
    make: Make,
    sandbox: Sandbox,
    wire: Wire,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = make(sandbox.config, transport=wire, books=f"sqlite:///{tmp_path}/books.db")

    def answer(request: httpx.Request, forward: Forward) -> httpx.Response:
        broken(tmp_path / "books.db")
        return forward()

    wire.faults[CHARGES] = [answer]
    charge = client.charge(**CHARGE)
    assert "could not be recorded" in caplog.text
    assert charge.reference == sandbox.transactions()[0]["reference"]


def test_an_unknown_outcome_reaches_the_caller_even_when_it_cannot_be_recorded(
    make: Make,
    sandbox: Sandbox,
    wire: Wire,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = make(sandbox.config, transport=wire, books=f"sqlite:///{tmp_path}/books.db")

    def answer(request: httpx.Request, forward: Forward) -> httpx.Response:
        broken(tmp_path / "books.db")
        raise httpx.ReadTimeout("slow")

    wire.faults[CHARGES] = [answer]
    with pytest.raises(OutcomeUnknown):
        client.charge(**CHARGE)
    assert "could not be recorded" in caplog.text


def test_without_books_a_create_goes_unrecorded(make: Make, sandbox: Sandbox) -> None:
    client = make(sandbox.config, books=False)
    assert client.books is None
    reference = client.charge(**CHARGE).reference
    assert sandbox.transaction(reference)["status"] == "PENDING"
    shared = make(sandbox.config)
    assert len(shared.books.operations()) == 0


def test_the_given_books_are_used(make: Make, sandbox: Sandbox) -> None:
    books = Books()
    client = make(sandbox.config, books=books)
    client.charge(**CHARGE, key="order-1")
    assert client.books is books
    assert list(books.operations()["key"]) == ["order-1"]


# ---------------------------------------------------------------- the marker


def sent_address(wire: Wire) -> str:
    return str(json.loads(wire.of(CHARGES)[-1].content)["notification_url"])


def test_an_operation_id_is_added_to_the_notification_url(client: Any, wire: Wire) -> None:
    client.charge(**CHARGE)
    parts = urlsplit(sent_address(wire))
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "shop.example", "/webhooks/88pay")
    query = parse_qs(parts.query)
    (marker,) = query.pop("pay88_operation")
    assert query == {"shop": ["1"]}
    assert list(client.books.operations()["id"]) == [marker]


def test_in_local_the_operation_id_comes_from_the_seed(make: Make) -> None:
    sent = []
    for seed in (88, 88, 7):
        with Sandbox(seed=seed) as sandbox:
            wire = Wire(sandbox)
            make(sandbox.config, transport=wire).charge(**CHARGE)
            sent.append(sent_address(wire))
    assert sent[0] == sent[1] != sent[2]


def test_the_marker_can_be_left_out(make: Make, sandbox: Sandbox, wire: Wire) -> None:
    client = make(sandbox.config, transport=wire, operation_marker=False)
    client.charge(**CHARGE)
    assert sent_address(wire) == CHARGE["notification_url"]


# ---------------------------------------------------------------- which 88Pay


def test_with_nothing_set_it_talks_to_the_embedded_sandbox(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ENVIRONMENT", "BASE_URL", "API_KEY", "MERCHANT_ID", "WEBHOOK_SECRET", "BOOKS"):
        monkeypatch.delenv(f"PAY88_{name}", raising=False)
    # 88Pay's own variables mean 88Pay's credentials: none of local's business.
    monkeypatch.setenv("EIGHTY_EIGHT_PAY_API_KEY", "sk_live_abcdef")
    monkeypatch.setenv("EIGHTY_EIGHT_PAY_MERCHANT_ID", "MCH-COL-REAL01")
    # Nor is a key of 88Pay's under the kit's own names.
    monkeypatch.setenv("PAY88_API_KEY", "sk_test_of_88pay")
    monkeypatch.setenv("PAY88_MERCHANT_ID", "MCH-COL-REAL01")
    one, two = make(), make()
    assert one.balance().merchant_id == MERCHANT
    assert one.sandbox is two.sandbox is not None
    assert one.config.environment == "local"
    assert one.books is two.books


def test_a_client_of_a_served_sandbox(make: Make, sandbox: Sandbox) -> None:
    with sandbox.serve() as url:
        own = sandbox.config
        config = Config("local", url, str(own.api_key), own.merchant_id)
        client = make(config, books=False)
        assert client.sandbox is None
        charge = client.charge(**CHARGE)
        assert sandbox.transaction(charge.reference)["status"] == "PENDING"
        assert charge.url_checkout.startswith(url)
        with pytest.raises(Forbidden):
            client.balance("MCH-COL-OTHER1")


def test_missing_credentials_are_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PAY88_API_KEY", "PAY88_MERCHANT_ID"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.replace("PAY88", "EIGHTY_EIGHT_PAY"), raising=False)
    with pytest.raises(ConfigError, match="PAY88_API_KEY and PAY88_MERCHANT_ID"):
        make(Config(environment="sandbox"))


def test_the_key_of_another_environment_is_refused_before_anything_is_sent() -> None:
    for environment, key in (("sandbox", "sk_live_abcdef"), ("production", "sk_test_abcdef")):
        with pytest.raises(ConfigError) as caught:
            Config(environment=environment, api_key=key, merchant_id=MERCHANT)
        assert key not in str(caught.value)


def test_a_path_must_begin_with_a_slash(client: Any, wire: Wire) -> None:
    with pytest.raises(InvalidRequest, match="path"):
        client.request("POST", "api/balance")
    assert wire.sent == []
