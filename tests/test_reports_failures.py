"""A report that cannot be finished, and strangers' words on their way through every report."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import openpyxl
import papermill
import pytest
from reports_support import notebook_of, text_of

from pay88kit import Books, Config, Pay88, Pay88Error, Sandbox, reports
from pay88kit.cli import main
from pay88kit.reports.engine import forking, watching

A_KEY = "sk_" + "live_" + "a1b2c3d4e5f6g7h8"


def everything_in(folder: Path) -> str:
    files = [file for file in folder.rglob("*") if file.suffix in (".ipynb", ".html")]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def test_a_failing_report_keeps_its_notebook_and_shows_its_error_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = notebook_of(
        tmp_path / "mine.ipynb",
        "# My report",
        f"key = {A_KEY!r}\nprint('before', key)",
        "raise ValueError(f'<b>no</b> balance for {key}')",
        "# A heading after it, of what was never made",
        "print('after')",
        parameters='day: "date" = "2026-01-15"',
    )
    out = tmp_path / "out"
    assert main(["report", "run", str(source), "-p", "day=2026-01-16", "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "report mine: ValueError: <b>no</b> balance for sk_live_…g7h8" in said
    page = out / "mine-2026-01-16.html"
    assert str(page) in said
    assert "This report could not be finished. ValueError: <b>no</b> balance" in text_of(page)
    assert "before" in text_of(page)
    assert "after" not in text_of(page).replace("the part before", "")
    assert "<h1>My report" in page.read_text(encoding="utf-8")
    (row,) = reports.runs(out)
    assert (row.state, row.report, row.values) == ("failed", "mine", {"day": "2026-01-16"})
    assert row.words.startswith("ValueError: <b>no</b> balance")
    assert (out / row.notebook).is_file()
    shown = everything_in(out).replace(f"key = {A_KEY!r}", "")
    assert A_KEY not in shown
    assert A_KEY not in everything_in(out)


@pytest.mark.parametrize(
    ("engine", "words"),
    [("pay88-fork", "ended by itself with exit code 3"), ("nbclient", "process ended")],
)
def test_a_report_whose_process_ends(tmp_path: Path, engine: str, words: str) -> None:
    source = notebook_of(tmp_path / "mine.ipynb", "print('before')", "import os; os._exit(3)")
    job = reports.prepare(str(source), {}, tmp_path / "out")
    with pytest.raises(reports.ReportFailed, match=words) as error:
        reports.carry_out(job, engine=engine)
    assert error.value.kind == "DeadKernelError"
    assert error.value.notebook.is_file()
    assert "could not be finished" in text_of(error.value.html)
    (row,) = reports.runs(tmp_path / "out")
    assert row.state == "failed"


def test_a_process_that_cannot_be_started_is_a_failed_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: Any, **__: Any) -> None:
        raise forking.ChildDied("it ended by itself with exit code 255")

    monkeypatch.setattr(forking, "start", start)
    job = reports.prepare(str(notebook_of(tmp_path / "mine.ipynb")), {}, tmp_path / "out")
    with pytest.raises(reports.ReportFailed, match="could not be started: it ended by itself"):
        reports.carry_out(job, engine="pay88-fork")
    (row,) = reports.runs(tmp_path / "out")
    assert (row.state, row.html) == ("failed", "mine.html")


def test_an_output_that_no_notebook_can_hold_is_a_failed_report(tmp_path: Path) -> None:
    source = notebook_of(
        tmp_path / "mine.ipynb",
        "from IPython.display import display\nprint('before')",
        "display({'text/html': 5}, raw=True)",
    )
    with pytest.raises(reports.ReportFailed, match="what no notebook can hold: 5 is not valid"):
        reports.run(str(source), out=tmp_path / "out")
    (row,) = reports.runs(tmp_path / "out")
    assert row.state == "failed"
    assert "before" in text_of(tmp_path / "out" / row.html)


def test_what_an_interrupted_run_has_shown_is_kept_without_secrets(tmp_path: Path) -> None:
    def progress(done: int, cells: int) -> None:
        if done == cells:
            raise KeyboardInterrupt

    source = notebook_of(tmp_path / "mine.ipynb", f"'sk_' + {A_KEY.removeprefix('sk_')!r}")
    job = reports.prepare(str(source), {}, tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        reports.carry_out(job, engine=watching.engine(progress))
    kept = job.notebook.read_text(encoding="utf-8")
    assert "'sk_live_…" in kept
    assert A_KEY not in kept


def test_papermills_warning_is_silent_only_where_parameters_are_checked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = notebook_of(tmp_path / "own.ipynb", parameters='day: "date" = "2026-01-15"')
    reports.run(str(own), {"day": "2026-01-15"}, out=tmp_path / "out")
    assert "Passed unknown parameter" not in caplog.text
    papermill.execute_notebook(
        str(own), str(tmp_path / "x.ipynb"), {"dya": 1}, engine_name="pay88-fork",
        kernel_name="python3", language="python", progress_bar=False,
    )  # fmt: skip
    assert "Passed unknown parameter: dya" in caplog.text


def test_a_day_that_the_report_itself_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["report", "run", "daily_balance", "-p", "day=2026-01-14", "--out", str(tmp_path)]
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert "begins on 2026-01-15" in said
    assert "pay88 demo" in said
    # Whoever asked in Spanish is answered in Spanish.
    assert main([*arguments, "-p", "language=es"]) == 1
    assert "comienza el 2026-01-15" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_full_disk_is_a_failed_report_and_no_half_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import resource

    source = notebook_of(tmp_path / "mine.ipynb", "print('x' * 400_000)")
    out = tmp_path / "out"
    # No file of this process may grow above this size: the system says so as for a full disk.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        code = main(["report", "run", str(source), "--out", str(out)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 1
    assert "report mine: OSError: File too large" in capsys.readouterr().err
    assert not list(out.glob("mine*.html"))
    # The index is smaller, and says so.
    (row,) = reports.runs(out)
    assert (row.state, row.report, row.html) == ("failed", "mine", "")
    assert row.words.startswith("OSError: File too large")
    assert row.notebook == "".join(path.name for path in out.glob("mine*.ipynb"))


def test_an_interrupted_run_leaves_no_page_that_is_never_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = notebook_of(tmp_path / "mine.ipynb")
    job = reports.prepare(str(source), {}, tmp_path / "out")

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("papermill.execute_notebook", stop)
    with pytest.raises(KeyboardInterrupt):
        reports.carry_out(job)
    assert list((tmp_path / "out").iterdir()) == []


# ---------------------------------------------------------------- a past day's balance


def test_a_past_day_reads_its_last_snapshot_and_names_its_time() -> None:
    sandbox = Sandbox()
    client = Pay88(sandbox.config)
    day = reports.day_of("MCH-COL-29ZTP4", "2026-01-15")  # until 05:00 UTC of the 16th
    assert "as 88Pay reports it now, 2026-01-15 07:00:00 America/Bogota" in repr(
        reports.balance_of(client, day)
    )

    def keep(at: datetime) -> None:
        sandbox.clock.set(at)
        client.books.save_balance(client.balance(), environment="local", now=at)

    keep(datetime(2026, 1, 15, 13, tzinfo=UTC))
    keep(datetime(2026, 1, 16, 4, 30, tzinfo=UTC))
    keep(datetime(2026, 1, 18, 4, 30, tzinfo=UTC))
    found = reports.balance_of(client, day)
    assert found.taken_at == datetime(2026, 1, 16, 4, 30, tzinfo=UTC)
    assert "the last snapshot of that day in the books, 2026-01-15 23:30:00 America/Bogota" in repr(
        found
    )
    missing = reports.balance_of(client, reports.day_of("MCH-COL-29ZTP4", "2026-01-16"))
    assert missing.figures == {}
    assert (
        "no snapshot that day; the one before is of 2026-01-15 23:30:00 America/Bogota; "
        "the next one is of 2026-01-17 23:30:00 America/Bogota" in repr(missing)
    )


# ---------------------------------------------------------------- strangers' words

SCRIPT = "<script>alert('88')</script>"
FORMULA = "=1+1"
HOSTILE = FORMULA + SCRIPT


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Books with hostile operations, and the 88Pay that they belong to; its URL is set."""
    books = tmp_path / "books.db"
    with Sandbox().serve() as url:
        merchant = Sandbox().config
        values = {
            "PAY88_ENVIRONMENT": "sandbox", "PAY88_BASE_URL": url,
            "PAY88_API_KEY": merchant.api_key, "PAY88_MERCHANT_ID": merchant.merchant_id,
            "PAY88_BOOKS": f"sqlite:///{books}",
        }  # fmt: skip
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))
        with Pay88(Config(), books=Books(values["PAY88_BOOKS"])) as client:
            client.books.save_balance(
                client.balance(), environment="sandbox", now=datetime(2026, 1, 15, tzinfo=UTC)
            )
            for method in ("PSE", HOSTILE):
                order = {
                    "method_code": method, "method_category": "BANK", "amount": 50_000,
                    "currency": "COP", "country": "COL", "description": HOSTILE,
                    "customer_id": HOSTILE, "notification_url": "http://127.0.0.1:9/hook",
                    "return_url": "https://shop.example/thanks", "key": f"{HOSTILE}{method}",
                }  # fmt: skip
                try:
                    client.charge(check=False, **order)
                except Pay88Error:
                    assert method == HOSTILE
        yield tmp_path


