"""The table of anything: answers, records, or JSON bytes become an exact DataFrame.

:func:`to_frame` makes it: amounts are ``decimal128`` (so a sum is exact to the cent), times are UTC
timestamps, and nothing is dropped. The other functions take such a frame further and leave it as
it is: sums by currency, the day in a zone, codes as categories, files, a chart, a table for people.
"""

from pay88kit.frames.build import to_frame
from pay88kit.frames.columns import MONEY
from pay88kit.frames.figures import coded, for_plot, local_day, total, totals
from pay88kit.frames.files import read_csv, read_parquet, save_csv, save_parquet
from pay88kit.frames.shown import styled
from pay88kit.frames.xlsx import save_xlsx

__all__ = [
    "MONEY",
    "coded",
    "for_plot",
    "local_day",
    "read_csv",
    "read_parquet",
    "save_csv",
    "save_parquet",
    "save_xlsx",
    "styled",
    "to_frame",
    "total",
    "totals",
]
