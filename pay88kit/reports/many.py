"""Many reports at once: every merchant and every day, each a run of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from pay88kit.display import one_line
from pay88kit.errors import needs
from pay88kit.reports import files
from pay88kit.reports.cluster import connected
from pay88kit.reports.days import ReportError, date_of
from pay88kit.reports.index import NAME, check_index, runs
from pay88kit.reports.merchants import COLUMN, Merchant
from pay88kit.reports.parameters import DAYS_AGO, Parameter, Plain, checked, parameters_of
from pay88kit.reports.workers import Outcome, Task, make, usable_cores

# One of the kit's reports only reads, so that it may be run again. Of another notebook that is not
# known, and what it created would be created twice.
RETRIES = 2

_RANGE = ("first_day", "last_day")
# The zones in which a day begins first and last, as they differ from UTC.
_ZONES = (timedelta(hours=14), timedelta(hours=-12))


@dataclass(frozen=True)
class Progress:
    """How far it is: reports made, failed, and left; seconds since the beginning."""

    done: int
    failed: int
    left: int
    seconds: float
    outcome: Outcome


@dataclass(frozen=True)
class Summary:
    """What became of many reports.

    Attributes:
        report: its name.
        done: how many were made.
        skipped: how many were there already (``resume=True``).
        failures: those that failed.
        seconds: how long it took.
        index: the page that lists all runs of the folder, failures on top.
    """

    report: str
    done: int
    skipped: int
    failures: Sequence[Outcome] = field(repr=False)
    seconds: float
    index: Path

    def __str__(self) -> str:
        parts = [f"{self.done} done", f"{len(self.failures)} failed"]
        if self.skipped:
            parts.append(f"{self.skipped} there already")
        return f"{self.report}: {', '.join(parts)} in {self.seconds:.1f} s. {self.index}"


def run_many(
    name: str,
    merchants: Iterable[Merchant | str],
    days: str = "",
    *,
    values: Mapping[str, Any] | None = None,
    out: Path | str = "reports-out",
    workers: int | None = None,
    cluster: str | None = None,
    resume: bool = False,
    retries: int | None = None,
    progress: Callable[[Progress], object] = lambda _: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Summary:
    """Run a report for every merchant and every day.

    Everything is checked before the first one starts. A report that fails stops no other one.

    Args:
        name: one of :func:`names`, or the path of a notebook with a ``parameters`` cell.
        merchants: their ids, or :func:`merchants_in_file`, :func:`merchants_in_books`.
        days: ``2026-01-01..2026-01-31`` (both included) or one day. Each may be ``today`` or
            ``yesterday``, which begin in each merchant's own zone. A report without a parameter
            ``day`` but with ``first_day`` and ``last_day`` is run once for each merchant, over
            all of them. The kit's own reports must be given their days, here, in ``values`` or
            with every merchant; another notebook has its own default.
        values: parameters that are the same for all.
        out: the folder for their files.
        workers: how many processes work at once; by default as many as there are cores.
        cluster: the address of a Dask scheduler, such as ``tcp://192.168.1.5:8786``. Its workers
            make the reports, with credentials of their own environment; the files come into
            ``out``. All must have the same versions as this process.
        resume: leave out what the folder's index has as done, for example after Ctrl-C.
        retries: how often a report is run again that failed because no connection or a 5xx came.
            By default twice for the kit's own reports, which only read, and never for others.
        progress: is told after each report.
        now: what time it is; a day that has not begun then is refused.

    Raises:
        ReportError: an unknown report, a parameter that cannot be, no merchant, an empty range of
            days, an unwritable folder, a cluster that cannot be used. Nothing was started.
        ClusterLost: the cluster had no worker any more. What was done is kept.
        MissingExtra: without the extra ``reports``, or with ``cluster`` without that one.
    """
    began = time.monotonic()
    with needs("reports"):
        import nbconvert  # noqa: F401
        import papermill  # noqa: F401
    source = files.find(name)
    count = usable_cores() if workers is None else workers
    if count < 1:
        raise ReportError(f"workers: {count} can do nothing. Use 1 or more.")
    if cluster is not None and workers is not None:
        raise ReportError(
            "workers: the cluster's own decide how many reports are made at once. Leave it out."
        )
    if retries is None:
        retries = RETRIES if files.is_own(source) else 0
    parameters = parameters_of(source)
    if cluster is not None:
        # Whether a profile has a key is known where the reports are made.
        parameters = [replace(p, type="text") if p.type == "profile" else p for p in parameters]
    whom = [_merchant(each) if isinstance(each, str) else each for each in merchants]
    values = values or {}
    if not days and files.is_own(source):
        _check_given(parameters, whom, values)
    wanted = _cross(source.stem, parameters, whom, days, values, now)
    out = Path(out)
    check_index(out)
    done = 0
    failures: list[Outcome] = []
    with _makers(count, cluster) as makers:
        files.release(files.reserve(out, source.stem, {}))
        there = _there(source.stem, out) if resume else set()
        left = [each for each in wanted if _key(each) not in there]
        task = Task(str(source) if not files.is_own(source) else name, out.absolute(), retries)
        for outcome in makers(task, left) if left else ():
            done += outcome.done
            if not outcome.done:
                failures.append(outcome)
            missing = len(left) - done - len(failures)
            progress(Progress(done, len(failures), missing, time.monotonic() - began, outcome))
    skipped = len(wanted) - len(left)
    return Summary(source.stem, done, skipped, failures, time.monotonic() - began, out / NAME)


@contextmanager
def _makers(
    count: int, cluster: str | None
) -> Iterator[Callable[[Task, Sequence[Mapping[str, Any]]], Iterator[Outcome]]]:
    """What makes reports: so many processes of this machine, or the workers of a cluster."""
    if cluster is None:
        yield partial(make, workers=count)
    else:
        with connected(cluster) as workers:
            yield workers.make


def _there(report: str, out: Path) -> set[frozenset[tuple[str, str]]]:
    """The values for which this report is in the folder already."""
    return {
        _key(run.values)
        for run in runs(out)
        if run.report == report and run.state == "done" and (out / run.html).is_file()
    }


def _merchant(merchant_id: str) -> Merchant:
    return Merchant(f"merchant {one_line(merchant_id)[:80]}", merchant_id)


def _key(values: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    return frozenset((name, repr(value)) for name, value in values.items())


def _check_given(
    parameters: list[Parameter], merchants: Sequence[Merchant], values: Mapping[str, Any]
) -> None:
    """Refuse a report whose days are not given: its own are those of a sample."""
    needed = {each.name for each in parameters} & {"day", *_RANGE} - values.keys()
    lacking = [merchant for merchant in merchants if needed - merchant.values.keys()]
    if len(lacking) < len(merchants):
        for merchant in lacking:
            name = min(needed - merchant.values.keys())
            raise ReportError(f"{merchant.where}: has no {name}, which others have. Fill it in.")
    elif lacking:
        raise ReportError(
            "days: say which, such as --days yesterday or --days 2026-01-01..2026-01-31."
        )


def _cross(
    report: str,
    parameters: list[Parameter],
    merchants: Sequence[Merchant],
    days: str,
    values: Mapping[str, Any],
    now: Callable[[], datetime],
) -> list[dict[str, Plain]]:
    """The parameters of every single report, the days in order and in each day the merchants."""
    names = {parameter.name for parameter in parameters}
    if COLUMN not in names:
        raise ReportError(f"report {report}: has no parameter {COLUMN}, so there is one only.")
    ends = _ranges(report, names, days, now)
    found: list[dict[str, Plain]] = []
    for merchant in merchants:
        given = {**values, **merchant.values}
        try:
            for name in {COLUMN, *ends[0]} & given.keys():
                raise ReportError(f"{name}: is given twice. Leave out one of them.")
            about = ({COLUMN: merchant.merchant_id, **end, **given} for end in ends)
            found += _each_day([checked(report, parameters, each, now) for each in about])
        except ReportError as error:
            raise ReportError(f"{merchant.where}: {error}") from None
    if not found:
        raise ReportError("merchants: there is none.")
    return sorted(found, key=lambda typed: str(typed.get("day", "")))


def _ranges(
    report: str, names: set[str], days: str, now: Callable[[], datetime]
) -> list[dict[str, str]]:
    """The first and the last of the days as parameters; one, where that is enough."""
    if not days:
        return [{}]
    first, dots, last = days.partition("..")
    if not dots:
        last = first
    if "day" not in names and not names.issuperset(_RANGE):
        raise ReportError(f"days: {report} has no parameter for a day. Leave it out.")
    _check_days(first, last, now())
    if "day" not in names:
        return [dict(zip(_RANGE, (first, last), strict=True))]
    return [{"day": first}, {"day": last}] if dots else [{"day": days}]


def _check_days(first: str, last: str, now: datetime) -> None:
    """Refuse days that are wrong for everybody, whatever a merchant's zone is."""
    todays = [(now + ahead).astimezone(UTC).date() for ahead in _ZONES]
    try:
        begins, ends = ([_on(end, today) for today in todays] for end in (first, last))
        for end in (*begins, *ends):
            if end > todays[0]:
                raise ReportError(f"{end} has not begun yet in any time zone. Use an earlier one.")
    except ReportError as error:
        raise ReportError(f"days: {error} A range is 2026-01-01..2026-01-31.") from None
    if all(end < begin for begin, end in zip(begins, ends, strict=True)):
        _refuse_empty(first, last)


def _on(day: str, today: date) -> date:
    return today - timedelta(DAYS_AGO[day]) if day in DAYS_AGO else date_of(day)


def _refuse_empty(first: object, last: object) -> NoReturn:
    raise ReportError(
        f"days: {last} lies before {first}: the range is empty. Both days are included; "
        f"exchange them."
    )


def _each_day(ends: list[dict[str, Plain]]) -> list[dict[str, Plain]]:
    """The parameters of each day, from those of the first and those of the last."""
    if len(ends) == 1:
        return ends
    begin, end = (date_of(str(typed["day"])) for typed in ends)
    if end < begin:
        _refuse_empty(begin, end)
    days = (begin + timedelta(number) for number in range((end - begin).days + 1))
    return [{**ends[0], "day": day.isoformat()} for day in days]
