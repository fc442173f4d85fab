"""The shop that the guide shows, sold from and judged."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import plain_http

from pay88kit import Sandbox, check_endpoint
from pay88kit.serving import Server, bind

SHOP = Path(__file__).resolve().parents[1] / "notebooks" / "shop.py"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(clock="real") as sandbox:
        yield sandbox


@pytest.fixture
def shop(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module as a merchant runs it: configured by its surroundings, served at its address."""
    free = bind()
    port = free.getsockname()[1]
    free.close()
    with sandbox.serve() as url:
        config = sandbox.config
        settings = {
            "PAY88_BASE_URL": url,
            "PAY88_API_KEY": str(config.api_key),
            "PAY88_MERCHANT_ID": str(config.merchant_id),
            "PAY88_WEBHOOK_SECRET": str(config.webhook_secret),
            "PAY88_BOOKS": "sqlite://",
            "SHOP_URL": f"http://127.0.0.1:{port}",
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        spec = importlib.util.spec_from_file_location("shop", SHOP)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        server = Server(module.app, port)
        yield module
        server.close()
        module.inbox.close()
        module.client.close()


def test_it_is_short() -> None:
    assert len(SHOP.read_text("utf-8").splitlines()) <= 60


def test_an_order_is_sold_once(shop: Any, sandbox: Sandbox) -> None:
    with plain_http(shop.HOME) as customer:
        assert "Buy" in customer.get("/").text
        bought = customer.post("/orders/1001")
        assert bought.status_code == 303
        # A double click.
        assert customer.post("/orders/1001").headers["location"] == bought.headers["location"]
        (charge,) = sandbox.transactions()
        # The checkout is there, and what it leads back to promises nothing.
        assert plain_http().get(bought.headers["location"]).status_code == 200
        assert "is waiting" in customer.get("/orders/1001").text
        sandbox.complete(charge["reference"])
        shop.inbox.wait_for_handlers()
        assert "is paid" in customer.get("/orders/1001").text
        assert shop.paid == {"1001": 50_000}
        sandbox.resend(sandbox.webhooks(charge["reference"])[0]["id"])
        shop.inbox.wait_for_handlers()
        assert len(shop.inbox.handlings()) == 1


def test_a_declined_order_is_not_paid(shop: Any, sandbox: Sandbox) -> None:
    with plain_http(shop.HOME) as customer:
        customer.post("/orders/1002")
        sandbox.reject(sandbox.transactions()[0]["reference"])
        shop.inbox.wait_for_handlers()
        assert "is waiting" in customer.get("/orders/1002").text
        # A stranger's order number is text.
        assert "<script>" not in customer.get("/orders/<script>").text


def test_its_endpoint_is_judged(shop: Any, sandbox: Sandbox) -> None:
    check = check_endpoint(shop.inbox.url, str(sandbox.config.webhook_secret))
    assert check.ok, check.text()
