"""Many reports: what is refused before the first, what becomes of each, Ctrl-C, and rate limits."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook
from reports_support import notebook_of
from support import BALANCE

from pay88kit import Books, Pay88, Sandbox
from pay88kit.cli import main
from pay88kit.client import shared_pace
from pay88kit.client.shared_pace import SharedPace
from pay88kit.config import Config
from pay88kit.limits import DOCUMENTED
from pay88kit.reports import ReportError
from pay88kit.reports.engine import forking, retrying
from pay88kit.reports.index import runs
from pay88kit.reports.many import run_many
from pay88kit.reports.merchants import Merchant, merchants_in_file

forked = pytest.mark.skipif(not forking.available(), reason="processes are not forked here")

SMALL = 'print(merchant_id, day, note)\n"fine"'


def report(folder: Path, cell: str = SMALL, name: str = "small") -> Path:
    """A small report of one's own."""
    parameters = new_code_cell(
        'merchant_id: str = ...  # the merchant\nday: "date" = "2026-01-15"  # the day\n'
        'note: str = "none"  # anything'
    )
    parameters.metadata["tags"] = ["parameters"]
    path = folder / f"{name}.ipynb"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book = new_notebook(cells=[parameters, new_code_cell(cell)], metadata={"kernelspec": kernel})
    nbformat.write(book, path)
    return path


def merchants(folder: Path, *rows: str) -> Path:
    path = folder / "merchants.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def states(out: Path) -> dict[tuple[str, str], str]:
    return {(run.values["merchant_id"], run.values["day"]): run.state for run in runs(out)}


def many(*arguments: object) -> int:
    return main(["report", "many", *map(str, arguments)])


# -- what becomes of them


def test_every_merchant_and_every_day_has_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = merchants(tmp_path, "\ufeffmerchant_id, note", "M-1,", 'M-2,"a, b"', ",", "<b>'é😀,x")
    out = tmp_path / "out"
    days = "2026-01-30..2026-02-01"
    code = many(report(tmp_path), "--merchants", file, "--days", days, "--out", out)
    said = capsys.readouterr()
    assert (code, said.err) == (0, "")
    assert said.out.startswith("small: 9 done, 0 failed in ")
    wanted = {
        (merchant, day): "done"
        for merchant in ("M-1", "M-2", "<b>'é😀")
        for day in ("2026-01-30", "2026-01-31", "2026-02-01")
    }
    assert states(out) == wanted
    texts = {
        "".join(nbformat.read(path, 4).cells[2].outputs[0].text) for path in out.glob("*.ipynb")
    }
    assert "M-2 2026-02-01 a, b\n" in texts
    assert "M-1 2026-01-30 none\n" in texts
    assert len(texts) == 9


def test_today_in_a_range_is_each_merchants_own(tmp_path: Path) -> None:
    # In Bogotá it is still February.
    now = datetime(2026, 3, 1, 2, tzinfo=UTC)
    whom = ["MCH-COL-1", "M-1"]
    for days, out in (("2026-02-27..today", "a"), ("yesterday..today", "b")):
        done = run_many(str(report(tmp_path)), whom, days, out=tmp_path / out, now=lambda: now)
        assert done.failures == []
    of_both = {("M-1", "2026-02-28"), ("M-1", "2026-03-01"), ("MCH-COL-1", "2026-02-27")}
    of_both |= {("MCH-COL-1", "2026-02-28")}
    assert set(states(tmp_path / "a")) == of_both | {("M-1", "2026-02-27")}
    assert set(states(tmp_path / "b")) == of_both


@pytest.mark.parametrize("kind", [': "date"', ""])
def test_a_range_of_thousands_of_years_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    cell = f'merchant_id = ""\nday{kind} = "2026-01-15"'
    source = str(notebook_of(tmp_path / "small.ipynb", parameters=cell))
    with pytest.raises(ReportError):  # what is imported for the first time takes longer
        run_many(source, ["M-1"], "soon", out=tmp_path / "out", workers=0)
    began = time.process_time()
    with pytest.raises(ReportError, match="days: 9998-12-31 has not begun yet in any time zone"):
        run_many(source, ["M-1", "M-2"], "1970-01-01..9998-12-31", out=tmp_path / "out")
    assert time.process_time() - began < 0.1


