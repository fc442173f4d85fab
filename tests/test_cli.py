"""The command ``pay88``, as a process of its own where that matters."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

import pay88kit
from pay88kit import Config, Inbox, Pay88
from pay88kit.cli import main


@contextmanager
def started(*arguments: str) -> Iterator[dict[str, str]]:
    """A running ``pay88 sandbox``; yields what it printed as settings."""
    command = [sys.executable, "-m", "pay88kit", "sandbox", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        settings: dict[str, str] = {}
        for line in process.stdout:
            name, equals, value = line.strip().partition("=")
            if equals:
                settings[name] = value
            if line.startswith("Stop it"):
                break
        try:
            yield settings
        finally:
            process.kill()


def client_of(settings: dict[str, str]) -> Pay88:
    return Pay88(
        Config(
            base_url=settings["PAY88_BASE_URL"],
            api_key=settings["PAY88_API_KEY"],
            merchant_id=settings["PAY88_MERCHANT_ID"],
            webhook_secret=settings["PAY88_WEBHOOK_SECRET"],
        ),
        books="sqlite://",
    )


def test_the_served_sandbox_is_ready_with_what_it_printed() -> None:
    with started() as settings:
        url = settings["PAY88_BASE_URL"]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        assert httpx.get(f"{url}/_sandbox/health").status_code == 200
        assert httpx.get(f"{url}/_sandbox/clock").json()["data"]["manual"] is False
        client = client_of(settings)
        assert client.sandbox is None
        with Inbox(client.config, books=client.books) as inbox:
            charge = client.charge(
                method_code="PSE",
                amount=50_000,
                currency="COP",
                country="COL",
                description="Order",
                customer_id="c",
                notification_url=inbox.url,
            )
            assert charge.url_checkout is not None
            assert charge.url_checkout.startswith(url)
            done = httpx.post(f"{url}/_sandbox/transactions/{charge.reference}/complete")
            assert done.json()["data"]["status"] == "COMPLETED"
            assert inbox.wait(1)[0].outcome == "applied"
        assert client.balance().total_payin == 50_000


def test_options_of_the_sandbox() -> None:
    with started("--manual-clock", "--no-limits", "--seed", "7") as settings:
        url = settings["PAY88_BASE_URL"]
        clock = httpx.get(f"{url}/_sandbox/clock").json()["data"]
        assert clock == {"now": "2026-01-15T12:00:00Z", "manual": True}
        headers = {
            "x-api-key": settings["PAY88_API_KEY"],
            "x-merchant-id": settings["PAY88_MERCHANT_ID"],
        }
        answers = [httpx.post(f"{url}/api/auth/token", headers=headers) for _ in range(12)]
        assert {answer.status_code for answer in answers} == {200}
        assert answers[-1].headers["x-ratelimit-remaining"] == "1000000"
        assert settings["PAY88_API_KEY"] != pay88kit.Sandbox(seed=88).config.api_key
        assert settings["PAY88_API_KEY"] == pay88kit.Sandbox(seed=7).config.api_key


def test_the_sandbox_says_where_to_pay_and_to_script(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ctrl-C as soon as it is ready.
    monkeypatch.setattr(
        "pay88kit.cli.local.time.sleep", lambda seconds: signal.raise_signal(signal.SIGINT)
    )
    prefix = "https://hub.example/user/ana/proxy/8088"
    for options, address in (
        ([], r"http://127\.0\.0\.1:\d+"),
        (["--public-prefix", prefix], prefix),
    ):
        assert main(["sandbox", "--port", "0", *options]) == 130
        said = capsys.readouterr().out
        assert re.search(rf"(?m)^To pay, .* open {address}/_sandbox/$", said)
        assert re.search(rf"(?m)^To fail on purpose: .* {address}/openapi.json$", said)
    assert main(["sandbox", "--port", "0", "--no-control"]) == 130
    assert "_sandbox/" not in capsys.readouterr().out


def test_ctrl_c_is_heard_also_while_an_object_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Removed:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    pause, times = time.sleep, iter([20])

    def sleep(seconds: float) -> None:
        Removed()
        # For a second time nobody should come here.
        pause(next(times))

    monkeypatch.setattr("pay88kit.cli.local.time.sleep", sleep)
    assert main(["sandbox", "--port", "0"]) == 130
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_behind_a_proxy_the_control_side_answers_under_its_name() -> None:
    with started("--public-prefix", "https://hub.example/proxy/8088", "--port", "0") as settings:
        assert settings["PAY88_BASE_URL"].startswith("http://127.0.0.1:")
        for host, status in (("hub.example", 200), ("evil.example", 403)):
            url = settings["PAY88_BASE_URL"] + "/_sandbox/clock"
            assert httpx.get(url, headers={"Host": host}).status_code == status


def test_without_control_only_88pay_answers() -> None:
    with started("--no-control") as settings:
        url = settings["PAY88_BASE_URL"]
        assert httpx.get(f"{url}/_sandbox/health").status_code == 200
        assert httpx.get(f"{url}/_sandbox/transactions").status_code == 404
        assert httpx.post(f"{url}/_sandbox/reset").status_code == 404
        assert client_of(settings).balance().total_payin == 0


def test_a_port_in_use_is_one_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["sandbox", "--port", str(port)]) == 2
    error = capsys.readouterr().err
    assert f"Port {port} is in use" in error
    assert "--port" in error


def test_the_balance_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["balance"]) == 0
    shown = capsys.readouterr().out
    assert "Simulated data, not 88Pay" in shown
    assert re.search(r"total_available +[\d,]+\.\d\d", shown)


def test_the_balance_as_json_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["balance", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["data"]["balance_summary"]["total_settled"] == "0.00"


def test_a_saved_balance_is_in_the_books(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/books.db"
    monkeypatch.setenv("PAY88_BOOKS", url)
    assert main(["balance", "--save"]) == 0
    saved = pay88kit.Books(url).balances()
    assert list(saved["merchant_id"]) == ["MCH-COL-29ZTP4"]


def test_missing_credentials_end_with_2_and_name_the_variables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAY88_ENVIRONMENT", "sandbox")
    assert main(["balance"]) == 2
    assert "PAY88_API_KEY and PAY88_MERCHANT_ID" in capsys.readouterr().err


def test_no_connection_ends_with_1_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "sk_" + "test_" + "x" * 32
    # Bound, but not listening: nobody else can answer there.
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("PAY88_BASE_URL", url)
    monkeypatch.setenv("PAY88_API_KEY", key)
    monkeypatch.setenv("PAY88_MERCHANT_ID", "MCH-COL-TEST-12345")
    with taken:
        assert main(["balance"]) == 1
    error = capsys.readouterr().err
    assert f"No connection to {url}" in error
    assert key not in error


def test_version_and_help() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pay88kit", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert run("--version").stdout.strip() == f"pay88kit {pay88kit.__version__}"
    shown = run("--help")
    assert shown.returncode == 0
    for command in ("lab", "sandbox", "balance", "report"):
        assert command in shown.stdout
        assert run(command, "--help").returncode == 0
    for wrong in ([], ["nonsense"], ["balance", "--nonsense"], ["balance", "--", "x"]):
        answer = run(*wrong)
        assert answer.returncode == 2
        assert "usage: pay88" in answer.stderr


def test_a_snapshot_that_ends_with_the_command_is_not_called_saved(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["balance", "--save"]) == 0
    shown = capsys.readouterr().out
    assert "Not kept: in local the books are in memory" in shown
    assert "Saved" not in shown
