"""The folder of reports as a browser reads it.

JupyterLab has two ways of its own to open an HTML file, and in both a report's links to its Excel
files do nothing: its viewer is a frame that may not open windows, and what its server gives out
under ``files/`` may not download. Here both work, also behind Binder's prefix and in VS Code.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from urllib.parse import quote

from pay88kit.errors import needs
from pay88kit.serving import Server, browser_url

with needs("server"):
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SHOWN = ".html"
_HEADERS = [
    # A report's script, if it had one, is kept away from the Jupyter server it comes through.
    (
        b"content-security-policy",
        b"sandbox allow-scripts allow-downloads allow-popups allow-popups-to-escape-sandbox",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]


class Shelf:
    """Serves a folder on a loopback port, under a name that nobody can guess, until it is closed.

    The files are for their owner alone, and other users of the machine reach the port too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = secrets.token_urlsafe(24)
        files = _with_headers(StaticFiles(directory=folder))
        self._server = Server(Starlette(routes=[Mount(f"/{self._name}", files)]))

    def url(self, file: Path) -> str:
        """Where the browser finds a file of the folder."""
        name = quote(file.relative_to(self._folder).as_posix())
        return browser_url(self._server.port, f"/{self._name}/{name}")

    def close(self) -> None:
        """Stop serving."""
        self._server.close()


def _with_headers(app: ASGIApp) -> ASGIApp:
    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
                if not scope["path"].endswith(_SHOWN):
                    # A notebook would be shown as the text that it is.
                    message["headers"].append((b"content-disposition", b"attachment"))
            await send(message)

        await app(scope, receive, sending)

    return served
