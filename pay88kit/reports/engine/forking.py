"""Processes forked from one that has already imported what reports need.

A process is warmed up once. It has one thread, no socket but its owner's and no open database, so
that its forks begin whole, within milliseconds, and share nothing they could spoil. Python's own
``multiprocessing`` has a fork server too, but it runs the caller's main program again in each
process: a script would need a ``__main__`` guard, and a notebook has no such program.
"""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn, cast

from pay88kit.errors import Pay88Error

# Work begins with the connection to who asked for it.
Work = Callable[..., None]

# Libraries start threads when they are loaded, and a fork has none of them. One thread each is
# also what many processes on a few cores want.
_THREADS = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
# How often a child that says nothing is asked whether it lives, in seconds.
_PULSE = 1.0
# Windows lacks the first one, and its processes are ended without a signal.
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
# What a child meets whose owner has ended, or wants no more of it.
_OWNER_GONE = (EOFError, BrokenPipeError, ConnectionResetError)
# In a fork of a warm process, so that it may fork again.
_warm = False


def available() -> bool:
    """Whether processes can be forked safely here. On macOS its system libraries forbid it."""
    return sys.platform.startswith("linux")


class ChildDied(Pay88Error):
    """A forked process ended before its work was done."""


class Child:
    """A process at work, as its owner sees it."""

    def __init__(
        self,
        connection: Connection,
        status: Callable[[], int | None],
        kill: Callable[[int, int], None],
    ) -> None:
        self._connection = connection
        self._status = status
        self._kill = kill
        self.pid = 0

    def send(self, message: Any) -> None:
        """Send it a message.

        Raises:
            ChildDied: it has ended.
        """
        try:
            self._connection.send(message)
        except OSError:
            raise self._died() from None

    def receive(self, timeout: float | None = None) -> Any:
        """Its next message.

        Raises:
            TimeoutError: none came for ``timeout`` seconds.
            ChildDied: it has ended.
        """
        left = timeout
        # What a child started itself may keep the connection open after it.
        while not self._connection.poll(_PULSE if left is None else min(left, _PULSE)):
            if (code := self._status()) is not None and not self._connection.poll():
                raise self._died(code)
            if left is not None:
                left -= _PULSE
                if left <= 0:
                    raise TimeoutError
        try:
            return self._connection.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            raise self._died() from None

    def close(self, grace: float = 5.0) -> None:
        """Let it end by itself, and end it after ``grace`` seconds."""
        self._connection.close()
        if self._ended(grace) is None:
            self.stop()

    def stop(self) -> list[Any]:
        """End it now, and all that it started; returns what it said that nobody has received."""
        if self._status() is None:
            with suppress(ProcessLookupError):
                self._kill(self.pid, _KILL)
            self._ended(_PULSE)
        unread = []
        with suppress(EOFError, OSError, pickle.UnpicklingError):
            while self._connection.poll():
                unread.append(self._connection.recv())
        self._connection.close()
        return unread

    def _died(self, code: int | None = None) -> ChildDied:
        return ChildDied(_how(self._ended(5 * _PULSE) if code is None else code))

    def _ended(self, patience: float) -> int | None:
        """Its exit code, waited for; None when it goes on."""
        ends = time.monotonic() + patience
        while (code := self._status()) is None and time.monotonic() < ends:
            time.sleep(0.001)
        return code


def _how(code: int | None) -> str:
    if code is None:
        return "it ended"
    if code < 0:
        name = signal.Signals(-code).name
        often = ", which the system sends when memory runs out" if name == "SIGKILL" else ""
        return f"it was ended by signal {name}{often}"
    return f"it ended by itself with exit code {code}"


def ready(children: Iterable[Child]) -> list[Child]:
    """Those that have said something, or have ended; waits until there is one."""
    of = {child._connection: child for child in children}
    return [of[cast(Connection, connection)] for connection in wait(list(of))]


