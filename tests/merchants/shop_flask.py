"""A correct merchant in Flask, with SQLite for its orders."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask, abort, request

PATH = "/webhooks/88pay"


def make_app(secret: str, database: Path) -> Flask:
    """The merchant's application."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    key = hashlib.sha256(secret.encode()).digest()

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(database, timeout=5)

    with connect() as db:
        db.execute("CREATE TABLE paid (id TEXT PRIMARY KEY, reference TEXT, status TEXT)")

    @app.get("/effects")
    def effects() -> str:
        with connect() as db:
            query = "SELECT count(*) FROM paid WHERE reference = ? AND status = 'COMPLETED'"
            return json.dumps(db.execute(query, [request.args["reference"]]).fetchone()[0])

    @app.post(PATH)
    def webhook() -> dict[str, bool]:
        try:
            fields = json.loads(request.get_data())
            identity, status = fields["transaction_id"], fields["transaction_status"]
            amount, reference = fields["transaction_amount"], fields["transaction_reference"]
        except (ValueError, KeyError, TypeError):
            abort(400)
        claims = decrypt(request.headers.get("Authorization", ""))
        fresh = abs(time.time() - claims.get("ts", 0) / 1000) <= 300
        same = claims.get("transaction_id") == identity
        if not (same and fresh and claims.get("transaction_amount") == amount):
            abort(401)
        if status in ("COMPLETED", "REJECTED"):
            with connect() as db:
                # The first final status stays; the primary key lets one of two win.
                db.execute(
                    "INSERT OR IGNORE INTO paid VALUES (?, ?, ?)", [identity, reference, status]
                )
        return {"received": True}

    def decrypt(authorization: str) -> dict[str, Any]:
        try:
            header, _, nonce, sealed, tag = authorization.removeprefix("Bearer ").split(".")
            content = AESGCM(key).decrypt(raw(nonce), raw(sealed) + raw(tag), header.encode())
            claims = json.loads(content)
        except (ValueError, InvalidTag):
            abort(401)
        return claims if isinstance(claims, dict) else {}

    return app


def raw(text: str) -> bytes:
    """Base64 without its padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
