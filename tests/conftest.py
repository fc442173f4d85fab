"""No test reads this machine's credentials or writes into a real home."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

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
    monkeypatch.chdir(work)
