"""Servers in processes of their own, and how to talk to them without an HTTP client."""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.measure import SECONDS

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"


def sandbox_command(port: int) -> list[str]:
    """``pay88 sandbox`` without limits."""
    program = Path(sys.executable).with_name("pay88.exe" if os.name == "nt" else "pay88")
    return [str(program), "sandbox", "--no-limits", "--port", str(port)]


def static_command(port: int) -> list[str]:
    """The floor under it."""
    return [sys.executable, "-m", "tests.bench.static_app", str(port)]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int) -> Iterator[float]:
    """Run a server; yields the seconds from its start to its first 200."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        while not _is_ready(port):
            if process.poll() is not None or time.perf_counter() - start > 30:
                raise RuntimeError(f"{' '.join(command)} did not start")
            time.sleep(0.002)
        yield time.perf_counter() - start
    finally:
        process.terminate()
        process.wait()


def _is_ready(port: int) -> bool:
    try:
        return ask(port, post("/_sandbox/health", method="GET")).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


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


def raw_rate(port: int, request: bytes, count: int, connections: int = 4) -> float:
    """Requests answered in a second, over a few kept connections with one request under way each.

    Raises:
        RuntimeError: an answer is not a 200.
    """
    selector = selectors.DefaultSelector()
    opened = [socket.create_connection((HOST, port), timeout=10) for _ in range(connections)]
    try:
        for connection in opened:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ)
        start = time.perf_counter()
        for connection in opened:
            connection.sendall(request)
        sent, answered, spent = connections, 0, 0.0
        while answered < count and spent < SECONDS:
            for key, _ in selector.select():
                connection = key.fileobj  # type: ignore[assignment]
                answer = _answer(connection)
                if not answer.startswith(b"HTTP/1.1 200 "):
                    raise RuntimeError(answer.decode(errors="replace"))
                answered += 1
                if sent < count:
                    connection.sendall(request)
                    sent += 1
            spent = time.perf_counter() - start
        return answered / spent
    finally:
        selector.close()
        for connection in opened:
            connection.close()


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
