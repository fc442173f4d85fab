"""The way to 88Pay: certificates, proxies, redirects, hooks and transports of one's own."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support import BALANCE, CHARGES, MERCHANT, TOKEN, Delivery, Endpoint, Say

from pay88kit import (
    AsyncPay88,
    Config,
    ConfigError,
    ConnectionFailed,
    OutcomeUnknown,
    Pay88,
    Policy,
    Sandbox,
    StatusError,
)
from pay88kit.client.transports import InProcess
from pay88kit.sandbox.reply import Ask

# A name that is not this machine's, though it leads here in these tests.
ELSEWHERE = "api.pay88.example"
CHARGE: dict[str, Any] = {
    "method_code": "PSE",
    "amount": 50000,
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
    "notification_url": "https://shop.example/webhooks/88pay",
}


@dataclass
class Certificates:
    """An authority of our own, and what it has signed for this machine and for ELSEWHERE."""

    authority: Path
    server: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("tls")
    now = dt.datetime.now(dt.UTC)

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def start(subject: str, key: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("An authority of a test"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = (
        start("An authority of a test", ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName(
        [
            x509.DNSName(ELSEWHERE),
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
    )
    signed = start(ELSEWHERE, key).add_extension(names, critical=False)
    pem = serialization.Encoding.PEM
    made = Certificates(folder / "authority.pem", folder / "server.pem")
    made.authority.write_bytes(authority.public_bytes(pem))
    made.server.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.sign(ca_key, hashes.SHA256()).public_bytes(pem)
    )
    return made


@dataclass
class Secure:
    """A sandbox behind TLS."""

    sandbox: Sandbox
    port: int

    def config(self, host: str = ELSEWHERE) -> Config:
        own = self.sandbox.config
        return Config("sandbox", f"https://{host}:{self.port}", str(own.api_key), own.merchant_id)

    def asked(self) -> list[str]:
        return [request["path"] for request in self.sandbox.requests()]


@pytest.fixture
def secure(certificates: Certificates) -> Iterator[Secure]:
    with Sandbox(clock="real") as sandbox:

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                query = dict(parse_qsl(parts.query))
                reply = sandbox.handle(Ask("POST", parts.path, query, headers, body))
                self.send_response(reply.status)
                for header, value in reply.headers.items():
                    self.send_header(header, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a client that does not believe the certificate hangs up

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server)
        server = Server(("127.0.0.1", 0), Handler)
        server.daemon_threads, server.block_on_close = True, False
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield Secure(sandbox, server.server_port)
        server.shutdown()
        server.server_close()


@pytest.fixture
def leads_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that end in ``.example`` are this machine's."""
    look_up = socket.getaddrinfo

    def here(host: Any, *args: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        return look_up("127.0.0.1" if name.endswith(".example") else host, *args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", here)


def balance(kind: str, config: Config, **named: Any) -> str | None:
    """One call; whose balance it was."""
    named = {"policy": Policy(backoff=()), "books": False, **named}
    if kind == "sync":
        with Pay88(config, **named) as client:
            return client.balance().merchant_id

    async def story() -> str | None:
        async with AsyncPay88(config, **named) as client:
            return (await client.balance()).merchant_id

    return asyncio.run(story())


kinds = pytest.mark.parametrize("kind", ["sync", "async"])


# ---------------------------------------------------------------- certificates


@kinds
def test_where_nothing_is_encrypted_no_certificates_are_loaded(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("certificates were loaded")

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", load)
    with Sandbox() as sandbox, sandbox.serve() as url, Endpoint() as endpoint:
        own = sandbox.config
        config = Config("local", url, str(own.api_key), own.merchant_id)
        assert balance(kind, config) == MERCHANT
        with Pay88(own) as client:
            paid = client.charge(
                method_code="PSE", amount=50000, currency="COP", country="COL",
                description="Order 1001", customer_id="c-7", notification_url=endpoint.url,
            )  # fmt: skip
        sandbox.complete(paid.reference)
        # The endpoint was called: the notification came.
        assert [json.loads(each.body)["transaction_reference"] for each in endpoint.received] == [
            paid.reference
        ]


@kinds
def test_an_unknown_authority_is_refused(kind: str, secure: Secure, leads_here: None) -> None:
    with pytest.raises(ConnectionFailed, match="certificate") as caught:
        balance(kind, secure.config())
    assert caught.value.sent is False
    assert secure.asked() == []


@kinds
@pytest.mark.parametrize("host", [ELSEWHERE, "localhost"])
def test_an_authority_of_ones_own(
    kind: str, host: str, secure: Secure, certificates: Certificates, leads_here: None
) -> None:
    context = ssl.create_default_context(cafile=certificates.authority)
    assert balance(kind, secure.config(host), verify=context) == MERCHANT
    assert secure.asked() == [TOKEN, BALANCE]


@kinds
@pytest.mark.parametrize("host", [ELSEWHERE, "localhost"])
def test_an_authority_in_the_environment(
    kind: str,
    host: str,
    secure: Secure,
    certificates: Certificates,
    leads_here: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    assert balance(kind, secure.config(host)) == MERCHANT


@kinds
def test_a_certificate_of_another_name_is_refused(
    kind: str, secure: Secure, certificates: Certificates, leads_here: None
) -> None:
    context = ssl.create_default_context(cafile=certificates.authority)
    with pytest.raises(ConnectionFailed, match="certificate"):
        balance(kind, secure.config("another.example"), verify=context)
    assert secure.asked() == []


@kinds
@pytest.mark.parametrize("verify", [False, None, 0, "", "/etc/ssl/cert.pem"])
def test_the_check_cannot_be_switched_off(kind: str, verify: Any) -> None:
    config = Config("sandbox", api_key="sk_test_abcdef", merchant_id=MERCHANT)
    with pytest.raises(ConfigError, match=r"verify: .* always checked"):
        balance(kind, config, verify=verify)


def test_production_is_refused_without_encryption_even_on_this_machine() -> None:
    for address in ("http://127.0.0.1:8088", "http://localhost", "http://api.88pay.io"):
        with pytest.raises(ConfigError, match="unencrypted"):
            Config("production", address, "sk_live_abcdef", MERCHANT)


# ---------------------------------------------------------------- proxies


@contextmanager
def forward_proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that connects every name to this machine; and the names it was asked for."""
    asked: list[str] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve(peer: socket.socket) -> None:
        with peer:
            head = b""
            while b"\r\n\r\n" not in head:
                head += peer.recv(65_536)
            method, target, _ = head.split(b"\r\n")[0].decode().split()
            asked.append(f"{method} {target}")
            port = int(target.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as there:
                peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=pump, args=(there, peer), daemon=True)
                back.start()
                pump(peer, there)
                back.join(5)

    def accept() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(peer,), daemon=True).start()

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        listener.shutdown(socket.SHUT_RDWR)


@kinds
@pytest.mark.parametrize("given", ["argument", "environment"])
def test_a_proxy_is_used(
    kind: str,
    given: str,
    secure: Secure,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = ssl.create_default_context(cafile=certificates.authority)
    with forward_proxy() as (url, asked):
        named: dict[str, Any] = {"verify": context}
        if given == "argument":
            named["proxy"] = url
        else:
            monkeypatch.setenv("HTTPS_PROXY", url)
        assert balance(kind, secure.config(), **named) == MERCHANT
        # The name is not even looked up here: the proxy does.
        assert asked == [f"CONNECT {ELSEWHERE}:{secure.port}"]
    assert secure.asked() == [TOKEN, BALANCE]


@kinds
def test_this_machine_is_reached_without_the_environments_proxy(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox() as sandbox, sandbox.serve() as url, forward_proxy() as (proxy, asked):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("ALL_PROXY", proxy)
        own = sandbox.config
        config = Config("local", url, str(own.api_key), own.merchant_id)
        assert balance(kind, config) == MERCHANT
        # Nor does a sandbox in this process need any.
        assert balance(kind, own) == MERCHANT
        assert balance(kind, own, proxy=proxy) == MERCHANT
        assert asked == []


@kinds
def test_a_proxy_that_is_not_there_is_named_as_not_sent(kind: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = Config("sandbox", api_key="sk_test_abcdef", merchant_id=MERCHANT)
    with pytest.raises(ConnectionFailed, match="nothing was sent") as caught:
        balance(kind, config, proxy=nobody)
    assert caught.value.sent is False


# ---------------------------------------------------------------- redirects


@kinds
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", [TOKEN, BALANCE])
def test_credentials_do_not_follow_a_redirect(kind: str, status: int, path: str) -> None:
    with Endpoint() as thief:

        def answer(delivery: Delivery) -> Say:
            if delivery.path.startswith(path):
                return Say(status, {"Location": thief.url}, b"")
            data = b'{"data": {"access_token": "t", "expires_in": 60, "session_id": "sess_1"}}'
            return Say(body=data)

        with Endpoint(answer) as moved:
            address = moved.url.removesuffix("/hook")
            config = Config("local", address, "sk_test_abcdef", MERCHANT)
            with pytest.raises(StatusError) as caught:
                balance(kind, config)
        assert caught.value.status_code == status
        assert thief.received == []


# ---------------------------------------------------------------- hooks and transports


@kinds
@pytest.mark.parametrize("served", [True, False])
def test_hooks_see_every_request_and_may_read_every_answer(kind: str, served: bool) -> None:
    seen: list[tuple[str, bytes | int]] = []

    def before(request: httpx.Request) -> None:
        seen.append((request.url.path, b""))

    def after(response: httpx.Response) -> None:
        seen.append((response.request.url.path, response.read()))

    async def abefore(request: httpx.Request) -> None:
        before(request)

    async def aafter(response: httpx.Response) -> None:
        await response.aread()
        after(response)

    hooks = {"request": [before], "response": [after]}
    if kind == "async":
        hooks = {"request": [abefore], "response": [aafter]}
    with Sandbox() as sandbox, sandbox.serve() as url:
        own = sandbox.config
        config = Config("local", url, str(own.api_key), own.merchant_id) if served else own
        assert balance(kind, config, event_hooks=hooks) == MERCHANT
    assert [path for path, _ in seen] == [TOKEN, TOKEN, BALANCE, BALANCE]
    assert b"access_token" in bytes(seen[1][1])
    assert b"total_payin" in bytes(seen[3][1])


@kinds
def test_a_hook_that_fails_leaves_a_create_unknown(kind: str) -> None:
    def fail(response: httpx.Response) -> None:
        if response.request.url.path == CHARGES:
            raise RuntimeError("the hook's own fault")

    async def afail(response: httpx.Response) -> None:
        fail(response)

    hooks = {"response": [fail if kind == "sync" else afail]}
    with Sandbox() as sandbox:
        make: Any = Pay88 if kind == "sync" else AsyncPay88
        client = make(sandbox.config, event_hooks=hooks)

        def charge() -> None:
            answer = client.charge(**CHARGE, key="order-1")
            if kind == "async":
                asyncio.run(answer)

        with pytest.raises(OutcomeUnknown, match="RuntimeError") as caught:
            charge()
        assert caught.value.key == "order-1"
        assert len(sandbox.transactions()) == 1


class Noting(InProcess):
    """A transport of one's own."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.paths: list[str] = []

    def _answer(self, request: httpx.Request, body: bytes) -> Any:
        self.paths.append(request.url.path)
        return super()._answer(request, body)


@kinds
def test_a_transport_of_ones_own_carries_everything(kind: str) -> None:
    with Sandbox() as sandbox:
        transport = Noting(sandbox)
        own = sandbox.config
        config = Config("sandbox", None, str(own.api_key), own.merchant_id, clock=own.clock)
        assert balance(kind, config, transport=transport) == MERCHANT
        assert transport.paths == [TOKEN, BALANCE]


@kinds
def test_httpxs_own_transport_may_be_given(kind: str) -> None:
    transport = (httpx.HTTPTransport if kind == "sync" else httpx.AsyncHTTPTransport)(retries=1)
    with Sandbox() as sandbox, sandbox.serve() as url:
        own = sandbox.config
        config = Config("local", url, str(own.api_key), own.merchant_id)
        assert balance(kind, config, transport=transport) == MERCHANT


@kinds
def test_a_time_out_of_ones_own(kind: str) -> None:
    with Sandbox(clock="real") as sandbox, sandbox.serve() as url:
        own = sandbox.config
        config = Config("local", url, str(own.api_key), own.merchant_id)
        sandbox.fault("balance", "latency", seconds=1)
        with pytest.raises(ConnectionFailed, match="ReadTimeout"):
            balance(kind, config, timeout=httpx.Timeout(0.2))
