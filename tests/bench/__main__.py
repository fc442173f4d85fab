"""``make bench``: ratios, measured side by side in one run. It reports; it never fails a build.

``python -m tests.bench guide frames`` measures those two parts only.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from tests.bench import charges, clients, frames, guide, inbox, peers, reconcile, reports
from tests.bench.measure import ROUNDS, Row, as_table, say, side_by_side

KIT = "from pay88kit import Pay88"
FLOOR = """
import httpx
from pydantic import BaseModel
class Thing(BaseModel):
    name: str
    amount: int
"""


def imports() -> Iterator[Row]:
    """A fresh process each time; without bytecode compilation, which the first turn does."""

    def process(code: str) -> Callable[[], float]:
        def run() -> float:
            start = time.perf_counter()
            subprocess.run([sys.executable, "-I", "-c", code], check=True)
            return (time.perf_counter() - start) * 1000

        return run

    def inside(code: str) -> Callable[[], float]:
        timed = (
            f"import time; start = time.perf_counter()\n{code}\n"
            f"print((time.perf_counter() - start) * 1000)"
        )

        def run() -> float:
            command = [sys.executable, "-I", "-c", timed]
            return float(subprocess.run(command, check=True, capture_output=True).stdout)

        return run

    floor = "httpx and a model"
    kit, httpx_and_model = side_by_side(process(KIT), process(FLOOR), 3 * ROUNDS)
    yield Row("import Pay88, process", kit, "ms", floor, httpx_and_model, "≤ 1.3")
    kit, httpx_and_model = side_by_side(inside(KIT), inside(FLOOR), 3 * ROUNDS)
    yield Row("import Pay88, import alone", kit, "ms", floor, httpx_and_model, "≤ 1.3")


def main() -> None:
    """Measure everything, print the table."""
    # First, while the way out of this machine is still known.
    others = list(peers.installed())
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]  # everything measured is on this machine
    # Set in many containers: each process would compile whatever it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    parts: dict[str, Callable[[], Iterator[Row]]] = {
        "imports": imports,
        "calls": clients.calls,
        "tokens": clients.tokens,
        "books": clients.books,
        "frames": frames.lines,
        "charges beside the peers": lambda: charges.beside(others),
        "cold starts": lambda: charges.cold_start(others),
        "charges as the sandbox fills": charges.as_it_fills,
        "charges on disk": charges.on_disk,
        "charges in process": charges.in_process,
        "inbox": inbox.speed,
        "inbox, killed": inbox.reliability,
        "reconciliation": reconcile.speed,
        "reports": reports.speed,
        "guide": guide.speed,
        "first token": guide.first_token,
    }
    rows: list[Row] = []
    for name, part in parts.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        say(f"bench: {name} …")
        try:
            rows += part()
        except Exception as error:
            say(f"bench: {name}: {type(error).__name__}: {error}")
    print(f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}")
    print(f"Medians of at least {ROUNDS}, measured in turns; ratio: the first figure ÷ the second.")
    print()
    print(as_table(rows))
    print()
    print(peers.notes())


if __name__ == "__main__":
    main()
