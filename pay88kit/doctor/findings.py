"""What was observed about each point, and the verdict. Observations carry no secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pay88kit.config import SECRET_SHAPES
from pay88kit.contract import POINTS, Observe, Point

_MERCHANT = re.compile(r"MCH-\w+(?:-\w+)+", re.IGNORECASE)
_LONGEST = 160


class Verdict(StrEnum):
    """How an observation compares with a point."""

    DOCUMENTED = "as documented"
    ASSUMED = "as assumed"
    DEVIATES = "deviates"
    NOT_OBSERVABLE = "not observable"
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Finding:
    """One point of the contract, and what this 88Pay did. ``observed`` is masked plain text."""

    point: Point
    verdict: Verdict
    observed: str

    @property
    def deviates(self) -> bool:
        """Whether this 88Pay does something else."""
        return self.verdict is Verdict.DEVIATES

    def record(self) -> dict[str, Any]:
        """The finding as JSON's types."""
        return {
            "id": self.point.id,
            "section": self.point.section,
            "basis": "documented" if self.point.documented else "assumed",
            "statement": self.point.statement,
            "observed": self.observed,
            "verdict": str(self.verdict),
            "where": self.point.where,
        }


class Mask:
    """Takes secrets out of a text: the ones it was told, and whatever looks like one."""

    def __init__(self, secrets: Iterable[str | None]) -> None:
        self._secrets: set[str] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: Any) -> None:
        """One more text that must not be shown."""
        if isinstance(secret, str) and len(secret) >= 4:
            self._secrets.add(secret)

    def __call__(self, text: str) -> str:
        """``text`` without secrets, on one line, of a length that can be read."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = re.sub(re.escape(secret), "…", text, flags=re.IGNORECASE)
        text = _MERCHANT.sub("…", SECRET_SHAPES.sub("…", text))
        text = "".join(char if char.isprintable() else "?" for char in text)
        # Cut after masking: half a secret would not be found.
        return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


class Notes:
    """Collects observations. What deviates once deviates, whatever else was seen."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._seen: dict[str, tuple[bool | None, str]] = {}
        self.trouble = ""

    def see(self, id: str, holds: bool | None, observed: str) -> None:
        """``holds``: whether the point held; None when this showed neither."""
        known = self._seen.get(id)
        if known is None or (known[0] is not False and holds is not None):
            self._seen[id] = (holds, self._mask(observed))

    def findings(self, not_asked: dict[Observe, str]) -> list[Finding]:
        """One for every point of the contract. ``not_asked`` says why a kind was left out."""
        return [self._finding(point, not_asked) for point in POINTS]

    def _finding(self, point: Point, not_asked: dict[Observe, str]) -> Finding:
        holds, observed = self._seen.get(point.id, (None, ""))
        if holds is False:
            return Finding(point, Verdict.DEVIATES, observed)
        if holds:
            held = Verdict.DOCUMENTED if point.documented else Verdict.ASSUMED
            return Finding(point, held, observed)
        if point.observe is Observe.NO:
            return Finding(point, Verdict.NOT_OBSERVABLE, "no answer to a call shows it")
        if point.observe in not_asked:
            return Finding(point, Verdict.NOT_ASKED, not_asked[point.observe])
        missing = self.trouble or "the answer that would show it did not come"
        return Finding(point, Verdict.NOT_OBSERVABLE, observed or self._mask(missing))
