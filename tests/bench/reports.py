"""Small reports: `pay88 report many` beside what a papermill user writes, equal outputs checked."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from pay88kit.reports import forking
from pay88kit.reports.many import Progress, run_many
from pay88kit.reports.workers import usable_cores
from tests.bench.measure import Row, say

COUNT = 500
# The others take so long that fewer are measured; all figures are seconds for one report.
IN_LOOP, IN_POOL = 10, 40
# When a worker's memory is looked at, in reports made.
EARLY = 50

CELLS = [
    'merchant_id: str = ...  # the merchant\nday: "date" = "2026-01-15"  # the day',
    "from decimal import Decimal\n\nimport matplotlib.pyplot as plt\nimport pandas as pd",
    "frame = pd.DataFrame(\n"
    "    {'method': [f'M{n % 5}' for n in range(200)],\n"
    "     'amount': [Decimal(n * len(merchant_id)) / 100 for n in range(200)]}\n"
    ")\nsums = frame.groupby('method', as_index=False)['amount'].sum()\nsums",
    "print(f'{merchant_id}, {day}: {frame.amount.sum()}')",
]
CHART = (
    "figure, axes = plt.subplots(figsize=(4, 2))\naxes.bar(sums.method, sums.amount.astype(float));"
)


def _notebook(path: Path) -> Path:
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "metadata": {}, "source": "# A small report", "id": "title"}
    ]
    for number, source in enumerate(CELLS):
        tags = [] if number else ["parameters"]
        cells.append(
            {
                "cell_type": "code", "metadata": {"tags": tags}, "source": source, "outputs": [],
                "execution_count": None, "id": f"cell-{number}",
            }
        )  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel}
    book = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(book))
    return path


def _merchants(count: int) -> list[str]:
    return [f"MCH-COL-{number:04}" for number in range(count)]


def _loop(source: Path, out: Path, count: int) -> float:
    out.mkdir()
    programs = Path(sys.executable).parent
    began = time.perf_counter()
    for merchant in _merchants(count):
        target = out / f"{merchant}.ipynb"
        quiet: dict[str, Any] = {"check": True, "stderr": subprocess.DEVNULL}
        parameters = ["-p", "merchant_id", merchant]
        subprocess.run([programs / "papermill", source, target, *parameters], **quiet)
        convert = ["nbconvert", "--to", "html", "--no-input", target]
        subprocess.run([programs / "jupyter", *convert], **quiet)
    return (time.perf_counter() - began) / count


def _in_process(source: str, target: str, merchant: str) -> None:
    import papermill
    from nbconvert.exporters import HTMLExporter

    quiet = {"progress_bar": False, "extra_arguments": ["--IPKernelApp.log_level=ERROR"]}
    papermill.execute_notebook(source, target, {"merchant_id": merchant}, **quiet)
    exporter = HTMLExporter(exclude_input=True)  # type: ignore[no-untyped-call]
    body, _ = exporter.from_filename(target)
    Path(target).with_suffix(".html").write_text(body)


def _pool(source: Path, out: Path, count: int) -> float:
    out.mkdir()
    began = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(usable_cores(), context) as pool:
        jobs = [
            pool.submit(_in_process, str(source), str(out / f"{merchant}.ipynb"), merchant)
            for merchant in _merchants(count)
        ]
        for job in jobs:
            job.result()
    return (time.perf_counter() - began) / count


def _many(source: Path, out: Path, count: int, watch: Callable[[Progress], Any]) -> float:
    began = time.perf_counter()
    done = run_many(str(source), _merchants(count), out=out, progress=watch)
    if done.failures:
        raise AssertionError(f"{len(done.failures)} reports failed: {done.failures[0].words}")
    return (time.perf_counter() - began) / count


def _check_equal(ours: Path, theirs: Path) -> None:
    for path in theirs.glob("*.ipynb"):
        other = ours / f"small-{path.stem}.ipynb"
        if _outputs(path) != _outputs(other):
            raise AssertionError(f"the outputs of {path.name} differ")


def _outputs(path: Path) -> Any:
    cells = json.loads(path.read_text())["cells"]
    return [(cell["source"], cell.get("outputs"), cell.get("execution_count")) for cell in cells]


class _Memory:
    """The largest worker's own memory in MB, early and at the end."""

    def __init__(self, last: int) -> None:
        self._last = last
        self.early = self.late = 0.0

    def __call__(self, progress: Progress) -> None:
        made = progress.done + progress.failed
        if made == EARLY:
            self.early = self._now()
        elif made >= self._last - usable_cores():
            self.late = max(self.late, self._now())

    def _now(self) -> float:
        import psutil

        servers = psutil.Process().children()
        workers = [worker for server in servers for worker in server.children()]
        return max((worker.memory_info().rss / 1e6 for worker in workers), default=0.0)


def speed() -> Iterator[Row]:
    """Seconds for one report, and what a worker holds after many."""
    if not forking.available():
        say("bench: reports: processes are not forked here, so there is nothing to compare")
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        source = _notebook(home / "small.ipynb")
        loop = _loop(source, home / "loop", IN_LOOP)
        pool = _pool(source, home / "pool", IN_POOL)
        memory = _Memory(COUNT)
        ours = _many(source, home / "many", COUNT, memory)
        _check_equal(home / "many", home / "loop")
        _check_equal(home / "many", home / "pool")
    what = f"one of {COUNT} small reports"
    beside = f"papermill and jupyter nbconvert, {IN_LOOP} in a loop"
    yield Row(what, ours * 1000, "ms", beside, loop * 1000, "≤ 0.1")
    beside = f"a process pool of the same width, {IN_POOL}"
    yield Row(what, ours * 1000, "ms", beside, pool * 1000, "≤ 0.2")
    held = f"a worker's memory after {COUNT}"
    yield Row(held, memory.late, "MB", f"after {EARLY}", memory.early, "≤ 1.1")
