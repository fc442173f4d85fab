"""Ctrl-C, also at a moment at which Python would forget it."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Seconds after which it is tried again.
_SOON = 0.05


@contextmanager
def heard() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` for Ctrl-C; if it could not be seen now, a moment later.

    Python prints and then ignores what is raised while an object is removed. A library with much to
    remove, as a Dask client, would so make a program go on that was told to stop.
    """
    before = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    # Whoever has a handler of their own keeps it.
    if not main or before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _would_be_ignored(frame):
        again = threading.Timer(_SOON, _thread.interrupt_main)
        again.daemon = True
        again.start()
    else:
        signal.default_int_handler(number, frame)


def _would_be_ignored(frame: FrameType | None) -> bool:
    while frame is not None:
        # `weakref` calls its callbacks in the same way.
        if frame.f_code.co_name == "__del__" or frame.f_globals.get("__name__") == "weakref":
            return True
        frame = frame.f_back
    return False
