"""A report that is run again after a failure that may pass: no connection, or a 5xx."""

from __future__ import annotations

import time
from typing import Any

from papermill.engines import papermill_engines

from pay88kit.errors import STATUS_ERRORS, ConnectionFailed, ServerError
from pay88kit.reports.engine.fork import ForkEngine
from pay88kit.reports.engine.kernel import KernelEngine

# By name: the error was raised in another process, and its notebook is all that is left of it.
PASSING = {
    ConnectionFailed.__name__,
    ServerError.__name__,
    *(error.__name__ for error in STATUS_ERRORS.values() if issubclass(error, ServerError)),
}
# Seconds before the first repetition; each further one waits twice as long.
PAUSE = 2.0
_LONGEST = 60.0


def engine(times: int, *, forks: bool) -> str:
    """Register an engine that runs a report up to ``times`` times more; returns its name."""
    base: type[KernelEngine] = ForkEngine if forks else KernelEngine

    class Retrying(base):  # type: ignore[misc,valid-type]
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
            pause = PAUSE
            for _ in range(times):
                done = super().execute_managed_notebook(nb_man, kernel_name, **kwargs)
                if not may_pass(nb_man.nb):
                    return done
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST)
                nb_man.notebook_start()
            return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)

    name = f"pay88-retrying-{times}"
    papermill_engines.register(name, Retrying)
    return name


def may_pass(notebook: Any) -> bool:
    """Whether an executed notebook stopped with an error that may not come again."""
    return any(
        output.output_type == "error" and output.ename in PASSING
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.metadata.get("papermill", {}).get("exception")
        for output in cell.outputs
    )
