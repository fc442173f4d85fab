"""What several test files share: a raw caller of 88Pay's paths, and a merchant's endpoint."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from pay88kit import Sandbox
from pay88kit.client.transports import InProcess

# Contract, section 9: the one merchant of a new sandbox.
MERCHANT = "MCH-COL-29ZTP4"
TOKEN = "/api/auth/token"
CHARGES = "/api/transactions/charges"
CASH = "/api/transactions/cash"
CASHOUT = "/api/transactions/cashout-bank-transfer"
BALANCE = "/api/balance"
PATHS = (TOKEN, CHARGES, CASH, CASHOUT, BALANCE)

BANK_DETAILS = {
    "bank_name": "Bancolombia",
    "account_number": "1234567890",
    "account_type": "SAVINGS",
    "holder_name": "Ana Pérez",
    "identification": "900123456",
}
CATEGORIES = {
    "CARDS": "CARD",
    "BANK_TRANSFER": "BANK",
    "CASH": "CASH",
    "NEQUI": "WALLET",
    "DAVIPLATA": "WALLET",
    "PAYPAL": "WALLET",
    "USDT": "CRYPTO",
    "PSE": "BANK",
    "OXXO": "CASH",
    "SPEI": "BANK",
}


def charge_body(method: str = "PSE", **changes: Any) -> dict[str, Any]:
    """The documented body of a charge; a change to ``...`` leaves the field out."""
    place = {"OXXO": ("MXN", "MEX"), "SPEI": ("MXN", "MEX"), "USDT": ("USD", "COL")}
    currency, country = place.get(method, ("COP", "COL"))
    body = {
        "flow": "PAYIN",
        "method_code": method,
        "method_category": CATEGORIES.get(method, "BANK"),
        "amount": 50000,
        "currency": currency,
        "country": country,
        "description": "Order 1001",
        "customer_id": "customer-7",
        "notification_url": "https://shop.example/webhooks/88pay",
        "return_url": "https://shop.example/thanks",
    }
    return {name: value for name, value in (body | changes).items() if value is not ...}


def cashout_body(**changes: Any) -> dict[str, Any]:
    """The kit's body of a cashout; a change to ``...`` leaves the field out."""
    body = {
        "flow": "PAYOUT",
        "method_code": "BANK_TRANSFER",
        "method_category": "BANK",
        "amount": 50000,
        "currency": "COP",
        "country": "COL",
        "description": "Payout 7",
        "customer_id": "supplier-7",
        "notification_url": "https://shop.example/webhooks/88pay",
        "bank_details": BANK_DETAILS,
    }
    return {name: value for name, value in (body | changes).items() if value is not ...}


class Caller:
    """A merchant's own few lines against 88Pay's paths, without the kit's client."""

    def __init__(self, http: httpx.Client, merchant_id: str, api_key: str) -> None:
        self.http = http
        self.merchant_id = merchant_id
        self.api_key = api_key

    def token(self) -> httpx.Response:
        headers = {"x-api-key": self.api_key, "x-merchant-id": self.merchant_id}
        return self.http.post(TOKEN, headers=headers)

    def headers(self) -> dict[str, str]:
        """Those of an authenticated call, with a token of its own."""
        answer = self.token()
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        return {
            "Authorization": f"Bearer {data['access_token']}",
            "x-session-id": data["session_id"],
        }

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        headers = self.headers() if headers is None else headers
        content = body
        if body is not None and not isinstance(body, bytes):
            content = json.dumps(body).encode()
        if body is not None:
            headers = {"Content-Type": "application/json", **headers}
        return self.http.post(path, content=content, headers=headers, params=params)

    def charge(self, method: str = "PSE", **changes: Any) -> str:
        """The reference of a charge that was accepted."""
        answer = self.post(CHARGES, charge_body(method, **changes))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["reference"])

    def cashout(self, **changes: Any) -> str:
        """The reference of a cashout that was accepted."""
        answer = self.post(CASHOUT, cashout_body(**changes))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["reference"])

    def balance(self) -> dict[str, Any]:
        """The five figures."""
        answer = self.post(BALANCE, params={"id": self.merchant_id})
        assert answer.status_code == 200, answer.text
        summary = answer.json()["data"]["balance_summary"]
        assert isinstance(summary, dict)
        return summary


def in_process(sandbox: Sandbox) -> httpx.Client:
    """A plain client whose requests reach a sandbox without a socket."""
    return httpx.Client(transport=InProcess(sandbox), base_url="http://pay88.local")


def caller(sandbox: Sandbox, http: httpx.Client | None = None) -> Caller:
    """The merchant that a new sandbox has."""
    config = sandbox.config
    return Caller(http or in_process(sandbox), str(config.merchant_id), str(config.api_key))


# Nothing here is encrypted, and loading certificates takes longer than most tests.
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def plain_http(base_url: str = "") -> httpx.Client:
    """A client for servers on this machine."""
    return httpx.Client(base_url=base_url, trust_env=False, verify=_NO_CERTIFICATES, timeout=120)


@contextmanager
def served(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A plain client of a sandbox that is served on loopback."""
    with (
        sandbox.serve() as url,
        plain_http(url) as http,
    ):
        yield http


@dataclass(frozen=True)
class Delivery:
    """One request that an endpoint received."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Say:
    """What an endpoint answers."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"received": true}'


class Endpoint:
    """A merchant's webhook endpoint: a real server on loopback, one thread per request."""

    def __init__(self, answer: Callable[[Delivery], Say] = lambda delivery: Say()) -> None:
        self.answer = answer
        self.received: list[Delivery] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                delivery = Delivery(self.command, self.path, headers, body)
                endpoint.received.append(delivery)
                said = endpoint.answer(delivery)
                try:
                    self.send_response(said.status)
                    for name, value in said.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(said.body)))
                    self.end_headers()
                    self.wfile.write(said.body)
                except OSError:
                    pass  # the caller has given up

            do_POST = do_GET = _serve  # noqa: N815 - http.server's names

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
