"""papermill's default engine, with a client that misses no answer of its kernel.

nbclient sends an output widget's state past pyzmq's asyncio socket, on which it waits for the
cell's reply at the same time. A reply that arrives just then goes unnoticed, and without a time
limit the report would wait for ever: one in some twenty cells with an ``Output`` or ``interact``
(https://github.com/jupyter/nbclient/issues/312).
"""

from __future__ import annotations

from typing import Any

import zmq
from nbclient import NotebookClient
from nbclient.output_widget import OutputWidget
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine
from papermill.log import logger


class Output(OutputWidget):
    """An output widget after whose messages the socket is looked at again."""

    def _publish_msg(self, *args: Any, **kwargs: Any) -> None:
        super()._publish_msg(*args, **kwargs)
        # Reading its state lets an asyncio socket serve what has arrived in the meantime.
        self.kernel_client.shell_channel.socket.get(zmq.EVENTS)


def attentive(client: NotebookClient) -> NotebookClient:
    """The same client, which now hears every reply."""
    client.widget_registry["@jupyter-widgets/output"]["OutputModel"] = Output
    return client


class KernelEngine(NBClientEngine):  # type: ignore[misc]
    """Runs the cells in a kernel of their own."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        start_timeout: float = 60,
        execution_timeout: float | None = None,
        **kwargs: Any,
    ) -> Any:
        """As papermill's default engine does; the options are its own."""
        options = {name: value for name, value in kwargs.items() if name not in _NAMED_OTHERWISE}
        client = PapermillNotebookClient(
            nb_man,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            timeout=execution_timeout or kwargs.get("timeout"),
            log=logger,
            **options,
        )
        return attentive(client).execute()


_NAMED_OTHERWISE = ("input_path", "timeout", "startup_timeout")
