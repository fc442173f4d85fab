"""No test reads this machine's credentials or writes into a real home."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from run_all import POSTGRES

# Runs pytest inside a test; pytest takes this from the outermost conftest only.
pytest_plugins = ["pytester"]

# How long an example takes says nothing about right or wrong. The rest is Hypothesis' own default,
# which is reproducible where CI is set.
settings.register_profile("pay88kit", deadline=None)
settings.load_profile("pay88kit")


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without 88Pay, an empty home, and a working directory without ``.env``."""
    for name in list(os.environ):
        if name.startswith(("PAY88_", "EIGHTY_EIGHT_PAY_")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    work = tmp_path / "work"
    home.mkdir()
    work.mkdir()
    # A project's root of its own: no `.env` further up is looked for.
    (work / "pyproject.toml").touch()
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA"):
        monkeypatch.setenv(name, str(home))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.chdir(work)


@pytest.fixture(scope="session")
def postgres() -> Iterator[object]:
    """A PostgreSQL server of this run's own; without its programs the tests are left out."""
    if os.name == "nt" or not POSTGRES.find():
        pytest.skip(f"PostgreSQL is missing. To install it: {POSTGRES.install}")
    from postgres import running

    with running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new database that several connections may use, of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'books.db'}"
    else:
        with request.getfixturevalue("postgres").database() as url:
            yield url
