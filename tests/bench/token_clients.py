"""Balance calls through another OAuth client, run inside that client's own environment.

Both speak OAuth's form of a token request; ``Adapter`` turns it into 88Pay's, and adds the session
id. It counts the tokens. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx


class Adapter(httpx.BaseTransport):
    """88Pay's headers and answers for a client that knows OAuth's."""

    def __init__(self, base_url: str, api_key: str, merchant_id: str) -> None:
        self.tokens = 0
        self._inner = httpx.HTTPTransport()
        self._base_url = base_url
        self._credentials = {"x-api-key": api_key, "x-merchant-id": merchant_id}
        self._sessions: dict[str, str] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/token"):
            token = request.headers["Authorization"].partition(" ")[2]
            request.headers["x-session-id"] = self._sessions[token]
            return self._inner.handle_request(request)
        asked = httpx.Request("POST", f"{self._base_url}/api/auth/token", headers=self._credentials)
        answer = self._inner.handle_request(asked)
        data = json.loads(answer.read())["data"]
        with self._lock:
            self.tokens += 1
            self._sessions[data["access_token"]] = data["session_id"]
        kept = {"access_token": data["access_token"], "expires_in": 60, "token_type": "bearer"}
        return httpx.Response(200, json=kept)


def authlib(adapter: Adapter, base_url: str) -> Callable[[], object]:
    """Authlib's client with its own default margin before a token's end."""
    from authlib.integrations.httpx_client import OAuth2Client

    client = OAuth2Client(
        "merchant", "key", token_endpoint=f"{base_url}/token", grant_type="client_credentials",
        transport=adapter, trust_env=False,
    )  # fmt: skip
    client.fetch_token()
    return lambda path: client.post(base_url + path).raise_for_status()


def httpx_auth(adapter: Adapter, base_url: str) -> Callable[[], object]:
    """httpx_auth with its defaults."""
    from httpx_auth import OAuth2, OAuth2ClientCredentials

    # It keeps tokens for the whole process; a cold cache is meant.
    OAuth2.token_cache.clear()
    auth = OAuth2ClientCredentials(
        f"{base_url}/token", "merchant", "key", client=httpx.Client(transport=adapter)
    )
    client = httpx.Client(transport=adapter, auth=auth, trust_env=False)
    return lambda path: client.post(base_url + path).raise_for_status()


def bare(adapter: Adapter, base_url: str) -> Callable[[], object]:
    """httpx with one token taken beforehand."""
    client = httpx.Client(trust_env=False)
    client_of_tokens = httpx.Client(transport=adapter)
    token = client_of_tokens.post(f"{base_url}/token").json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "x-session-id": adapter._sessions[token]}
    return lambda path: client.post(base_url + path, headers=headers).raise_for_status()


def main() -> None:
    """Measure the one that is named."""
    name, base_url, api_key, merchant_id, count = sys.argv[1:]
    make = {"authlib": authlib, "httpx_auth": httpx_auth, "httpx": bare}[name]
    path = f"/api/balance?id={merchant_id}"

    def fresh() -> tuple[Adapter, Callable[[], object]]:
        adapter = Adapter(base_url, api_key, merchant_id)
        client = make(adapter, base_url)
        return adapter, lambda: client(path)

    adapter, call = fresh()
    for _ in range(20):
        call()
    in_turn = adapter.tokens
    adapter, call = fresh()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: call(), range(20)))
    at_once = adapter.tokens
    _, call = fresh()
    call()
    start = time.perf_counter()
    for _ in range(int(count)):
        call()
    rate = int(count) / (time.perf_counter() - start)
    print(json.dumps({"rate": rate, "in_turn": in_turn, "at_once": at_once}))


if __name__ == "__main__":
    main()
