"""How long one call may take, against a server that does not play along."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import httpx
import pytest
from support import BALANCE, CHARGES, MERCHANT, TOKEN

from pay88kit import AsyncPay88, Config, ConnectionFailed, OutcomeUnknown, Pay88, Policy, Sandbox
from pay88kit.client.transports import InProcess

CHARGE: dict[str, Any] = {
    "method_code": "PSE",
    "amount": 50000,
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
    "notification_url": "https://shop.example/webhooks/88pay",
}
# Of scheduling, on a machine with other work. Without the bound, each of these takes half a minute
# or more.
SLACK = 20.0


def answer_of(data: dict[str, Any]) -> bytes:
    body = json.dumps({"status": "Success", "data": data}).encode()
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


GOOD_TOKEN = answer_of({"access_token": "t", "expires_in": 60, "session_id": "sess_1"})
# Long enough to drip for minutes.
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b" " * 9000


def drip(text: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """A byte each twentieth of a second: no read waits long, and the answer never ends."""

    def send(peer: socket.socket, over: threading.Event) -> None:
        for at in range(len(text)):
            peer.sendall(text[at : at + 1])
            if over.wait(0.05):
                return

    return send


def drip_the_body(peer: socket.socket, over: threading.Event) -> None:
    head, _, body = LONG.partition(b"\r\n\r\n")
    peer.sendall(head + b"\r\n\r\n")
    drip(body)(peer, over)


def never(peer: socket.socket, over: threading.Event) -> None:
    over.wait(30)


@contextmanager
def server(
    path: str, behave: Callable[[socket.socket, threading.Event], None]
) -> Iterator[tuple[Config, list[str]]]:
    """88Pay, of which one path misbehaves; and the paths that were asked for."""
    over, asked = threading.Event(), []

    def serve(peer: socket.socket) -> None:
        with peer:
            peer.settimeout(30)
            received = b""
            while b"\r\n\r\n" not in received:
                part = peer.recv(65_536)
                if not part:
                    return
                received += part
            asked.append(received.split(b" ", 2)[1].decode().partition("?")[0])
            try:
                if asked[-1] == path:
                    behave(peer, over)
                else:
                    peer.sendall(GOOD_TOKEN)
            except OSError:
                pass  # the client has given up

    def accept() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(peer,), daemon=True).start()

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=accept, daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield Config("local", address, "sk_test_abcdef", MERCHANT), asked
        over.set()
        listener.shutdown(socket.SHUT_RDWR)


def call(kind: str, config: Config, verb: str, policy: Policy, **named: Any) -> Any:
    fields = CHARGE if verb == "charge" else {}
    if kind == "sync":
        with Pay88(config, books=False, policy=policy, **named) as client:
            return getattr(client, verb)(**fields)

    async def story() -> Any:
        async with AsyncPay88(config, books=False, policy=policy, **named) as client:
            return await getattr(client, verb)(**fields)

    return asyncio.run(story())


kinds = pytest.mark.parametrize("kind", ["sync", "async"])
VERBS = [("charge", CHARGES, OutcomeUnknown), ("balance", BALANCE, ConnectionFailed)]


@kinds
@pytest.mark.parametrize(
    "behave", [drip(LONG), drip_the_body, never], ids=["drips", "drips the body", "is silent"]
)
@pytest.mark.parametrize(("verb", "path", "error"), VERBS)
def test_a_call_ends_in_time(
    kind: str, behave: Any, verb: str, path: str, error: type[Exception]
) -> None:
    with server(path, behave) as (config, asked):
        began = time.monotonic()
        with pytest.raises(error):
            call(kind, config, verb, Policy(deadline=0.6, backoff=(1.0, 2.0)))
        took = time.monotonic() - began
    assert asked == [TOKEN, path]
    assert 0.5 <= took <= 0.6 + SLACK


@kinds
def test_a_token_that_does_not_come_leaves_no_time_for_the_create(kind: str) -> None:
    with server(TOKEN, drip(LONG)) as (config, asked):
        began = time.monotonic()
        with pytest.raises(ConnectionFailed) as caught:
            call(kind, config, "charge", Policy(deadline=0.6, backoff=()))
        took = time.monotonic() - began
    assert caught.value.operation == "token"
    assert asked == [TOKEN]
    assert took <= 0.6 + SLACK


@kinds
def test_each_attempt_has_its_own_time_out_within_the_deadline(kind: str) -> None:
    with server(BALANCE, never) as (config, asked):
        began = time.monotonic()
        with pytest.raises(ConnectionFailed):
            call(kind, config, "balance", Policy(deadline=3.0, backoff=(0.3,) * 60), timeout=0.6)
        took = time.monotonic() - began
    assert asked[0] == TOKEN
    assert set(asked[1:]) == {BALANCE}
    # Each takes nine tenths; a fourth one has no time left.
    assert 2 <= len(asked[1:]) <= 4
    assert took <= 3.0 + SLACK


@kinds
def test_a_hook_that_reads_the_answer_does_not_undo_the_bound(kind: str) -> None:
    def read(response: httpx.Response) -> None:
        response.read()

    async def aread(response: httpx.Response) -> None:
        await response.aread()

    hooks = {"response": [read if kind == "sync" else aread]}
    with server(BALANCE, drip_the_body) as (config, _):
        began = time.monotonic()
        with pytest.raises(ConnectionFailed):
            call(kind, config, "balance", Policy(deadline=0.6, backoff=()), event_hooks=hooks)
        assert time.monotonic() - began <= 0.6 + SLACK


class Late(InProcess):
    """A way on which every token takes a while of real time."""

    def __init__(self, sandbox: Sandbox, seconds: float) -> None:
        super().__init__(sandbox)
        self.asked: list[str] = []
        self._seconds = seconds

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if request.url.path == TOKEN:
            time.sleep(self._seconds)
        return super().handle_request(request)


def test_a_create_does_not_leave_in_the_last_moment() -> None:
    with Sandbox() as sandbox:
        wire = Late(sandbox, 1.85)
        # A tenth of the deadline is kept for the answer.
        with Pay88(sandbox.config, transport=wire, policy=Policy(deadline=2)) as client:
            with pytest.raises(ConnectionFailed, match=r"deadline of 2 s.*nothing was sent"):
                client.charge(**CHARGE, key="order-1")
            assert wire.asked == [TOKEN]
            assert client.books is not None
            assert list(client.books.operations()["state"]) == ["refused"]
            # The token is there now, so the same key goes.
            assert client.charge(**CHARGE, key="order-1").reference


class Unreachable(InProcess):
    """A way on which no connection is made."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.at: list[float] = []
        self._clock = sandbox.clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.at.append(self._clock.monotonic())
        raise httpx.ConnectError("refused")


