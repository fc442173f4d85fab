"""``python -m tests.drill``: the drill at full size, with one seed after the other."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.drill.run import drill, naive


def main() -> int:
    """Run, print the counts; exit code 1 when books and ledger disagree."""
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("--count", type=int, default=2_000, help="orders (2,000)")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds (1)")
    parser.add_argument("--first-seed", type=int, default=1)
    args = parser.parse_args()
    green = True
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            counts = drill(seed, args.count, Path(folder))
        print(f"pay88kit       {counts} ({time.perf_counter() - start:.0f} s)", flush=True)
        for fault in counts.faults:
            print(f"  DISAGREES: {fault}")
        green = green and not counts.faults and counts.doubles == 0
        with tempfile.TemporaryDirectory() as folder:
            others = naive(seed, args.count, Path(folder))
        print(
            f"httpx-retries  seed {seed}: {others.transactions} transactions for "
            f"{args.count} orders, {others.doubles} double",
            flush=True,
        )
    return 0 if green else 1


if __name__ == "__main__":
    sys.exit(main())
