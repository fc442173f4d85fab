"""A profile's credentials: which of three places counts, and what becomes of those in a keyring."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import keyring
import nbformat
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, NoKeyringError
from keyrings.alt.file import PlaintextKeyring
from reports_support import notebook_of, text_of

from pay88kit import ConfigError, Sandbox, reports
from pay88kit.cli import main
from pay88kit.config import Secret
from pay88kit.errors import WrongUse
from pay88kit.reports import system_keyring
from pay88kit.reports.profile import check_profile

KEY = "sk_" + "test_" + "quokka_in_the_keyring"
# A form that nothing but the keyring can tell for a secret.
HOOK = "a <quokka> & more"
MERCHANT = "MCH-MEX-SHOP01"
KEPT = {
    "SHOP_PAY88_API_KEY": KEY,
    "SHOP_PAY88_MERCHANT_ID": MERCHANT,
    "SHOP_PAY88_WEBHOOK_SECRET": HOOK,
}


class Held(KeyringBackend):
    """A keyring in memory, which notes what it is asked for."""

    priority = 0  # type: ignore[assignment]

    def __init__(self, answer: Callable[[str], str | None] = KEPT.get) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._answer = answer

    def get_password(self, service: str, username: str) -> str | None:
        assert service == "pay88kit"
        self.asked.append(username)
        return self._answer(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


@pytest.fixture
def use() -> Iterator[Callable[[KeyringBackend], None]]:
    """Makes a keyring that of this process."""
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def dotenv(**variables: str) -> None:
    Path(".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))


# ---------------------------------------------------------------- which place counts


def test_what_is_set_nowhere_else_comes_from_the_keyring(
    use: Callable[[KeyringBackend], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAY88_MERCHANT_ID", "MCH-COL-USUAL1")
    monkeypatch.setenv("SHOP_PAY88_ENVIRONMENT", "sandbox")
    use(Held())
    config = reports.config_of("shop")
    assert (config.api_key, config.merchant_id, config.webhook_secret) == (KEY, MERCHANT, HOOK)
    assert config.environment == "sandbox"
    assert isinstance(config.api_key, Secret)
    assert isinstance(config.webhook_secret, Secret)
    assert "quokka" not in repr(config) + config._repr_html_()


@pytest.mark.parametrize("name", KEPT)
def test_the_environment_comes_before_the_file_and_the_file_before_the_keyring(
    name: str, use: Callable[[KeyringBackend], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PAY88_ENVIRONMENT", "sandbox")
    use(Held())

    def found() -> str:
        config = reports.config_of("SHOP")
        values = (config.api_key, config.merchant_id, config.webhook_secret)
        return str(dict(zip(KEPT, map(str, values), strict=True))[name])

    assert found() == KEPT[name]
    dotenv(**{name: "sk_test_of_the_file"})
    assert found() == "sk_test_of_the_file"
    monkeypatch.setenv(name, "sk_test_of_the_environment")
    assert found() == "sk_test_of_the_environment"


@pytest.mark.parametrize("place", ["environment", "file"])
def test_the_keyring_is_not_asked_for_what_is_there(
    place: str, use: Callable[[KeyringBackend], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(held := Held())
    there = {"SHOP_PAY88_API_KEY": KEY, "SHOP_PAY88_ENVIRONMENT": "sandbox"}
    if place == "file":
        dotenv(**there)
    else:
        for name, value in there.items():
            monkeypatch.setenv(name, value)
    check_profile("SHOP")
    # No report needs the webhook secret, and to ask for it could open a window.
    assert reports.config_of("SHOP", "MCH-COL-1").webhook_secret is None
    assert held.asked == []
    assert reports.config_of("SHOP").merchant_id == MERCHANT
    assert "SHOP_PAY88_API_KEY" not in held.asked


def test_neither_the_environment_nor_the_address_comes_from_the_keyring(
    use: Callable[[KeyringBackend], None],
) -> None:
    also = {"SHOP_PAY88_ENVIRONMENT": "production", "SHOP_PAY88_BASE_URL": "https://x.example"}
    use(held := Held((KEPT | also).get))
    config = reports.config_of("SHOP")
    assert (config.environment, config.embedded) == ("local", True)
    assert set(held.asked) == set(KEPT)
    # A live key alone does not switch production on either.
    use(Held(lambda _: KEY.replace("test", "live")))
    with pytest.raises(ConfigError, match="a key for local begins with sk_test_") as caught:
        reports.config_of("SHOP")
    assert "quokka" not in str(caught.value)


# ---------------------------------------------------------------- no keyring


def ended(_: str) -> None:
    raise SystemExit(3)


def no_backend(_: str) -> str | None:
    raise NoKeyringError("No recommended backend was available.")


def locked(_: str) -> str | None:
    raise KeyringLocked(f"Failed to unlock, {KEY}")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _: None, ""),
        (lambda _: " ", ""),
        (no_backend, " The keyring cannot be read here (NoKeyringError)."),
        (locked, " The keyring cannot be read here (KeyringLocked)."),
        (ended, " The keyring cannot be read here (SystemExit)."),
        (lambda _: KEY.encode(), " The keyring cannot be read here (TypeError)."),
    ],
)
def test_what_is_set_nowhere_is_named_with_all_three_places(
    answer: Callable[[str], str | None], why: str, use: Callable[[KeyringBackend], None]
) -> None:
    use(Held(answer))
    with pytest.raises(WrongUse) as caught:
        reports.config_of("shop")
    assert str(caught.value) == (
        "SHOP_PAY88_API_KEY is not set. Set it in the environment, in .env, or in the keyring "
        f"(keyring set pay88kit SHOP_PAY88_API_KEY).{why}"
    )


def test_a_merchant_that_is_set_nowhere_is_named_so_too(
    use: Callable[[KeyringBackend], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(Held({"SHOP_PAY88_API_KEY": KEY}.get))
    monkeypatch.setenv("SHOP_PAY88_ENVIRONMENT", "sandbox")
    with pytest.raises(ConfigError, match=r"merchant_id: none is configured\. Set it in the env"):
        reports.config_of("shop")


def test_another_merchants_id_is_never_used_with_the_key_of_a_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PAY88_ENVIRONMENT", "sandbox")
    monkeypatch.setenv("PAY88_API_KEY", "sk_test_the_usual_one")
    monkeypatch.setenv("PAY88_MERCHANT_ID", "MCH-COL-USUAL1")
    monkeypatch.setenv("SHOP_PAY88_API_KEY", KEY)
    assert reports.config_of().merchant_id == "MCH-COL-USUAL1"
    with pytest.raises(ConfigError, match="SHOP_PAY88_MERCHANT_ID"):
        reports.config_of("SHOP")
    assert reports.config_of("SHOP", MERCHANT).merchant_id == MERCHANT


def test_without_the_package_it_is_as_without_a_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(WrongUse, match="The keyring cannot be read here"):
        reports.config_of("SHOP")
    monkeypatch.setenv("SHOP_PAY88_API_KEY", KEY)
    assert reports.config_of("SHOP").merchant_id


def test_a_keyring_that_waits_for_somebody_is_not_waited_for(
    use: Callable[[KeyringBackend], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert system_keyring.PATIENCE <= 5
    monkeypatch.setattr(system_keyring, "PATIENCE", 0.05)
    opened = threading.Event()
    use(Held(lambda _: "late" if opened.wait(60) else None))
    began = time.monotonic()
    with pytest.raises(WrongUse, match=r"did not answer within 0\.05 seconds; if it is locked"):
        reports.config_of("SHOP")
    assert time.monotonic() - began < 30
    opened.set()


# ---------------------------------------------------------------- reports


class Shop(NamedTuple):
    """A merchant of a served sandbox, whose credentials are in a real keyring."""

    key: str
    merchant_id: str

    def tells_nothing(self, folder: Path, *said: str) -> None:
        files = [file for file in folder.rglob("*") if file.is_file()]
        assert {file.suffix for file in files} >= {".html", ".ipynb"}
        told = b"\n".join([*(file.read_bytes() for file in files), *(s.encode() for s in said)])
        assert self.key.encode() not in told
        assert b"quokka" not in told


@pytest.fixture
def shop(
    use: Callable[[KeyringBackend], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    """Its keyring is a file, which stays out of the folder of the reports."""
    # What other tests have read from a keyring is not known here.
    monkeypatch.setattr("pay88kit.config._also", {})
    environment = {
        # For the processes in which reports run.
        "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
        "XDG_DATA_HOME": str(tmp_path / "ring"),
        "LOCALAPPDATA": str(tmp_path / "ring"),
        "PAY88_BOOKS": "sqlite://",
        "SHOP_PAY88_ENVIRONMENT": "sandbox",
    }
    with Sandbox(clock="real") as sandbox, sandbox.serve() as url:
        for name, value in {**environment, "SHOP_PAY88_BASE_URL": url}.items():
            monkeypatch.setenv(name, value)
        use(PlaintextKeyring())
        there = Shop(str(sandbox.config.api_key), str(sandbox.config.merchant_id))
        for name, value in zip(KEPT, (there.key, there.merchant_id, HOOK), strict=True):
            keyring.set_password("pay88kit", name, value)
        yield there


def test_a_report_of_a_profile_in_the_keyring(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["-p", "profile=SHOP", "-p", "day=today", "--out", str(out)]
    code = main(["report", "run", "daily_balance", *words])
    said = capsys.readouterr()
    assert (code, said.err) == (0, "")
    (page,) = out.glob("daily_balance-*.html")
    assert f"Environment: sandbox · Merchant: {shop.merchant_id}" in text_of(page)
    shop.tells_nothing(out, said.out)


SHOWS = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
from pay88kit import Pay88, reports
config = reports.config_of(profile, merchant_id)
print(len(config.api_key), config, config.api_key, config.webhook_secret)
with Pay88(config, books=False) as client:
    print(type(client.balance()).__name__)
raise ValueError(config.webhook_secret)
"""


