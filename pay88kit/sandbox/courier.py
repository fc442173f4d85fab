"""Carries notifications to the merchant's endpoint, each attempt within five real seconds."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pay88kit.config import is_loopback, no_certificates

if TYPE_CHECKING:
    import httpx

TIMEOUT = 5.0
KEPT_ANSWER = 4 * 1024
OUTSIDE = "not sent: outside this machine"


@dataclass(frozen=True)
class Result:
    """How an attempt ended. ``outcome`` is ``delivered`` only for a 200 within five seconds."""

    status_code: int | None
    response_body: str
    latency_ms: int | None
    outcome: str

    @property
    def retry(self) -> bool:
        """Whether 88Pay would try again."""
        return self.outcome not in ("delivered", OUTSIDE)


class Courier:
    """Sends on an event loop of its own, so that one slow endpoint delays no other.

    Only loopback addresses are called, unless ``anywhere``. Redirects are not followed.
    """

    def __init__(self, *, anywhere: bool = False) -> None:
        self._anywhere = anywhere
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._clients: dict[str, httpx.AsyncClient] = {}

    def send(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        ended: Callable[[Result], None],
    ) -> Future[None] | None:
        """Start one attempt. ``ended`` is called with its result before the future is done.

        None: the address is outside this machine, and ``ended`` was called already.
        """
        if not (self._anywhere or is_loopback(_host(url))):
            ended(Result(None, "", None, OUTSIDE))
            return None

        async def attempt() -> None:
            ended(await self._post(url, body, headers))

        return asyncio.run_coroutine_threadsafe(attempt(), self._running_loop())

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Result:
        import httpx  # a sandbox that notifies nobody starts without it

        begun = time.monotonic()

        def result(outcome: str, status: int | None = None, text: str = "") -> Result:
            return Result(status, text, round((time.monotonic() - begun) * 1000), outcome)

        try:
            async with (
                # httpx bounds each wait for bytes; a slow drip needs a bound on the whole.
                asyncio.timeout(TIMEOUT),
                self._client(url).stream("POST", url, content=body, headers=headers) as answer,
            ):
                text = b""
                async for part in answer.aiter_raw(KEPT_ANSWER):
                    text += part
                    if len(text) >= KEPT_ANSWER:
                        break
        except (TimeoutError, httpx.TimeoutException):
            return result("timed out")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            return result(f"no answer: {type(error).__name__}")
        outcome = "delivered" if answer.status_code == 200 else "refused"
        return result(outcome, answer.status_code, text[:KEPT_ANSWER].decode(errors="replace"))

    def _client(self, url: str) -> httpx.AsyncClient:
        """The one for encrypted addresses, or the one for all others."""
        import httpx

        scheme = "https" if url[:6].lower() == "https:" else "http"
        if scheme not in self._clients:
            # Proxies are for the way out of this machine.
            self._clients[scheme] = httpx.AsyncClient(
                timeout=TIMEOUT,
                trust_env=False,
                verify=no_certificates() if scheme == "http" else True,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            )
        return self._clients[scheme]

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = loop = asyncio.new_event_loop()

                def run() -> None:
                    loop.run_forever()
                    loop.close()

                threading.Thread(target=run, name="pay88-courier", daemon=True).start()
            return self._loop

    def close(self) -> None:
        """Drop what is under way and end the loop."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None:
            return

        async def end() -> None:
            # Whoever waits for an attempt goes on.
            attempts = asyncio.all_tasks() - {asyncio.current_task()}
            for attempt in attempts:
                attempt.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)
            for client in self._clients.values():
                await client.aclose()
            self._clients.clear()
            loop.stop()

        asyncio.run_coroutine_threadsafe(end(), loop)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
