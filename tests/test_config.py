"""Where credentials come from, and what is refused before anything could leave."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pay88kit import Config
from pay88kit.config import Secret, is_loopback, mask, read_dotenv
from pay88kit.errors import ConfigError

SANDBOX_KEY = "sk_test_abcdefghijklmnop"
LIVE_KEY = "sk_live_abcdefghijklmnop"


def test_nothing_set_is_the_embedded_sandbox() -> None:
    config = Config()
    assert config.environment == "local"
    assert config.embedded
    assert config.base_url == "http://pay88.local"
    assert config.missing() == ["api_key", "merchant_id"]


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ("sandbox", "https://api-sandbox.88pay.io"),
        ("production", "https://api.88pay.io"),
    ],
)
def test_the_hosts_of_88pay(environment: str, address: str) -> None:
    config = Config(environment=environment)
    assert config.base_url == address
    assert not config.embedded


@pytest.mark.parametrize("environment", ["Sandbox", "prod", "test", "local "])
def test_an_unknown_environment_is_refused_with_those_there_are(environment: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config(environment=environment)
    for name in (repr(environment), "'local'", "'sandbox'", "'production'"):
        assert name in str(caught.value)


# ---------------------------------------------------------------- credentials


@pytest.mark.parametrize(
    ("environment", "key", "prefix"),
    [
        ("local", LIVE_KEY, "sk_test_"),
        ("sandbox", LIVE_KEY, "sk_test_"),
        ("production", SANDBOX_KEY, "sk_live_"),
        ("sandbox", "abcdefghijklmnop", "sk_test_"),
        ("sandbox", "SK_TEST_abcdefgh", "sk_test_"),
        ("sandbox", "xsk_test_abcdefgh", "sk_test_"),
    ],
)
def test_a_key_of_another_environment_is_refused_and_not_shown(
    environment: str, key: str, prefix: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Config(environment=environment, api_key=key)
    assert f"begins with {prefix}" in str(caught.value)
    assert environment in str(caught.value)
    assert "abcdefgh" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "key"),
    [("local", "sk_test_x"), ("sandbox", "sk_test_x"), ("production", "sk_live_x")],
)
def test_only_the_prefix_of_a_key_is_checked(environment: str, key: str) -> None:
    assert Config(environment=environment, api_key=key).api_key == key


def test_what_is_missing_is_named() -> None:
    assert Config("sandbox", api_key=SANDBOX_KEY).missing() == ["merchant_id"]
    assert Config("sandbox", merchant_id="MCH-COL-1").missing() == ["api_key"]
    assert Config("sandbox", api_key=SANDBOX_KEY, merchant_id="MCH-COL-1").missing() == []


def test_a_line_break_copied_with_a_key_is_taken_off() -> None:
    config = Config("sandbox", api_key=f" {SANDBOX_KEY}\r\n", merchant_id="MCH-COL-1\n")
    assert (config.api_key, config.merchant_id) == (SANDBOX_KEY, "MCH-COL-1")


# ---------------------------------------------------------------- order of sources


def test_arguments_then_environment_then_dotenv_then_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Config("sandbox").merchant_id is None
    Path(".env").write_text("PAY88_MERCHANT_ID=MCH-COL-FILE\nPAY88_ENVIRONMENT=sandbox\n")
    assert Config().merchant_id == "MCH-COL-FILE"
    assert Config().environment == "sandbox"
    monkeypatch.setenv("PAY88_MERCHANT_ID", "MCH-COL-ENV")
    monkeypatch.setenv("PAY88_ENVIRONMENT", "local")
    monkeypatch.setenv("PAY88_BASE_URL", "http://127.0.0.1:8088")
    assert Config().merchant_id == "MCH-COL-ENV"
    assert Config().environment == "local"
    assert Config().base_url == "http://127.0.0.1:8088"
    assert Config("sandbox", merchant_id="MCH-COL-ARG").merchant_id == "MCH-COL-ARG"


def test_the_names_of_88pays_own_examples_are_read_after_the_kits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EIGHTY_EIGHT_PAY_API_KEY", SANDBOX_KEY)
    monkeypatch.setenv("EIGHTY_EIGHT_PAY_MERCHANT_ID", "MCH-COL-THEIRS")
    assert Config("sandbox").api_key == SANDBOX_KEY
    assert Config("sandbox").merchant_id == "MCH-COL-THEIRS"
    monkeypatch.setenv("PAY88_MERCHANT_ID", "MCH-COL-OURS")
    assert Config("sandbox").merchant_id == "MCH-COL-OURS"


def test_credentials_for_88pay_never_reach_the_embedded_sandbox(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EIGHTY_EIGHT_PAY_API_KEY", LIVE_KEY)
    monkeypatch.setenv("PAY88_API_KEY", LIVE_KEY)
    monkeypatch.setenv("PAY88_MERCHANT_ID", "MCH-COL-REAL")
    monkeypatch.setenv("PAY88_WEBHOOK_SECRET", "whsec_real_one_of_88pay")
    config = Config()
    assert (config.api_key, config.merchant_id, config.webhook_secret) == (None, None, None)


def test_a_served_local_sandbox_reads_the_kits_names_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIGHTY_EIGHT_PAY_API_KEY", LIVE_KEY)
    monkeypatch.setenv("PAY88_MERCHANT_ID", "MCH-COL-29ZTP4")
    config = Config(base_url="http://127.0.0.1:8088")
    assert (config.api_key, config.merchant_id) == (None, "MCH-COL-29ZTP4")


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAY88_ENVIRONMENT", " ")
    monkeypatch.setenv("PAY88_BASE_URL", "")
    assert Config().embedded


def test_a_dotenv_file_does_not_switch_production_on(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text(f"PAY88_ENVIRONMENT=production\nPAY88_API_KEY={LIVE_KEY}\n")
    with pytest.raises(ConfigError, match=r"not switched on by a \.env file"):
        Config()
    assert Config(environment="production").api_key == LIVE_KEY
    monkeypatch.setenv("PAY88_ENVIRONMENT", "production")
    assert Config().environment == "production"


def test_dotenv_lines(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# PAY88_A=comment\n"
        "PAY88_B = spaced \n"
        "export PAY88_C='single # quoted'\n"
        'PAY88_D="double"\n'
        "PAY88_E=value # with a comment\n"
        "PAY88_F=\n"
        "no equals sign\n"
        "PAY88_G=a=b\n",
        encoding="utf-8",
    )
    assert read_dotenv(tmp_path) == {
        "PAY88_B": "spaced", "PAY88_C": "single # quoted", "PAY88_D": "double",
        "PAY88_E": "value", "PAY88_F": "", "PAY88_G": "a=b",
    }  # fmt: skip


def test_dotenv_is_found_up_to_the_projects_root_and_no_further(tmp_path: Path) -> None:
    inner = tmp_path / "project" / "notebooks" / "reports"
    inner.mkdir(parents=True)
    (tmp_path / ".env").write_text("PAY88_A=outside\n")
    assert read_dotenv(inner) == {}
    (tmp_path / "project" / "pyproject.toml").touch()
    assert read_dotenv(inner) == {}
    (tmp_path / "project" / ".env").write_text("PAY88_A=root\n")
    assert read_dotenv(inner) == {"PAY88_A": "root"}
    (inner / ".env").write_text("PAY88_A=nearest\n")
    assert read_dotenv(inner) == {"PAY88_A": "nearest"}


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ("sandbox", "http://api-sandbox.88pay.io"),
        ("sandbox", "http://127.0.0.1.evil.example"),
        ("sandbox", "http://localhost.evil.example"),
        ("sandbox", "http://10.0.0.1"),
        ("local", "http://sandbox.example"),
        ("production", "http://127.0.0.1:8088"),
        ("production", "http://api.88pay.io"),
    ],
)
def test_a_key_is_never_sent_unencrypted(environment: str, address: str) -> None:
    with pytest.raises(ConfigError, match="unencrypted"):
        Config(environment=environment, base_url=address)


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ("local", "http://127.0.0.1:8088"),
        ("local", "http://localhost:8088/"),
        ("sandbox", "http://[::1]:8088"),
        ("sandbox", "https://proxy.example/88pay"),
        ("production", "https://proxy.example"),
    ],
)
def test_https_and_this_machine_are_accepted(environment: str, address: str) -> None:
    assert Config(environment=environment, base_url=address).base_url == address.rstrip("/")


@pytest.mark.parametrize(
    "address", ["https://[", "https://", "https:", "88pay.io", "https://h:port", "https://h:99999"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        Config(environment="sandbox", base_url=address)


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="user name and password") as caught:
        Config(environment="sandbox", base_url="https://me:hunter22@proxy.example")
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "::1"])
def test_loopback_hosts(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "example.com", "127.0.0.1.example", "10.0.0.1", "0.0.0.0", "xlocalhost"]  # noqa: S104
)  # fmt: skip
def test_hosts_elsewhere(host: str) -> None:
    assert not is_loopback(host)


# ---------------------------------------------------------------- secrets

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
tails = st.text(ALPHABET, min_size=8, max_size=80)
prefixes = st.sampled_from(["", "sk_test_", "sk_live_", "whsec_", "sess_"])


@given(prefixes, tails)
def test_a_masked_secret_keeps_at_most_four_characters_of_it(prefix: str, tail: str) -> None:
    shown = mask(prefix + tail)
    assert shown.startswith(f"{prefix}…")
    rest = shown.removeprefix(f"{prefix}…")
    assert rest == (tail[-4:] if len(tail) >= 16 else "")


@given(tails, tails)
def test_the_repr_of_a_config_shows_no_secret(key_tail: str, secret: str) -> None:
    config = Config("sandbox", api_key=f"sk_test_{key_tail}", webhook_secret=secret)
    for shown in (repr(config), str(config), f"{config}", repr([config])):
        # Hypothesis likes "merchant", which is a secret of nobody's and a word of the repr.
        assert key_tail not in shown or key_tail in repr(Config("sandbox"))
        assert secret not in shown or secret in repr(Config("sandbox"))
        assert "sk_test_…" in shown
    assert repr(config.replace(merchant_id="MCH-COL-1")).count("…") == 2


@given(tails)
def test_a_secret_shows_itself_in_no_container_and_works_as_text(tail: str) -> None:
    secret = Secret(tail)
    assert secret == tail
    assert tail not in repr({"x": [secret]})
    assert "Bearer " + secret == f"Bearer {tail}"


def test_a_config_is_immutable_and_not_pickled() -> None:
    config = Config("sandbox", api_key=SANDBOX_KEY)
    with pytest.raises(AttributeError, match=r"config\.replace\(environment=…\)"):
        config.environment = "production"
    with pytest.raises(AttributeError):
        config.other = 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(config)


def test_replace_keeps_the_rest_and_checks_again() -> None:
    config = Config("sandbox", api_key=SANDBOX_KEY, merchant_id="MCH-COL-1")
    other = config.replace(merchant_id="MCH-MEX-2")
    assert (other.api_key, other.merchant_id) == (SANDBOX_KEY, "MCH-MEX-2")
    assert other.clock is config.clock
    assert config.merchant_id == "MCH-COL-1"
    with pytest.raises(ConfigError, match="sk_live_"):
        config.replace(environment="production", base_url=None)