class Server:
    """A warm process that forks on request. It ends when its owner does.

    Args:
        environment: of the warm process; its children take their starter's.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        ours, its = socket.socketpair()
        self._control = ours
        self._lock = threading.Lock()
        code = (
            "import sys; from pay88kit.reports.engine.forking import serve; serve(int(sys.argv[1]))"
        )
        with its:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", code, str(its.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                env={**(os.environ if environment is None else environment), **_THREADS},
                # Ctrl-C reaches the owner, who knows what to do about it.
                start_new_session=True,
            )

    def start(
        self,
        work: Work,
        *arguments: Any,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Child:
        """Fork a process that does ``work(connection, *arguments)`` in the directory ``cwd``.

        Without ``env`` it has the caller's environment variables, without ``cwd`` its working
        directory. When it is stopped, so is all that it has started.

        Raises:
            ChildDied: the warm process could not be started, or has ended.
        """
        ours, its = socket.socketpair()
        ended, tell = socket.socketpair()
        with self._lock, its, tell:
            try:
                socket.send_fds(self._control, [b"+"], [its.fileno(), tell.fileno()])
            except OSError:
                raise ChildDied("the process that reports are forked from has ended") from None
        connection = Connection(ours.detach())
        child = Child(connection, _Told(ended), os.killpg)
        child.send((work, arguments, dict(os.environ if env is None else env), cwd or os.getcwd()))
        child.pid = child.receive()
        return child

    @property
    def alive(self) -> bool:
        """Whether it can still fork."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the warm process; its children end when their connections do."""
        self._control.close()
        self._process.wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class _Told:
    """A child's exit code, as the warm process tells it."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self._code: int | None = None

    def __call__(self) -> int | None:
        if self._code is None and wait([self._told], 0):
            text = self._told.recv(16)
            # Nothing: the warm process is gone, and with it who knew.
            self._code = int(text) if text else 255
            self._told.close()
        return self._code


class _Own:
    """The exit code of a child of this very process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._code: int | None = None

    def __call__(self) -> int | None:
        if self._code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code


_servers: dict[int, Server] = {}
_starting = threading.Lock()


def start(
    work: Work, *arguments: Any, cwd: str | None = None, env: Mapping[str, str] | None = None
) -> Child:
    """Fork a process for ``work``: from this one if it is warm itself, else from one kept for it.

    It is as with :meth:`Server.start`.

    Raises:
        ChildDied: it could not be started.
    """
    if _warm and env is None and threading.active_count() == 1:
        return _fork_here(work, arguments, cwd)
    with _starting:
        # A fork of this process has no server of its own yet.
        server = _servers.get(os.getpid())
        if server is None or not server.alive:
            server = _servers[os.getpid()] = Server()
            atexit.register(_close_at_exit, server)
    return server.start(work, *arguments, cwd=cwd, env=env)


def _close_at_exit(server: Server) -> None:
    # Who presses Ctrl-C again does not wait until the warm process has its imports, and ends.
    with suppress(KeyboardInterrupt):
        server.close()


def keep_whole() -> None:
    """This process is no longer as new: what is forked from it would take its work for its own."""
    global _warm
    _warm = False


def _fork_here(work: Work, arguments: tuple[Any, ...], cwd: str | None) -> Child:
    ours, its = socket.socketpair()
    _flush()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _work(Connection(its.detach()), work, arguments, cwd)
    its.close()
    # It stays in this process's group, and is stopped with it.
    child = Child(Connection(ours.detach()), _Own(pid), os.kill)
    child.pid = pid
    return child


# -- the warm process


def serve(control: int) -> None:
    """Warm up, then fork for each request, and tell how each child ended."""
    from pay88kit.reports.engine import warm

    warm.up()
    wake, woken = socket.socketpair()
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    owner = socket.socket(fileno=control)
    told: dict[int, int] = {}
    while True:
        ready = wait([owner, wake])
        if wake in ready:
            wake.recv(4096)
            _tell(told)
        if owner in ready:
            word, received, _, _ = socket.recv_fds(owner, 1, 2)
            if not word:
                return
            _flush()
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for end in (owner, wake, woken):
                    end.close()
                for descriptor in (*told.values(), received[1]):
                    os.close(descriptor)
                _begin(Connection(received[0]))
            os.close(received[0])
            told[pid] = received[1]


def _tell(told: dict[int, int]) -> None:
    while told:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        descriptor = told.pop(pid)
        with suppress(OSError):
            os.write(descriptor, str(os.waitstatus_to_exitcode(status)).encode())
        os.close(descriptor)


def _begin(connection: Connection) -> NoReturn:
    try:
        # First, so that it can be stopped with all that it starts.
        os.setpgid(0, 0)
        work, arguments, environment, cwd = connection.recv()
        connection.send(os.getpid())
        os.environ.clear()
        os.environ.update(environment)
    except _OWNER_GONE:
        # As by Ctrl-C while the warm process was still importing.
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    _work(connection, work, arguments, cwd)


def _work(
    connection: Connection, work: Work, arguments: tuple[Any, ...], cwd: str | None
) -> NoReturn:
    global _warm
    _warm = True
    code = 1
    terminal = os.dup(2)
    try:
        from pay88kit.reports.engine import warm

        if cwd is not None:
            os.chdir(cwd)
        warm.anew()
        work(connection, *arguments)
        code = 0
    except _OWNER_GONE:
        code = 0
    except BaseException:
        os.dup2(terminal, 2)
        traceback.print_exc(file=sys.__stderr__)
    finally:
        # As at the end of any program: temporary folders are removed, files written out.
        with suppress(BaseException):
            atexit._run_exitfuncs()
        _flush()
        os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
