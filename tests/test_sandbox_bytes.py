"""Any bytes at all, sent to a served sandbox: an answer in 88Pay's form, and it goes on."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pay88kit import Sandbox


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with Sandbox() as sandbox, sandbox.serve() as url:
        yield int(url.rpartition(":")[2])


def exchange(port: int, sent: bytes, *, whole: bool = False) -> bytes:
    """What comes back for these bytes, until the other side closes the connection.

    A ``whole`` request asks for that itself; of anything else, nothing more comes.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(sent)
        if not whole:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while part := connection.recv(65_536):
                answer += part
        except ConnectionResetError:
            pass
        return answer


def check(answer: bytes) -> None:
    """An error in 88Pay's envelope, with a status that is not the sandbox's own fault."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert 400 <= status < 500, answer
    envelope = json.loads(body)
    assert (envelope["status"], envelope["code"]) == ("Error", status)
    assert b"Traceback" not in body


@pytest.mark.parametrize(
    "line",
    [
        "BREW /coffee HTTP/1.1", "CONNECT 127.0.0.1:80 HTTP/1.1", "GET ?x HTTP/1.1",
        "GET / HTTP/9.9", "POST  /api/balance HTTP/1.1", "GET /" + "x" * 70_000 + " HTTP/1.1",
        "NONSENSE", "POST /api/%ff%fe HTTP/1.1", "GET http://other.example/api/balance HTTP/1.1",
    ],
)  # fmt: skip
def test_a_request_that_is_none(port: int, line: str) -> None:
    check(exchange(port, f"{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()))


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Length: x", "Content-Length: -1", "Content-Length: 5\r\nContent-Length: 6",
        "Transfer-Encoding: nonsense", "no colon", "Bad\x00Name: x",
    ],
)  # fmt: skip
def test_headers_that_are_none(port: int, fields: str) -> None:
    start = "POST /api/auth/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    answer = exchange(port, f"{start}{fields}\r\n\r\n".encode())
    check(answer)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes(port: int, sent: bytes) -> None:
    answer = exchange(port, sent + b"\r\n\r\n")
    # Bytes that do not get to the end of a request have no answer.
    if answer:
        check(answer)
    health = b"GET /_sandbox/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert b"200 OK" in exchange(port, health, whole=True)