def test_a_failure_stops_no_other_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = (
        "import os\nif merchant_id == 'M-2': raise ValueError('no good')\n"
        "if merchant_id == 'M-3': os._exit(5)"
    )
    file = merchants(tmp_path, "merchant_id", "M-1", "M-2", "M-3", "M-4")
    out = tmp_path / "out"
    assert many(report(tmp_path, cell), "--merchants", file, "--out", out, "--workers", 2) == 1
    said = capsys.readouterr().out
    assert "failed: merchant_id=M-2: ValueError: no good" in said
    if forking.available():
        assert "failed: merchant_id=M-3: DeadKernelError: This cell ended the process" in said
    assert "small: 2 done, 2 failed in " in said
    found = {run.values["merchant_id"]: run.state for run in runs(out)}
    assert found == {"M-1": "done", "M-2": "failed", "M-3": "failed", "M-4": "done"}


def test_resume_makes_only_what_is_missing(tmp_path: Path) -> None:
    flag = tmp_path / "works"
    cell = f"import os\nassert merchant_id == 'M-1' or os.path.exists({str(flag)!r})"
    source = report(tmp_path, cell)
    out = tmp_path / "out"
    given: dict[str, Any] = {"out": out, "resume": True}
    first = run_many(str(source), ["M-1", "M-2"], "2026-01-15", **given)
    assert (first.done, len(first.failures), first.skipped) == (1, 1, 0)
    flag.touch()
    second = run_many(str(source), ["M-1", "M-2", "M-3"], "2026-01-15", **given)
    assert (second.done, len(second.failures), second.skipped) == (2, 0, 1)
    third = run_many(str(source), ["M-1", "M-2", "M-3"], "2026-01-15", **given)
    assert (third.done, third.skipped) == (0, 3)
    # Another parameter, or a page that is gone, is another report.
    fourth = run_many(str(source), ["M-1"], "2026-01-15", values={"note": "x"}, **given)
    assert (fourth.done, fourth.skipped) == (1, 0)
    # Without it, all are made again, beside the others.
    assert run_many(str(source), ["M-1"], "2026-01-15", out=out).done == 1
    assert len(list(out.glob("small-M-1-2026-01-15*.html"))) == 3


