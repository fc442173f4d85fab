"""Reports: notebooks with parameters, run by papermill and read as HTML without code."""

from pay88kit.reports.daily import by_hour, by_method, daily_summary, first_line, merchant_of
from pay88kit.reports.days import Day, ReportError, day_of
from pay88kit.reports.run import Parameter, ReportFailed, Result, names, parameters, run

__all__ = [
    "Day",
    "Parameter",
    "ReportError",
    "ReportFailed",
    "Result",
    "by_hour",
    "by_method",
    "daily_summary",
    "day_of",
    "first_line",
    "merchant_of",
    "names",
    "parameters",
    "run",
]
