"""Sentences of a report: the same as text and as HTML, with a stranger's words escaped."""

from __future__ import annotations

import html

from pay88kit.config import Config
from pay88kit.display import one_line
from pay88kit.language import N_, _
from pay88kit.reports.days import Day, Days

SIMULATED = N_("Simulated data, not 88Pay")


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
    when = (
        _("Day: {day}", day=period) if isinstance(period, Day) else _("Days: {days}", days=period)
    )
    parts = [
        _("Environment: {environment}", environment=config.environment),
        _("Merchant: {merchant}", merchant=config.merchant_id),
        when,
    ]
    if config.environment == "local":
        parts.append(_(SIMULATED))
    return Words(" · ".join(parts))
