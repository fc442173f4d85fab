"""papermill's engine ``pay88-fork``: a report's cells in a process that need not start.

papermill's default engine starts a kernel for each report, which takes longer than most reports do.
This one runs the same kernel in a fork of a process that has imported everything already. Use it as
``papermill --engine pay88-fork …``; :func:`pay88kit.reports.run_many` does.

What differs from the default engine: a setting that is read when a library is *imported* (for
example a ``matplotlibrc`` in the working directory) was read already, and IPython's own
configuration and start-up files are not read. Where processes cannot be forked (Windows, macOS),
the default engine does the work.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from multiprocessing.connection import Connection
from typing import Any

import nbformat
from jupyter_client.session import Session
from nbclient.exceptions import (
    CellExecutionComplete,
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)
from nbclient.util import run_sync
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import papermill_engines
from papermill.log import logger

from pay88kit.reports.engine import forking
from pay88kit.reports.engine.kernel import KernelEngine

NAME = "pay88-fork"


class ForkEngine(KernelEngine):
    """Runs the cells in a forked process."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
        """Run the cells of ``nb_man.nb``, and write their outputs into it.

        Of the default engine's options, those that concern the start of a kernel have no effect.

        A cell that ends its process has that as its error, and no further cell is run.

        Raises:
            nbclient.exceptions.CellTimeoutError: a cell took longer than ``execution_timeout``.
        """
        if not forking.available() or not _is_python(nb_man.nb, kernel_name):
            return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)
        options = {name: kwargs[name] for name in _OPTIONS if name in kwargs}
        timeout = kwargs.get("execution_timeout") or kwargs.get("timeout")
        return Client(nb_man, timeout=timeout, log=logger, **options).execute()


def _is_python(notebook: Any, kernel_name: str) -> bool:
    """A notebook that names no language is in that of the kernel it is to run in."""
    about = notebook.metadata
    language = about.get("language_info", {}).get("name")
    named = language or about.get("kernelspec", {}).get("language") or kernel_name
    return str(named).startswith("python")


_output: Any = nbformat.v4.new_output
# What papermill hands on to the client that runs the cells.
_OPTIONS = (
    "allow_errors",
    "allow_error_names",
    "coalesce_streams",
    "force_raise_errors",
    "log_output",
    "record_timing",
    "resources",
    "skip_cells_with_tag",
    "stderr_file",
    "stdout_file",
    "store_widget_state",
)


class Client(PapermillNotebookClient):  # type: ignore[misc]
    """papermill's client, but for how a request reaches the kernel and its messages come back."""

    def execute(self, env: Mapping[str, str] | None = None, **_: Any) -> Any:
        """Run all cells, with the environment variables ``env`` or else this process's."""
        self.reset_execution_trackers()
        self._session = Session()
        # Where nbclient lets a kernel run, if that is said.
        cwd = self.resources.get("metadata", {}).get("path")
        self._child = forking.start(_cells, self._session.key, cwd=cwd or None, env=env)
        # Of a kernel's client, widgets in a report use these two.
        self.kc = _Requests(self._session, self._child)
        with closing(self._child):
            for channel, message in self._ask("kernel_info_request", {}):
                if channel == "shell":
                    self.nb.metadata["language_info"] = message["content"]["language_info"]
            self.papermill_execute_cells()
            self.set_widgets_metadata()
        return self.nb

    def execute_cell(self, cell: Any, cell_index: int, **_: Any) -> Any:
        """Run one cell, and collect its outputs as nbclient does."""
        if cell.cell_type != "code" or not cell.source.strip():
            return cell
        if self.skip_cells_with_tag in cell.metadata.get("tags", []):
            return cell
        cell.outputs = []
        self.clear_before_next_output = False
        if self.record_timing:
            cell.metadata["execution"] = {}
        content = {"code": cell.source, "silent": False, "allow_stdin": False}
        reply = None
        try:
            for channel, message in self._ask("execute_request", content, self._get_timeout(cell)):
                if channel == "shell":
                    reply = message
                    if self.record_timing:
                        at = message["header"]["date"].isoformat()
                        cell.metadata["execution"]["shell.execute_reply"] = at
                else:
                    self.process_message(message, cell, cell_index)
        except CellExecutionComplete:
            pass
        except TimeoutError:
            self._child.stop()
            raise CellTimeoutError.error_from_timeout_and_cell(
                "Cell execution timed out", self._get_timeout(cell), cell
            ) from None
        except forking.ChildDied as died:
            error = {
                "ename": DeadKernelError.__name__,
                "evalue": f"This cell ended the process of the cells: {died}.",
            }
            cell.outputs.append(_output("error", traceback=[], **error))
            raise CellExecutionError(traceback="", **error) from None
        run_sync(self._check_raise_for_error)(cell, cell_index, reply)
        return cell

    def _ask(self, kind: str, content: Any, timeout: float | None = None) -> Any:
        """Send a request; yields the channel and the message of what belongs to it, to its end."""
        request = self._session.msg(kind, content)
        self._child.send(request)
        ends = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if ends is None else max(0.0, ends - time.monotonic())
            channel, parts = self._child.receive(left)
            _, parts = self._session.feed_identities(parts)
            message = self._session.deserialize(parts)
            if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
                # A thread that an earlier cell has left behind.
                continue
            yield channel, message
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return


class _Requests:
    """Where an output widget's answers go."""

    def __init__(self, session: Session, child: forking.Child) -> None:
        self.session = session
        self.shell_channel = self
        self.send = child.send


def _cells(connection: Connection, key: bytes) -> None:
    from pay88kit.reports.engine import cells

    # Cells may run reports of their own; a fork of this process has a shell already, its cells'.
    forking.keep_whole()
    cells.run(connection, key)


# Where the package is not installed, its entry point is not there.
papermill_engines.register(NAME, ForkEngine)