@pytest.mark.parametrize(
    ("deadline", "at"), [(90.0, [0, 1, 3, 7]), (7.0, [0, 1, 3]), (3.0, [0, 1]), (1.0, [0])]
)
def test_retries_do_not_go_past_the_deadline(deadline: float, at: list[float]) -> None:
    with Sandbox() as sandbox:
        wire = Unreachable(sandbox)
        with (
            Pay88(sandbox.config, transport=wire, policy=Policy(deadline=deadline)) as client,
            pytest.raises(ConnectionFailed, match="No connection"),
        ):
            client.balance()
    assert wire.at == at


def test_the_wait_for_a_place_does_not_use_the_deadline_up() -> None:
    with Sandbox(limits={"balance": (1, 1_000)}) as sandbox:
        with Pay88(sandbox.config, policy=Policy(deadline=5, max_wait=200)) as client:
            client.balance()
            sandbox.fault("balance", "status", status=503)
            # A minute for its place, and another one before the retry.
            assert client.balance().merchant_id == MERCHANT
        assert sandbox.clock.monotonic() == 120


@kinds
def test_the_real_wait_after_a_429_does_not_use_it_up_either(kind: str) -> None:
    with Sandbox(clock="real") as sandbox, sandbox.serve() as url:
        own = sandbox.config
        config = Config("local", url, str(own.api_key), own.merchant_id)
        sandbox.fault("balance", "status", status=429, retry_after=1)
        assert call(kind, config, "balance", Policy(deadline=0.9)).merchant_id == MERCHANT


@pytest.mark.skipif(sys.platform != "linux", reason="fills Linux's queue of connections")
@kinds
def test_who_is_not_connected_in_time_has_not_sent_anything(kind: str) -> None:
    with closing(socket.socket()) as listener, ExitStack() as others:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            other = others.enter_context(closing(socket.socket()))
            other.setblocking(False)
            other.connect_ex(listener.getsockname())
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = Config("local", address, "sk_test_abcdef", MERCHANT)
        with pytest.raises(ConnectionFailed, match="nothing was sent") as caught:
            call(kind, config, "charge", Policy(deadline=0.6, backoff=()))
        assert caught.value.sent is False


@kinds
def test_without_any_bound_it_works_as_well(kind: str) -> None:
    policy = Policy(deadline=math.inf, max_wait=math.inf)
    with Sandbox() as sandbox:
        own = sandbox.config
        with sandbox.serve() as url:
            config = Config("local", url, str(own.api_key), own.merchant_id)
            assert call(kind, config, "charge", policy, timeout=None).reference
        with Pay88(own, policy=policy) as client:
            assert client.charge(**CHARGE).reference
