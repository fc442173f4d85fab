"""Every id and key of the sandbox, drawn from its seed: the same seed gives the same ones."""

from __future__ import annotations

import random
import string
import uuid

LETTERS = string.ascii_uppercase + string.digits


class Ids:
    """One stream of random numbers per kind of id, so that one kind does not move another."""

    def __init__(self, seed: int | str) -> None:
        self._seed = seed
        self._streams: dict[str, random.Random] = {}

    def stream(self, kind: str) -> random.Random:
        """The stream for ``kind``."""
        if kind not in self._streams:
            # Reproducible on purpose; nothing here protects anything.
            self._streams[kind] = random.Random(f"pay88kit:{self._seed}:{kind}")  # noqa: S311
        return self._streams[kind]

    def text(self, kind: str, length: int, alphabet: str = LETTERS) -> str:
        """``length`` characters out of ``alphabet``."""
        return "".join(self.stream(kind).choices(alphabet, k=length))

    def uuid(self, kind: str) -> str:
        """A version 4 UUID."""
        return str(uuid.UUID(int=self.stream(kind).getrandbits(128), version=4))

    def nonce(self, kind: str) -> bytes:
        """Twelve bytes, as AES-GCM takes them."""
        return self.stream(kind).randbytes(12)
