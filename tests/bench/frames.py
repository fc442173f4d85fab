"""A million transaction records: JSON lines to an exact table, beside what pandas users write.

Each way runs in a process of its own, since its peak of memory is measured too.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench.measure import Row

COUNT = 1_000_000
PREPARE = """
import json, resource, sys, time
from decimal import Decimal
import pandas as pd, pyarrow as pa, pyarrow.json, pyarrow.compute
from pay88kit import to_frame
def rows(data):
    return [json.loads(line) for line in data.splitlines()]
"""
WAYS = {
    "to_frame": "frame = to_frame(data); total = frame['transaction_amount'].sum()",
    "pyarrow.json": "frame = pa.json.read_json(pa.BufferReader(data)); total = None",
    "json_normalize": """
frame = pd.json_normalize(rows(data))
frame['transaction_amount'] = frame['transaction_amount'].map(Decimal)
frame['transaction_date'] = pd.to_datetime(frame['transaction_date'], utc=True)
total = frame['transaction_amount'].sum()
""",
    "DataFrame + astype": """
frame = pd.DataFrame(rows(data))
frame['transaction_amount'] = frame['transaction_amount'].astype(
    pd.ArrowDtype(pa.decimal128(18, 2)))
frame['transaction_date'] = frame['transaction_date'].astype('datetime64[us]').dt.tz_localize('UTC')
total = frame['transaction_amount'].sum()
""",
}
# A first small turn loads what is loaded once; the peak counts from when the bytes are there.
MEASURE = """
def run(data):
    exec(compile(sys.argv[2], 'way', 'exec'), globals() | {'data': data}, found := {})
    return found['total']
with open(sys.argv[1], 'rb') as file:
    data = file.read()
run(data[:data.index(b'\\n', 100_000)])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
total = run(data)
spent = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps([spent, peak / 1024, str(total)]))
"""


def _write(path: Path) -> str:
    """The records, as 88Pay's webhooks carry them; returns what their amounts add up to."""
    draw = random.Random(88)  # noqa: S311
    cents = 0
    with path.open("w") as file:
        for number in range(COUNT):
            amount = draw.randrange(100, 1_000_000_000)
            cents += amount
            second = number % 60
            record = {
                "transaction_date": f"2026-{number % 12 + 1:02}-15 {number % 24:02}:30:{second:02}",
                "transaction_status": "COMPLETED" if amount % 8 else "REJECTED",
                "transaction_id": f"sess_{draw.getrandbits(128):032x}",
                "transaction_amount": f"{amount // 100}.{amount % 100:02}",
                "transaction_payment_method": ("CREDIT_CARD", "PSE", "NEQUI")[amount % 3],
                "transaction_reference": f"{draw.getrandbits(44):011X}",
                "transaction_currency": "COP",
                "transaction_customer_id": f"CUST-{amount % 100_000}",
            }
            file.write(json.dumps(record) + "\n")
    return f"{cents // 100}.{cents % 100:02}"


def lines() -> Iterator[Row]:
    """Seconds and memory of each way. The quick two in turns, the slow ones once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.jsonl"
        total = _write(path)

        def run(way: str) -> tuple[float, float]:
            command = [sys.executable, "-c", PREPARE + MEASURE, str(path), WAYS[way]]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            spent, peak, found = json.loads(done.stdout)
            if found not in (total, "None"):
                raise AssertionError(f"{way} adds up to {found}, not to {total}")
            return spent, peak

        quick: dict[str, list[tuple[float, float]]] = {"to_frame": [], "pyarrow.json": []}
        for _ in range(3):
            for way, taken in quick.items():
                taken.append(run(way))
        slow = {way: run(way) for way in WAYS if way not in quick}
    seconds, floor = (median(spent for spent, _ in quick[way]) for way in quick)
    peak = median(peak for _, peak in quick["to_frame"])
    said = "a million JSON lines to a table"
    goals = {"json_normalize": ("≤ 0.2", "≤ 0.5"), "DataFrame + astype": ("", "")}
    yield Row(said, seconds, "s", "pyarrow.json", floor, "≤ 2")
    for way, (spent, held) in slow.items():
        yield Row(said, seconds, "s", way, spent, goals[way][0])
        yield Row(f"{said}, peak", peak, "MB", way, held, goals[way][1])
