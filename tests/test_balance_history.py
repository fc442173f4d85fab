"""The history of a balance, and the command that keeps it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from support import MERCHANT

from pay88kit import Books, BooksError, Pay88, Sandbox, WrongUse
from pay88kit.balance import History, history
from pay88kit.cli import main
from pay88kit.guide import chart
from pay88kit.models.answers import Balance
from pay88kit.sandbox import shared

START = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def no_window() -> Iterator[None]:
    mpl.use("agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def keep(books: Books, after: timedelta, available: str | None, **named: str) -> None:
    number = None if available is None else Decimal(available)
    answer = Balance(
        merchant_id=named.get("merchant_id", MERCHANT),
        total_payin=number,
        total_payout=Decimal(0),
        total_settled=Decimal(0),
        total_available=number,
        net_balance=number,
    )
    environment = named.get("environment", "local")
    books.save_balance(answer, environment=environment, now=START + after)


def of(books: Books, *range_: datetime, **named: Any) -> History:
    return history(books, *range_, merchant_id=MERCHANT, environment="local", **named)


# ---------------------------------------------------------------- range and gaps


def test_a_range_has_its_start_and_not_its_end() -> None:
    books = Books()
    for hour in range(5):
        keep(books, hour * HOUR, str(hour))
    keep(books, HOUR, "99", merchant_id="MCH-MEX-OTHER1")
    keep(books, HOUR, "99", environment="sandbox")
    found = of(books, START + HOUR, START + 3 * HOUR)
    assert list(found.frame["total_available"]) == [1, 2]
    assert list(of(books).frame["total_available"]) == [0, 1, 2, 3, 4]
    assert isinstance(found.frame["total_available"].iloc[0], Decimal)


def test_wrong_ranges_are_refused() -> None:
    with pytest.raises(BooksError, match="start has no time zone"):
        of(Books(), datetime(2026, 1, 1))
    with pytest.raises(WrongUse, match="every: "):
        of(Books(), every=timedelta(0))
    with pytest.raises(WrongUse, match="zone: 'Bogota'"):
        of(Books(), zone="Bogota")


def test_gaps_are_what_is_longer_than_one_and_a_half_intervals() -> None:
    books = Books()
    for minutes in (0, 60, 150, 241, 300):
        keep(books, timedelta(minutes=minutes), "1")
    gap = (START + timedelta(minutes=150), START + timedelta(minutes=241))
    assert of(books).gaps == (gap,)
    assert of(books, every=2 * HOUR).gaps == ()
    assert len(of(books, every=timedelta(minutes=30)).gaps) == 4


def test_no_line_crosses_a_gap_or_a_missing_number() -> None:
    books = Books()
    for hour, available in enumerate(["1", "2", None, "4"]):
        keep(books, hour * HOUR, available)
    keep(books, 9 * HOUR, "5")
    figure = of(books).plot()
    axes = figure.axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert set(lines) == {"total_available", "net_balance", "total_settled"}
    drawn = np.asarray(lines["total_available"].get_ydata(), float)
    np.testing.assert_array_equal(drawn, [1, 2, np.nan, 4, np.nan, 5])
    # The gap is marked as one, and nothing is told by colour alone.
    (span,) = axes.patches
    assert span.get_hatch()
    looks = {(line.get_linestyle(), line.get_marker()) for line in lines.values()}
    assert len(looks) == 3
    written = {text.get_text() for text in axes.texts}
    assert written == set(lines)
    assert "UTC" in axes.get_xlabel()
    assert "currency" in axes.get_ylabel()


def test_the_names_of_lines_that_end_together_do_not_cover_each_other() -> None:
    books = Books()
    keep(books, timedelta(0), "0")
    keep(books, HOUR, "0")
    figure = of(books).plot()
    figure.canvas.draw()
    boxes = sorted((t.get_window_extent() for t in figure.axes[0].texts), key=lambda box: box.y0)
    assert len(boxes) == 3
    for lower, upper in pairwise(boxes):
        assert lower.y0 + 0.7 * lower.height <= upper.y0


def test_words_table_and_html_say_what_the_chart_shows() -> None:
    books = Books()
    keep(books, timedelta(0), "100000")
    keep(books, HOUR, "8000.50")
    keep(books, 5 * HOUR, "300000")
    found = of(books, zone="America/Bogota")
    assert found.describe() == (
        "3 snapshots of MCH-COL-29ZTP4, 2026-01-15 07:00 to 2026-01-15 12:00: available from "
        "100,000.00 to 300,000.00, lowest 8,000.50, highest 300,000.00. "
        "Gaps: 2026-01-15 08:00 to 2026-01-15 12:00."
    )
    text, markup = repr(found), found._repr_html_()
    for part in ("8,000.50", "gap: 4:00:00 without snapshots", "2026-01-15 07:00"):
        assert part in text
        assert part in markup
    shown = html.unescape(re.sub(r"<[^>]+>", " ", markup))
    assert shown.split() == text.split()
    assert chart(found.plot(), alt=found.describe()).alt == found.describe()


def test_an_empty_history_shows_itself() -> None:
    found = of(Books())
    assert "No snapshots" in found.describe()
    assert "no snapshots" in repr(found)
    assert "no snapshots" in found._repr_html_()
    found.plot()
    only_missing = Books()
    keep(only_missing, timedelta(0), None)
    of(only_missing).plot().canvas.draw()
    assert "–" in repr(of(only_missing))


def test_a_long_history_shows_its_end_and_says_so() -> None:
    books = Books()
    for hour in range(30):
        keep(books, hour * HOUR, str(hour))
    text = repr(of(books))
    assert "the last 24 of 30" in text
    assert " 29.00" in text
    assert len(text.splitlines()) == 26


def test_a_hostile_name_is_escaped_and_drawn_as_it_is() -> None:
    hostile = "$<b>x_{$"
    books = Books()
    keep(books, timedelta(0), "1", merchant_id=hostile)
    found = history(books, merchant_id=hostile, environment="local")
    assert "<b>x" not in found._repr_html_()
    figure = found.plot()
    figure.canvas.draw()
    assert hostile in figure.axes[0].get_title()
    forged = history(books, merchant_id="M\n\x1b[31mall is well", environment="local")
    for text in (repr(forged), forged.describe()):
        assert "\x1b" not in text
        assert not any(line.startswith("all is") for line in text.splitlines())
    assert len(repr(forged).splitlines()) == len(repr(of(Books())).splitlines())


# ---------------------------------------------------------------- pay88 balance --save


@pytest.fixture
def sandbox(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The process's own, with books in a file as a scheduler would have."""
    monkeypatch.setenv("PAY88_BOOKS", f"sqlite:///{tmp_path}/books.db")
    shared().reset(88)
    yield shared()
    shared().reset(88)


