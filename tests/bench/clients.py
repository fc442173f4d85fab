"""The client beside bare httpx and beside other clients that keep tokens; the cost of the books."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from pay88kit import Config, Pay88, Sandbox
from tests.bench import peers, servers
from tests.bench.measure import ROUNDS, Row, in_turns, rate, say, side_by_side

COUNT = 300
OTHERS = {
    "authlib": ("authlib==1.9.9", "httpx==0.28.1"),
    "httpx_auth": ("httpx-auth==0.23.1", "httpx==0.28.1"),
}
ORDER: dict[str, Any] = {
    "method_code": "PSE",
    "amount": 50_000,
    "currency": "COP",
    "country": "COL",
    "description": "A benchmark",
    "customer_id": "CUST-1",
    "notification_url": "http://127.0.0.1:9/hook",
}


def _config(port: int) -> Config:
    known = Sandbox().config  # the same seed has the same key
    return Config(
        environment="local",
        base_url=f"http://{servers.HOST}:{port}",
        api_key=known.api_key,
        merchant_id=known.merchant_id,
    )


def calls() -> Iterator[Row]:
    """Balance calls over HTTP: the client against bare httpx, on one served sandbox."""
    with servers.running(servers.sandbox()) as server, httpx.Client() as http:
        config = _config(server.port)
        url = f"{config.base_url}/api/balance?id={config.merchant_id}"
        client = Pay88(config, books=False)

        def through_pay88() -> float:
            client.token(fresh=True)
            return rate(client.balance, COUNT)

        def through_httpx() -> float:
            headers = {name: str(value) for name, value in client.token(fresh=True).headers.items()}
            return rate(lambda: http.post(url, headers=headers).raise_for_status().json(), COUNT)

        with client:
            kit, bare = side_by_side(through_pay88, through_httpx, 2 * ROUNDS + 1)
    yield Row("balance calls", kit, "/s", "bare httpx", bare, "≥ 0.8")


def tokens() -> Iterator[Row]:
    """Tokens that 20 balance calls take, in turn and at once on a cold cache; and their rates."""
    with servers.running(servers.sandbox()) as server:
        config = _config(server.port)
        ours = {"in_turn": _tokens_of(config, 1), "at_once": _tokens_of(config, 20)}
        seen: dict[str, dict[str, float]] = {}
        runs: dict[str, Callable[[], float]] = {}
        for name, requirements in OTHERS.items():
            try:
                python = peers.environment(name, requirements)
            except (peers.LeftOut, OSError, subprocess.SubprocessError) as error:
                say(f"bench: {name} is left out: {error}")
                continue
            runs[name] = _run(python, name, config, seen)
            runs.setdefault("bare httpx there", _run(python, "httpx", config, seen))
        rates = in_turns(runs)
    bare = rates.pop("bare httpx there", None)
    for name, other in rates.items():
        yield Row(f"balance calls through {name}", other, "/s", "bare httpx", bare)
        for how, words in (("in_turn", "in turn"), ("at_once", "at once, cold")):
            said = f"tokens for 20 calls {words}"
            yield Row(said, ours[how], "", name, seen[name][how])


def _tokens_of(config: Config, threads: int) -> int:
    """The tokens that 20 balance calls of a new client take."""
    asked = 0

    def count(request: httpx.Request) -> None:
        nonlocal asked
        asked += request.url.path == "/api/auth/token"

    with (
        Pay88(config, books=False, event_hooks={"request": [count]}) as client,
        ThreadPoolExecutor(threads) as pool,
    ):
        list(pool.map(lambda _: client.balance(), range(20)))
    return asked


def _run(
    python: str, name: str, config: Config, seen: dict[str, dict[str, float]]
) -> Callable[[], float]:
    script = Path(__file__).with_name("token_clients.py")
    # The sandbox's own key, which everybody can make from its seed.
    credentials = (str(config.api_key), str(config.merchant_id))

    def run() -> float:
        command = [python, str(script), name, config.base_url, *credentials, str(COUNT)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seen[name] = json.loads(said)
        return seen[name]["rate"]

    return run


def books() -> Iterator[Row]:
    """What a charge costs with books in a file, beside one without, and beside bare commits."""
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.running(servers.sandbox()) as server,
        Pay88(_config(server.port), books=False) as without,
        Pay88(_config(server.port), books=f"sqlite:///{folder}/books.db") as kept,
    ):
        database = sqlite3.connect(f"{folder}/bare.db", isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)")

        def commit() -> None:
            database.execute("INSERT INTO rows (text) VALUES (?)", ("x" * 400,))

        rates = in_turns(
            {
                "with": lambda: rate(lambda: kept.charge(**ORDER), COUNT),
                "without": lambda: rate(lambda: without.charge(**ORDER), COUNT),
                "commit": lambda: rate(commit, COUNT),
            }
        )
        database.close()
    millis = {name: 1000 / each for name, each in rates.items()}
    yield Row("a charge with books", millis["with"], "ms", "without", millis["without"])
    cost = (millis["with"] - millis["without"]) / 2  # before it leaves, and after its answer
    yield Row("one write to the books", cost, "ms", "bare SQLite commit", millis["commit"])
