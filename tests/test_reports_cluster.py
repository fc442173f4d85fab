"""Reports on a Dask cluster: real scheduler and worker processes, one of them killed."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports_support import text_of
from test_reports_many import report

from pay88kit.cli import main
from pay88kit.errors import MissingExtra
from pay88kit.reports import ReportError
from pay88kit.reports.cluster import ClusterLost, versions
from pay88kit.reports.cluster import caller as cluster
from pay88kit.reports.cluster.waiting import Report, Waiting
from pay88kit.reports.engine import forking
from pay88kit.reports.index import runs
from pay88kit.reports.many import Summary, run_many

pytestmark = pytest.mark.skipif(not forking.available(), reason="workers are killed by signal here")

DOCS = Path(__file__).parent.parent / "docs" / "cluster.md"


class Lab:
    """A scheduler, and workers that each say who they are in the variable WORKER."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.temporary = home / "tmp"
        self.temporary.mkdir()
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self._numbers = itertools.count()
        file = home / "scheduler.json"
        arguments = ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)]
        self.scheduler = self._dask("scheduler", *arguments)
        until(file.exists)
        until(lambda: file.read_text().endswith("}"))
        self.address = json.loads(file.read_text())["address"]

    def start(self, name: str, *, host: str = "127.0.0.1", preload: Path | None = None) -> None:
        """Start a worker; it is there some time later."""
        options = ["--nthreads", "1", "--no-nanny", "--host", host]
        more = ["--preload", str(preload)] if preload else []
        self.workers[name] = self._dask("worker", self.address, *options, *more, WORKER=name)

    def have(self, count: int) -> list[str]:
        """Exactly so many workers; those that run already have made reports, and are quicker."""
        for name in [*self.workers][count:]:
            self.kill(name)
        self.call(count - len(self.workers))
        until_there(self.address, count)
        return list(self.workers)

    def call(self, count: int) -> None:
        """Start so many workers."""
        for _ in range(count):
            self.start(f"w{next(self._numbers)}")

    def kill(self, name: str) -> None:
        """As when its machine loses power."""
        process = self.workers.pop(name)
        process.kill()
        process.wait()

    def close(self) -> None:
        end(*self.workers.values(), self.scheduler)

    def _dask(self, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        own = {"HOME": str(self.home), "TMPDIR": str(self.temporary)}
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PAY88_", "XDG_"))}
        command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
        with (self.home / "log").open("ab") as log:
            return subprocess.Popen(
                command, env=environment | own | variables, cwd=self.home, stdout=log, stderr=log
            )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("cluster"))
    lab.call(2)
    yield lab
    lab.close()


@pytest.fixture(autouse=True)
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A busy machine may answer late; a test that fails leaves no worker that waits for ever."""
    monkeypatch.setattr(cluster, "_TIMEOUT", 120.0)
    yield
    (tmp_path / "hold").unlink(missing_ok=True)


def until(true: Callable[[], Any], seconds: float = 180.0) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


class InBackground(threading.Thread):
    """A run while the test does something else."""

    def __init__(
        self, source: Path, names: list[str], days: str, lab: Lab, out: Path, retries: int = 1
    ) -> None:
        super().__init__(daemon=True)
        self._run = lambda: run_many(
            str(source), names, days, out=out, cluster=lab.address, retries=retries
        )
        self.summary: Summary | None = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.summary = self._run()
        except BaseException as error:
            self.error = error

    def result(self) -> Summary:
        self.join(180)
        if self.error is not None:
            raise self.error
        assert self.summary is not None, "it goes on"
        return self.summary


def end(*processes: subprocess.Popen[bytes]) -> None:
    """End them one after the other: a worker says goodbye to its scheduler."""
    for process in processes:
        process.terminate()
        process.wait()


def until_there(address: str, count: int) -> None:
    """Wait until the scheduler has so many workers, and no dead ones."""
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        until(lambda: len(client.nthreads()) == count)


def waits(folder: Path, merchants: str = "True") -> str:
    """A cell that says which worker makes it, and waits as long as there is a file ``hold``."""
    (folder / "hold").touch()
    return (
        "import os, pathlib, time\n"
        f"folder = pathlib.Path({str(folder)!r})\n"
        "worker = os.environ['WORKER']\n"
        "with (folder / f'begun-{merchant_id}').open('a') as file: print(worker, file=file)\n"
        f"while {merchants} and (folder / 'hold').exists(): time.sleep(0.01)\n"
        "print(worker)"
    )


def begun(folder: Path) -> dict[str, list[str]]:
    """The workers that began a merchant's report, in turn."""
    found = folder.glob("begun-*")
    return {path.name.partition("-")[2]: path.read_text().split() for path in found}


