"""A merchant's calendar days: where they begin and end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pay88kit.errors import WrongUse

# The zone in which a merchant's days are cut. Of a country with several, the capital's.
ZONES = {
    "COL": "America/Bogota",
    "MEX": "America/Mexico_City",
    "BRA": "America/Sao_Paulo",
    "CHL": "America/Santiago",
}


class ReportError(WrongUse):
    """A report that cannot be run as asked; nothing was written."""


@dataclass(frozen=True)
class Day:
    """A calendar day of a merchant: ``start`` is included, ``end`` is not; both in UTC."""

    day: date
    zone: str
    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}, 00:00 to 24:00 {self.zone}"


def day_of(merchant_id: str, day: str, timezone: str = "") -> Day:
    """The day as the merchant's country counts it, or as ``timezone`` (an IANA name) does.

    Raises:
        ReportError: ``day`` is no ISO date, or the zone is unknown.
    """
    country = merchant_id.split("-")[1] if merchant_id.count("-") >= 2 else ""
    zone = timezone or ZONES.get(country, "UTC")
    try:
        date_ = date.fromisoformat(day)
    except ValueError:
        raise ReportError(f"day: {day!r} is no date. Write it as 2026-01-15.") from None
    try:
        tz = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ReportError(
            f"timezone: {zone!r} is unknown. Use an IANA name such as America/Bogota."
        ) from None
    start = datetime.combine(date_, time(), tz).astimezone(UTC)
    # The next midnight, not 24 hours: a day of a clock change has 23 or 25.
    end = datetime.combine(date_ + timedelta(days=1), time(), tz).astimezone(UTC)
    return Day(date_, zone, start, end)