@forked
def test_ctrl_c_leaves_nothing_half_made_and_resume_goes_on(tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.touch()
    cell = (
        f"import os, time, pathlib\n"
        f"pathlib.Path({str(tmp_path)!r}, f'pid-{{os.getpid()}}').touch()\n"
        f"while merchant_id > 'M-2' and os.path.exists({str(slow)!r}): time.sleep(0.01)"
    )
    source = report(tmp_path, cell)
    file = merchants(tmp_path, "merchant_id", "M-1", "M-2", "M-3", "M-4", "M-5")
    out = tmp_path / "out"
    given = ["report", "many", str(source), "--merchants", str(file), "--out", str(out)]
    command = [sys.executable, "-m", "pay88kit", *given, "--workers", "2"]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    until(lambda: len(list(tmp_path.glob("pid-*"))) == 4)
    os.killpg(program.pid, signal.SIGINT)
    said, _ = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "--resume goes on" in said
    for path in tmp_path.glob("pid-*"):
        pid = int(path.name.removeprefix("pid-"))
        until(lambda pid=pid: not alive(pid))
    assert {name for name, _ in states_of(out)} == {"M-1", "M-2"}
    assert len(list(out.glob("*.ipynb"))) == len(list(out.glob("small-*.html"))) == 2
    slow.unlink()
    assert many(source, "--merchants", file, "--out", out, "--resume") == 0
    assert sorted(states_of(out)) == [(f"M-{n}", "done") for n in range(1, 6)]


OWNER_GONE = """
import subprocess
from pay88kit.reports.engine import forking
def interrupted(*_):
    raise KeyboardInterrupt
for moment in ("send", "receive"):
    real = getattr(forking.Child, moment)
    setattr(forking.Child, moment, interrupted)
    try:
        forking.start(print)
    except KeyboardInterrupt:
        setattr(forking.Child, moment, real)
# Again, while it waits for the other process to end.
subprocess.Popen.wait = interrupted
"""


@forked
def test_a_child_that_nobody_waits_for_any_more_ends_silently() -> None:
    # As after Ctrl-C while the process that children are forked from has not its imports yet. The
    # pipe ends when all processes have ended that could write to it.
    command = [sys.executable, "-c", OWNER_GONE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("", "")


@forked
def test_what_a_worker_said_and_nobody_heard_is_tidied_up_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag, out = tmp_path / "begun", tmp_path / "out"
    cell = f"import pathlib, time\npathlib.Path({str(flag)!r}).touch()\ntime.sleep(600)"
    receive = forking.Child.receive

    def interrupted(child: forking.Child, timeout: float | None = None) -> Any:
        if not child.pid:
            return receive(child, timeout)
        until(flag.exists)
        raise KeyboardInterrupt

    monkeypatch.setattr(forking.Child, "receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_many(str(report(tmp_path, cell)), ["M-1"], "2026-01-15", out=out)
    assert list(out.iterdir()) == []


@forked
def test_the_tables_of_a_report_that_was_not_ended_go_with_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    cell = (
        f"import os, pathlib, signal\n"
        f"tables = pathlib.Path({str(out)!r}, 'small-M-1-2026-01-15-tables')\n"
        f"tables.mkdir()\n(tables / '1-table.xlsx').touch()\n"
        f"os.kill(os.getppid(), signal.SIGKILL)"
    )
    done = run_many(str(report(tmp_path, cell)), ["M-1"], "2026-01-15", out=out)
    assert len(done.failures) == 1
    assert list(out.iterdir()) == []


def states_of(out: Path) -> list[tuple[str, str]]:
    return [(run.values["merchant_id"], run.state) for run in runs(out)]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(true: Any, seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


@forked
def test_a_worker_that_dies_costs_one_report(tmp_path: Path) -> None:
    # The process that made the report, not that of its cells, whose group it leads.
    cell = "import os, signal\nif merchant_id == 'M-1': os.kill(os.getppid(), signal.SIGKILL)"
    names = ["M-1", "M-2", "M-3"]
    done = run_many(str(report(tmp_path, cell)), names, out=tmp_path / "out", workers=1)
    (failure,) = done.failures
    assert failure.values["merchant_id"] == "M-1"
    assert "SIGKILL" in failure.words
    assert sorted(states_of(tmp_path / "out")) == [("M-2", "done"), ("M-3", "done")]


@forked
def test_a_worker_that_dies_between_two_reports_costs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = report(tmp_path)
    sent: list[int] = []
    send = forking.Child.send

    def dies_before_its_second(child: forking.Child, message: Any) -> None:
        if isinstance(message, dict):
            sent.append(child.pid)
            if len(sent) == 2:
                child.stop()
        send(child, message)

    monkeypatch.setattr(forking.Child, "send", dies_before_its_second)
    done = run_many(str(source), ["M-1", "M-2", "M-3"], out=tmp_path / "out", workers=1)
    assert (done.done, done.failures) == (3, [])
    assert len(set(sent)) == 2


# -- again


RETRIED = (
    "import pathlib\nfrom pay88kit.errors import ConnectionFailed, InternalServerError\n"
    "tries = pathlib.Path({folder!r}, merchant_id)\n"
    "with tries.open('a') as file: file.write('.')\n"
    "count = len(tries.read_text())\n"
    "if merchant_id == 'M-lost' and count < 3: raise ConnectionFailed('balance', 'gone')\n"
    "if merchant_id == 'M-down': raise InternalServerError('balance', 500, 'down')\n"
    "if merchant_id == 'M-wrong': raise ValueError('wrong')"
)


def test_only_what_may_pass_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = report(tmp_path, RETRIED.format(folder=str(tmp_path)))
    names = ["M-lost", "M-down", "M-wrong"]
    done = run_many(str(source), names, out=tmp_path / "out", retries=2)
    tries = {name: len((tmp_path / name).read_text()) for name in names}
    assert tries == {"M-lost": 3, "M-down": 3, "M-wrong": 1}
    assert {failure.values["merchant_id"] for failure in done.failures} == {"M-wrong", "M-down"}
    # One row and one page for each, however often it was tried.
    assert len(runs(tmp_path / "out")) == 3


def test_a_notebook_of_ones_own_is_not_run_again_unasked(tmp_path: Path) -> None:
    source = report(tmp_path, RETRIED.format(folder=str(tmp_path)))
    assert run_many(str(source), ["M-lost"], out=tmp_path / "out").failures
    assert (tmp_path / "M-lost").read_text() == "."


def test_passing_errors_are_no_answer_of_the_merchants() -> None:
    assert {"ConnectionFailed", "ServiceUnavailable"} <= retrying.PASSING
    assert not {"RateLimited", "BadRequest", "OutcomeUnknown", "MalformedAnswer"} & retrying.PASSING


# -- refused before the first


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["merchant_id", "M-1", "M-2", "M-1"], "M-1 is in row 2 and in row 4. Remove one of them."),
        (["merchant,name", "M-1,a"], "has no column merchant_id. Its first row must name the"),
        (["merchant,name", "M-1,a"], "the columns; it is: merchant, name."),
        (["", "M-1"], "it is: empty."),
        (["merchant_id"], "names none"),
        (["merchant_id,note", ",x"], "row 2: has no merchant_id"),
        (["merchant_id,note", "M-1,a,b"], "row 2: has more cells than the first row has names"),
        (["merchant_id;note", "M-1;a;b"], 'Put a value that has a semicolon in it between "".'),
        (["merchant_id,note,note", "M-1,a,b"], "every column needs a name of its own"),
        (["merchant_id,noted", "M-1,a"], "row 2: noted: no parameter of small. Did you mean note?"),
        (["merchant_id,day", "M-1,yester"], "row 2: day: 'yester' is no date."),
    ],
)
def test_a_wrong_file_ends_with_2_and_starts_nothing(
    rows: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    file = merchants(tmp_path, *rows)
    assert many(report(tmp_path), "--merchants", file, "--out", out) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--days", "2026-01-16..2026-01-15"], "2026-01-15 lies before 2026-01-16"),
        (["--days", "2026-01-15..2199-01-15"], "has not begun yet"),
        (["--days", "9000-01-15"], "has not begun yet"),
        (["--days", "today..yesterday"], "the range is empty"),
        (["--days", "yesterday..1999-01-15"], "1999-01-15 lies before "),
        (["--days", "2026-01-15.."], "days: '' is no date"),
        (["--days", "2026-01-15..tomorrow"], "days: 'tomorrow' is no date"),
        (["--days", "soon..later"], "'soon' is no date"),
        (["--workers", "0"], "workers: 0 can do nothing"),
        (["--retry", "-1"], "cannot be less than 0"),
        (["-p", "merchant_id=M-2"], "merchant_id: is given twice"),
        (["--days", "2026-01-15", "-p", "day=2026-01-16"], "day: is given twice"),
        (["-p", "nota=x"], "Did you mean note?"),
        (["-p", "note=sk_live_abcdefghijklmnop0123456789"], "looks like a secret"),
    ],
)
def test_wrong_options_end_with_2_and_start_nothing(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    file = merchants(tmp_path, "merchant_id", "M-1")
    assert many(report(tmp_path), "--merchants", file, "--out", out, *options) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


# What is wrong with the days for every merchant is said once, and names none.
@pytest.mark.parametrize(
    ("days", "said"),
    [
        ("soon", "days: 'soon' is no date"),
        ("2026-13-40..2026-13-41", "days: '2026-13-40' is no date"),
        ("9000-01-15", "days: 9000-01-15 has not begun yet in any time zone"),
        ("2026-01-15..9000-01-15", "days: 9000-01-15 has not begun yet in any time zone"),
        ("2026-01-16..2026-01-15", "days: 2026-01-15 lies before 2026-01-16: the range is empty"),
        ("today..yesterday", "days: yesterday lies before today: the range is empty"),
    ],
)
@pytest.mark.parametrize("name", ["daily_balance", "transactions"])
def test_wrong_days_are_not_blamed_on_a_merchant(
    name: str, days: str, said: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    file = merchants(tmp_path, "merchant_id", "M-1", "M-2")
    with pytest.raises(ReportError) as refused:
        run_many(name, merchants_in_file(file), days, out=out)
    assert str(refused.value).startswith(said)
    assert "M-1" not in str(refused.value)
    assert not out.exists()


@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)), st.data())
def test_a_merchant_is_named_where_its_zone_decides(now: datetime, data: st.DataObject) -> None:
    zones = [f"Etc/GMT{hours:+}" for hours in range(-14, 13)]
    near = [str(now.date() + timedelta(days)) for days in range(-2, 3)]
    end = st.sampled_from(["today", "yesterday", *near])
    days = f"{data.draw(end)}..{data.draw(end)}"
    moment = now.replace(tzinfo=UTC)

    def refusal(*zones: str) -> str:
        whom = [Merchant(f"row {zone}", "M-1", {"timezone": zone}) for zone in zones]
        try:
            # No folder: it is refused after the days would have been.
            run_many("daily_balance", whom, days, out=__file__, now=lambda: moment)
        except ReportError as error:
            return str(error)
        raise AssertionError

    alone = [refusal(zone) for zone in zones]
    wrong = [said for said in alone if "written" not in said]
    everywhere = len(wrong) == len(zones)
    assert all(said.startswith("days: ") == everywhere for said in wrong)