def assert_whole(out: Path, merchants: list[str]) -> None:
    """Each report is there once, in folder and index, and nothing else is."""
    rows = runs(out)
    assert Counter(run.values["merchant_id"] for run in rows) == Counter(merchants)
    wanted = {name for run in rows for name in (run.notebook, run.html)}
    wanted |= {"index.html", ".index.lock"}
    assert {path.name for path in out.iterdir()} == wanted
    for run in rows:
        assert json.loads((out / run.notebook).read_text())["cells"]
        assert (out / run.html).read_text().endswith("</html>\n")


# -- the same as on one machine

TABLE = """
import pandas as pd
from IPython.display import display
if merchant_id == 'M-bad': raise ValueError('no good')
if merchant_id == 'M-gone': import os; os._exit(5)
display(pd.DataFrame({'amount': [1, 2], 'who': ['=1+1', '<script>']}))
print(merchant_id, day, note)
"""
NAMES = ["M-1", "M-2", "M-bad", "M-gone", "<b>'é😀"]


def test_files_and_outputs_are_those_of_a_local_run(lab: Lab, tmp_path: Path) -> None:
    source = str(report(tmp_path, TABLE))
    values = {"note": "{x}"}
    here = run_many(source, NAMES, values=values, out=tmp_path / "here")
    lab.have(2)
    there = run_many(source, NAMES, values=values, out=tmp_path / "there", cluster=lab.address)
    assert (here.done, there.done, len(there.failures)) == (3, 3, 2)
    assert sorted(failure.words for failure in there.failures) == sorted(
        failure.words for failure in here.failures
    )
    assert all(failure.page and failure.page.is_file() for failure in there.failures)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert rows(tmp_path / "there") == rows(tmp_path / "here")
    text = next((tmp_path / "there").glob("small-M-1*.ipynb")).read_text()
    assert str(lab.temporary) not in text
    assert not list(lab.temporary.glob("pay88-report-*"))


def contents(out: Path) -> dict[str, Any]:
    """Names, modes, and what is in them but times and paths."""
    found: dict[str, Any] = {}
    for path in out.rglob("*"):
        about: Any = None
        if path.suffix == ".ipynb":
            cells = json.loads(path.read_text())["cells"]
            about = [(cell["source"], cell.get("outputs")) for cell in cells]
        elif path.suffix == ".html" and path.name != "index.html":
            about = text_of(path)
        found[str(path.relative_to(out))] = (path.stat().st_mode, about)
    return found


def rows(out: Path) -> list[Any]:
    found = [vars(run) | {"at": "", "seconds": 0} for run in runs(out)]
    return sorted(found, key=str)


