"""An ASGI app on a loopback port, from a thread; and the address under which a browser finds it."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

from pay88kit.errors import PortInUse, WrongUse, needs


class Server:
    """uvicorn in a daemon thread, on 127.0.0.1. Ready when the constructor returns.

    A server of its own thread, because a notebook's kernel runs an event loop that a synchronous
    call would block.

    Args:
        app: the ASGI application.
        port: 0 takes a free one.
        not_http: the JSON that answers, with status 400, what is no HTTP at all and so never
            reaches the app.

    Raises:
        PortInUse: another program has the port.
        MissingExtra: without the extra ``server``.
    """

    def __init__(self, app: Any, port: int = 0, *, not_http: bytes = b"") -> None:
        with needs("server"):
            import uvicorn
        self._socket = bind(port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            app,
            http=_protocol(not_http) if not_http else "auto",
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            # Who asked, and by which scheme, is of no interest to any app here.
            proxy_headers=False,
        )
        self._server = uvicorn.Server(config)
        # Signals belong to the main thread's program.
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name=f"pay88-{self.port}", daemon=True
        )
        self._thread.start()
        # The socket listens already: a connection made from here on waits until it is taken.

    def close(self) -> None:
        """Stop, and free the port."""
        self._server.should_exit = True
        self._thread.join(5)
        self._socket.close()


def _protocol(not_http: bytes) -> type[Any]:
    """uvicorn's HTTP, with an answer of our own to what is none."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    head = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
    answer = f"{head}Content-Length: {len(not_http)}\r\n\r\n".encode() + not_http

    class Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
        def send_400_response(self, msg: str) -> None:
            self.transport.write(answer)
            self.transport.close()

    return Protocol


def bind(port: int = 0, host: str = "127.0.0.1") -> socket.socket:
    """A listening socket.

    Raises:
        PortInUse: another program has the port.
    """
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it, each answer
    # takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":
        # On Windows this option would let two programs share the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OverflowError:
        listener.close()
        raise WrongUse(f"Port {port} does not exist. Use one from 1 to 65535.") from None
    except PermissionError:
        listener.close()
        raise WrongUse(f"Port {port} may not be used by this account. Choose another.") from None
    except OSError:
        listener.close()
        raise PortInUse(port) from None
    return listener


def browser_url(port: int, path: str = "/") -> str:
    """Where the browser that shows this notebook finds a loopback port of the kernel's machine.

    Under a Jupyter server with jupyter-server-proxy (JupyterHub and Binder too) that is a path of
    the Jupyter server, which works however far away the browser is; elsewhere the port itself.
    """
    base = _jupyter_base()
    if base is None:
        return f"http://127.0.0.1:{port}{path}"
    return f"{base.rstrip('/')}/proxy/{port}{path}"


def _jupyter_base() -> str | None:
    hub = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
    if hub:
        return hub
    parent = os.environ.get("JPY_PARENT_PID", "")
    if not parent.isdigit():
        return None
    try:
        import jupyter_server_proxy  # noqa: F401 - the proxy only has to be there
        from jupyter_server.serverapp import list_running_servers

        for server in list_running_servers():
            if server.get("pid") == int(parent):
                return str(server["base_url"])
    except Exception:
        # Only a convenience: without it the link is the plain port.
        return None
    return None
