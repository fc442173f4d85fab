"""One token for several processes that share credentials, in a file that only its owner reads.

88Pay gives 10 tokens a minute: thirty report runs that start at once would use them up three times.
Off unless it is asked for, since a file holds a usable token for a minute.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from pay88kit.config import Config
from pay88kit.errors import needs
from pay88kit.models.answers import Token
from pay88kit.policy import usable_seconds

# A process that holds the lock asks for one token; it takes no longer than this, in seconds.
_PATIENCE = 60.0


class SharedToken:
    """The token's file, and the lock beside it.

    Raises:
        MissingExtra: without the extra ``books``.
    """

    def __init__(self, config: Config) -> None:
        with needs("books"):
            from filelock import FileLock
        self._file = file_of(config, "tokens")
        # Taken in one thread and let go in another, where an event loop drives the call.
        self._lock = FileLock(self._file.with_suffix(".lock"), mode=0o600, thread_local=False)

    def acquire(self) -> bool:
        """Wait for the lock; False when somebody keeps it for too long, or it cannot be had."""
        from filelock import Timeout

        try:
            self._lock.acquire(timeout=_PATIENCE)
        except (Timeout, OSError, NotImplementedError):
            return False
        return True

    def release(self) -> None:
        """Let the lock go, if it is held."""
        self._lock.release(force=True)

    def read(self, *, other_than: Token | None) -> tuple[Token, float] | None:
        """The kept token and for how many seconds it serves; None when there is none that does.

        ``other_than`` is a token that 88Pay has refused.
        """
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            token = Token.model_validate(kept["token"])
            left = float(kept["until"]) - time.time()
        except Exception:
            # There is none, or whatever else is in the file.
            return None
        # More than a new one serves: the machine's time was set back.
        if not 0 < left <= usable_seconds(token.expires_in):
            return None
        if token.access_token is None or token.session_id is None:
            return None
        if other_than is not None and token.access_token == other_than.access_token:
            return None
        return token, left

    def write(self, token: Token, left: float) -> None:
        """Keep a token that serves for ``left`` seconds. Without room, the others ask again."""
        with contextlib.suppress(OSError):
            write_private(
                self._file,
                {
                    # In Unix time, which the processes of a machine share.
                    "until": time.time() + left,
                    "token": {
                        "access_token": token.access_token,
                        "session_id": token.session_id,
                        "expires_in": token.expires_in,
                    },
                },
            )


def file_of(config: Config, folder: str) -> Path:
    """The file that the processes of this user with these credentials share.

    Raises:
        MissingExtra: without the extra ``books``.
    """
    with needs("books"):
        from platformdirs import user_cache_path
    path = user_cache_path("pay88kit", appauthor=False) / folder
    # Where it cannot be made, neither can a file in it: then each process asks for itself.
    with contextlib.suppress(OSError):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    who = f"{config.base_url}\n{config.merchant_id}\n{config.api_key!s}"
    return path / f"{hashlib.sha256(who.encode()).hexdigest()[:32]}.json"


def write_private(file: Path, content: dict[str, Any]) -> None:
    """Write JSON for its owner only, whole or not at all."""
    # mkstemp gives it mode 0600; a reader finds the old file or the new one, never half of it.
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as draft:
            json.dump(content, draft)
        os.replace(name, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
