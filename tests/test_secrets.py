"""What must not be found: in chained errors, in frames, after a pickle, in a traceback's locals."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

import httpx
import pytest

from pay88kit import (
    ConnectionFailed,
    Inbox,
    KeyConflict,
    OutcomeUnknown,
    Pay88,
    RateLimited,
    Sandbox,
    WebhookRefused,
    to_frame,
)


class Broken(httpx.BaseTransport):
    """A network that breaks after the token."""

    def __init__(self, sandbox: Sandbox, error: Exception) -> None:
        self._inner = Pay88(sandbox.config, books=False)._http._transport
        self._error = error

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return self._inner.handle_request(request)
        raise self._error


CHARGE: dict[str, Any] = {
    "method_code": "PSE",
    "amount": 50_000,
    "currency": "COP",
    "country": "COL",
    "description": "Order",
    "customer_id": "c",
    "notification_url": "https://shop.example/hook",
}


def chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


@pytest.mark.parametrize("error", [httpx.ReadTimeout("slow"), httpx.DecodingError("gzip")])
def test_no_error_drags_a_request_with_its_headers_along(error: Exception) -> None:
    with Sandbox() as sandbox:
        client = Pay88(sandbox.config, transport=Broken(sandbox, error), books="sqlite://")
        with pytest.raises(OutcomeUnknown) as caught:
            client.charge(key="order-1", **CHARGE)
        for link in chain(caught.value):
            assert not hasattr(link, "request")
        assert client.books is not None
        assert client.books.operations()["state"].tolist() == ["unknown"]


@pytest.mark.parametrize("error", [RecursionError(), OSError("gone"), ValueError("odd")])
def test_whatever_breaks_after_sending_leaves_the_outcome_unknown(error: Exception) -> None:
    with Sandbox() as sandbox:
        client = Pay88(sandbox.config, transport=Broken(sandbox, error), books="sqlite://")
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                client.charge(key="order-1", **CHARGE)
        assert client.books is not None
        assert client.books.operations()["state"].tolist() == ["unknown"]


def test_a_frame_shows_no_secret() -> None:
    with Sandbox() as sandbox:
        client = Pay88(sandbox.config)
        token = client.token()
        told = to_frame(token).to_string() + to_frame(sandbox.merchants()).to_string()
        secrets = (token.access_token, token.session_id, client.config.api_key)
        for secret in (*secrets, client.config.webhook_secret):
            assert str(secret) not in told


def test_a_refusal_shows_no_secret_not_even_with_its_local_variables() -> None:
    secret = "whsec_" + "canary" * 6
    with Sandbox() as sandbox, Inbox(sandbox.config, secret=secret) as inbox:
        try:
            inbox.receive(b"{}", None)
        except WebhookRefused as error:
            told = "".join(
                traceback.TracebackException.from_exception(error, capture_locals=True).format()
            )
    _mine, _, kits = told.partition("receiver.py")
    assert kits
    assert "canary" * 6 not in kits


@pytest.mark.parametrize(
    "error",
    [
        OutcomeUnknown("charge", "No answer came.", key="order-1", marker="op-1"),
        RateLimited("token", 429, "Slow down", session_tail="504b", retry_after=7),
        ConnectionFailed("balance", "No connection.", sent=True),
        KeyConflict("order-1", "charge", ["amount"]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_travel_between_processes(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))


def test_a_secret_alone_behaves_as_outside_local() -> None:
    with Inbox(secret="only a secret", books="sqlite://") as inbox:
        assert inbox.config.environment == "sandbox"
        body = (
            b'{"transaction_id": "t", "transaction_status": "COMPLETED", "transaction_amount": "5"}'
        )
        received = inbox.receive(body, "Bearer of-another-cipher")
        assert received.outcome == "unverified"