def safe(result: reports.Result, *, cell: bool) -> None:
    body = result.html.read_text(encoding="utf-8")
    assert "<script" not in body
    assert SCRIPT in unescape(body)
    for file in result.tables:
        for row in openpyxl.load_workbook(file).active.iter_rows():
            assert "f" not in {each.data_type for each in row}
    if cell:
        texts = {
            each.value
            for file in result.tables
            for row in openpyxl.load_workbook(file).active.iter_rows()
            for each in row
        }
        assert HOSTILE in texts


def test_the_day_of_hostile_operations(served: Path) -> None:
    result = reports.run("daily_balance", {"day": "today"}, out=served / "out")
    safe(result, cell=True)
    assert "Simulated" not in text_of(result.html)
    assert "Environment: sandbox" in text_of(result.html)


def test_the_transactions_of_hostile_operations(served: Path) -> None:
    days = {"first_day": "yesterday", "last_day": "today"}
    result = reports.run("transactions", days, out=served / "out")
    safe(result, cell=True)
    assert "Charges: 2, completed 0." in result.summary


def test_the_reconciliation_of_hostile_operations(served: Path) -> None:
    days = {"first_day": "2026-01-15", "last_day": "today"}
    result = reports.run("reconciliation", days, out=served / "out")
    body = result.html.read_text(encoding="utf-8")
    assert "<script" not in body
    # Its key stands for what has no reference.
    assert "The books and the balance agree" in result.summary