def test_one_of_the_kits_own_reports(
    lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.have(2)
    merchants = tmp_path / "merchants.csv"
    merchants.write_text("merchant_id\nMCH-COL-29SBSSTG\n")
    given = ["report", "many", "transactions", "--merchants", str(merchants)]
    given += ["--days", "2026-01-15"]
    assert main([*given, "--out", str(tmp_path / "here")]) == 0
    assert main([*given, "--out", str(tmp_path / "there"), "--cluster", lab.address]) == 0
    said = capsys.readouterr()
    assert said.out.count("transactions: 1 done, 0 failed") == 2
    assert said.err == ""
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    (row,) = runs(tmp_path / "there")
    assert row.words.startswith("Charges: ")


def test_a_profile_is_that_of_the_worker(lab: Lab, tmp_path: Path) -> None:
    lab.have(2)
    # Neither this machine nor the workers have its key; only the workers are asked for it.
    cell = 'profile: "Profile" = ""  # whose credentials\nmerchant_id: str = ...  # whom'
    source = report(tmp_path)
    book = json.loads(source.read_text())
    book["cells"][0]["source"] = cell
    book["cells"][1]["source"] = "pass"
    source.write_text(json.dumps(book))
    values = {"profile": "SHOP"}
    with pytest.raises(ReportError, match="SHOP_PAY88_API_KEY"):
        run_many(str(source), ["M-1"], values=values, out=tmp_path / "out")
    done = run_many(str(source), ["M-1"], values=values, out=tmp_path / "out", cluster=lab.address)
    assert "SHOP_PAY88_API_KEY" in done.failures[0].words
    assert not list((tmp_path / "out").iterdir())


# -- one merchant, one host


@given(st.lists(st.integers(0, 4), max_size=20), st.lists(st.integers(0, 5), max_size=60))
def test_no_order_of_events_loses_a_report_or_splits_a_merchant(
    merchants: list[int], events: list[int]
) -> None:
    wanted = [Report({"merchant_id": f"M-{m}", "n": n}) for n, m in enumerate(merchants)]
    waiting = Waiting(wanted)
    taken: list[tuple[Report, str]] = []
    done: list[Report] = []
    host_of: dict[str, str] = {}

    def take(host: str) -> None:
        if (got := waiting.take(host)) is not None:
            assert host_of.setdefault(got.merchant, host) == host
            taken.append((got, host))

    for event in events:
        if event in (0, 1):
            take("ab"[event])
        elif event == 2 and taken:
            done.append(taken.pop(0)[0])
        elif event == 3 and taken:
            waiting.give_back(taken.pop()[0])
        elif event in (4, 5):
            gone = "ab"[event - 4]
            waiting.without(gone)
            host_of = {name: host for name, host in host_of.items() if host != gone}
            for report_, _ in [each for each in taken if each[1] == gone]:
                waiting.give_back(report_)
            taken = [each for each in taken if each[1] != gone]
    waiting.without("a")
    waiting.without("b")
    done += [report_ for report_, _ in taken]
    while (got := waiting.take("c")) is not None:
        done.append(got)
    assert not waiting
    assert sorted(done, key=id) == sorted(wanted, key=id)


# -- who may not


STRANGER = """
import pathlib
from pay88kit.reports.cluster import versions

def ours():
    pathlib.Path({asked!r}).touch()
    return versions.real() | {{"pandas": "0.1"}}

# Dask may load this twice.
if not hasattr(versions, "real"):
    versions.real, versions.ours = versions.ours, ours
"""


def test_a_worker_with_other_versions_gets_no_work(
    lab: Lab, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = tmp_path / "asked"
    preload = tmp_path / "stranger.py"
    preload.write_text(STRANGER.format(asked=str(asked)))
    source, out = report(tmp_path, waits(tmp_path)), tmp_path / "out"
    names = [f"M-{number}" for number in range(1, 7)]
    own = lab.have(2)
    run = InBackground(source, names, "2026-01-15", lab, out)
    until(lambda: len(begun(tmp_path)) == 2)
    lab.start("stranger", preload=preload)
    until(asked.exists)
    (tmp_path / "hold").unlink()
    done = run.result()
    assert (done.done, done.failures) == (6, [])
    assert {worker for workers in begun(tmp_path).values() for worker in workers} == {*own}
    assert "gets no reports: pandas 0.1 (here " in caplog.text
    # Before a run it is an error.
    said = r"tcp://127.0.0.1:\d+ has pandas 0.1 \(here \d.*\). Install the same there"
    with pytest.raises(ReportError, match=said):
        run_many(str(source), names, out=tmp_path / "other", cluster=lab.address)
    assert not (tmp_path / "other").exists()


def test_the_kits_own_sources_are_compared(lab: Lab, tmp_path: Path, monkeypatch: Any) -> None:
    lab.have(2)
    here = versions.ours() | {"pay88kit": "0.1.0 (sources of another tree)"}
    monkeypatch.setattr(versions, "ours", lambda: here)
    with pytest.raises(ReportError, match=r"pay88kit \d.* \(sources [0-9a-f]{12}\) \(here 0.1.0"):
        run_many(str(report(tmp_path)), ["M-1"], out=tmp_path / "out", cluster=lab.address)
    assert not (tmp_path / "out").exists()


def test_the_digest_is_of_the_whole_kit_and_of_its_reports() -> None:
    names = {name for name, _ in versions._files()}
    assert {"money.py", "client/api.py", "language/es.po", "reports/templates/index.html"} <= names
    assert "notebooks/daily_balance.ipynb" in names
    assert not [name for name in names if "__pycache__" in name]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://127.0.0.1:1", "cannot be reached: Timed out"),
        ("tcp://127.0.0.1", "cannot be reached: missing port"),
        ("tls://127.0.0.1:1", "cannot be reached: TLS expects"),
        ("192.168.1.5:8786", "is no address of a scheduler"),
    ],
)
def test_a_cluster_that_is_not_there_ends_with_2(
    address: str,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster, "_TIMEOUT", 0.5)
    merchants = tmp_path / "merchants.csv"
    merchants.write_text("merchant_id\nM-1\n")
    out = tmp_path / "out"
    given = ["report", "many", str(report(tmp_path)), "--merchants", str(merchants)]
    assert main([*given, "--out", str(out), "--cluster", address]) == 2
    assert f"cluster: {address} {said}" in capsys.readouterr().err
    assert not out.exists()


