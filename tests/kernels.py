"""The lessons in kernels: forks of a warm process where processes can be forked, else real ones.

A kernel that starts spends more than most lessons do, and that the lessons run in one is tested by
running the committed notebooks.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

from pay88kit.reports.engine import fork, forking
from pay88kit.reports.engine.kernel import attentive

Watch = Callable[[str], None]


def execute(
    notebook: Any,
    env: dict[str, str],
    folder: Path,
    *,
    allow_errors: bool = False,
    watch: Watch = lambda text: None,
) -> None:
    """Run all cells in ``folder``, with only the environment ``env``.

    ``watch`` is told each text as it comes. An error ends the run and is raised, unless errors are
    allowed.
    """
    options: Any = {
        "timeout": 120,
        "allow_errors": allow_errors,
        "resources": {"metadata": {"path": str(folder)}},
    }
    if forking.available():
        run = SimpleNamespace(nb=notebook, autosave_cell=lambda: None)
        _forked(watch)(run, **options).execute(env=env)
        return
    client = _watched(NotebookClient, watch)(
        notebook, extra_arguments=["--IPKernelApp.log_level=ERROR"], **options
    )
    try:
        attentive(client).execute(env=env)
    except DeadKernelError:
        # A kernel's start fails now and then, and says nothing about the notebook.
        client.execute(env=env)


def _watched(base: Any, watch: Watch) -> Any:
    class Watched(base):  # type: ignore[misc]
        def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
            watch(msg["content"].get("data", {}).get("text/plain", ""))
            return super().process_message(msg, cell, cell_index)

    return Watched


def _forked(watch: Watch) -> Any:
    class Forked(_watched(fork.Client, watch)):  # type: ignore[misc]
        def papermill_execute_cells(self) -> None:
            for index, cell in enumerate(self.nb.cells):
                self.execute_cell(cell, index)

    return Forked
