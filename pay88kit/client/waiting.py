"""A long wait is shown: as a line in a terminal or a bar in a notebook, and in the log."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Shorter waits, in seconds, are not worth a line.
_LONG = 2.0

_log = logging.getLogger("pay88kit")
_one_at_a_time = threading.Lock()


@contextmanager
def shown(seconds: float, why: str) -> Iterator[None]:
    """Show that the body waits for about ``seconds``. One wait is shown at a time."""
    if seconds < _LONG or not why or not _one_at_a_time.acquire(blocking=False):
        yield
        return
    try:
        _log.info("%s: waiting %.0f s", why, seconds)
        with _bar(seconds, why):
            yield
    finally:
        _one_at_a_time.release()


@contextmanager
def _bar(seconds: float, why: str) -> Iterator[None]:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        # The log line has said it.
        yield
        return
    over = threading.Event()
    # None: only where somebody watches.
    with tqdm(
        total=round(seconds), desc=f"{why}: waiting", unit="s", leave=False, disable=None,
        file=sys.stderr, bar_format="{desc} {n_fmt}/{total_fmt} s (Ctrl-C stops)",
    ) as bar:  # fmt: skip

        def count() -> None:
            while not over.wait(1):
                bar.update()

        counting = threading.Thread(target=count, name="pay88-waiting", daemon=True)
        counting.start()
        try:
            yield
        finally:
            over.set()
            counting.join()