def test_a_report_of_the_kit_is_not_made_of_its_sample_day_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, file = tmp_path / "out", merchants(tmp_path, "merchant_id", "M-1", "M-2")
    for name in ("daily_balance", "transactions", "reconciliation"):
        assert many(name, "--merchants", file, "--out", out) == 2
        assert capsys.readouterr().err.startswith("pay88: days: say which, such as --days yest")
    assert many("transactions", "--merchants", file, "--out", out, "-p", "last_day=today") == 2
    assert "days: say which" in capsys.readouterr().err
    merchants(tmp_path, "merchant_id,day", "M-1,2026-01-16", "M-2,")
    assert many("daily_balance", "--merchants", file, "--out", out) == 2
    assert "merchants.csv, row 3: has no day, which others have." in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        (["merchant_id", "M-1"], ["--days", "2026-01-16"]),
        (["merchant_id", "M-1"], ["-p", "day=2026-01-16"]),
        (["merchant_id,day", "M-1,2026-01-16"], []),
    ],
)
def test_its_day_may_be_given_in_each_place(
    rows: list[str], options: list[str], tmp_path: Path
) -> None:
    file, out = merchants(tmp_path, *rows), tmp_path / "out"
    many("daily_balance", "--merchants", file, "--out", out, "--workers", "1", *options)
    assert {run.values["day"] for run in runs(out)} == {"2026-01-16"}


