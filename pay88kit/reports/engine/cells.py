"""The process in which a report's cells run: Jupyter's own kernel, on a pipe instead of sockets.

Because it is that kernel, with its shell, its display hook and its messages, its outputs are those
of any notebook.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import os
import signal
import sys
import tempfile
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any

# Python's debugger is slow to load, and the kernel needs none here. Cells may still import it.
_absent = sys.modules.setdefault("debugpy", None)  # type: ignore[arg-type]
import ipykernel.debugger  # noqa: E402

if _absent is None:
    del sys.modules["debugpy"]

from ipykernel.ipkernel import IPythonKernel  # noqa: E402
from ipykernel.zmqshell import ZMQInteractiveShell  # noqa: E402
from jupyter_client.session import Session  # noqa: E402
from tornado.ioloop import IOLoop  # noqa: E402
from traitlets import Type  # noqa: E402
from traitlets.config import Config  # noqa: E402
from traitlets.log import get_logger  # noqa: E402

from pay88kit.reports.engine.warm import INLINE  # noqa: E402

# A stream is sent when a cell displays something or ends; sooner if it has waited for so long.
_INTERVAL = 0.2


def run(connection: Connection, key: bytes) -> None:
    """Do what the requests on ``connection`` ask for, until it is closed.

    Messages are signed with ``key``, as Jupyter's are.
    """
    os.environ.setdefault("MPLBACKEND", INLINE)
    if "matplotlib" in sys.modules:
        # It was imported with the environment of another process.
        sys.modules["matplotlib"].rcParams["backend"] = os.environ["MPLBACKEND"]
    _find_what_lies_here()
    asyncio.run(_serve(connection, Session(key=key)))


def _find_what_lies_here() -> None:
    """Let cells import from their folder as in IPython: after Python's own library."""
    sys.path[:] = [place for place in sys.path if place]
    packages = ("site-packages", "dist-packages")
    at = (number for number, place in enumerate(sys.path) if place.endswith(packages))
    sys.path.insert(next(at, len(sys.path)), "")


async def _serve(connection: Connection, session: Session) -> None:
    # As in any kernel: it interrupts the cell. asyncio's own would end the kernel after it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    lock = threading.Lock()
    shown, answers = _Pipe(connection, "iopub", lock), _Pipe(connection, "shell", lock)
    kernel: Any = _Kernel.instance(
        session=session, iopub_socket=shown, config=_config(), log=get_logger()
    )
    kernel.io_loop = IOLoop.current()
    # There is one thread, in which all requests are answered.
    kernel.shell_channel_thread = SimpleNamespace(parent_thread=threading.current_thread())
    streams = [
        _Stream(name, number, session, shown) for number, name in ((1, "stdout"), (2, "stderr"))
    ]
    sys.stdout, sys.stderr = streams
    loop = asyncio.get_running_loop()
    while True:
        # Not a blocking read: a task that a cell has left behind goes on.
        await _readable(loop, connection.fileno())
        message = connection.recv()
        kernel.set_parent([], message)
        kernel._publish_status("busy", "shell")
        answer = kernel.shell_handlers[message["header"]["msg_type"]](answers, [], message)
        if inspect.isawaitable(answer):
            await answer
        for stream in streams:
            stream.flush()
        kernel._publish_status("idle", "shell")


async def _readable(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


def _config() -> Config:
    config = Config()
    # As nbclient starts its kernels: a report leaves no history behind.
    config.HistoryManager.hist_file = ":memory:"
    # Libraries look for this section to tell a notebook from a terminal.
    config.IPKernelApp.log_level = "ERROR"
    return config


class _NoDebugger(ipykernel.debugger.Debugger):
    def __init__(self, *_: object) -> None:
        pass


class _Shell(ZMQInteractiveShell):
    def enable_gui(self, gui: Any = None) -> None:
        """A report has no windows."""
        self.active_eventloop = gui


class _Kernel(IPythonKernel):
    shell_class = Type(_Shell)
    debugger_class = Type(_NoDebugger)

    def _abort_queues(self, subshell_id: str | None = None) -> None:
        """Nothing waits in a queue: the next cell is sent when this one is done."""


class _Pipe:
    """What the kernel takes for one of its sockets."""

    def __init__(self, connection: Connection, channel: str, lock: threading.Lock) -> None:
        self._connection = connection
        self._channel = channel
        self._lock = lock

    def send_multipart(self, parts: list[Any], **_: Any) -> None:
        """Send one message; a cell's threads may do so at the same time."""
        with self._lock:
            self._connection.send((self._channel, [bytes(part) for part in parts]))

    def flush(self, *_: Any) -> None:
        """Nothing is held back."""


def _scratch() -> Any:
    try:
        return tempfile.TemporaryFile(buffering=0)
    except OSError:
        # No folder is writable. A file in memory is there on Linux, as forks are.
        return open(os.memfd_create("pay88kit"), "w+b", buffering=0)


class _Stream(io.TextIOBase):
    """``sys.stdout`` or ``sys.stderr`` of the cells, and what else is written to its descriptor.

    That comes from below Python: from a library in C, or a program that a cell has started. It goes
    to a file, from which it is read where Python writes next, so that the order is kept.
    """

    encoding = "UTF-8"

    def __init__(self, name: str, descriptor: int, session: Any, shown: _Pipe) -> None:
        self.name = name
        self._descriptor = descriptor
        self._session = session
        self._shown = shown
        self._owner = os.getpid()
        self._parent: Any = {}
        self._waiting: list[str] = []
        self._since = 0.0
        self._lock = threading.RLock()
        self._decode: Callable[..., str] = getincrementaldecoder("utf-8")(errors="replace").decode
        self._file = _scratch()
        self._read = 0
        os.dup2(self._file.fileno(), descriptor)

    def fileno(self) -> int:
        """Where programs that a cell starts write to."""
        return self._descriptor

    def writable(self) -> bool:
        """It is there to be written to."""
        return True

    def set_parent(self, parent: Any) -> None:
        """The request that what comes now belongs to."""
        self._parent = parent

    def write(self, text: str) -> int:
        """Keep it until the next :meth:`flush`."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        if os.getpid() != self._owner:
            # A process that a cell has forked: its pipe is not ours.
            return os.write(self._descriptor, text.encode("utf-8", "replace")) and len(text)
        with self._lock:
            self._collect()
            self._keep(text)
        if time.monotonic() - self._since > _INTERVAL:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Send what was written."""
        if os.getpid() != self._owner:
            return
        with self._lock:
            self._collect()
            text, self._waiting = "".join(self._waiting), []
            if text:
                content = {"name": self.name, "text": text}
                self._session.send(self._shown, "stream", content, self._parent)

    def _keep(self, text: str) -> None:
        if not self._waiting:
            self._since = time.monotonic()
        if text:
            self._waiting.append(text)

    def _collect(self) -> None:
        while data := os.pread(self._file.fileno(), 1 << 16, self._read):
            self._read += len(data)
            self._keep(self._decode(data))
