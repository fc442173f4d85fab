"""Small reports: `pay88 report many` beside what a papermill user writes, equal outputs checked."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pay88kit.reports.engine import forking
from pay88kit.reports.many import Progress, run_many
from pay88kit.reports.workers import usable_cores
from tests.bench.measure import Row, say, side_by_side

COUNT = 500
# The others take so long that fewer are measured; all figures are seconds for one report.
IN_LOOP, IN_POOL = 10, 40
# In each turn, with Dask and without.
ON_DASK = 50
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


@contextmanager
def _cluster(home: Path, workers: int) -> Iterator[str]:
    """The address of a scheduler with so many workers of one thread, on this machine."""
    from distributed import Client

    home.mkdir()
    file = home / "scheduler.json"
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> None:
        command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(command, cwd=home, **quiet))

    try:
        start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
        for _ in range(workers):
            # They wait for the file.
            start("worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny")
        while not file.exists() or not file.read_text().endswith("}"):
            time.sleep(0.05)
        address: str = json.loads(file.read_text())["address"]
        with Client(address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            client.wait_for_workers(workers)
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def _beside_dask(source: Path, home: Path) -> tuple[float, float]:
    """Reports a second with two workers: of Dask, and of this machine alone."""
    turns = itertools.count()
    with _cluster(home / "cluster", 2) as address:

        def rate(**how: Any) -> float:
            out = home / f"dask-{next(turns)}"
            began = time.perf_counter()
            done = run_many(str(source), _merchants(ON_DASK), out=out, **how)
            if done.failures:
                raise AssertionError(f"{done.failures[0].words}")
            return ON_DASK / (time.perf_counter() - began)

        return side_by_side(lambda: rate(cluster=address), lambda: rate(workers=2))


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
        on_dask, on_two = _beside_dask(source, home)
    what = f"one of {COUNT} small reports"
    beside = f"papermill and jupyter nbconvert, {IN_LOOP} in a loop"
    yield Row(what, ours * 1000, "ms", beside, loop * 1000, "≤ 0.1")
    beside = f"a process pool of the same width, {IN_POOL}"
    yield Row(what, ours * 1000, "ms", beside, pool * 1000, "≤ 0.2")
    held = f"a worker's memory after {COUNT}"
    yield Row(held, memory.late, "MB", f"after {EARLY}", memory.early, "≤ 1.1")
    beside = "without Dask, two processes"
    yield Row("small reports, two Dask workers", on_dask, "/s", beside, on_two, "≥ 0.9")
