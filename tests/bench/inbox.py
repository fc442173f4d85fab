"""The inbox under load: its rate and its slowest answers, and what is left after being killed."""

from __future__ import annotations

import json
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from pay88kit import Books, webhooks
from tests.bench import servers
from tests.bench.inbox_apps import SECRET
from tests.bench.measure import ROUNDS, Row, say
from tests.bench.servers import HOST, JSON, Contender, Running, post

CONCURRENCY = 32
A_ROUND = 2_000
MANY, KILLS = 20_000, 5
# Of the sent ones, how many are new: the others repeat one of them.
NEW = 0.8
HEALTH = post("/health", method="GET")


def contender(kind: str, url: str) -> Contender:
    """An application of :mod:`tests.bench.inbox_apps` on a database."""

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "tests.bench.inbox_apps", kind, url, str(port)]

    return Contender(f"{kind} inbox", command, HEALTH, lambda _: b"")


# ---------------------------------------------------------------- notifications


def notifications(count: int, seed: int, offset: int = 0) -> list[bytes]:
    """Requests in a seeded order, a fifth of them repeats, with tokens of this moment."""
    new = max(1, int(count * NEW))
    now = datetime.now(UTC)
    requests = [_request(offset + number, now) for number in range(new)]
    draw = random.Random(seed)  # noqa: S311 - no secret comes of it
    requests += draw.choices(requests, k=count - new)
    draw.shuffle(requests)
    return requests


def _request(number: int, now: datetime) -> bytes:
    body = {
        "transaction_date": f"{now:%Y-%m-%d %H:%M:%S}",
        "transaction_status": "COMPLETED",
        "transaction_id": f"sess_{number:08}-b7f2-4c64-91b1-3d204a5738b4",
        "transaction_amount": "50000",
        "transaction_payment_method": "PSE",
    }
    nonce = number.to_bytes(12, "big")
    token = webhooks.sign(body["transaction_id"], "50000", SECRET, now=now, nonce=nonce)
    path = f"/webhooks/88pay?{webhooks.MARKER}=op-{number}"
    return post(path, {"Authorization": token, **JSON}, json.dumps(body))


def with_operations(url: str, count: int) -> None:
    """Books with the operations that the notifications are for."""
    with closing(Books(url)):
        pass
    when = "2026-01-15T12:00:00.000000Z"
    columns = (
        "id, environment, merchant_id, operation, reference, state, status, amount, currency, "
        "request, created_at, updated_at"
    )
    rows = [
        (f"op-{n}", "sandbox", "MCH-COL-29ZTP4", "charge", f"REF-{n}", "created", "PENDING",
         5_000_000, "COP", "{}", when, when)
        for n in range(count)
    ]  # fmt: skip
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db, db:
            marks = ", ".join("?" * 12)
            db.executemany(f"INSERT INTO operations ({columns}) VALUES ({marks})", rows)  # noqa: S608
    else:
        import psycopg

        with psycopg.connect(url) as server:
            marks = ", ".join(["%s"] * 12)
            query = f"INSERT INTO operations ({columns}) VALUES ({marks})"  # noqa: S608
            server.cursor().executemany(query, rows)  # type: ignore[arg-type]


# ---------------------------------------------------------------- sending