def test_other_wrong_uses(tmp_path: Path) -> None:
    source = str(report(tmp_path))
    with pytest.raises(ReportError, match="merchants: there is none"):
        run_many(source, [], out=tmp_path / "out")
    with pytest.raises(ReportError, match="cannot be read"):
        merchants_in_file(tmp_path / "missing.csv")
    (tmp_path / "latin.csv").write_bytes("merchant_id\nñ".encode("latin-1"))
    with pytest.raises(ReportError, match="not in UTF-8"):
        merchants_in_file(tmp_path / "latin.csv")
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ReportError, match="cannot be written"):
        run_many(source, ["M-1"], out=tmp_path / "taken")


# Excel writes semicolons in Colombia and Brazil, commas in Mexico, and tabs as "Text".
@pytest.mark.parametrize("divider", [",", ";", "\t"])
def test_a_file_of_a_spreadsheet_is_read_as_it_is_meant(tmp_path: Path, divider: str) -> None:
    file = tmp_path / "merchants.csv"
    with file.open("w", newline="", encoding="utf-8-sig") as target:
        writer = csv.writer(target, delimiter=divider)
        writer.writerows([["merchant_id", "note"], ["M-1", 'two\nlines, "quoted"'], ["M-2", ""]])
    first, second = merchants_in_file(file)
    assert (first.merchant_id, first.values) == ("M-1", {"note": 'two\nlines, "quoted"'})
    assert (second.merchant_id, second.values) == ("M-2", {})


