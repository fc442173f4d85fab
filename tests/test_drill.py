"""The drill at a small size; ``python -m tests.drill`` runs it at full size."""

from __future__ import annotations

import logging
from pathlib import Path

from drill.run import drill, naive

_log = logging.getLogger(__name__)


def test_books_and_ledger_agree_after_faults_and_kills(tmp_path: Path) -> None:
    counts = drill(seed=88, count=160, folder=tmp_path)
    _log.info("%s", counts)
    assert counts.faults == []
    assert (counts.transactions, counts.doubles, counts.kills) == (160, 0, 3)
    # Otherwise it was no drill.
    assert counts.by_notification > 0
    assert counts.by_person > 0


def test_the_same_with_retried_posts_charges_twice(tmp_path: Path) -> None:
    counts = naive(seed=88, count=160, folder=tmp_path)
    _log.info("httpx-retries: %s transactions, %s double", counts.transactions, counts.doubles)
    assert counts.doubles > 0
