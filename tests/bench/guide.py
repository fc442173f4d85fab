"""How long the guide takes: all of it under strict nbval, and the way to a first token."""

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
# From a fresh clone to the first token, in seconds, everything downloaded.
LONGEST = 180.0


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


def first_token() -> Iterator[Row]:
    """``make lab`` in a fresh clone, and a lesson in Chromium until a token is seen."""
    sys.path.insert(0, str(ROOT / "tests" / "browser"))
    import learner
    from driver import WIDE, Lab, chromium, fresh_clone
    from playwright.sync_api import expect

    say("bench: a fresh clone …")
    with chromium() as browser, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        start = time.perf_counter()
        with fresh_clone(Path(folder)) as (url, token):
            context = browser.new_context(viewport=WIDE)
            context.set_default_timeout(LONGEST * 1000)
            lab = Lab(context.new_page(), url, token)
            lab.start()
            expect(learner.gets_a_token(lab)).to_be_visible(timeout=LONGEST * 1000)
            took = time.perf_counter() - start
            lab.close()
            context.close()
    yield Row("a fresh clone's first token", took, "s", "three minutes", LONGEST, "≤ 1")


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