def test_the_books_name_the_merchants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'books.db'}"
    monkeypatch.setenv("PAY88_BOOKS", url)
    source, out = report(tmp_path), tmp_path / "out"
    assert many(source, "--from-books", "--out", out) == 2
    assert "the books have none in local" in capsys.readouterr().err
    with Sandbox() as sandbox:
        for merchant_id in ("MCH-COL-B", "MCH-COL-A"):
            sandbox.merchant(merchant_id=merchant_id)
            client = Pay88(sandbox.config_for(merchant_id), books=False)
            balance = client.balance()
            Books(url).save_balance(balance, environment="local", now=sandbox.clock.now())
    assert many(source, "--from-books", "--out", out) == 0
    assert sorted(states_of(out)) == [("MCH-COL-A", "done"), ("MCH-COL-B", "done")]


def test_where_processes_are_not_forked_it_works_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "available", lambda: False)
    monkeypatch.setattr(forking, "start", None)
    done = run_many(str(report(tmp_path)), ["M-1", "M-2"], out=tmp_path / "out", workers=2)
    assert (done.done, done.failures) == (2, [])
    assert sorted(states_of(tmp_path / "out")) == [("M-1", "done"), ("M-2", "done")]


WITHOUT_FORK = """
import sys
from pathlib import Path
from pay88kit.reports.workers import Task, make
if __name__ == "__main__":
    task = Task(sys.argv[1], Path(sys.argv[2]), 0, forks=False)
    wanted = [{"merchant_id": f"M-{number}"} for number in range(1, 8)]
    for outcome in make(task, wanted, 2):
        print(outcome.values["merchant_id"], outcome.done, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent to a process group")
def test_nor_does_ctrl_c_leave_anything_half_made_there(tmp_path: Path) -> None:
    # It has shown something, so that its notebook is not empty any more.
    cell = (
        f"import os, pathlib, sys, time\nprint('begun')\n"
        f"pathlib.Path({str(tmp_path)!r}, f'pid-{{os.getpid()}}').touch()\n"
        f"time.sleep(600 if merchant_id > 'M-2' else 0)"
    )
    source, out = report(tmp_path, cell), tmp_path / "out"
    script = tmp_path / "script.py"
    script.write_text(WITHOUT_FORK)
    program = subprocess.Popen(
        [sys.executable, str(script), str(source), str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    until(lambda: len(list(tmp_path.glob("pid-*"))) == 4)
    os.killpg(program.pid, signal.SIGINT)
    program.communicate(timeout=60)
    for path in tmp_path.glob("pid-*"):
        pid = int(path.name.removeprefix("pid-"))
        until(lambda pid=pid: not alive(pid))
    assert sorted(states_of(out)) == [("M-1", "done"), ("M-2", "done")]
    assert len(list(out.glob("*.ipynb"))) == len(list(out.glob("small-*.html"))) == 2


# -- 88Pay's limits


ASKS = """
from pay88kit import Pay88, Policy
with Pay88(books=False, share_token=True, policy=Policy(max_wait=1)) as client:
    for _ in range(13):
        client.balance()
