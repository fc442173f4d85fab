"""Print the table of sample merchants against probes: what each probe says of each merchant.

    python tests/tools/judge_merchants.py

``.`` passes, ``F`` fails, ``f`` fails as a consequence, ``d`` doubtful, ``?`` not observable.
"""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from merchants import PATH, SECRET, SHORT, VARIANTS, WRONG, fastapi, flask, node
from run_all import NODE

from pay88kit.endpoint_check import PROBES, Result, Verdict, check_endpoint

MARKS = {Verdict.PASSES: ".", Verdict.DOUBTFUL: "d", Verdict.NOT_OBSERVABLE: "?"}


def mark(result: Result) -> str:
    return MARKS.get(result.verdict, "f" if result.follows else "F")


def line(name: str, merchant: AbstractContextManager[str], timeout: float = 5.0) -> None:
    """Judge one merchant, without and with its count of effects."""
    with merchant as url:
        for how, effects in (("", None), ("effects", f"{url}/effects")):
            check = check_endpoint(url + PATH, SECRET, effects=effects, timeout=timeout)
            marks = "  ".join(map(mark, check.results))
            faults = ", ".join(result.probe for result in check.faults) or "–"
            print(f"{name:<32} {how:<8} {marks}  {faults}", flush=True)


def main() -> None:
    """Judge them all."""
    logging.disable()
    for number, probe in enumerate(PROBES, 1):
        print(f"{number:>2} {probe.name}")
    print(" " * 41, " ".join(f"{number:<2}" for number in range(1, len(PROBES) + 1)), "named")
    for name in VARIANTS:
        line(f"FastAPI {name}".strip(), fastapi(name))
    line("Flask", flask())
    program = NODE.find()
    if program:
        line("Node", node(program))
    for wrong in WRONG:
        line(wrong.fault, fastapi(wrong.fault), SHORT if wrong.short else 5.0)


if __name__ == "__main__":
    main()
