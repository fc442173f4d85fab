"""Merchants whose webhook endpoints are judged in the tests: correct ones, and each with one fault.

Each is written as a merchant would, without the kit.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pay88kit.serving import Server

SECRET = "the merchant's own webhook secret"
PATH = "/webhooks/88pay"
# The limit that is used with LATE, in seconds, so that nobody waits for 88Pay's five.
SHORT, LATE = 0.6, 0.9


@dataclass(frozen=True)
class Wrong:
    """A merchant with one fault: the probes that name it, with and without a count of effects.

    Where both are empty, 88Pay documents nothing that the fault breaks: the probe in ``doubtful``
    says so. ``short``: it is judged with the limit SHORT.
    """

    fault: str
    seen: str = ""
    counted: str = ""
    doubtful: str = ""
    short: bool = False

    @property
    def with_effects(self) -> str:
        """The probe that names it where fulfilments are counted."""
        return self.counted or self.seen


WRONG = (
    Wrong("checks no signature", "token_missing"),
    Wrong("a token is optional", "token_missing"),
    Wrong("crashes without a token", "token_missing"),
    Wrong("believes what it cannot decrypt", "token_foreign"),
    Wrong("checks no amount", "amount_changed"),
    Wrong("checks no age", "token_stale"),
    Wrong("accepts another's token", "token_of_another_transaction"),
    Wrong("500 to a repeat", "repeated"),
    Wrong("answers late", "answer_time", short=True),
    Wrong("answers 204", "completed"),
    Wrong("redirects", "completed"),
    Wrong("refuses unknown fields", "unknown_fields"),
    Wrong("200 to broken JSON", "broken_json"),
    Wrong("crashes at 1 MiB", "large_body"),
    # What is seen in the count of effects only.
    Wrong("fulfils twice", counted="repeated"),
    Wrong("fulfils in a queue, twice", counted="completed"),
    Wrong("looks first, writes later", counted="simultaneous"),
    Wrong("status goes backwards", counted="pending_after_completed"),
    Wrong("REJECTED undoes", counted="rejected_after_completed"),
    Wrong("fulfils REJECTED", counted="rejected"),
    # What 88Pay does not document.
    Wrong("accepts the future", doubtful="token_from_the_future"),
    Wrong("crashes at an unknown status", doubtful="unknown_status"),
    Wrong("answers a GET", doubtful="get"),
    Wrong("reads any length", doubtful="large_body"),
)
# Correct ones that work otherwise.
VARIANTS = ("", "fulfils in a queue")


@contextmanager
def fastapi(fault: str = "", secret: str = SECRET, slow: float = LATE) -> Iterator[str]:
    """A merchant in FastAPI, served; its address."""
    from merchants.shop_fastapi import make_app

    server = Server(make_app(secret, fault, slow))
    try:
        yield server.url
    finally:
        server.close()


@contextmanager
def flask() -> Iterator[str]:
    """A merchant in Flask, served by Werkzeug."""
    from werkzeug.serving import make_server

    from merchants.shop_flask import make_app

    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        app = make_app(SECRET, Path(folder) / "shop.db")
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(5)
            server.server_close()


@contextmanager
def node(program: str) -> Iterator[str]:
    """A merchant in Node, in a process of its own."""
    with subprocess.Popen(
        [program, str(Path(__file__).with_name("shop_node.js"))],
        env=os.environ | {"PAY88_WEBHOOK_SECRET": SECRET},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            process.wait(10)
