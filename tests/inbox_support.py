"""What the tests of the inbox share: a notification, its token, and a shop in a process."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from support import plain_http

from pay88kit import Books, webhooks

SECRET = "whsec_0123456789abcdef"
_nonces = itertools.count(1)


def body_of(number: int = 1, **changes: Any) -> dict[str, Any]:
    """88Pay's documented fields, and the reference of an operation of :func:`accepted`."""
    fields = {
        "id": f"sess_{number:08}-b7f2-4c64-91b1-3d204a5738b4", "status": "COMPLETED",
        "amount": "50000", "payment_method": "PSE", "reference": f"REF-{number}",
        "date": "2025-01-17 14:30:45",
    } | changes  # fmt: skip
    return {f"transaction_{name}": value for name, value in fields.items()}


def token_of(body: dict[str, Any], secret: str = SECRET, now: datetime | None = None) -> str:
    """The ``Authorization`` of a genuine notification, of this moment."""
    return webhooks.sign(
        body["transaction_id"], body["transaction_amount"], secret,
        now=now or datetime.now(UTC), nonce=next(_nonces).to_bytes(12, "big"),
    )  # fmt: skip


def headers_of(body: dict[str, Any], **kwargs: Any) -> dict[str, str]:
    """Those with which 88Pay would send it."""
    return {"Authorization": token_of(body, **kwargs), "Content-Type": "application/json"}


def accepted(books: Books, *numbers: int, environment: str = "sandbox") -> None:
    """Operations that 88Pay accepted: ``REF-1`` and so on, over 50,000 COP."""
    now = datetime.now(UTC)
    for number in numbers:
        books.begin(
            "charge", {"amount": 50000, "currency": "COP"}, id=f"op-{number}",
            environment=environment, merchant_id="MCH-COL-29ZTP4", key=f"order-{number}", now=now,
        )  # fmt: skip
        books.created(
            f"op-{number}", {}, reference=f"REF-{number}", session_id=f"s-{number}", now=now
        )


def until(true: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What ``true`` gives as soon as it is true."""
    limit = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.01)
    return found


# ---------------------------------------------------------------- a merchant's own service

# In two lines: made, and mounted. The handler writes down who ran it, and what for, and waits as
# long as the shop says. How quick this machine is decides nothing: a slow answer is one too.
SHOP = """
import os, time
from {framework} import {cls}
from starlette.responses import PlainTextResponse
from pay88kit import Inbox
from pay88kit.inbox import Retries, app as answering

answering.WITHIN = 60
app = {cls}()
inbox = Inbox(secret={secret!r}, books=os.environ["SHOP_BOOKS"], retries=Retries((0.2,)))
app.mount("/webhooks", inbox.app)

@inbox.on("COMPLETED")
def ship(event):
    with open(os.environ["SHOP_LOG"], "a") as log:
        log.write(f"{{os.getpid()}} {{event.reference}} {{event.id}}\\n")
    while os.path.exists(os.environ["SHOP_HOLD"]):
        time.sleep(0.01)

app.add_route("/pid", lambda request: PlainTextResponse(str(os.getpid())))
"""


class Shop:
    """A merchant's service under uvicorn, with as many worker processes as asked for."""

    def __init__(self, folder: Path, books: str, workers: int, framework: str) -> None:
        self._folder, self._books, self._workers = folder, books, workers
        cls = {"starlette.applications": "Starlette", "fastapi": "FastAPI"}[framework]
        text = SHOP.format(framework=framework, cls=cls, secret=SECRET)
        (folder / "shop.py").write_text(text, encoding="utf-8")
        self.log = folder / "shipped"
        self.log.touch()
        # As long as it is there, no handler ends.
        self.hold = folder / "hold"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/webhooks/88pay"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until all its workers answer."""
        command = [
            sys.executable, "-m", "uvicorn", "shop:app", "--port", str(self.port),
            "--workers", str(self._workers), "--log-level", "warning",
        ]  # fmt: skip
        settings = {
            "SHOP_BOOKS": self._books, "SHOP_LOG": str(self.log), "SHOP_HOLD": str(self.hold)
        }  # fmt: skip
        answered: set[str] = set()
        self._process = subprocess.Popen(
            command, cwd=self._folder, env={**os.environ, **settings}, start_new_session=True
        )
        until(lambda: self._answer(answered) or len(answered) == self._workers)

    def _answer(self, answered: set[str]) -> None:
        """Ask over a new connection, which any of the workers may take."""
        with suppress(httpx.HTTPError), plain_http() as http:
            answered.add(http.get(self.url.replace("webhooks/88pay", "pid")).text)

    def kill(self) -> None:
        """SIGKILL for all its processes: they have no chance to end what they began."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def shipped(self) -> list[list[str]]:
        """Process, reference and event of each run of the handler."""
        return [line.split() for line in self.log.read_text().splitlines()]


@contextmanager
def shop(
    folder: Path, books: str, workers: int = 1, framework: str = "starlette.applications"
) -> Iterator[Shop]:
    """A shop that is not started yet; it is gone at the end."""
    made = Shop(folder, books, workers, framework)
    try:
        yield made
    finally:
        made.kill()


def post_all(url: str, bodies: list[dict[str, Any]], threads: int = 8) -> list[httpx.Response]:
    """Send notifications from several threads, each over a connection of its own."""
    answers: list[httpx.Response] = []
    waiting = iter(bodies)
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                body = next(waiting, None)
            if body is None:
                return
            with plain_http() as http:
                answer = http.post(url, content=json.dumps(body), headers=headers_of(body))
            with lock:
                answers.append(answer)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return answers
