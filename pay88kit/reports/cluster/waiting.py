"""Which report is made next, and on which host: all reports of a merchant on the same one.

88Pay counts a merchant's requests. The kit counts along, in a file of the host that they leave from
(:mod:`pay88kit.client.shared_pace`); two hosts would each believe to be alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pay88kit.reports.merchants import COLUMN


@dataclass(eq=False)
class Report:
    """A report that is to be made.

    Attributes:
        values: its parameters.
        notebook: where it goes, once that is reserved.
        deaths: how often a worker has ended that had it.
    """

    values: Mapping[str, Any]
    notebook: Path | None = None
    deaths: int = 0

    @property
    def merchant(self) -> str:
        """Whom it is about."""
        return str(self.values[COLUMN])


class Waiting:
    """The reports that are still to be made.

    A host that asks gets a merchant that nobody has, as long as there is one, so that the quicker
    host gets more of them; then the next report of its own merchants, in turns.
    """

    def __init__(self, wanted: Iterable[Report]) -> None:
        # A merchant's reports; it is in exactly one queue below as long as one of them waits.
        self._reports: dict[str, deque[Report]] = {}
        for report in wanted:
            self._reports.setdefault(report.merchant, deque()).append(report)
        self._new = deque(self._reports)
        self._of_host: dict[str, deque[str]] = {}
        self._host_of: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._new) or any(self._of_host.values())

    def take(self, host: str) -> Report | None:
        """The next report for a host; None if it is to have none now."""
        own = self._of_host.setdefault(host, deque())
        source = self._new or own
        if not source:
            return None
        merchant = source.popleft()
        self._host_of[merchant] = host
        reports = self._reports[merchant]
        report = reports.popleft()
        if reports:
            own.append(merchant)
        return report

    def give_back(self, report: Report) -> None:
        """A report that was taken is still to be made, before the merchant's others."""
        merchant = report.merchant
        reports = self._reports[merchant]
        if not reports:
            host = self._host_of.get(merchant)
            (self._new if host is None else self._of_host[host]).append(merchant)
        reports.appendleft(report)

    def without(self, host: str) -> None:
        """A host is gone: other ones may have its merchants."""
        self._new.extend(self._of_host.pop(host, ()))
        for merchant in [name for name, there in self._host_of.items() if there == host]:
            del self._host_of[merchant]

    @property
    def hosts(self) -> list[str]:
        """Those that have merchants, or had."""
        return list(self._of_host)
