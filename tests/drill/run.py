"""Runs the drill: a served sandbox with faults, a program that is killed, notifications, a person.

The books and the sandbox's ledger are then held against each other, key by key.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from pay88kit import Books, Config, Inbox

HERE = Path(__file__).parent
KILLS = 3
# What goes wrong with creates, by seeded chance.
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "drop_before", "rate": 0.05},
    {"kind": "drop_after", "rate": 0.05},
    {"kind": "status", "status": 500, "rate": 0.05},
    {"kind": "status", "status": 429, "retry_after": 1, "rate": 0.005},
)
OPERATIONS = {"charge": "charges", "cashout": "cashout-bank-transfer"}
LONG = 300.0


@dataclass
class Counts:
    """What the drill saw. ``faults`` lists every disagreement; there must be none."""

    seed: int
    orders: int
    kills: int = 0
    answers: int = 0
    unknown: int = 0
    by_notification: int = 0
    by_person: int = 0
    transactions: int = 0
    doubles: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.orders} orders, {self.kills} kills, {self.answers} answers; "
            f"{self.unknown} unknown when the program had ended, {self.by_notification} of them "
            f"resolved by a notification, {self.by_person} by a person; "
            f"{self.transactions} transactions, {self.doubles} double"
        )


class Simulator:
    """``pay88 sandbox`` in a process of its own, and its control side."""

    def __init__(self, process: subprocess.Popen[str], settings: dict[str, str]) -> None:
        self._process = process
        self.settings = settings
        self._http = httpx.Client(base_url=settings["PAY88_BASE_URL"], timeout=60, trust_env=False)

    def control(self, method: str, path: str, **body: Any) -> Any:
        """A call of the control side; returns its data."""
        answer = self._http.request(method, f"/_sandbox/{path}", json=body or None)
        if answer.status_code == 409:
            return None  # final already
        return answer.raise_for_status().json()["data"]

    def transactions(self) -> list[dict[str, Any]]:
        """Everything in the ledger."""
        return list(self.control("GET", "transactions"))


@contextmanager
def simulator(seed: int, faults: bool = True) -> Iterator[Simulator]:
    """A served sandbox without limits, with a merchant on credit, and the drill's faults."""
    command = [sys.executable, "-m", "pay88kit", "sandbox", "--port", "0", "--no-limits"]
    with subprocess.Popen(
        [*command, "--seed", str(seed)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        settings = {}
        for line in process.stdout:
            name, equals, value = line.strip().partition("=")
            if equals:
                settings[name] = value
            if line.startswith("Stop it"):
                break
        try:
            made = Simulator(process, settings)
            merchant = settings["PAY88_MERCHANT_ID"]
            made.control("POST", "merchants", merchant_id=merchant, credit_limit="900000000.00")
            for operation in OPERATIONS.values() if faults else ():
                for fault in FAULTS:
                    made.control("POST", "faults", operation=operation, times=None, **fault)
            yield made
        finally:
            process.kill()


class Program:
    """The merchant's program: started, watched, killed."""

    def __init__(self, file: str, sandbox: Simulator, plan: dict[str, Any]) -> None:
        self._command = [sys.executable, str(HERE / file), json.dumps(plan)]
        names = ("PAY88_BASE_URL", "PAY88_API_KEY", "PAY88_MERCHANT_ID")
        self._env = os.environ | {name: sandbox.settings[name] for name in names}
        self.answers = 0

    def run(self, kill_after: int | None = None) -> None:
        """Run to its end, or until it has had so many answers."""
        seen = 0
        with subprocess.Popen(
            self._command, env=self._env, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for _ in process.stdout:
                seen += 1
                self.answers += 1
                if seen == kill_after:
                    process.kill()
                    return
            if process.wait(LONG) != 0:
                raise RuntimeError(f"The program ended with {process.returncode}")


class Customers:
    """They pay, or do not: some while the program still runs, the others when they are asked."""

    def __init__(self, sandbox: Simulator) -> None:
        self._sandbox = sandbox

    @contextmanager
    def paying_meanwhile(self) -> Iterator[None]:
        """Every other customer decides while the body runs."""
        over = threading.Event()

        def live() -> None:
            while not over.wait(0.3):
                self.decide("02468ACEGIKMOQSUWY")

        thread = threading.Thread(target=live, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(LONG)

    def decide(self, who: str = "") -> None:
        """Open transactions get their final status; one in ten is declined.

        ``who`` are the last characters of the references that are meant; by default all.
        """
        for transaction in self._sandbox.transactions():
            reference = transaction["reference"]
            if transaction["status"] == "PENDING" and reference[-1] in (who or reference[-1]):
                action = "reject" if reference[-2] in "ABC" else "complete"
                self._sandbox.control("POST", f"transactions/{reference}/{action}")


def drill(seed: int, count: int, folder: Path, books_url: str = "") -> Counts:
    """Run it once with pay88kit; what is wrong afterwards is in ``faults``."""
    counts = Counts(seed, count)
    chance = random.Random(seed)  # noqa: S311 - the drill's own plan
    url = books_url or f"sqlite:///{folder / 'books.db'}"
    with simulator(seed) as sandbox:
        books = Books(url)
        config = Config(
            environment="local",
            base_url=sandbox.settings["PAY88_BASE_URL"],
            api_key=sandbox.settings["PAY88_API_KEY"],
            merchant_id=sandbox.settings["PAY88_MERCHANT_ID"],
            webhook_secret=sandbox.settings["PAY88_WEBHOOK_SECRET"],
        )
        with Inbox(config, books=books) as inbox:
            plan = {"books": url, "count": count, "notify": inbox.url}
            program = Program("with_the_kit.py", sandbox, plan)
            customers = Customers(sandbox)
            with customers.paying_meanwhile():
                for _ in range(KILLS):
                    program.run(kill_after=chance.randint(count // 8, count // 4))
                    sandbox.control("POST", "clock", advance=61)  # every token is old now
                program.run()
                counts.kills = KILLS
            counts.unknown = len(books.unknown())
            customers.decide()
            _deliver_all(sandbox)
            counts.by_notification = counts.unknown - len(books.unknown())
            counts.by_person = _ask_a_person(sandbox, books)
            # Whoever was found not to be charged is charged now, without faults.
            sandbox.control("DELETE", "faults")
            program.run()
            customers.decide()
            _deliver_all(sandbox)
            counts.answers = program.answers
            _compare(sandbox, books, counts)
        books.close()
    return counts


def naive(seed: int, count: int, folder: Path) -> Counts:
    """The same with httpx-retries: what it charges twice."""
    counts = Counts(seed, count)
    chance = random.Random(seed)  # noqa: S311
    with simulator(seed) as sandbox:
        notify = "http://127.0.0.1:9/hook"
        plan = {"done": str(folder / "done.txt"), "count": count, "notify": notify}
        program = Program("naively.py", sandbox, plan)
        for _ in range(KILLS):
            program.run(kill_after=chance.randint(count // 8, count // 4))
            sandbox.control("POST", "clock", advance=61)
        program.run()
        counts.kills, counts.answers = KILLS, program.answers
        _count_doubles(sandbox, counts)
    return counts


def _deliver_all(sandbox: Simulator) -> None:
    """Until every notification was acknowledged; time brings the retries."""
    for _ in range(12):
        attempts = sandbox.control("GET", "webhooks")
        answered = {a["reference"] for a in attempts if a["status_code"] == 200}
        if {a["reference"] for a in attempts} <= answered:
            return
        sandbox.control("POST", "clock", advance=3_600)
    raise RuntimeError("Some notifications were never acknowledged")


def _ask_a_person(sandbox: Simulator, books: Books) -> int:
    """What is still unknown is looked up in the ledger, as a person does in the dashboard."""
    found = {t["customer_id"]: t["reference"] for t in sandbox.transactions()}
    unknown = list(books.unknown()["key"])
    for key in unknown:
        books.resolve(key, created=found.get(key))
    return len(unknown)


def _count_doubles(sandbox: Simulator, counts: Counts) -> Counter[str]:
    ledger = Counter(t["customer_id"] for t in sandbox.transactions())
    counts.transactions = ledger.total()
    counts.doubles = sum(times - 1 for times in ledger.values())
    return ledger


def _compare(sandbox: Simulator, books: Books, counts: Counts) -> None:
    """Each key: exactly one transaction, the same in the books as in the ledger."""
    ledger = _count_doubles(sandbox, counts)
    known = {t["reference"]: t for t in sandbox.transactions()}
    operations = books.operations()
    wrong = counts.faults
    if len(operations) != counts.orders:
        wrong.append(f"{len(operations)} operations in the books")
    for row in operations.to_dict("records"):
        key, times = row["key"], ledger[row["key"]]
        if row["state"] != "created" or times != 1:
            wrong.append(f"{key}: {row['state']} in the books, {times} in the ledger")
            continue
        there = known.get(row["reference"])
        if there is None:
            wrong.append(f"{key}: the ledger has no {row['reference']}")
            continue
        here = (key, f"{row['amount']:.2f}", row["status"])
        said = (there["customer_id"], there["amount"], there["status"])
        if here != said:
            wrong.append(f"{key}: {here} in the books, {said} in the ledger")