@dataclass
class Sent:
    """What became of a load: how many were acknowledged, and how long each answer took.

    ``failures`` counts the attempts that were not.
    """

    acknowledged: int = 0
    failures: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Acknowledged in a second."""
        return self.acknowledged / self.seconds

    @property
    def p99(self) -> float:
        """In milliseconds."""
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)] * 1000


def send(
    port: int, requests: list[bytes], noted: Callable[[int], None] = lambda done: None
) -> Sent:
    """Send all of them, 32 at a time; each again until it is answered 200.

    ``noted`` is told after each acknowledgement how many there are.
    """
    waiting = iter(requests)
    lock = threading.Lock()
    sent = Sent()

    def work() -> None:
        connection: socket.socket | None = None
        while True:
            with lock:
                request = next(waiting, None)
            if request is None:
                break
            while True:
                began = time.perf_counter()
                try:
                    if connection is None:
                        connection = socket.create_connection((HOST, port), timeout=10)
                        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    connection.sendall(request)
                    answer = servers._answer(connection)
                except OSError:
                    # It is being killed or started.
                    if connection is not None:
                        connection.close()
                    connection = None
                    with lock:
                        sent.failures += 1
                    time.sleep(0.01)
                    continue
                if answer.startswith(b"HTTP/1.1 200 "):
                    break
                if not answer.startswith(b"HTTP/1.1 503 "):
                    raise RuntimeError(answer[:300].decode(errors="replace"))
            with lock:
                sent.acknowledged += 1
                sent.latencies.append(time.perf_counter() - began)
                done = sent.acknowledged
            noted(done)
        if connection is not None:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(CONCURRENCY)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent.seconds = time.perf_counter() - start
    return sent


# ---------------------------------------------------------------- what is measured


def speed() -> Iterator[Row]:
    """The inbox beside one commit of the body, on SQLite, in turns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rounds = ROUNDS + 1
        url = f"sqlite:///{folder / 'books.db'}"
        with_operations(url, rounds * A_ROUND)
        started: dict[str, Running] = {
            "kit": stack.enter_context(servers.running(contender("kit", url))),
            "bare": stack.enter_context(
                servers.running(contender("bare", f"sqlite:///{folder / 'bare.db'}"))
            ),
        }
        taken: dict[str, list[Sent]] = {"kit": [], "bare": []}
        for turn in range(rounds):
            for kind, server in started.items():
                requests = notifications(A_ROUND, turn, offset=turn * A_ROUND)
                taken[kind].append(send(server.port, requests))
    # The first turn warms up.
    rates = {kind: median(one.rate for one in all[1:]) for kind, all in taken.items()}
    slowest = {kind: median(one.p99 for one in all[1:]) for kind, all in taken.items()}
    floor = "one commit of the body"
    yield Row("notifications kept", rates["kit"], "/s", floor, rates["bare"], "≥ 0.7")
    yield Row("notifications, p99", slowest["kit"], "ms", floor, slowest["bare"])


@dataclass(frozen=True)
class Kept:
    """What the books hold after a load.

    ``events`` counts the transactions that are there once, ``twice`` those that are there more
    often; ``times`` sums what was counted of each.
    """

    sent: Sent
    new: int
    events: int
    twice: int
    applied: int
    times: int
    kills: int


def killed(url: str, count: int, kills: int, seed: int = 88) -> Kept:
    """Send ``count`` while the receiver is killed by SIGKILL; then look into the books.

    Raises:
        RuntimeError: a call was answered neither 200 nor 503.
    """
    with_operations(url, count)
    requests = notifications(count, seed)
    port = servers.free_port()
    done = 0

    def note(acknowledged: int) -> None:
        nonlocal done
        done = max(done, acknowledged)

    result: list[Sent] = []
    sender = threading.Thread(target=lambda: result.append(send(port, requests, note)))
    at = [count * (number + 1) // (kills + 1) for number in range(kills)]
    sender.start()
    command = contender("kit", url).command(port)
    for moment in [*at, None]:
        process = subprocess.Popen(command, cwd=servers.ROOT)
        try:
            while sender.is_alive() and (moment is None or done < moment):
                if process.poll() is not None:
                    raise RuntimeError("the inbox did not start")
                time.sleep(0.001)
        finally:
            # SIGKILL: it has no chance to end what it began.
            process.kill()
            process.wait()
    sender.join()
    with closing(Books(url)) as books:
        frame = books.notifications()
    each = Counter(frame["transaction_id"])
    once = sum(count == 1 for count in each.values())
    applied = int((frame["outcome"] == "applied").sum())
    times = int(frame["times"].sum())
    return Kept(result[0], len(set(requests)), once, len(each) - once, applied, times, kills)


def reliability() -> Iterator[Row]:
    """20,000 notifications, the receiver killed five times, on both databases."""
    # The tests' own modules import each other by their bare names.
    sys.path.insert(0, str(servers.ROOT / "tests"))
    from postgres import running as postgres

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        urls = {"SQLite": f"sqlite:///{Path(folder) / 'books.db'}"}
        try:
            urls["PostgreSQL"] = stack.enter_context(stack.enter_context(postgres()).database())
        except Exception as error:
            say(f"bench: inbox on PostgreSQL is left out: {error}")
        for name, url in urls.items():
            kept = killed(url, MANY, KILLS)
            what = f"{MANY:,} on {name}, {KILLS} SIGKILL"
            yield Row(f"{what}: acknowledged", kept.sent.acknowledged, "", "sent", MANY, "≥ 1")
            yield Row(f"{what}: in the books once", kept.events, "", "different", kept.new, "≥ 1")
            yield Row(f"{what}: in the books twice", kept.twice, "")
            yield Row(f"{what}: applied", kept.applied, "", "different", kept.new, "≥ 1")
            yield Row(f"{what}: rate", kept.sent.rate, "/s")
