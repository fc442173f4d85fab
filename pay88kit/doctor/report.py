"""The findings for people, for programs, and as a file that is fit to share."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pay88kit.contract import CONTRADICTIONS, Point
from pay88kit.display import Row, Shown
from pay88kit.doctor.findings import Finding, Verdict
from pay88kit.errors import WrongUse
from pay88kit.version import __version__

_JUDGED = (Verdict.DOCUMENTED, Verdict.ASSUMED, Verdict.DEVIATES)


@dataclass(frozen=True, repr=False)
class Report(Shown):
    """What a run found: one finding for every point. It holds no secrets and no amounts."""

    environment: str
    address: str
    at: datetime
    tokens: int
    calls: int
    findings: tuple[Finding, ...]
    notified: str | None = None
    simulated: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing that 88Pay documents deviates."""
        return not any(finding.deviates and finding.point.documented for finding in self.findings)

    @property
    def deviations(self) -> tuple[Finding, ...]:
        """What deviates, documented and assumed."""
        return tuple(finding for finding in self.findings if finding.deviates)

    def record(self) -> dict[str, Any]:
        """The report as JSON's types."""
        return {
            "what": "pay88 doctor",
            "version": __version__,
            "simulated": self.simulated,
            "environment": self.environment,
            "address": self.address,
            "at": self.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "spent": {"tokens": self.tokens, "calls": self.calls},
            "ok": self.ok,
            "summary": {str(verdict): self._count(verdict) for verdict in Verdict},
            "findings": [finding.record() for finding in self.findings],
        }

    def json(self) -> str:
        """The report as a JSON document."""
        return json.dumps(self.record(), indent=2, ensure_ascii=False) + "\n"

    def text(self) -> str:
        """The report for people: one line a point, grouped, then what to do."""
        return "\n".join(self._lines()) + "\n"

    def save(self, path: str | Path, *, json: bool = False) -> None:
        """Write the report into a new file that only its owner can read.

        A name that ends in ``.json`` is written as JSON.

        Raises:
            WrongUse: the file exists.
        """
        wanted = Path(path)
        text = self.json() if json or wanted.suffix == ".json" else self.text()
        refuse_existing(wanted)
        try:
            handle = os.open(wanted, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise _exists(wanted) from None
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)

    def _count(self, verdict: Verdict) -> int:
        return sum(finding.verdict is verdict for finding in self.findings)

    def _lines(self) -> Iterator[str]:
        yield f"pay88 doctor {__version__}: {self.environment}, {self.address}"
        if self.simulated:
            yield "Simulated data, not 88Pay"
        section = ""
        for finding in self.findings:
            if finding.verdict not in _JUDGED:
                continue
            if finding.point.section != section:
                section = finding.point.section
                yield f"\n{section}"
            verdict = "DEVIATES" if finding.deviates else str(finding.verdict)
            yield f"  {verdict:<13}  {_said(finding.point)} — {finding.observed}"
        yield "\nSummary"
        for verdict in Verdict:
            yield f"  {self._count(verdict):3} {verdict}"
        yield from self._left_out()
        yield f"  used: {self.tokens} tokens, {self.calls} other calls"
        yield from self._advice()

    def _left_out(self) -> Iterator[str]:
        """Why points were not judged, but for those that no call shows."""
        reasons = Counter(
            (str(finding.verdict), finding.observed)
            for finding in self.findings
            if finding.verdict not in _JUDGED
        )
        for (verdict, reason), count in reasons.most_common():
            yield f"    {verdict}: {reason} ({count})"

    def _advice(self) -> Iterator[str]:
        documented = [f for f in self.deviations if f.point.documented]
        assumed = [f for f in self.deviations if not f.point.documented]
        if documented:
            yield "\nThis 88Pay does not do what 88Pay documents:"
            for finding in documented:
                yield f"  {finding.point.id}: {finding.observed}{_contradictions(finding)}"
            yield "Ask 88Pay's support which is right, with this report: it holds no secrets."
            yield "Until then, rely on neither."
        if assumed:
            yield "\nWhere 88Pay is silent, the kit assumed otherwise:"
            for finding in assumed:
                yield f"  {finding.point.id} (pay88kit/{finding.point.where}): {finding.observed}"
            yield "Believe what you see here, ask 88Pay to confirm it, and tell pay88kit."
        if not self.deviations:
            yield "\nNothing deviates."
        if self.notified is not None:
            yield (
                f"\nThe charge {self.notified} was created with your notification_url, and its "
                f"notification was not seen here. Check\n"
                f"  that the charge was paid or declined in its checkout,\n"
                f"  that the address is right, and its tunnel open and leading to this machine\n"
                f"  (a browser that opens the address gets 405 from the doctor),\n"
                f"  that this 88Pay may call it: a local sandbox calls this machine only, unless "
                f"started with --deliver-anywhere."
            )

    def __repr__(self) -> str:
        return str(self)

    def _title(self) -> str:
        simulated = " (simulated data, not 88Pay)" if self.simulated else ""
        return f"pay88 doctor: {self.environment}, {self.address}{simulated}"

    def _rows(self) -> list[Row]:
        return [
            (f"{finding.point.id}: {finding.verdict}", finding.observed)
            for finding in self.findings
            if finding.verdict in _JUDGED
        ]


def _said(point: Point) -> str:
    """The statement, on the part of a line."""
    return point.statement if point.documented else f"{point.topic}: assumed, {point.reading}"


def refuse_existing(path: Path) -> None:
    """Say so before anything is asked, when a report could not be kept.

    Raises:
        WrongUse: the file exists, or its folder does not.
    """
    if path.exists() or path.is_symlink():
        raise _exists(path)
    if not path.absolute().parent.is_dir():
        raise WrongUse(f"save: there is no folder for {path}.")


def _exists(path: Path) -> WrongUse:
    return WrongUse(f"save: {path} exists, and is left as it is. Choose another name.")


def _contradictions(finding: Finding) -> str:
    numbers = [str(c.number) for c in CONTRADICTIONS if finding.point.id in c.points]
    return f" (88Pay's pages differ here: contradiction {', '.join(numbers)})" if numbers else ""
