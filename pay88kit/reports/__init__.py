"""Reports: notebooks with parameters, run by papermill and read as HTML without code."""

from pay88kit.language import speak
from pay88kit.reports.closing import DayBalance, balance_of
from pay88kit.reports.cluster import ClusterLost
from pay88kit.reports.comparison import figures, verdict
from pay88kit.reports.daily import Table, by_hour, by_method, daily_summary
from pay88kit.reports.days import Day, Days, ReportError, day_of, days_of
from pay88kit.reports.files import names
from pay88kit.reports.index import Run, runs
from pay88kit.reports.many import Progress, Summary, run_many
from pay88kit.reports.merchants import Merchant, merchants_in_books, merchants_in_file
from pay88kit.reports.parameters import Parameter
from pay88kit.reports.profile import config_of
from pay88kit.reports.run import (
    Job,
    ReportFailed,
    Result,
    carry_out,
    parameters,
    prepare,
    run,
)
from pay88kit.reports.transactions import Transactions
from pay88kit.reports.words import Words, first_line

__all__ = [
    "ClusterLost",
    "Day",
    "DayBalance",
    "Days",
    "Job",
    "Merchant",
    "Parameter",
    "Progress",
    "ReportError",
    "ReportFailed",
    "Result",
    "Run",
    "Summary",
    "Table",
    "Transactions",
    "Words",
    "balance_of",
    "by_hour",
    "by_method",
    "carry_out",
    "config_of",
    "daily_summary",
    "day_of",
    "days_of",
    "figures",
    "first_line",
    "merchants_in_books",
    "merchants_in_file",
    "names",
    "parameters",
    "prepare",
    "run",
    "run_many",
    "runs",
    "speak",
    "verdict",
]
