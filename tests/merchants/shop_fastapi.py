"""A merchant in FastAPI. Correct, unless it is given one fault."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

PATH = "/webhooks/88pay"
LONGEST = 64 * 1024
FINAL = ("COMPLETED", "REJECTED")
KNOWN = {
    f"transaction_{name}"
    for name in (
        "date", "status", "id", "amount", "payment_method",
        "reference", "currency", "country", "customer_id",
    )
}  # fmt: skip


def make_app(secret: str, fault: str = "", slow: float = 6.0) -> FastAPI:
    """The merchant's application; ``fault`` is one of WRONG, or of VARIANTS."""
    app = FastAPI()
    key = OctKey.import_key(hashlib.sha256(secret.encode()).digest())
    statuses: dict[str, str] = {}
    fulfilled: list[str] = []
    queued: list[asyncio.Task[None]] = []

    @app.get("/effects")
    def effects(reference: str) -> dict[str, int]:
        return {"count": fulfilled.count(reference)}

    @app.api_route(PATH, methods=["POST", "GET"] if fault == "answers a GET" else ["POST"])
    async def webhook(request: Request) -> Any:
        if request.method == "GET":
            return {"hello": "world"}
        if fault == "redirects":
            return RedirectResponse(f"{PATH}/v2", 302)
        body = await read(request)
        try:
            fields = json.loads(body)
            identity, status = fields["transaction_id"], fields["transaction_status"]
            amount, reference = fields["transaction_amount"], fields["transaction_reference"]
        except (ValueError, KeyError, TypeError):
            if fault == "200 to broken JSON":
                return {"received": True}
            raise HTTPException(400, "not a notification") from None
        if fault != "checks no signature":
            check(request.headers.get("authorization"), identity, amount)
        if fault == "refuses unknown fields" and set(fields) - KNOWN:
            raise HTTPException(422, "unknown fields")
        if fault == "crashes at an unknown status":
            ["PENDING", *FINAL].index(status)
        if fault == "answers late":
            await asyncio.sleep(slow)
        if fault.startswith("fulfils in a queue"):
            queued.append(asyncio.create_task(later(identity, status, reference)))
        else:
            await apply(identity, status, reference)
        return Response(status_code=204) if fault == "answers 204" else {"received": True}

    async def read(request: Request) -> bytes:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LONGEST and fault != "reads any length":
                if fault == "crashes at 1 MiB":
                    raise MemoryError
                raise HTTPException(413, "too large")
        return body

    def check(authorization: str | None, identity: str, amount: str) -> None:
        if fault == "crashes without a token":
            authorization = str(authorization.split()[1])  # type: ignore[union-attr]
        token = (authorization or "").rpartition(" ")[2]
        if not token:
            if fault == "a token is optional":
                return
            raise HTTPException(401, "no token")
        try:
            claims = json.loads(jwe.decrypt_compact(token, key).plaintext or b"")
        except (JoseError, ValueError):
            if fault == "believes what it cannot decrypt":
                return
            raise HTTPException(401, "no valid token") from None
        age = time.time() - claims["ts"] / 1000
        same = claims["transaction_id"] == identity or fault == "accepts another's token"
        paid = claims["transaction_amount"] == amount or fault == "checks no amount"
        fresh = age <= 300 or fault == "checks no age"
        timely = age >= -300 or fault == "accepts the future"
        if not (same and paid and fresh and timely):
            raise HTTPException(401, "the token is another's, or not fresh")

    async def apply(identity: str, status: str, reference: str) -> None:
        before = statuses.get(identity)
        if fault == "500 to a repeat" and before == status:
            raise RuntimeError("duplicate key")
        if fault == "looks first, writes later":
            # Whoever else asks now finds the order unpaid, too.
            await asyncio.sleep(0.05)
        overwrites = {"status goes backwards": True, "REJECTED undoes": status != "PENDING"}
        if before in FINAL and not overwrites.get(fault):
            if fault == "fulfils twice" and status == "COMPLETED":
                fulfilled.append(reference)
            return
        pays = status == "COMPLETED" or (fault == "fulfils REJECTED" and status == "REJECTED")
        if pays and before != status:
            fulfilled.append(reference)
        statuses[identity] = status

    async def later(identity: str, status: str, reference: str) -> None:
        await asyncio.sleep(0.05)
        again = fault == "fulfils in a queue, twice"
        before = fulfilled.count(reference)
        await apply(identity, status, reference)
        if again and not before and status == "COMPLETED":
            await asyncio.sleep(0.05)
            fulfilled.append(reference)

    return app