def test_a_profile_of_a_dotenv_file_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAY88_BOOKS", "sqlite://")
    with Sandbox().serve() as url:
        config = Sandbox().config
        (tmp_path / ".env").write_text(
            f"SHOP_PAY88_ENVIRONMENT=sandbox\nSHOP_PAY88_BASE_URL={url}\n"
            f"SHOP_PAY88_API_KEY={config.api_key}\nSHOP_PAY88_MERCHANT_ID={config.merchant_id}\n"
        )
        result = reports.run("daily_balance", {"profile": "shop", "day": "today"}, out="out")
    assert f"Environment: sandbox · Merchant: {config.merchant_id}" in text_of(result.html)
    assert str(config.api_key) not in everything_in(tmp_path / "out")


def test_this_machines_own_credentials_are_masked_whatever_their_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = 'a "quokka" <secret> & more'
    monkeypatch.setenv("PAY88_WEBHOOK_SECRET", secret)
    source = notebook_of(
        tmp_path / "mine.ipynb",
        "import os; secret = os.environ['PAY88_WEBHOOK_SECRET']; print(secret)",
        "import html\nfrom IPython.display import HTML\nHTML(html.escape(secret))",
    )
    reports.run(str(source), out=tmp_path / "out")
    shown = everything_in(tmp_path / "out")
    assert "…more" in shown
    assert "quokka" not in shown


def test_a_check_of_a_hostile_endpoint(tmp_path: Path) -> None:
    from pay88kit import endpoint_check

    record = json.loads(endpoint_check.sample().json())
    record["results"][0] |= {"observed": HOSTILE, "verdict": "fails"}
    file = tmp_path / "check.json"
    file.write_text(json.dumps(record))
    safe(reports.run("webhook_check", {"results": str(file)}, out=tmp_path / "out"), cell=True)


def test_a_hostile_developer_of_an_onboarding(tmp_path: Path) -> None:
    result = reports.run("onboarding", {"developer": HOSTILE}, out=tmp_path / "out")
    safe(result, cell=False)
    (row,) = reports.runs(tmp_path / "out")
    assert row.values == {"developer": HOSTILE}
    assert "<script>alert" not in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert re.search(r"Done: \d+ of 20 items", result.summary)
    assert "*" not in result.summary
