"""``pay88 demo``: a seeded time of three merchants, and what reports make of it."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pay88kit import Books, Config, Pay88, Sandbox, WrongUse, demo, money, reports
from pay88kit.balance import reconcile
from pay88kit.books.default import url_of
from pay88kit.cli import main
from pay88kit.cli.demo import lines_of, next_commands
from pay88kit.demo import SHOPS, Made, Shop, make_year, shops
from pay88kit.models.methods import METHODS

COLOMBIA, MEXICO, BRAZIL = (shop.merchant_id for shop in SHOPS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The first two weeks of 2025, in a folder whose name a shell and a URL read otherwise."""
    return make_year(tmp_path_factory.mktemp("demo") / "my shop's 100%41 demo", days=14)


@pytest.fixture(scope="module")
def books(made: Made) -> Books:
    return Books(url_of(made.books))


@pytest.fixture
def named(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The books are those that the environment names."""
    monkeypatch.setenv("PAY88_BOOKS", url_of(made.books))


# ---------------------------------------------------------------- what is in it


def test_three_shops_live_on_each_day(made: Made, books: Books) -> None:
    operations = books.operations()
    assert set(zip(operations["merchant_id"], operations["currency"], strict=True)) == {
        (COLOMBIA, "COP"), (MEXICO, "MXN"), (BRAZIL, "BRL"),
    }  # fmt: skip
    assert set(operations["environment"]) == {"local"}
    snapshots = Counter(books.balances()["merchant_id"])
    # One at the beginning, and one in the evening of each day.
    assert snapshots == dict.fromkeys((COLOMBIA, MEXICO, BRAZIL), 15)
    assert len(operations) == sum(each.operations for each in made.totals)
    assert operations["created_at"].min() >= datetime(2025, 1, 1, 3, tzinfo=UTC)
    assert operations["created_at"].max() < datetime(2025, 1, 15, 6, tzinfo=UTC)


def test_it_ends_in_every_way(books: Books) -> None:
    operations = books.operations()
    charges = operations[operations["operation"] == "charge"]
    assert {"COMPLETED", "REJECTED", "PENDING"} <= set(charges["status"].dropna())
    # A method of another country: 88Pay said no at once.
    refused = charges[charges["state"] == "refused"]
    assert len(refused) > 0
    for method, country in zip(refused["method_code"], refused["country"], strict=True):
        assert not METHODS[method].available_in(country)
    assert "COMPLETED" in set(operations[operations["operation"] == "cashout"]["status"])


def test_notifications_came_once_twice_late_or_never(made: Made, books: Books) -> None:
    notifications = books.notifications()
    assert set(notifications["times"]) == {1, 2}
    came = dict(zip(notifications["reference"], notifications["received_at"], strict=True))
    with Sandbox(db=made.sandbox) as sandbox:
        final = [each for each in sandbox.transactions() if each["status"] != "PENDING"]
    waits = [
        came[each["reference"]] - datetime.fromisoformat(each["updated_at"])
        for each in final
        if each["reference"] in came
    ]
    assert sum(wait == timedelta(0) for wait in waits) > 100
    assert sum(wait >= timedelta(minutes=30) for wait in waits) > 0
    never = [each for each in final if each["reference"] not in came]
    assert {each["merchant_id"] for each in never if each["created_at"][:10] == "2025-01-09"} == {
        MEXICO
    }


def test_the_totals_are_the_exact_sums_of_the_books(made: Made, books: Books) -> None:
    operations = books.operations()
    for each in made.totals:
        its = operations[
            (operations["merchant_id"] == each.merchant_id) & (operations["status"] == "COMPLETED")
        ]
        paid_out = its["operation"] == "cashout"
        assert each.payins == sum(its[~paid_out]["amount"], Decimal(0)) > 0
        assert each.payouts == sum(its[paid_out]["amount"], Decimal(0)) > 0


def test_every_snapshot_is_the_sum_of_what_was_completed_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A month of few sales. In Mexico open payouts hold more than a usual settlement would leave.
    small = [replace(shop, sales=shop.sales * 0.15) for shop in SHOPS]
    monkeypatch.setattr("pay88kit.demo.year.SHOPS", small)
    made = make_year(tmp_path / "small", seed=89, days=31)
    balances = Books(url_of(made.books)).balances()
    with Sandbox(db=made.sandbox) as sandbox:
        for merchant_id in (COLOMBIA, MEXICO, BRAZIL):
            its = sandbox.transactions(merchant_id)
            snapshots = balances[balances["merchant_id"] == merchant_id].to_dict("records")
            assert len(snapshots) == 32
            for at in snapshots:
                payins, payouts = (
                    sum(Decimal(each["amount"]) for each in its if each["flow"] == flow
                        and each["status"] == "COMPLETED"
                        and datetime.fromisoformat(each["updated_at"]) <= at["taken_at"])
                    for flow in ("PAYIN", "PAYOUT")
                )  # fmt: skip
                assert (at["total_payin"], at["total_payout"]) == (payins, payouts)
                assert at["total_available"] == payins - payouts - at["total_settled"]
            # The last evening's is the month's only settlement.
            assert snapshots[-2]["total_settled"] == 0
            assert snapshots[-1]["total_settled"] > 0
            balance = Pay88(sandbox.config_for(merchant_id), books=False).balance()
            assert balance.total_available == snapshots[-1]["total_available"]
            held = sum(Decimal(each["amount"]) for each in its
                       if each["flow"] == "PAYOUT" and each["status"] == "PENDING")  # fmt: skip
            assert (balance.total_available == held) is (merchant_id == MEXICO)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(tmp_path: Path) -> None:
    def rows(name: str, seed: int) -> list[Any]:
        made = make_year(tmp_path / name, seed=seed, days=1)
        kept = Books(url_of(made.books))
        frames = (kept.operations(), kept.notifications(), kept.balances())
        with Sandbox(db=made.sandbox) as sandbox:
            ledger = [*sandbox.transactions(), *map(dict, sandbox.merchants())]
        return [*(frame.to_dict("records") for frame in frames), ledger]

    first, again, other = rows("first", 5), rows("again", 5), rows("other", 6)
    assert str(again) == str(first)
    assert len(first[0]) > 15
    assert str(other[0]) != str(first[0])


# ---------------------------------------------------------------- the life of a shop


@pytest.mark.parametrize(
    ("country", "days"),
    [
        ("COL", ["2025-02-15", "2025-02-28"]),
        ("MEX", ["2025-02-15", "2025-02-28"]),
        ("BRA", ["2025-02-07"]),  # the fifth working day; the month begins on a Saturday
    ],
)
def test_paydays(country: str, days: list[str]) -> None:
    month = [date(2025, 2, 1) + timedelta(number) for number in range(28)]
    assert [str(day) for day in month if shops.paydays(country, day)] == days


def test_paydays_the_year_and_december_raise_sales() -> None:
    for shop in SHOPS:
        ordinary, payday, december = (
            shops.expected_sales(shop, day)
            for day in (date(2025, 2, 21), date(2025, 2, 28), date(2025, 12, 19))
        )
        if shop.country != "BRA":
            assert payday > 1.3 * ordinary
        assert december > 2 * ordinary
        assert shops.expected_sales(shop, date(2025, 11, 21)) > 1.3 * ordinary


@given(st.sampled_from(SHOPS), st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers())
def test_every_sale_is_one_that_88pay_can_take(shop: Shop, day: date, seed: int) -> None:
    assert not METHODS[shop.foreign].available_in(shop.country)
    dice = random.Random(seed)  # noqa: S311 - reproducible on purpose
    for sale in shops.sales_of(shop, day, dice):
        method = METHODS[sale.way.code]
        low, high = method.limits.get(shop.currency, (None, None))
        assert method.available_in(shop.country)
        assert (low or Decimal("0.01")) <= sale.amount <= (high or sale.amount)
        assert sale.amount % shop.unit == 0
        assert money.has_cents(sale.amount)
        # It is decided before it expires.
        assert timedelta(minutes=sale.wait) < method.expires


# ---------------------------------------------------------------- what reports make of it


@pytest.mark.usefixtures("named")
def test_reports_read_the_books() -> None:
    config = Config(merchant_id=BRAZIL)
    period = reports.days_of(BRAZIL, "2025-01-06", "2025-01-12")
    client = demo.client_for(config, period)
    operations = client.books.operations(
        period.start, period.end, environment="local", merchant_id=BRAZIL
    )
    assert "Charges: " in repr(reports.Transactions(operations, period).summary())
    assert len(operations) > 20
    day = reports.day_of(BRAZIL, "2025-01-08")
    balance = reports.balance_of(demo.client_for(config, day), day)
    assert "the last snapshot of that day in the books, 2025-01-08 23:55:00" in balance.words
    assert balance.figures["total_payin"] > 0


@pytest.mark.usefixtures("named")
def test_a_day_that_the_books_do_not_have_is_neither_played_nor_asked_for() -> None:
    for text in ("2026-01-15", datetime.now(UTC).date().isoformat()):
        day = reports.day_of(COLOMBIA, text)
        client = demo.client_for(Config(merchant_id=COLOMBIA), day)
        assert reports.balance_of(client, day).words.startswith("no snapshot that day; the one")


@pytest.mark.usefixtures("named")
def test_a_reconciliation_names_what_was_never_notified() -> None:
    def compared(merchant_id: str, first: str, last: str) -> Any:
        period = reports.days_of(merchant_id, first, last)
        client = demo.client_for(Config(merchant_id=merchant_id), period, snapshots=True)
        return reconcile(
            client.books, None, config=client.config, since=period.start, until=period.end
        )

    gap = compared(MEXICO, "2025-01-06", "2025-01-12")
    assert gap.gap > 0
    assert gap.explained
    assert compared(COLOMBIA, "2025-01-06", "2025-01-12").ok


@pytest.mark.usefixtures("named")
def test_a_merchant_that_the_books_do_not_know_is_named() -> None:
    day = reports.day_of("MCH-MEX-TYPO", "2025-01-08")
    with pytest.raises(WrongUse, match=f"no MCH-MEX-TYPO in local. They have {BRAZIL}"):
        demo.client_for(Config(merchant_id="MCH-MEX-TYPO"), day)


def test_what_is_played_for_a_report_is_not_written_into_somebodys_books(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'mine.db'}"
    monkeypatch.setenv("PAY88_BOOKS", url)
    day = reports.day_of(COLOMBIA, "2026-01-15")
    client = demo.client_for(Config(merchant_id=COLOMBIA), day)
    assert len(client.books.operations()) == 26
    assert len(Books(url).operations()) == 0


def test_the_sandbox_goes_on(made: Made, books: Books) -> None:
    with Sandbox(db=made.sandbox) as sandbox:
        assert sandbox.clock.now() == datetime(2025, 1, 15, 6, tzinfo=UTC)
        client = Pay88(sandbox.config_for(MEXICO), books=False)
        last = books.balances(environment="local", merchant_id=MEXICO).iloc[-1]
        assert client.balance().total_payin == last["total_payin"]
        # 88Pay's limits hold again for who goes on, and nobody has used them up.
        assert client.token(fresh=True).access_token


# ---------------------------------------------------------------- files


def test_a_folder_that_is_not_empty_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "books.db").write_bytes(b"my own")
    assert main(["demo", str(mine)]) == 2
    assert "is not empty: it has books.db. Name a new folder" in capsys.readouterr().err
    assert main(["demo", str(mine / "books.db")]) == 2
    assert re.search(r"cannot be used \(.+\)\. Name a new folder", capsys.readouterr().err)
    assert [path.name for path in mine.iterdir()] == ["books.db"]
    assert (mine / "books.db").read_bytes() == b"my own"


def test_a_year_that_is_not_over_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    this = datetime.now(UTC).year
    assert main(["demo", str(tmp_path / "new"), "--year", str(this)]) == 2
    assert f"Choose one from 2000 to {this - 1}." in capsys.readouterr().err
    with pytest.raises(WrongUse, match="days: 2025 has no 366 days"):
        make_year(tmp_path / "new", days=366)
    assert not (tmp_path / "new").exists()


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def interrupt(done: int, all: int) -> None:
        seen.append([path.name for path in folder.iterdir()])
        if done == 4:
            raise KeyboardInterrupt

    for folder, stays in ((tmp_path / "new", False), (tmp_path / "there", True)):
        if stays:
            folder.mkdir()
        with pytest.raises(KeyboardInterrupt):
            make_year(folder, days=14, progress=interrupt)
        assert folder.exists() is stays
        assert not stays or list(folder.iterdir()) == []
    # Nothing looked finished while it was not.
    assert all(".unfinished" in name for names in seen for name in names)
    assert all(seen)


def test_it_prints_what_it_has_made_and_leaves_other_books_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.db"
    monkeypatch.setenv("PAY88_BOOKS", f"sqlite:///{mine}")
    monkeypatch.setenv("PAY88_ENVIRONMENT", "production")
    monkeypatch.setattr(demo, "make_year", partial(make_year, days=1))
    assert main(["demo"]) == 0
    assert not mine.exists()
    printed = capsys.readouterr().out
    assert "2025-01-01 to 2025-01-01. Simulated data, not 88Pay." in printed
    shown = re.search(rf"{BRAZIL}: \d+ operations; completed payins ([\d,.]+) BRL", printed)
    assert shown is not None
    sums = Books("sqlite:///pay88-demo/books.db").accounts.completed("local", BRAZIL)
    assert Decimal(shown[1].replace(",", "")) * 100 == sum(each.amount for each in sums) > 0
    assert printed.endswith("sandbox.db\n")


@pytest.mark.skipif(os.name == "nt", reason="the printed lines are for another shell there")
def test_the_printed_commands_do_what_they_say(
    made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = next_commands(made)
    assert lines_of(made)[-len(lines) :] == lines
    # A shell says what it makes of the lines; what they ask for is done in this process.
    tell = """pay88() { printf '%s\\0' "$PAY88_BOOKS" "$@"; echo; }"""
    script = "\n".join(["set -e", tell, *lines])
    read = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    commands = [line.split("\0")[:-1] for line in read.splitlines()]
    assert {named for named, *_ in commands} == {url_of(made.books)}
    monkeypatch.setenv("PAY88_BOOKS", url_of(made.books))
    *reports_, (_, *serve) = commands
    for _, *arguments in reports_:
        assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert f"transactions merchant_id={MEXICO}" in printed
    assert "every part of it has a name" in printed
    assert "daily_balance: 6 done, 0 failed" in printed
    serving = [sys.executable, "-m", "pay88kit", *serve, "--port", "0"]
    with subprocess.Popen(serving, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [next(process.stdout) for _ in range(6)]
        process.kill()
    assert f"PAY88_MERCHANT_ID={COLOMBIA}\n" in told
