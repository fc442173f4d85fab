"""How a request gets to a sandbox of this process: without a socket."""

from __future__ import annotations

import time
from typing import Any

import httpx


class InProcess(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Hands requests to a :class:`~pay88kit.Sandbox` of this process."""

    def __init__(self, sandbox: Any) -> None:
        self._sandbox = sandbox

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        reply = self._answer(request, request.read())
        time.sleep(self._delay(request, reply))
        return httpx.Response(reply.status, headers=reply.headers, content=reply.body)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; 88Pay's own paths never wait."""
        reply = self._answer(request, await request.aread())
        if delay := self._delay(request, reply):
            import asyncio

            await asyncio.sleep(delay)
        return httpx.Response(reply.status, headers=reply.headers, content=reply.body)

    def _answer(self, request: httpx.Request, body: bytes) -> Any:
        from pay88kit.sandbox.reply import Ask

        return self._sandbox.handle(
            Ask(
                method=request.method,
                path=request.url.path,
                query=dict(request.url.params),
                headers=dict(request.headers),
                body=body,
            )
        )

    @staticmethod
    def _delay(request: httpx.Request, reply: Any) -> float:
        """For how long a fault keeps the answer back.

        Raises:
            httpx.ReadTimeout: longer than the client waits; at once, since nothing else happens.
            httpx.RemoteProtocolError: a fault has lost the answer.
        """
        patience = request.extensions.get("timeout", {}).get("read")
        if patience is not None and reply.delay > patience:
            raise httpx.ReadTimeout("A fault of the sandbox kept the answer back", request=request)
        if reply.lost:
            raise httpx.RemoteProtocolError(
                "A fault of the sandbox lost the answer", request=request
            )
        return float(reply.delay)