def saved(tmp_path: Any) -> int:
    return len(Books(f"sqlite:///{tmp_path}/books.db").balances())


def test_it_exits_with_1_once_for_each_change(
    sandbox: Sandbox, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    story = [
        ("empty", 0), ("low", 1), ("low", 0), ("profitable", 0), ("low", 1), ("settled", 1),
        ("settled", 0), ("empty", 0), ("profitable", 0), ("empty", 1), ("empty", 0),
    ]  # fmt: skip
    for number, (name, code) in enumerate(story, 1):
        sandbox.scenario(name)
        assert (number, main(["balance", "--save", "--quiet"])) == (number, code)
        shown = capsys.readouterr()
        assert bool(shown.out) == bool(code)
        assert shown.err == ""
        sandbox.clock.advance(3600)
    assert saved(tmp_path) == len(story)


def test_a_second_alert_fires_beside_one_that_is_known(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.scenario("advance")
    assert main(["balance", "--save", "--quiet"]) == 1
    assert "warning: The net position" in capsys.readouterr().out
    sandbox.settle(34_000)
    assert main(["balance", "--save"]) == 1
    shown = capsys.readouterr().out
    assert "warning: Only 490.00 is available" in shown
    assert "warning (no change): The net position" in shown
    assert "Saved in" in shown
    assert main(["balance", "--save", "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_quiet_names_merchant_and_environment(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.scenario("low")
    main(["balance", "--save", "--quiet"])
    assert capsys.readouterr().out == (
        "MCH-COL-29ZTP4 (local): warning: Only 8,000.00 is available, less than 10,000.00.\n"
    )


def test_limits_from_the_command_line(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.scenario("low")
    assert main(["balance", "--save", "--warning", "8000"]) == 0
    # Nobody was told of what other limits make of it.
    assert main(["balance", "--save", "--critical", "8000"]) == 1
    assert main(["balance", "--save", "--critical", "8000"]) == 0
    sandbox.scenario("profitable")
    assert main(["balance", "--save", "--critical", "8000"]) == 0
    sandbox.scenario("low")
    assert main(["balance", "--save", "--critical", "8000"]) == 1
    assert "critical: 8,000.00 is available" in capsys.readouterr().out
    sandbox.scenario("advance")
    # Within the credit it is information, which wakes nobody.
    assert main(["balance", "--save", "--credit-limit", "300000"]) == 0
    assert "info: The net position" in capsys.readouterr().out
    sandbox.scenario("profitable")
    assert main(["balance", "--save"]) == 0
    sandbox.scenario("advance")
    assert main(["balance", "--save", "--credit-limit", "200000"]) == 1
    assert main(["balance", "--save", "--warning", "1e3"]) == 2
    assert "warning: " in capsys.readouterr().err


def test_a_raised_limit_alerts_of_what_it_finds(sandbox: Sandbox) -> None:
    sandbox.scenario("low")
    assert main(["balance", "--save", "--warning", "5000"]) == 0
    assert main(["balance", "--save", "--warning", "5000"]) == 0
    assert main(["balance", "--save", "--warning", "9000.00"]) == 1
    assert main(["balance", "--save", "--warning", "9000"]) == 0


def test_two_monitors_of_one_merchant_are_each_told_once(sandbox: Sandbox) -> None:
    strict, easy = (["balance", "--save", "--warning", limit] for limit in ("100000", "5000"))
    sandbox.scenario("profitable")
    assert [main(easy), main(strict)] == [0, 0]
    sandbox.scenario("low")
    assert [main(easy), main(strict), main(easy), main(strict)] == [0, 1, 0, 0]


def test_what_others_keep_tells_nobody(sandbox: Sandbox) -> None:
    sandbox.scenario("profitable")
    assert main(["balance", "--save"]) == 0
    sandbox.scenario("low")
    with Pay88() as client:
        assert client.books is not None
        now = client.config.clock.now()
        client.books.save_balance(client.balance(), environment="local", now=now)
    assert main(["balance", "--save"]) == 1
    assert main(["balance", "--save"]) == 0


def test_a_missing_number_is_told_once(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    part = Balance(merchant_id=MERCHANT, total_payin=Decimal(1), net_balance=Decimal(1))
    monkeypatch.setattr(Pay88, "balance", lambda self: part)
    assert [main(["balance", "--save"]) for _ in range(3)] == [1, 0, 0]
    assert "no total_available" in capsys.readouterr().out
    whole = part.model_copy(update={"total_available": Decimal(0)})
    monkeypatch.setattr(Pay88, "balance", lambda self: whole)
    assert [main(["balance", "--save"]) for _ in range(2)] == [1, 0]
    monkeypatch.setattr(Pay88, "balance", lambda self: part)
    assert main(["balance", "--save"]) == 1
    # What was told of it before is no news when it is there again.
    monkeypatch.setattr(Pay88, "balance", lambda self: whole)
    assert main(["balance", "--save"]) == 0


def test_an_account_with_a_missing_number_is_not_a_new_one(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Balance(merchant_id=MERCHANT, total_available=Decimal(0))
    monkeypatch.setattr(Pay88, "balance", lambda self: part)
    assert main(["balance", "--save"]) == 1


def test_a_strangers_name_fakes_no_line(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = Balance(merchant_id="M\n\x1b[31mall is well", total_available=Decimal(5))
    monkeypatch.setattr(Pay88, "balance", lambda self: forged)
    for more in ([], ["--save"], ["--save", "--quiet", "--warning", "6"]):
        main(["balance", *more])
        shown = capsys.readouterr().out
        assert "M\\x0a\\x1b[31mall is well" in shown
        assert "\x1b" not in shown


def test_a_snapshot_is_of_when_it_was_asked_for(
    sandbox: Sandbox, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = sandbox.clock.now()
    ask = Pay88.balance

    def slow(self: Pay88) -> Balance:
        answer = ask(self)
        sandbox.clock.advance(5)
        return answer

    monkeypatch.setattr(Pay88, "balance", slow)
    main(["balance", "--save"])
    kept = Books(f"sqlite:///{tmp_path}/books.db").balances()
    assert kept["taken_at"].tolist() == [asked]


def test_json_has_88pays_answer_and_the_alerts(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.scenario("low")
    for fires in (True, False):
        assert main(["balance", "--save", "--json"]) == int(fires)
        said = json.loads(capsys.readouterr().out)
        assert said["data"]["balance_summary"]["total_available"] == "8000.00"
        assert said["fires"] is fires
        (alert,) = said["alerts"]
        assert alert["fires"] is fires
        assert (alert["level"], alert["value"], alert["limit"]) == (
            "warning",
            "8000.00",
            "10000.00",
        )
    assert main(["balance", "--save", "--json", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    # Without --save it is 88Pay's answer alone, and never an alert.
    assert main(["balance", "--json"]) == 0
    assert "alerts" not in json.loads(capsys.readouterr().out)


def test_an_alert_is_told_even_when_it_cannot_be_saved(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise BooksError("books: the disk is full.")

    sandbox.scenario("low")
    monkeypatch.setattr(Books, "save_balance", fails)
    assert main(["balance", "--save", "--quiet"]) == 1
    shown = capsys.readouterr()
    assert "Only 8,000.00" in shown.out
    assert "disk is full" in shown.err


def test_quiet_alone_is_wrong_use(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["balance", "--quiet"]) == 2
    assert "--save" in capsys.readouterr().err


def test_the_help_teaches_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["balance", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for part in ("cron", "Task Scheduler", "exit code is 1 when an alert fires", "--quiet"):
        assert part in shown


def test_its_snapshots_are_the_history(sandbox: Sandbox) -> None:
    for name in ("low", "profitable"):
        sandbox.scenario(name)
        main(["balance", "--save", "--quiet"])
        sandbox.clock.advance(3600)
    with Pay88() as client:
        assert client.books is not None
        found = of(client.books)
    assert list(found.frame["total_available"]) == [8_000, 300_000]
    assert found.gaps == ()