@pytest.mark.parametrize("command", ["run", "many"])
def test_a_report_that_tells_all_it_knows(
    command: str, shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = 'merchant_id: str = ""\nprofile: "Profile" = ""'
    source = notebook_of(tmp_path / "mine.ipynb", SHOWS, parameters=cell)
    file = tmp_path / "merchants.csv"
    file.write_text(f"merchant_id,profile\n{shop.merchant_id},SHOP\n")
    about = {
        "run": ["-p", f"merchant_id={shop.merchant_id}", "-p", "profile=SHOP"],
        "many": ["--merchants", str(file)],
    }
    out = tmp_path / "out"
    assert main(["report", command, str(source), *about[command], "--out", str(out)]) == 1
    said = capsys.readouterr()
    assert "ValueError: …" in said.out + said.err
    (book,) = (nbformat.read(path, 4) for path in out.glob("*.ipynb"))
    shown = "".join(o.get("text", "") for cell in book.cells for o in cell.get("outputs", []))
    assert f"{len(shop.key)} Config" in shown
    assert "\nBalance\n" in shown
    shop.tells_nothing(out, said.out, said.err)


def test_the_logs_say_nothing_of_it(
    use: Callable[[KeyringBackend], None], caplog: pytest.LogCaptureFixture
) -> None:
    use(Held())
    with caplog.at_level(logging.DEBUG):
        reports.config_of("SHOP")
    assert "quokka" not in caplog.text
