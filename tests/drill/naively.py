"""The same program as a careful developer writes it without the kit: POST retries by httpx-retries.

It keeps a list of the orders that were answered, and goes on behind it when it is started again.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from httpx_retries import Retry, RetryTransport
from orders import orders, split

PATHS = {
    "charge": "/api/transactions/charges",
    "cashout": "/api/transactions/cashout-bank-transfer",
}


class Tokens:
    """One token for 50 seconds."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._lock = threading.Lock()
        self._headers: dict[str, str] = {}
        self._until = 0.0

    def headers(self, *, fresh: bool = False) -> dict[str, str]:
        with self._lock:
            if fresh or time.monotonic() > self._until:
                names = {"x-api-key": "PAY88_API_KEY", "x-merchant-id": "PAY88_MERCHANT_ID"}
                asked = self._http.post(
                    "/api/auth/token", headers={n: os.environ[v] for n, v in names.items()}
                )
                data = asked.raise_for_status().json()["data"]
                self._headers = {
                    "Authorization": f"Bearer {data['access_token']}",
                    "x-session-id": data["session_id"],
                }
                self._until = time.monotonic() + 50
            return self._headers


def main() -> None:
    """Place every order that is not on the list."""
    plan = json.loads(sys.argv[1])
    list_of_done = Path(plan["done"])
    list_of_done.touch()
    done = set(list_of_done.read_text().split())
    writing = threading.Lock()
    retry = Retry(total=5, backoff_factor=0.01, allowed_methods=["GET", "POST"])
    charges, payouts = split(plan["count"])
    every = [("charge", order) for order in orders("charge", charges, plan["notify"])]
    every += [("cashout", order) for order in orders("cashout", payouts, plan["notify"])]

    def place(item: tuple[str, dict[str, Any]]) -> None:
        operation, order = item
        body = dict(order)
        key = body.pop("key")
        if key in done:
            return
        body["flow"] = "PAYIN" if operation == "charge" else "PAYOUT"
        body["method_category"] = "BANK"
        body["amount"] = float(body["amount"])
        answer = http.post(PATHS[operation], json=body, headers=tokens.headers())
        if answer.status_code == 401:
            answer = http.post(PATHS[operation], json=body, headers=tokens.headers(fresh=True))
        print("answer", flush=True)
        if answer.is_success:
            with writing, list_of_done.open("a") as file:
                file.write(key + "\n")

    with httpx.Client(
        base_url=os.environ["PAY88_BASE_URL"], trust_env=False,
        transport=RetryTransport(transport=httpx.HTTPTransport(), retry=retry),
    ) as http:  # fmt: skip
        tokens = Tokens(http)

        def place_or_leave(item: tuple[str, dict[str, Any]]) -> None:
            # After its retries; the next start tries again.
            with contextlib.suppress(httpx.HTTPError):
                place(item)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(place_or_leave, every))


if __name__ == "__main__":
    main()
