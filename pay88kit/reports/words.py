"""Sentences of a report: the same as text and as HTML, with a stranger's words escaped."""

from __future__ import annotations

import html
from typing import Any

from pay88kit import money
from pay88kit.config import Config
from pay88kit.display import one_line
from pay88kit.reports.days import Day, Days

SIMULATED = "Simulated data, not 88Pay"


class Words:
    """Paragraphs; what is in them is text, whatever it looks like."""

    def __init__(self, *paragraphs: str) -> None:
        self._paragraphs = [one_line(paragraph) for paragraph in paragraphs]

    def __repr__(self) -> str:
        return "\n".join(self._paragraphs)

    def _repr_html_(self) -> str:
        return "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in self._paragraphs)


def first_line(config: Config, period: Day | Days) -> Words:
    """What a report is about: environment, merchant, time range and zone, and if it is real."""
    parts = [
        f"Environment: {config.environment}",
        f"Merchant: {config.merchant_id}",
        f"{type(period).__name__}: {period}",
    ]
    if config.environment == "local":
        parts.append(SIMULATED)
    return Words(" · ".join(parts))


def verdict(reconciliation: Any) -> Words:
    """A reconciliation in one sentence."""
    gap = money.show(reconciliation.gap, reconciliation.currency)
    if reconciliation.ok is None:
        return Words("Nothing is compared: the books have no opening snapshot of this time.")
    if reconciliation.ok:
        return Words(f"The books and the balance agree; the gap is {gap}.")
    known = "every part of it has a name" if reconciliation.explained else "not all of it is known"
    return Words(f"The books and the balance differ by {gap}; {known}.")
