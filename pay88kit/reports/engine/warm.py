"""What a process imports and does once, so that the reports forked from it need not."""

from __future__ import annotations

import gc
import importlib
import inspect
import os
import random
import sys
import time
from contextlib import suppress

INLINE = "module://matplotlib_inline.backend_inline"

# What the kit's reports use, and what runs them. matplotlib_inline's backend is not among them: it
# ties itself to the shell that is there when it is first imported.
_MODULES = (
    "IPython.core.pylabtools",
    "babel.numbers",
    "matplotlib.backends.backend_agg",
    "matplotlib.pyplot",
    "openpyxl",
    "pandas",
    "nbconvert.exporters",
    "papermill",
    "stack_data",
    "pyarrow.parquet",
    "pay88kit",
    "pay88kit.balance",
    "pay88kit.books",
    "pay88kit.client.transports",
    "pay88kit.demo",
    "pay88kit.doctor",
    "pay88kit.endpoint_check",
    "pay88kit.frames",
    "pay88kit.reports.engine.cells",
    "pay88kit.reports.engine.fork",
    "pay88kit.reports.run",
)


def up() -> None:
    """Import everything, and let the slow first times happen now: fonts, a table, a catalogue."""
    os.environ.setdefault("MPLBACKEND", INLINE)
    # There is nothing to collect until all is here, and looking for it takes a sixth of the time.
    gc.disable()
    for name in _MODULES:
        # What is not installed is not needed; what cannot be loaded fails where it is used.
        with suppress(Exception):
            importlib.import_module(name)
    for first in (_draw, _tabulate, _translate):
        with suppress(Exception):
            first()
    # A traceback asks for the modules of its frames, and Python keeps what it has looked up.
    inspect.getmodule(up)
    # The collector of a fork passes over what is here by now: it would write to every object, and
    # so copy the memory that forks share.
    gc.collect()
    gc.freeze()
    gc.enable()


def anew() -> None:
    """In a fork: what must not be the same in two of them."""
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    time.tzset()


def _draw() -> None:
    from io import BytesIO

    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 1))
    axes = figure.add_subplot()
    axes.bar([1, 2], [1, 2], label="one")
    axes.legend()
    figure.savefig(BytesIO(), format="png")


def _tabulate() -> None:
    import pandas as pd

    frame = pd.DataFrame({"a": ["x", "y"], "b": [1, 2]})
    frame.groupby("a", dropna=False)["b"].agg(["count", "sum"]).reset_index().to_html()


def _translate() -> None:
    from pay88kit import language

    for each in (*language.LANGUAGES, language.spoken()):
        language.speak(each)
