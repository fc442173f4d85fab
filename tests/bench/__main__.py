"""``make bench``: ratios, measured side by side in one run. It reports; it never fails a build."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median

import httpx

from pay88kit import Config, Pay88, Sandbox
from pay88kit.sandbox.reply import Ask
from tests.bench import servers
from tests.bench.measure import ROUNDS, Row, as_table, rate, say, side_by_side

KIT = "from pay88kit import Pay88"
FLOOR = """
import httpx
from pydantic import BaseModel
class Thing(BaseModel):
    name: str
    amount: int
"""
CHARGE = {
    "flow": "PAYIN",
    "method_code": "CARDS",
    "method_category": "CARD",
    "amount": 50000,
    "currency": "COP",
    "country": "COL",
    "description": "A benchmark",
    "customer_id": "CUST-1",
    "notification_url": "http://127.0.0.1:9/hook",
    "return_url": "http://127.0.0.1:9/back",
}


def imports() -> Iterator[Row]:
    """A fresh process each time; without bytecode compilation, which the first turn does."""

    def process(code: str) -> Callable[[], float]:
        def run() -> float:
            start = time.perf_counter()
            subprocess.run([sys.executable, "-I", "-c", code], check=True)
            return (time.perf_counter() - start) * 1000

        return run

    def inside(code: str) -> Callable[[], float]:
        timed = (
            f"import time; start = time.perf_counter()\n{code}\n"
            f"print((time.perf_counter() - start) * 1000)"
        )

        def run() -> float:
            command = [sys.executable, "-I", "-c", timed]
            return float(subprocess.run(command, check=True, capture_output=True).stdout)

        return run

    floor = "httpx and a model"
    kit, httpx_and_model = side_by_side(process(KIT), process(FLOOR), 3 * ROUNDS)
    yield Row("import Pay88, process", kit, "ms", floor, httpx_and_model, "≤ 1.3")
    kit, httpx_and_model = side_by_side(inside(KIT), inside(FLOOR), 3 * ROUNDS)
    yield Row("import Pay88, import alone", kit, "ms", floor, httpx_and_model, "≤ 1.3")


def calls() -> Iterator[Row]:
    """Balance calls over HTTP: the client against bare httpx, on one served sandbox."""
    port = servers.free_port()
    known = Sandbox().config  # the same seed has the same key
    config = Config(
        environment="local",
        base_url=f"http://127.0.0.1:{port}",
        api_key=known.api_key,
        merchant_id=known.merchant_id,
    )
    url = f"{config.base_url}/api/balance?id={config.merchant_id}"
    with (
        servers.running(servers.sandbox_command(port), port),
        Pay88(config, books=False) as client,
        httpx.Client() as http,
    ):

        def through_pay88() -> float:
            client.token(fresh=True)
            return rate(client.balance, 300)

        def through_httpx() -> float:
            headers = {name: str(value) for name, value in client.token(fresh=True).headers.items()}
            return rate(lambda: http.post(url, headers=headers).raise_for_status().json(), 300)

        kit, bare = side_by_side(through_pay88, through_httpx, 2 * ROUNDS + 1)
    yield Row("balance calls", kit, "/s", "bare httpx", bare, "≥ 0.8")


def charges() -> Iterator[Row]:
    """Charges that the sandbox answers: over HTTP against a fixed answer, and in process."""
    body = json.dumps(CHARGE)
    config = Sandbox().config
    key = {"x-api-key": str(config.api_key), "x-merchant-id": str(config.merchant_id)}
    port, static_port = servers.free_port(), servers.free_port()

    def request() -> bytes:
        answer = servers.ask(port, servers.post("/api/auth/token", key))
        return servers.post("/api/transactions/charges", _headers(answer), body)

    with (
        servers.running(servers.sandbox_command(port), port),
        servers.running(servers.static_command(static_port), static_port),
    ):
        made, static = side_by_side(
            lambda: servers.raw_rate(port, request(), 1000),
            lambda: servers.raw_rate(static_port, request(), 1000),
        )
    yield Row("sandbox charges, HTTP", made, "/s", "a fixed answer", static)

    sandbox = Sandbox(limits=None)
    answer = sandbox.handle(Ask("POST", "/api/auth/token", headers=key)).body
    headers = {name.lower(): value for name, value in _headers(answer).items()}
    charge = Ask("POST", "/api/transactions/charges", headers=headers, body=body.encode())
    if sandbox.handle(charge).status != 200:
        raise RuntimeError("The sandbox refuses the charge.")
    made = median(rate(lambda: sandbox.handle(charge), 1000) for _ in range(ROUNDS))
    yield Row("sandbox charges, in process", made, "/s")


def _headers(answer: bytes) -> dict[str, str]:
    """The headers of a charge, from the answer to the token call."""
    data = json.loads(answer[answer.index(b"{") :])["data"]
    return {
        "Authorization": f"Bearer {data['access_token']}",
        "x-session-id": data["session_id"],
        "Content-Type": "application/json",
    }


def cold_start() -> Iterator[Row]:
    """From the start of the process to the first 200."""

    def start(command: Callable[[int], list[str]]) -> Callable[[], float]:
        def run() -> float:
            port = servers.free_port()
            with servers.running(command(port), port) as seconds:
                return seconds * 1000

        return run

    kit, floor = side_by_side(start(servers.sandbox_command), start(servers.static_command))
    yield Row("pay88 sandbox, cold start", kit, "ms", "a fixed answer", floor)


def main() -> None:
    """Measure everything, print the table."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]  # everything here is on this machine
    rows: list[Row] = []
    for part in (imports, calls, charges, cold_start):
        say(f"bench: {part.__name__.replace('_', ' ')} …")
        try:
            rows += part()
        except Exception as error:
            say(f"bench: {part.__name__}: {type(error).__name__}: {error}")
    print(f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}")
    print(f"Medians of at least {ROUNDS}, measured in turns; ratio: the first figure ÷ the second.")
    print()
    print(as_table(rows))


if __name__ == "__main__":
    main()
