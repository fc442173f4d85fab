"""Cells of somebody else's table as exact amounts, times in UTC and plain text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pay88kit import money
from pay88kit.errors import InvalidRequest, Problem, WrongUse

# Of a payment that is in somebody's accounts now, any other year is a slip of a key.
_YEARS = range(2000, 2100)
# Thousands in groups of three, by the mark between them.
_GROUPED = {
    ",": re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?"),
    ".": re.compile(r"-?\d{1,3}(\.\d{3})+(,\d+)?"),
}


@dataclass(frozen=True)
class Reading:
    """How a file writes amounts and times.

    Attributes:
        decimal: ``"."`` or ``","``, where the file has thousands marks or decimal commas: the other
            one is the thousands mark then. Without it amounts are plain: ``50000.50``.
        timezone: the IANA name of the zone of times that say none; without it they are refused.

    Raises:
        WrongUse: another mark, or an unknown zone.
    """

    decimal: str | None = None
    timezone: str | None = None

    def __post_init__(self) -> None:
        if self.decimal not in (None, ".", ","):
            raise WrongUse(f"decimal: {self.decimal!r} is no decimal mark. Use . or a comma.")
        self._zone()

    def amount(self, cell: Any, field: str) -> Decimal:
        """An exact amount.

        Raises:
            InvalidRequest: it is none.
        """
        if not isinstance(cell, str):
            return money.exact(cell, field)
        text = cell.strip()
        if self.decimal is not None:
            mark = "," if self.decimal == "." else "."
            if mark in text and not _GROUPED[mark].fullmatch(text):
                raise _refuse(
                    field, f"{text[:40]!r} is no amount with the decimal mark {self.decimal!r}.",
                    "Correct it.",
                )  # fmt: skip
            text = text.replace(mark, "").replace(self.decimal, ".")
        elif "," in text:
            raise _refuse(
                field, f"{text[:40]!r} has a comma, which may mean thousands or decimals.",
                "Say which: the decimal mark is , or .",
            )  # fmt: skip
        else:
            return money.as_written(text, field, mark="say which mark is the decimal one: , or .")
        return money.exact(text, field)

    def moment(self, cell: Any, field: str) -> datetime:
        """A time in UTC. A day alone is its first moment.

        Raises:
            InvalidRequest: it is no time, has no zone, is of an implausible year, or stands for no
                time or two.
        """
        return self.period(cell, field)[0]

    def period(self, cell: Any, field: str) -> tuple[datetime, datetime | None]:
        """A time in UTC and None; of a day alone, its first moment and that of the next day.

        A date in a spreadsheet has a midnight that nobody wrote, so it is a day alone as well.

        Raises:
            InvalidRequest: as for :meth:`moment`.
        """
        day = _day(cell)
        zone = self._zone()
        if day is None or zone is None:
            return self._moment(cell, field), None
        _plausible(day.year, str(cell).strip(), field)
        # Where the clocks skip midnight, fold=0 is the moment at which they do.
        first, after = (
            datetime.combine(each, time(), zone).astimezone(UTC)
            for each in (day, day + timedelta(days=1))
        )
        return first, after

    def _moment(self, cell: Any, field: str) -> datetime:
        text = str(cell).strip()
        try:
            found = cell if isinstance(cell, datetime) else datetime.fromisoformat(text)
        except ValueError:
            raise _refuse(
                field, f"{text[:40]!r} is not an ISO 8601 time.",
                "Write it as 2026-01-15T12:00:00Z.",
            ) from None  # fmt: skip
        _plausible(found.year, text, field)
        if found.tzinfo is None:
            zone = self._zone()
            if zone is None:
                raise _refuse(
                    field, f"{text[:40]!r} has no time zone.",
                    "Name the zone of the whole file, such as America/Bogota, or write 2026-01-15T"
                    "12:00:00Z.",
                )  # fmt: skip
            found = found.replace(tzinfo=zone)
            if found.utcoffset() != found.replace(fold=1).utcoffset():
                raise _refuse(
                    field, f"{text[:40]!r} is skipped or occurs twice when the clocks change.",
                    "Write its offset too, such as 2026-01-15T12:00:00-05:00.",
                )  # fmt: skip
        return found.astimezone(UTC)

    def _zone(self) -> ZoneInfo | None:
        if self.timezone is None:
            return None
        try:
            return ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise WrongUse(
                f"timezone: {self.timezone!r} is unknown. Use an IANA name such as America/Bogota."
            ) from None


def _day(cell: Any) -> date | None:
    """The day that a cell names without a time; None where it names none, or a time."""
    if isinstance(cell, datetime):
        return cell.date() if cell.tzinfo is None and cell.time() == time() else None
    try:
        return date.fromisoformat(str(cell).strip())
    except ValueError:
        return None


def _plausible(year: int, text: str, field: str) -> None:
    if year not in _YEARS:
        raise _refuse(
            field, f"{text[:40]!r} is of the year {year}.",
            f"Correct it: years from {_YEARS[0]} to {_YEARS[-1]} are taken.",
        )  # fmt: skip


def text(cell: Any) -> str:
    """A cell as text. What looks like a formula stays the text that it is."""
    if isinstance(cell, Decimal) and cell == cell.to_integral_value():
        # A reference of digits alone is a number to Excel.
        return f"{cell:.0f}"
    return str(cell).strip()


def _refuse(field: str, fault: str, cure: str) -> InvalidRequest:
    return InvalidRequest(Problem(field, fault, cure))
