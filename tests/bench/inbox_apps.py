"""What is measured: an inbox, and the least that could take its place. Each on a port."""

from __future__ import annotations

import os
import sqlite3
import sys
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from pay88kit import Inbox

SECRET = "whsec_of_a_benchmark"


async def health(request: Request) -> JSONResponse:
    """Ready."""
    return JSONResponse({})


def kit(url: str) -> Any:
    """The inbox as a merchant mounts it."""
    inbox = Inbox(secret=SECRET, books=url, on_unverified="refuse")
    return Starlette(routes=[Route("/health", health), Mount("/webhooks", inbox.app)])


def bare(url: str) -> Any:
    """One commit of the body, and nothing else: no check, no match, repeats are not seen."""
    db = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE IF NOT EXISTS bodies (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")

    async def take(request: Request) -> JSONResponse:
        body = await request.body()
        db.execute("INSERT INTO bodies (body) VALUES (?)", [body.decode()])
        return JSONResponse({"received": True})

    post = Route("/webhooks/{path:path}", take, methods=["POST"])
    return Starlette(routes=[Route("/health", health), post])


if __name__ == "__main__":
    kind, url, port = sys.argv[1:]
    os.environ.pop("PAY88_ENVIRONMENT", None)
    app = {"kit": kit, "bare": bare}[kind](url)
    uvicorn.run(app, port=int(port), log_level="warning", access_log=False, lifespan="off")
