"""How a request gets to a sandbox of this process: without a socket."""

from __future__ import annotations

from typing import Any

import httpx


class InProcess(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Hands requests to a :class:`~pay88kit.Sandbox` of this process."""

    def __init__(self, sandbox: Any) -> None:
        self._sandbox = sandbox

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        return self._answer(request, request.read())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; 88Pay's own paths never wait."""
        return self._answer(request, await request.aread())

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        from pay88kit.sandbox.reply import Ask

        reply = self._sandbox.handle(
            Ask(
                method=request.method,
                path=request.url.path,
                query=dict(request.url.params),
                headers=dict(request.headers),
                body=body,
            )
        )
        return httpx.Response(reply.status, headers=reply.headers, content=reply.body)
