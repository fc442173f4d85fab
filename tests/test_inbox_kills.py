"""The receiver is killed by SIGKILL while 88Pay goes on sending; ``make bench`` does it large."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # the bench is a package of the checkout
from tests.bench import inbox


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_what_was_acknowledged_is_in_the_books_once(database_url: str) -> None:
    kept = inbox.killed(database_url, count=600, kills=2)
    assert (kept.sent.acknowledged, kept.new, kept.events, kept.applied) == (600, 480, 480, 480)
    assert kept.twice == 0
    # What was kept and not acknowledged in time was sent again, and is a repeat.
    assert 600 <= kept.times <= 600 + 2 * inbox.CONCURRENCY
    assert kept.sent.failures > 0
