"""A sandbox that plays production: it looks like the real one, and stays in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import charge_body

from pay88kit import AsyncPay88, Books, Config, ConfigError, Inbox, Pay88, Sandbox, WrongUse
from pay88kit.doctor import Doctor, Verdict

HOOK = "https://shop.example/webhooks/88pay"
CHARGE = {name: charge_body()[name] for name in ("method_code", "amount", "currency", "country")}
CHARGE |= {"description": "Order 1001", "customer_id": "customer-7"}


@pytest.fixture
def stage() -> Any:
    with Sandbox(environment="production") as sandbox:
        yield sandbox


def test_its_configuration_is_productions_and_masked(stage: Sandbox) -> None:
    config = stage.config
    assert config.environment == "production"
    assert config.api_key
    assert config.api_key.startswith("sk_live_")
    assert config.api_key not in repr(config)
    assert "plays production" in repr(stage)
    # Not even a mistake leads to 88Pay's own.
    assert "88pay.io" not in config.base_url


def test_another_merchant_and_a_new_beginning_have_live_keys_too(stage: Sandbox) -> None:
    other = stage.merchant(country="MEX")["merchant_id"]
    assert stage.config_for(other).environment == "production"
    stage.reset()
    assert stage.config.api_key.startswith("sk_live_")  # type: ignore[union-attr]


def test_a_local_sandbox_is_as_before() -> None:
    with Sandbox() as sandbox:
        assert sandbox.config.environment == "local"
        assert sandbox.config.api_key.startswith("sk_test_")  # type: ignore[union-attr]
        assert repr(sandbox).startswith("Sandbox(seed=88")


def test_clients_reach_it_in_process(stage: Sandbox) -> None:
    charge = Pay88(stage.config).charge(**CHARGE, notification_url=HOOK)
    stage.complete(charge)
    assert Pay88(stage.config).balance().total_payin == charge.amount
    # 88Pay calls the address from the internet; a sandbox does not.
    assert [d["outcome"] for d in stage.webhooks()] == ["not sent: outside this machine"]


def test_the_asyncio_client_reaches_it_too(stage: Sandbox) -> None:
    async def payin() -> Any:
        async with AsyncPay88(stage.config) as client:
            return (await client.balance()).total_payin

    assert asyncio.run(payin()) == 0


def test_production_rules_hold_for_it(stage: Sandbox) -> None:
    with Inbox(stage.config, books="sqlite://") as inbox, pytest.raises(Exception, match="https"):
        Pay88(stage.config).charge(**CHARGE, notification_url=inbox.url)
    assert stage.transactions() == []


def serve(sandbox: Sandbox) -> None:
    with sandbox.serve():
        pass


@pytest.mark.parametrize(
    "leave",
    [
        serve,
        lambda sandbox: sandbox.app,
        lambda sandbox: sandbox.show_console(),
        lambda sandbox: sandbox.show_checkout(
            Pay88(sandbox.config).charge(**CHARGE, notification_url=HOOK)
        ),
    ],
    ids=["serve", "app", "show_console", "show_checkout"],
)
def test_it_is_not_served(stage: Sandbox, leave: Callable[[Sandbox], Any]) -> None:
    with pytest.raises(WrongUse, match="plays production stays in this process"):
        leave(stage)


def test_it_is_not_kept_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "stage.db"
    with pytest.raises(WrongUse, match="leave out db"):
        Sandbox(environment="production", db=file)
    assert not file.exists()


def test_it_delivers_to_nobody_outside() -> None:
    with pytest.raises(WrongUse, match="deliver_anywhere"):
        Sandbox(environment="production", deliver_anywhere=True)


@pytest.mark.parametrize("environment", ["sandbox", "live", ""])
def test_it_plays_nothing_else(environment: str) -> None:
    with pytest.raises(ValueError, match="environment"):
        Sandbox(environment=environment)


def test_without_its_sandbox_the_configuration_is_refused(stage: Sandbox) -> None:
    with pytest.raises(ConfigError, match="unencrypted"):
        stage.config.replace(origin=None)


def test_what_it_says_is_not_written_among_what_happened(
    stage: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'books.db'}"
    monkeypatch.setenv("PAY88_BOOKS", url)
    client = Pay88(stage.config)
    client.charge(**CHARGE, notification_url=HOOK)
    assert len(client.books.operations()) == 1  # type: ignore[union-attr]
    with Inbox(stage.config) as inbox:
        assert inbox.books is client.books
    assert len(Books(url).operations()) == 0


def test_the_real_production_keeps_the_books_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'books.db'}"
    monkeypatch.setenv("PAY88_BOOKS", url)
    key = "sk_" + "live_" + "x" * 32
    real = Pay88(Config("production", api_key=key, merchant_id="MCH-COL-29ZTP4"))
    assert "books.db" in repr(real.books)


def test_the_doctor_only_reads_there_and_calls_it_simulated(stage: Sandbox) -> None:
    report = Doctor(stage.config).run()
    assert report.ok
    assert any(finding.verdict is Verdict.DOCUMENTED for finding in report.findings)
    assert {ask["path"] for ask in stage.requests()} == {"/api/auth/token", "/api/balance"}
    assert report.record()["simulated"] is True
    for text in (report.text(), str(report), repr(report), report._repr_html_()):
        assert "simulated data, not 88pay" in text.lower()
    with pytest.raises(WrongUse, match="production"):
        Doctor(stage.config, create=True)
