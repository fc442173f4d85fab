"""Servers in processes of their own, and how to talk to them without an HTTP client."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from pay88kit import Sandbox

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
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


def post(
    path: str, headers: dict[str, str] | None = None, body: str = "", method: str = ""
) -> bytes:
    """The bytes of a request."""
    given = {"Host": HOST, "Content-Length": str(len(body)), **(headers or {})}
    lines = [f"{method or 'POST'} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in given.items())]
    return "\r\n".join([*lines, "", body]).encode()


def ask(port: int, request: bytes) -> bytes:
    """The answer to one request."""
    with socket.create_connection((HOST, port), timeout=10) as connection:
        connection.sendall(request)
        return _answer(connection)


# ---------------------------------------------------------------- who is measured


@dataclass(frozen=True)
class Contender:
    """A server to measure.

    Attributes:
        command: starts it on a port.
        health: a request that it answers with 200 when it is ready.
        create: the bytes of a create, with all it needs made before; asked for again each round.
        accepted: the status of a create that it took.
    """

    name: str
    command: Callable[[int], list[str]]
    health: bytes
    create: Callable[[int], bytes]
    accepted: int = 200


def sandbox(*options: str) -> Contender:
    """``pay88 sandbox`` without limits."""
    program = Path(sys.executable).with_name("pay88.exe" if os.name == "nt" else "pay88")

    def command(port: int) -> list[str]:
        return [str(program), "sandbox", "--no-limits", "--port", str(port), *options]

    return Contender("pay88 sandbox", command, HEALTH, _charge)


def static() -> Contender:
    """The floor under it: a fixed answer on the same server, asked the same."""

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "tests.bench.static_app", str(port)]

    token = {"Authorization": f"Bearer {'x' * 230}", "x-session-id": f"sess_{'x' * 36}"}
    request = post("/api/transactions/charges", token | JSON, json.dumps(CHARGE))
    return Contender("a fixed answer", command, HEALTH, lambda _: request)


JSON = {"Content-Type": "application/json"}
HEALTH = post("/_sandbox/health", method="GET")


def _charge(port: int) -> bytes:
    config = Sandbox().config  # the same seed has the same key
    key = {"x-api-key": str(config.api_key), "x-merchant-id": str(config.merchant_id)}
    headers = charge_headers(ask(port, post("/api/auth/token", key)))
    return post("/api/transactions/charges", headers, json.dumps(CHARGE))


def charge_headers(answer: bytes) -> dict[str, str]:
    """The headers of a charge, from the answer to the token call."""
    data = json.loads(answer[answer.index(b"{") :])["data"]
    return {
        "Authorization": f"Bearer {data['access_token']}",
        "x-session-id": data["session_id"],
        **JSON,
    }


# ---------------------------------------------------------------- processes


@dataclass(frozen=True)
class Running:
    """A server that is ready; ``seconds`` from its start to its first 200."""

    contender: Contender
    port: int
    process: psutil.Process
    seconds: float

    def cpu(self) -> float:
        """The seconds of processor time it has used."""
        return sum(sum(process.cpu_times()[:2]) for process in self._processes())

    def memory(self) -> float:
        """Its resident memory in MB."""
        return float(sum(process.memory_info().rss for process in self._processes())) / 1e6

    def _processes(self) -> list[psutil.Process]:
        # On Windows the program that is started is only a launcher.
        return [self.process, *self.process.children(recursive=True)]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(contender: Contender) -> Iterator[Running]:
    """Run a server.

    Raises:
        RuntimeError: it did not start.
    """
    port = free_port()
    quiet = subprocess.DEVNULL
    start = time.perf_counter()
    process = subprocess.Popen(contender.command(port), cwd=ROOT, stdout=quiet, stderr=quiet)
    try:
        while not _is_ready(port, contender.health):
            if process.poll() is not None or time.perf_counter() - start > 30:
                raise RuntimeError(f"{contender.name} did not start")
            time.sleep(0.002)
        seconds = time.perf_counter() - start
        yield Running(contender, port, psutil.Process(process.pid), seconds)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_ready(port: int, health: bytes) -> bool:
    try:
        return ask(port, health).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


# ---------------------------------------------------------------- load


@dataclass(frozen=True)
class Load:
    """What a load came to: wall seconds and the server's processor seconds for ``count``."""

    count: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Creates in a second."""
        return self.count / self.seconds


def load(server: Running, count: int, connections: int = 4, within: float | None = None) -> Load:
    """Up to ``count`` creates, no new one after ``within`` seconds.

    They go over a few kept connections with one request under way each. A server that closes its
    connections gets new ones.

    Raises:
        RuntimeError: a create was not accepted.
    """
    request = server.contender.create(server.port)
    accepted = f" {server.contender.accepted} ".encode()
    selector = selectors.DefaultSelector()

    def send(connection: socket.socket | None) -> None:
        if connection is None:
            connection = socket.create_connection((HOST, server.port), timeout=10)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ)
        connection.sendall(request)

    try:
        cpu, start = server.cpu(), time.perf_counter()
        sent, answered = min(connections, count), 0
        for _ in range(sent):
            send(None)
        while answered < sent:
            for key, _ in selector.select():
                connection: socket.socket = key.fileobj  # type: ignore[assignment]
                answer = _answer(connection)
                if accepted not in answer[:13]:
                    raise RuntimeError(
                        f"{server.contender.name}: {answer[:300].decode(errors='replace')}"
                    )
                answered += 1
                open_still: socket.socket | None = connection
                if b"\r\nconnection: close" in answer.partition(b"\r\n\r\n")[0].lower():
                    selector.unregister(connection)
                    connection.close()
                    open_still = None
                if sent < count and (within is None or time.perf_counter() - start < within):
                    send(open_still)
                    sent += 1
        return Load(answered, time.perf_counter() - start, server.cpu() - cpu)
    finally:
        for key in list((selector.get_map() or {}).values()):
            key.fileobj.close()  # type: ignore[union-attr]
        selector.close()


def _answer(connection: socket.socket) -> bytes:
    """One answer; it says its length."""
    received = b""
    while True:
        part = connection.recv(65536)
        if not part:
            raise ConnectionResetError("The server closed the connection.")
        received += part
        head, end, body = received.partition(b"\r\n\r\n")
        if end:
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            if len(body) >= int(length):
                return received