"""


def test_the_limits_of_a_merchant_hold_for_all_workers_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"M-{number}" for number in range(6)]
    with Sandbox(clock="real") as sandbox, sandbox.serve() as url:
        monkeypatch.setenv("PAY88_BASE_URL", url)
        monkeypatch.setenv("PAY88_API_KEY", str(sandbox.config.api_key))
        monkeypatch.setenv("PAY88_MERCHANT_ID", str(sandbox.config.merchant_id))
        done = run_many(str(report(tmp_path, ASKS)), names, out=tmp_path / "out", workers=4)
        answers = [r["status_code"] for r in sandbox.requests() if r["path"] == BALANCE]
        # Nobody is refused by 88Pay: the sixty-first is not sent.
        assert set(answers) == {200}
        assert len(answers) == DOCUMENTED["balance"][0]
        assert {r["status_code"] for r in sandbox.requests()} == {200}
    assert done.failures
    assert all("Not sent: the rate limit" in failure.words for failure in done.failures)


class Counter:
    """88Pay's side: which requests it counts, in windows that slide."""

    def __init__(self, per_minute: int, per_hour: int) -> None:
        self._spans = ((per_minute, 60.0), (per_hour, 3_600.0))
        self._counted: list[float] = []

    def accepts(self, now: float) -> bool:
        fits = all(
            sum(at + length > now for at in self._counted) < size for size, length in self._spans
        )
        if fits:
            self._counted.append(now)
        return fits


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.floats(0, 20), st.floats(0.001, 5), st.floats(0, 1), st.booleans()
        ),
        min_size=1, max_size=60,
    )
)  # fmt: skip
def test_no_order_of_processes_and_delays_uses_more_than_the_limits(
    steps: list[tuple[int, float, float, float, bool]],
) -> None:
    # A process, the seconds before it asks, until 88Pay counts, and from then to the answer.
    import tempfile

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        now = [1_000_000.0]
        limits = {"balance": (3, 5)}
        patch.setattr(shared_pace.time, "time", lambda: now[0])
        patch.setattr(shared_pace, "DOCUMENTED", limits)
        patch.setattr(shared_pace, "file_of", lambda config, name: Path(folder, f"{name}.json"))
        paces = [SharedPace(Config()) for _ in range(4)]
        counter = Counter(*limits["balance"])
        under_way: list[tuple[float, float, int, str]] = []

        def pass_until(moment: float) -> None:
            while under_way and min(min(c, a) for c, a, _, _ in under_way) <= moment:
                item = min(under_way, key=lambda each: min(each[0], each[1]))
                under_way.remove(item)
                counts, answered, who, name = item
                now[0] = max(now[0], min(counts, answered))
                if counts <= answered and counts < float("inf"):
                    assert counter.accepts(now[0]), "88Pay would have answered 429"
                    under_way.append((float("inf"), answered, who, name))
                else:
                    paces[who].leave("balance", name, counted=True)
            now[0] = max(now[0], moment)

        for number, (who, before, until_counted, until_answered, waits) in enumerate(steps):
            pass_until(now[0] + before)
            name = str(number)
            wait = paces[who].take("balance", name)
            if wait and waits:
                # What it says is enough, unless somebody else was quicker or is still under way.
                pass_until(now[0] + wait)
                wait = paces[who].take("balance", name)
            if not wait:
                counts = now[0] + until_counted
                under_way.append((counts, counts + until_answered, who, name))
        pass_until(now[0] + 100)


def test_a_file_that_cannot_be_read_stops_nobody(tmp_path: Path) -> None:
    pace = SharedPace(Config())
    assert pace.take("balance", "a") == 0
    (kept,) = (tmp_path / "home").rglob("pace/*.json")
    for text in ("", "[1]", '{"balance": {"answered": "x"}}', "\x00"):
        kept.write_text(text)
        assert pace.take("balance", "b") == 0
    pace.leave("balance", "b", counted=True, closed_for=30)
    assert 29 < SharedPace(Config()).take("balance", "c") <= 30


def test_a_higher_limit_is_followed() -> None:
    pace = SharedPace(Config())
    for number in range(60):
        assert pace.take("balance", str(number)) == 0
        pace.leave("balance", str(number), counted=True, limit=61 if number == 59 else None)
    assert pace.take("balance", "x") == 0
    pace.leave("balance", "x", counted=True)
    assert pace.take("balance", "y") > 50
