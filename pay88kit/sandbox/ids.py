"""Every id and key of the sandbox, drawn from its seed: the same seed gives the same ones."""

from __future__ import annotations

import string
from collections.abc import Sequence
from functools import cache
from hashlib import shake_256

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
        return shake_256(name.encode()).digest(length)

    def text(self, kind: str, length: int, alphabet: str = LETTERS) -> str:
        """``length`` characters out of ``alphabet``."""
        chunks, values = _digits(alphabet, length)
        # The rest of the number has no part in the text; small numbers divide faster.
        number = int.from_bytes(self.raw(kind, 2 * length)) % values
        text = ""
        for chunk in chunks:
            number, place = divmod(number, len(chunk))
            text += chunk[place]
        return text

    def uuid(self, kind: str) -> str:
        """A version 4 UUID."""
        digits = self.raw(kind, 16).hex()
        variant = "89ab"[int(digits[16], 16) % 4]
        return (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
        )

    def nonce(self, kind: str) -> bytes:
        """Twelve bytes, as AES-GCM takes them."""
        return self.raw(kind, 12)

    def chance(self, kind: str) -> float:
        """A number from 0 up to 1."""
        return int.from_bytes(self.raw(kind, 6)) / 2**48


@cache
def _digits(alphabet: str, length: int) -> tuple[list[Sequence[str]], int]:
    """A text of ``length`` characters as a number, its first character being the last digit.

    Two characters are one digit: fewer divisions. Gives what stands for each digit, and how many
    such texts there are.
    """
    pairs = [low + high for high in alphabet for low in alphabet]
    return [pairs] * (length // 2) + [alphabet] * (length % 2), len(alphabet) ** length
