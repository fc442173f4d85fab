"""Every id and key of the sandbox, drawn from its seed: the same seed gives the same ones."""

from __future__ import annotations

import hashlib
import string
import uuid

LETTERS = string.ascii_uppercase + string.digits


class Ids:
    """A numbered draw for each kind of id, so that one kind does not move another.

    ``drawn`` counts the draws; with it, a sandbox that is started again goes on where it stopped.
    """

    def __init__(self, seed: int | str, drawn: dict[str, int] | None = None) -> None:
        self._seed = seed
        self.drawn = dict(drawn or {})

    def raw(self, kind: str, length: int) -> bytes:
        """``length`` bytes that look random. Reproducible on purpose: they protect nothing."""
        number = self.drawn.get(kind, 0)
        self.drawn[kind] = number + 1
        name = f"pay88kit:{self._seed}:{kind}:{number}"
        return hashlib.shake_256(name.encode()).digest(length)

    def text(self, kind: str, length: int, alphabet: str = LETTERS) -> str:
        """``length`` characters out of ``alphabet``."""
        number = int.from_bytes(self.raw(kind, 2 * length))
        characters = []
        for _ in range(length):
            number, place = divmod(number, len(alphabet))
            characters.append(alphabet[place])
        return "".join(characters)

    def uuid(self, kind: str) -> str:
        """A version 4 UUID."""
        return str(uuid.UUID(bytes=self.raw(kind, 16), version=4))

    def nonce(self, kind: str) -> bytes:
        """Twelve bytes, as AES-GCM takes them."""
        return self.raw(kind, 12)

    def chance(self, kind: str) -> float:
        """A number from 0 up to 1."""
        return int.from_bytes(self.raw(kind, 6)) / 2**48
