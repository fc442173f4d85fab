"""A pytest plugin: every notebook that nbval runs gets an empty home of its own.

What one lesson leaves behind, its evidence for the checklist, would change what the next one shows.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from run_all import empty_home

_homes: dict[Path, tempfile.TemporaryDirectory[str]] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before the kernel of a notebook starts: it takes its environment from this process."""
    if item.path not in _homes:
        # A kernel that is slow to end may still write there.
        home = tempfile.TemporaryDirectory(prefix="pay88-home-", ignore_cleanup_errors=True)
        _homes[item.path] = home
        os.environ.update(empty_home(Path(home.name)))
