"""What the filter takes out of the log lines of httpx and httpcore, and what it leaves."""

from __future__ import annotations

import logging

import pytest
from support import Endpoint, Say, plain_http

from pay88kit.client.logs import Masked, mask_http_logs


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/api/balance?id=MCH-COL-CANARY99", "/api/balance?id=…"),
        ("/v2/api/balance?id=another-form&x=1", "/v2/api/balance?id=…&x=1"),
        ("/api/balance?x=1&id=MCH%2DCOL%2D1", "/api/balance?x=1&id=…"),
        ("/api/merchants/MCH-COL-CANARY99/fees", "/api/merchants/…/fees"),
        ("/orders?id=7", "/orders?id=7"),
    ],
)
def test_the_merchant_id_in_an_address(
    address: str, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    mask_http_logs()
    caplog.set_level(logging.DEBUG)
    with Endpoint() as server, plain_http() as http:
        base = server.url.removesuffix("/hook")
        http.post(base + address)
        # Only the line is rewritten; what is sent is not.
        assert server.received[0].path == address
    assert f'HTTP Request: POST {base}{shown} "HTTP/1.0 200 OK"' in caplog.messages


def test_headers_of_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    mask_http_logs()
    caplog.set_level(logging.DEBUG)
    hidden = {"X-Session-Id": "canary'1", "Set-Cookie": 'a="canary2"', "x-api-key": "canary3"}
    with (
        Endpoint(lambda _: Say(200, {**hidden, "X-Other": "seen"})) as server,
        plain_http() as http,
    ):
        http.get(server.url)
    assert "(b'X-Other', b'seen')" in caplog.text
    assert "(b'Set-Cookie', b'…')" in caplog.text
    assert "canary" not in caplog.text


def test_it_is_put_on_once_and_lets_broken_records_through() -> None:
    mask_http_logs()
    mask_http_logs()
    logger = logging.getLogger("httpx")
    (present,) = [known for known in logger.filters if isinstance(known, Masked)]
    broken = logging.LogRecord("httpx", logging.INFO, "", 0, "%s %s", ("one",), None)
    assert present.filter(broken)
    assert (broken.msg, broken.args) == ("%s %s", ("one",))
