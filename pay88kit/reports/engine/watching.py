"""An engine that tells, cell by cell, how far a report is."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from papermill.engines import papermill_engines

from pay88kit.reports.engine.fork import ForkEngine

_numbers = itertools.count(1)


def engine(progress: Callable[[int, int], object]) -> str:
    """Register an engine that calls ``progress(done, cells)`` after each cell; returns its name.

    What ``progress`` raises ends the report, and reaches who carries it out.
    """

    class Watched(ForkEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
            complete, done = nb_man.cell_complete, itertools.count(1)

            def told(*args: Any, **options: Any) -> None:
                complete(*args, **options)
                progress(next(done), len(nb_man.nb.cells))

            nb_man.cell_complete = told
            return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)

    name = f"pay88-watched-{next(_numbers)}"
    papermill_engines.register(name, Watched)
    return name
