"""The whole guide under strict nbval, beside as many notebooks that only import what it uses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import Row, in_turns, say
from tests.run_all import ROOT, empty_home, warm_matplotlib

GUIDE = ROOT / "notebooks"
ONLY_IMPORTS = "import matplotlib.pyplot\nimport pandas\n\nimport pay88kit"
ROUNDS = 1  # the first turn of each is not counted


def speed() -> Iterator[Row]:
    """One after the other, in one process of pytest, so that the kernels are all that differs."""
    count = sum(".ipynb_checkpoints" not in path.parts for path in GUIDE.rglob("*.ipynb"))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        bare = Path(folder) / "notebooks"
        bare.mkdir()
        for number in range(count):
            (bare / f"{number:02}.ipynb").write_text(_notebook(ONLY_IMPORTS), "utf-8")
        env = empty_home(Path(folder) / "home")
        warm_matplotlib(env)
        say(f"bench: {count} notebooks, twice …")
        took = in_turns(
            {"guide": lambda: _nbval(GUIDE, env), "bare": lambda: _nbval(bare, env)}, ROUNDS
        )
    against = f"{count} notebooks that only import"
    yield Row("the guide under strict nbval", took["guide"], "s", against, took["bare"], "≤ 3")


def _nbval(folder: Path, env: dict[str, str]) -> float:
    command = [sys.executable, "-m", "pytest", "-q", str(folder), "--nbval", "--nbval-current-env"]
    command += ["-p", "no:cacheprovider", "-p", "tests.homes", "--rootdir", str(ROOT)]
    start = time.perf_counter()
    ended = subprocess.run(command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True)
    if ended.returncode:
        raise RuntimeError(ended.stdout[-2000:])
    return time.perf_counter() - start


def _notebook(source: str) -> str:
    cell = {
        "cell_type": "code", "execution_count": 1, "id": "cell", "metadata": {}, "outputs": [],
        "source": source,
    }  # fmt: skip
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel}
    return json.dumps({"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})
