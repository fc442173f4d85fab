"""A merchant's calendar days: where they begin and end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pay88kit.errors import WrongUse
from pay88kit.language import _

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
        return _("{day}, 00:00 to 24:00 {zone}", day=self.day.isoformat(), zone=self.zone)


@dataclass(frozen=True)
class Days:
    """Calendar days of a merchant, both named ones included; ``start`` and ``end`` as of a day."""

    first: Day
    last: Day

    @property
    def zone(self) -> str:
        """The zone in which the days are cut."""
        return self.first.zone

    @property
    def start(self) -> datetime:
        """The first moment, in UTC."""
        return self.first.start

    @property
    def end(self) -> datetime:
        """The first moment that is no longer in it, in UTC."""
        return self.last.end

    def bounds(self) -> list[tuple[datetime, datetime]]:
        """Start and end of each of the days, in UTC."""
        count = (self.last.day - self.first.day).days + 1
        days = (self.first.day + timedelta(days=number) for number in range(count))
        each = (day_of("", day.isoformat(), self.zone) for day in days)
        return [(day.start, day.end) for day in each]

    def __str__(self) -> str:
        return _(
            "{first} to {last}, both included, {zone}",
            first=self.first.day,
            last=self.last.day,
            zone=self.zone,
        )


def days_of(merchant_id: str, first_day: str, last_day: str, timezone: str = "") -> Days:
    """The days from ``first_day`` to ``last_day``, both included.

    Raises:
        ReportError: a day is no ISO date, the zone is unknown, or there is no day in the range.
    """
    days = Days(day_of(merchant_id, first_day, timezone), day_of(merchant_id, last_day, timezone))
    if days.last.day < days.first.day:
        raise ReportError(
            _("last_day: {last} lies before first_day, {first}.", last=last_day, first=first_day)
        )
    return days


def day_of(merchant_id: str, day: str, timezone: str = "") -> Day:
    """The day as the merchant's country counts it, or as ``timezone`` (an IANA name) does.

    Raises:
        ReportError: ``day`` is no ISO date, or the zone is unknown.
    """
    try:
        date_ = date_of(day)
    except ReportError as error:
        raise ReportError(f"day: {error}") from None
    try:
        tz = zone_of(merchant_id, timezone)
    except ReportError as error:
        raise ReportError(f"timezone: {error}") from None
    start = datetime.combine(date_, time(), tz).astimezone(UTC)
    # The next midnight, not 24 hours: a day of a clock change has 23 or 25.
    end = datetime.combine(date_ + timedelta(days=1), time(), tz).astimezone(UTC)
    return Day(date_, tz.key, start, end)


def date_of(text: str) -> date:
    """A date as ISO 8601 writes it, between 1970 and 9998.

    Raises:
        ReportError: it is none.
    """
    try:
        found = date.fromisoformat(text)
        if not 1970 <= found.year <= 9998:
            raise ValueError
    except ValueError:
        fault = _("{given} is no date. Write it as 2026-01-15.", given=repr(text[:40]))
        raise ReportError(fault) from None
    return found


def zone_of(merchant_id: str, timezone: str = "") -> ZoneInfo:
    """The zone of that IANA name; without one, that of the merchant's country, else UTC.

    Raises:
        ReportError: there is no such zone.
    """
    country = merchant_id.split("-")[1] if merchant_id.count("-") >= 2 else ""
    name = timezone or ZONES.get(country, "UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ReportError(
            _("{name} is unknown. Use an IANA name such as America/Bogota.", name=repr(name[:60]))
        ) from None