def test_a_cluster_without_workers_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import LocalCluster

    monkeypatch.setattr(cluster, "_FIRST", 0.0)
    options: dict[str, Any] = {"n_workers": 0, "dashboard_address": ":0", "protocol": "tcp://"}
    with LocalCluster(**options) as empty:
        address = empty.scheduler_address
        with pytest.raises(ReportError, match=f"{address} has no worker. .*dask worker {address}"):
            run_many(str(report(tmp_path)), ["M-1"], out=tmp_path / "out", cluster=address)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = str(report(tmp_path))
    options = ["--workers", "2", "--cluster", "tcp://127.0.0.1:1"]
    with pytest.raises(SystemExit) as ended:
        main(["report", "many", source, "--merchants", "x.csv", *options])
    assert ended.value.code == 2
    assert "not allowed with argument --workers" in capsys.readouterr().err
    with pytest.raises(ReportError, match="workers: the cluster's own decide"):
        run_many(source, ["M-1"], out=tmp_path / "out", workers=2, cluster="tcp://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtra, match=r'pip install "pay88kit\[cluster\]"'):
        run_many(source, ["M-1"], out=tmp_path / "out", cluster="tcp://127.0.0.1:1")
    assert not (tmp_path / "out").exists()


# -- a run that is given up


def test_ctrl_c_leaves_nothing_half_made(lab: Lab, tmp_path: Path) -> None:
    lab.have(2)
    merchants = tmp_path / "merchants.csv"
    merchants.write_text("merchant_id\nM-1\nM-2\nM-3\nM-4\nM-5\nM-6\n")
    out = tmp_path / "out"
    source = report(tmp_path, waits(tmp_path, "merchant_id > 'M-2'"))
    command = [sys.executable, "-m", "pay88kit", "report", "many", str(source), "--merchants"]
    command += [str(merchants), "--out", str(out), "--cluster", lab.address]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    until(lambda: {"M-3", "M-4"} <= begun(tmp_path).keys() and len(runs(out)) == 2)
    program.send_signal(signal.SIGINT)
    said, _ = program.communicate(timeout=180)
    (tmp_path / "hold").unlink()
    assert program.returncode == 130
    assert "--resume goes on" in said
    assert_whole(out, ["M-1", "M-2"])
    # What only waited was not begun, and is not now.
    until(lambda: not list(lab.temporary.glob("pay88-report-*")))
    assert begun(tmp_path).keys() == {"M-1", "M-2", "M-3", "M-4"}


# -- workers that die; each test leaves one worker less


def test_a_killed_worker_loses_no_report(lab: Lab, tmp_path: Path) -> None:
    workers = lab.have(2)
    names = [f"M-{number}" for number in range(1, 8)]
    out = tmp_path / "out"
    source = report(tmp_path, waits(tmp_path, "merchant_id == 'M-3'"))
    run = InBackground(source, names, "2026-01-15", lab, out)
    until(lambda: begun(tmp_path).get("M-3"))
    (victim,) = begun(tmp_path)["M-3"]
    lab.kill(victim)
    (tmp_path / "hold").unlink()
    done = run.result()
    assert (done.done, done.failures) == (7, [])
    assert_whole(out, names)
    (other,) = set(workers) - {victim}
    assert begun(tmp_path)["M-3"] == [victim, other]
    # What the dead worker's process has made in the meantime is not left there either.
    until(lambda: not list(lab.temporary.glob("pay88-report-*")))


def test_what_may_have_created_something_is_not_run_again(lab: Lab, tmp_path: Path) -> None:
    lab.have(2)
    names = [f"M-{number}" for number in range(1, 8)]
    out = tmp_path / "out"
    source = report(tmp_path, waits(tmp_path, "merchant_id == 'M-3'"))
    run = InBackground(source, names, "2026-01-15", lab, out, retries=0)
    until(lambda: begun(tmp_path).get("M-3"))
    (victim,) = begun(tmp_path)["M-3"]
    lab.kill(victim)
    (tmp_path / "hold").unlink()
    done = run.result()
    assert done.done == 6
    (failure,) = done.failures
    assert failure.values["merchant_id"] == "M-3"
    assert "had begun at a worker that is gone" in failure.words
    assert begun(tmp_path)["M-3"] == [victim]
    assert_whole(out, [name for name in names if name != "M-3"])


def test_a_merchants_reports_are_made_on_one_host(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_MOVE", 0.0)
    (near,) = lab.have(1)
    lab.start("far", host="127.0.0.2")
    until_there(lab.address, 2)
    names = ["M-1", "M-2", "M-3", "M-4", "M-5"]
    source = report(tmp_path, waits(tmp_path, "day == '2026-01-31'"))
    out = tmp_path / "out"
    run = InBackground(source, names, "2026-01-30..2026-01-31", lab, out)
    until(lambda: len(runs(out)) == 5 and sum(map(len, begun(tmp_path).values())) == 7)
    hosts = {name: set(workers) for name, workers in begun(tmp_path).items()}
    assert all(len(workers) == 1 for workers in hosts.values())
    assert set.union(*hosts.values()) == {near, "far"}
    # The last day is made elsewhere when that host is gone.
    lab.kill("far")
    (tmp_path / "hold").unlink()
    done = run.result()
    assert (done.done, done.failures) == (10, [])
    assert_whole(out, 2 * names)


def test_without_a_worker_it_ends_and_resume_goes_on(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_PATIENCE", 0.1)
    (worker,) = lab.have(1)
    names = ["M-1", "M-2", "M-3"]
    out = tmp_path / "out"
    source = report(tmp_path, waits(tmp_path, "merchant_id > 'M-1'"))
    run = InBackground(source, names, "2026-01-15", lab, out)
    until(lambda: "M-2" in begun(tmp_path) and len(runs(out)) == 1)
    lab.kill(worker)
    with pytest.raises(ClusterLost, match=r"no worker for .* go on with --resume"):
        run.result()
    assert_whole(out, ["M-1"])
    # This machine alone goes on just as well.
    (tmp_path / "hold").unlink()
    monkeypatch.setenv("WORKER", "none")
    done = run_many(str(source), names, "2026-01-15", out=out, resume=True)
    assert (done.done, done.skipped) == (2, 1)
    assert_whole(out, names)


# -- the commands of the page


def test_the_three_commands_of_the_docs_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = DOCS.read_text(encoding="utf-8")
    scheduler, worker, many = re.findall(r"^(?:dask|pay88) .*$", page, re.M)
    assert (scheduler, worker) == ("dask scheduler", "dask worker tcp://192.168.1.5:8786")
    (tmp_path / "merchants.csv").write_text("merchant_id\nMCH-COL-1\nMCH-BRA-1\n")
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        # Its port may be taken here.
        "DASK_DISTRIBUTED__SCHEDULER__DASHBOARD__ENABLED": "False",
    }
    started: list[subprocess.Popen[bytes]] = []

    def start(line: str) -> None:
        started.append(
            subprocess.Popen(line.split(), env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)
        )

    try:
        start(f"{scheduler} --host 127.0.0.1 --port 0 --scheduler-file here.json")
        file = tmp_path / "here.json"
        until(lambda: file.exists() and file.read_text().endswith("}"))
        address = json.loads(file.read_text())["address"]
        start(worker.replace("tcp://192.168.1.5:8786", address))
        until_there(address, 1)
        line = many.replace("tcp://192.168.1.5:8786", address)
        line = re.sub(r"--days \S+", "--days 2026-01-15", line)
        monkeypatch.chdir(tmp_path)
        code = main(line.split()[1:])
        said = capsys.readouterr()
        assert (code, said.err) == (0, "")
        assert "daily_balance: 2 done, 0 failed in " in said.out
        assert len(runs(tmp_path / "reports")) == 2
    finally:
        end(*reversed(started))
