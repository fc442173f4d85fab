"""The dashboard without a browser: what it shows, and how often it asks 88Pay."""

from __future__ import annotations

import asyncio
import html
import json
import re
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import matplotlib as mpl
import nbformat
import papermill
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inbox_support import body_of, token_of
from nbconvert import HTMLExporter
from support import BALANCE, cashout_body, charge_body

from pay88kit import Inbox, OutcomeUnknown, Pay88, Sandbox, WrongUse, to_frame
from pay88kit.balance import Thresholds
from pay88kit.balance.reconciliation import UNKNOWN, UNMATCHED
from pay88kit.guide.dashboard import Dashboard, Methods, OpenItems, dashboard
from pay88kit.guide.dashboard.board import PERIODS
from pay88kit.guide.dashboard.items import Item
from pay88kit.guide.dashboard.source import MOST
from pay88kit.reports.run import ENGINE

HOSTILE = "<img src=x onerror=alert(1)>\n</td>O'Hara \u202e$x$"
HOUR, DAY = 3_600, 86_400


@pytest.fixture(autouse=True)
def no_window() -> Iterator[None]:
    mpl.use("agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=5) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Pay88]:
    with Pay88(sandbox.config) as client:
        yield client


@pytest.fixture
def inbox(client: Pay88) -> Iterator[Inbox]:
    with Inbox(client.config, books=client.books) as inbox:
        yield inbox


def charge(client: Pay88, url: str | None = None, method: str = "PSE", **changes: Any) -> str:
    """A charge; without an address of an inbox, nothing is heard of it."""
    address = {} if url is None else {"notification_url": url}
    return client.charge(**charge_body(method, **address, **changes)).reference


def pay(client: Pay88, inbox: Inbox, amount: Any = 50_000) -> None:
    """A charge that is paid, and notified."""
    client.sandbox.complete(charge(client, inbox.url, amount=amount))


def keep(client: Pay88) -> None:
    """A snapshot of now."""
    now = client.config.clock.now()
    client.books.save_balance(client.balance(), environment="local", now=now)


def asked(client: Pay88) -> int:
    """How many balances 88Pay was asked for."""
    return sum(each["path"].startswith(BALANCE) for each in client.sandbox.requests())


def words(markup: str) -> list[str]:
    """What a page says, its pictures too."""
    markup = re.sub(r"<style>.*?</style>", "", markup, flags=re.DOTALL)
    markup = re.sub(r'<img alt="([^"]*)"[^>]*>', r"\1", markup)
    return html.unescape(re.sub(r"<[^>]+>", " ", markup)).split()


def available(board: Dashboard) -> Decimal | None:
    return board.cards().metrics.available


# ---------------------------------------------------------------- what it shows


def busy(client: Pay88, inbox: Inbox) -> None:
    """Something in every part: a gap, two currencies, a refusal, and each kind of open item."""
    charge(client, amount=90_000)
    for amount in ("300000.10", "45000.25"):
        pay(client, inbox, amount)
        keep(client)
        client.sandbox.clock.advance(HOUR)
    client.sandbox.clock.advance(4 * HOUR)
    charge(client, inbox.url, "SPEI", amount=700)
    payout = client.cashout(**cashout_body(amount=340_000, notification_url=inbox.url))
    client.sandbox.complete(payout.reference)
    keep(client)
    client.sandbox.fault("charges", "drop_after")
    with pytest.raises(OutcomeUnknown):
        charge(client, inbox.url, amount=40_000)
    body = body_of(9, reference="ELSEWHERE")
    config = client.config
    token = token_of(body, config.webhook_secret, config.clock.now())
    inbox.receive(json.dumps(body).encode(), token)


def test_text_and_html_say_the_same(client: Pay88, inbox: Inbox) -> None:
    busy(client, inbox)
    board = dashboard(client)
    for part in (board, board.cards(), board.methods(), board.open_items()):
        assert words(part._repr_html_()) == repr(part).split()
    told = repr(board)
    for text in (
        "Simulated data, not 88Pay", "5,000.35 COP", "345,000.35 COP", "98.55 %",
        "warning: Only 5,000.35 COP is available", "gap: 5:00:00 without snapshots",
        "700.00 MXN", "(unknown)", "ELSEWHERE", "books.resolve(…)",
    ):  # fmt: skip
        assert text in told
    # The same on the widget, and on what is saved in its place.
    saved = board._repr_mimebundle_()
    assert words(saved["text/html"]) == saved["text/plain"].split()
    shown = [child for child in board.box.children if hasattr(child, "value")]
    assert words("".join(child.value for child in shown)) == saved["text/plain"].split()


def test_an_empty_account_shows_itself(client: Pay88) -> None:
    board = dashboard(client)
    assert words(board._repr_html_()) == repr(board).split()
    for text in (
        "critical: 0.00 COP is available", "No snapshots", "None in this period.", "Open items: 0",
    ):  # fmt: skip
        assert text in repr(board)
    assert list(board.methods().frame) == list(Methods.COLUMNS)
    assert list(board.open_items().frame) == list(OpenItems.COLUMNS)
    client.sandbox.scenario("profitable")
    client.sandbox.clock.advance(60)
    board.refresh()
    assert "No alerts." in repr(board)


def test_without_books_the_balance_is_there(sandbox: Sandbox) -> None:
    with Pay88(sandbox.config, books=False) as client:
        board = dashboard(client)
        assert available(board) == 0
        assert "This client keeps no books." in repr(board)
        assert words(board._repr_html_()) == repr(board).split()


def test_the_chart_is_drawn_again_when_a_snapshot_came(client: Pay88) -> None:
    keep(client)
    board = dashboard(client)

    def picture() -> str:
        return re.search(r'<img alt="[^"]+" src="([^"]+)"', board._repr_html_())[1]

    first = picture()
    board.refresh()
    assert picture() == first
    client.sandbox.clock.advance(HOUR)
    client.sandbox.scenario("profitable")
    keep(client)
    board.refresh()
    assert picture() != first


def test_a_played_production_says_that_it_is_simulated() -> None:
    with Sandbox(environment="production") as sandbox, Pay88(sandbox.config, books=False) as client:
        assert "Environment: production" in repr(dashboard(client))
        assert "Simulated data, not 88Pay" in repr(dashboard(client))


def test_the_currency_is_the_countrys_or_the_given_one(client: Pay88) -> None:
    assert "that it is COP is assumed" in repr(dashboard(client).cards())
    assert "0.00 USD" in repr(dashboard(client, currency="USD").cards())
    limits = {"COP": Thresholds(warning=1)}
    assert dashboard(client, thresholds=limits).cards().alerts[0].limit == 0
    with pytest.raises(WrongUse, match="no thresholds for 'USD'"):
        dashboard(client, thresholds=limits, currency="USD")


OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {
            "operation": st.sampled_from(["charge", "cashout"]),
            "method_code": st.sampled_from(["PSE", "SPEI", None]),
            "status": st.sampled_from(["COMPLETED", "PENDING", None]),
            "state": st.sampled_from(["created", "unknown"]),
            "currency": st.sampled_from(["COP", "MXN", None]),
            "amount": st.none() | st.decimals(0, 10**14, places=2),
        }
    ),
    max_size=12,
)


@given(OPERATIONS)
def test_sums_are_exact_and_by_currency(operations: list[dict[str, Any]]) -> None:
    names = ("operation", "method_code", "status", "state", "currency", "amount")
    methods = Methods("all", "UTC", to_frame(operations, names))
    found = methods.frame.to_dict("records")
    assert sum(row["count"] for row in found) == len(operations)
    for currency in ("COP", "MXN", ""):
        own = [each for each in operations if (each["currency"] or "") == currency]
        amounts = [each["amount"] for each in own if each["amount"] is not None]
        sums = [row["amount"] for row in found if row["currency"] == currency]
        assert sum(sums, Decimal(0)) == sum(amounts, Decimal(0))
        assert all(isinstance(amount, Decimal) for amount in sums)
    kinds = {(e["operation"], e["method_code"], e["currency"], e["status"] or e["state"])
             for e in operations}  # fmt: skip
    assert len(found) == len(kinds)


# ---------------------------------------------------------------- a stranger's text


def test_foreign_text_is_escaped_everywhere(client: Pay88, inbox: Inbox) -> None:
    body = body_of(9, reference=HOSTILE)
    config = client.config
    inbox.receive(
        json.dumps(body).encode(), token_of(body, config.webhook_secret, config.clock.now())
    )
    board = dashboard(client, currency="<i>")
    (item,) = board.open_items().frame.to_dict("records")
    assert item["reference"].startswith("<img")
    row = dict.fromkeys(("operation", "method_code", "status", "state", "currency"), HOSTILE)
    methods = Methods("all", "UTC", to_frame([row | {"amount": Decimal(1)}]))
    hostile = Item(UNKNOWN, HOSTILE, HOSTILE, 100, HOSTILE, None)
    for part in (board, methods, OpenItems([hostile], 0, "UTC")):
        page = part._repr_html_()
        assert "<img src=x" not in page
        assert "<i>" not in page
        assert "\u202e" not in page + repr(part)
        assert words(page) == repr(part).split()
    assert "\n</td>" not in repr(methods)


def test_no_secret_is_in_it(client: Pay88, inbox: Inbox) -> None:
    busy(client, inbox)
    config = client.config
    shown = json.dumps(dict(dashboard(client)._repr_mimebundle_()))
    for secret in (config.api_key, config.webhook_secret):
        assert str(secret) not in shown


# ---------------------------------------------------------------- how often 88Pay is asked


def test_within_a_minute_88pay_is_asked_again_only_when_something_completed(
    client: Pay88, inbox: Inbox
) -> None:
    board = dashboard(client)
    client.sandbox.scenario("profitable")  # the books do not know
    client.sandbox.clock.advance(59)
    for _ in range(5):
        board.refresh()
    assert (asked(client), available(board)) == (1, 0)
    assert "less than a minute old, so 88Pay was not asked again" in repr(board)
    client.sandbox.clock.advance(1)
    board.refresh()
    assert (asked(client), available(board)) == (2, 300_000)
    assert "not asked again" not in repr(board)
    pay(client, inbox, 25_000)
    board.refresh()
    assert (asked(client), available(board)) == (3, 325_000)
    charge(client, inbox.url)  # pending: it changes no balance
    board.refresh()
    board.select(period="today")
    assert asked(client) == 3


def test_never_more_than_ten_times_a_minute_whatever_happens(client: Pay88, inbox: Inbox) -> None:
    board = dashboard(client)
    for _ in range(20):
        pay(client, inbox, 1_000)
        board.refresh()
    assert asked(client) == MOST
    assert available(board) == 9_000
    assert "asks again from 12:01:00 UTC on" in repr(board)
    assert words(board._repr_html_()) == repr(board).split()
    # What the books know does not wait.
    assert board.methods().frame["count"].sum() == 20
    client.sandbox.clock.advance(59)
    board.refresh()
    assert asked(client) == MOST
    client.sandbox.clock.advance(1)
    board.refresh()
    assert available(board) == 20_000
    assert "asks again" not in repr(board)


def test_failures_count_and_the_last_numbers_stay(client: Pay88) -> None:
    client.sandbox.scenario("profitable")
    board = dashboard(client)
    client.sandbox.scenario("low")
    client.sandbox.clock.advance(60)
    client.sandbox.fault("balance", "status", status=400, times=None)
    for _ in range(2 * MOST):
        board.refresh()
    assert asked(client) == 1 + MOST
    assert available(board) == 300_000
    assert "the last one." in repr(board)
    assert '<p role="alert">' in board._repr_html_()
    client.sandbox.clear_faults()
    client.sandbox.clock.advance(60)
    board.refresh()
    assert available(board) == 8_000
    assert '<p role="alert">' not in board._repr_html_()


def test_a_first_answer_that_does_not_come_is_said(client: Pay88) -> None:
    client.sandbox.fault("balance", "status", status=400)
    board = dashboard(client)
    assert available(board) is None
    assert "88Pay has not answered yet." in repr(board)
    assert board.cards().alerts == ()
    assert words(board._repr_html_()) == repr(board).split()
    board.refresh()
    assert available(board) == 0


def test_dashboards_of_one_client_share_what_88pay_said(client: Pay88) -> None:
    boards = [dashboard(client) for _ in range(5)]
    assert asked(client) == 1
    assert {available(board) for board in boards} == {Decimal(0)}


def test_books_that_cannot_be_read_are_said(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    with Pay88(sandbox.config, books=f"sqlite:///{path}") as client:
        charge(client)
        board = dashboard(client)
        with sqlite3.connect(path) as other:
            other.execute("ALTER TABLE balances RENAME TO gone")
        for again in (board.refresh, lambda: board.select(period="all")):
            again()
            assert len(board.methods().frame) == 1
            assert board._repr_html_().count('<p role="alert">') == 1
        with sqlite3.connect(path) as other:
            other.execute("ALTER TABLE gone RENAME TO balances")
        board.refresh()
        assert '<p role="alert">' not in board._repr_html_()


# ---------------------------------------------------------------- open items


def test_an_operation_is_open_when_the_time_of_its_method_is_over(
    client: Pay88, inbox: Inbox
) -> None:
    pse, cash = charge(client, amount=50_000), charge(client, "https://a.example", "CASH")
    board = dashboard(client)
    client.sandbox.clock.advance(HOUR)
    board.refresh()
    assert len(board.open_items().frame) == 0
    assert board.open_items().pending == 2
    client.sandbox.clock.advance(1)
    board.refresh()
    (item,) = board.open_items().frame.to_dict("records")
    assert (item["item"], item["reference"], item["operation"]) == (
        "past its time",
        pse,
        "charge PSE",
    )
    assert (item["amount"], item["currency"]) == (Decimal(50_000), "COP")
    assert item["created_at"].isoformat() == "2026-01-15T12:00:00+00:00"
    client.sandbox.clock.advance(72 * HOUR)
    board.refresh()
    assert set(board.open_items().frame["reference"]) == {pse, cash}
    assert board.open_items().pending == 0


def test_unknown_outcomes_and_unmatched_notifications_are_open_in_any_currency(
    client: Pay88, inbox: Inbox
) -> None:
    client.sandbox.fault("charges", "drop_after")
    with pytest.raises(OutcomeUnknown):
        client.charge(**charge_body(), key="lost")
    for number, currency in enumerate(("COP", "MXN", "USD", None), 1):
        body = body_of(number, **({} if currency is None else {"currency": currency}))
        config = client.config
        token = token_of(body, config.webhook_secret, config.clock.now())
        inbox.receive(json.dumps(body).encode(), token)
    found = dashboard(client).open_items().frame
    assert list(found["item"]) == ["unknown outcome"] + ["notification without an operation"] * 4
    assert found["reference"][0] == "lost"
    assert sorted(found["currency"][1:]) == ["COP", "COP", "MXN", "USD"]
    client.books.resolve("lost", created=None)
    board = dashboard(client)
    assert len(board.open_items().frame) == 4


def test_a_notification_that_contradicts_the_books_is_open(client: Pay88, inbox: Inbox) -> None:
    reference = charge(client, inbox.url)
    body = body_of(7, reference=reference, amount="1")
    config = client.config
    token = token_of(body, config.webhook_secret, config.clock.now())
    inbox.receive(json.dumps(body).encode(), token)
    (item,) = dashboard(client).open_items().frame.to_dict("records")
    assert item["item"] == "notification that contradicts the books"
    assert (item["reference"], item["amount"]) == (reference, Decimal(1))


def test_a_long_list_shows_its_beginning_and_says_so() -> None:
    items = [Item(UNMATCHED, f"REF-{n}", "–", n, "COP", None) for n in range(60)]
    listed = OpenItems(items, 0, "UTC")
    assert "Open items: 60" in repr(listed)
    assert "The first 50 of 60" in repr(listed)
    assert "REF-49" in repr(listed)
    assert "REF-50 " not in repr(listed)
    assert len(listed.frame) == 60


# ---------------------------------------------------------------- periods


def test_a_period_is_of_days_in_the_merchants_zone(client: Pay88) -> None:
    client.sandbox.clock.advance(16 * HOUR + 1_800)  # 04:30 UTC, 23:30 in Bogotá
    charge(client)
    keep(client)
    board = dashboard(client, period="today")

    def counts() -> dict[str, tuple[int, int]]:
        found = {}
        for period in PERIODS:
            board.select(period=period)
            found[period] = (len(board.methods().frame), len(board.history().frame))
        return found

    client.sandbox.clock.advance(1_799)
    assert counts()["today"] == (1, 1)
    client.sandbox.clock.advance(1)
    assert counts() == {"today": (0, 0), "7 days": (1, 1), "30 days": (1, 1), "all": (1, 1)}
    assert dashboard(client, period="today", timezone="UTC").methods().frame["count"].sum() == 1
    client.sandbox.clock.advance(6 * DAY)
    assert counts() == {"today": (0, 0), "7 days": (0, 0), "30 days": (1, 1), "all": (1, 1)}
    client.sandbox.clock.advance(23 * DAY)
    assert counts() == {"today": (0, 0), "7 days": (0, 0), "30 days": (0, 0), "all": (1, 1)}


def test_wrong_use_names_field_and_cure(client: Pay88) -> None:
    board = dashboard(client)
    for wrong, work in {
        "period: 'year' is unknown. Use one of today": lambda: board.select(period="year"),
        "period: 'week'": lambda: dashboard(client, period="week"),
        "timezone: 'Bogota' is unknown": lambda: dashboard(client, timezone="Bogota"),
        "every: 0.5 is no number of minutes from 1": lambda: dashboard(client, every=0.5),
        "every: inf": lambda: board.auto(float("inf")),
        "every: nan": lambda: board.auto(float("nan")),
        "every: only a notebook": lambda: board.auto(1),
    }.items():
        with pytest.raises(WrongUse, match=re.escape(wrong)):
            work()


# ---------------------------------------------------------------- controls


def test_each_control_does_what_its_function_does(client: Pay88, inbox: Inbox) -> None:
    board = dashboard(client)
    pay(client, inbox)
    board.button.click()
    assert available(board) == 50_000
    client.sandbox.clock.advance(2 * DAY)
    board.period.value = "today"
    assert "Operations, today" in repr(board)
    assert len(board.methods().frame) == 0
    board.select(period="7 days")
    assert board.period.value == "7 days"
    assert len(board.methods().frame) == 1
    # Each field has a name that a person reads, and that a screen reader says.
    assert [board.period.description, board.interval.description] == ["Period", "Refresh by itself"]


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time is set forward by the test."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


def in_loop(work: Callable[[Callable[..., Any]], Coroutine[Any, Any, None]]) -> None:
    """Run with ``later(seconds, true)``: time passes, and what is due comes true."""
    loop = Loop()

    async def later(seconds: float, true: Callable[[], bool] | None = None) -> None:
        loop.ahead += seconds
        # Without anything to wait for: as long as what must not happen would take.
        for _ in range(2_000 if true else 100):
            if true and true():
                return
            await asyncio.sleep(0)
            await asyncio.to_thread(lambda: None)
        assert true is None, "it did not happen"

    try:
        loop.run_until_complete(work(later))
    finally:
        loop.close()


def test_it_refreshes_by_itself_until_it_is_told_not_to(client: Pay88) -> None:
    async def work(later: Callable[..., Any]) -> None:
        board = dashboard(client, every=2)
        await later(0)
        assert board.interval.value == 2
        client.sandbox.scenario("profitable")
        client.sandbox.clock.advance(120)
        await later(119)
        assert available(board) == 0
        await later(1, lambda: available(board) == 300_000)
        client.sandbox.scenario("low")
        client.sandbox.clock.advance(120)
        await later(120, lambda: available(board) == 8_000)
        board.interval.value = 0
        client.sandbox.scenario("profitable")
        client.sandbox.clock.advance(3_600)
        await later(3_600)
        assert available(board) == 8_000
        assert asked(client) == 3

    in_loop(work)


def test_it_refreshes_by_itself_no_longer_when_closed_or_replaced(client: Pay88) -> None:
    async def work(later: Callable[..., Any]) -> None:
        first = dashboard(client, every=7)
        assert ("7 min", 7) in first.interval.options
        second = dashboard(client)
        second.interval.value = 1
        assert first.interval.value == 0
        third = dashboard(client, every=1)
        await later(0)
        third.box.close()
        client.sandbox.scenario("profitable")
        client.sandbox.clock.advance(3_600)
        await later(3_600)
        assert [available(board) for board in (first, second, third)] == [0, 0, 0]
        fourth = dashboard(client, every=1)
        await later(0)
        fourth.close()
        client.sandbox.scenario("low")
        client.sandbox.clock.advance(3_600)
        await later(3_600)
        assert available(fourth) == 300_000

    in_loop(work)


# ---------------------------------------------------------------- without a kernel


def test_a_saved_notebook_shows_the_same_numbers_without_a_kernel(tmp_path: Path) -> None:
    code = (
        "from pay88kit import Pay88\n"
        "from pay88kit.guide.dashboard import dashboard\n"
        "client = Pay88()\n"
        "client.sandbox.scenario('profitable')\n"
        "now = client.config.clock.now()\n"
        "client.books.save_balance(client.balance(), environment='local', now=now)\n"
        "dashboard(client)"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    source, target = tmp_path / "source.ipynb", tmp_path / "saved.ipynb"
    nbformat.write(notebook, source)
    # By the kit's own engine, whose outputs are those of a kernel and whose process is there.
    papermill.execute_notebook(
        source, target, engine_name=ENGINE, kernel_name="python3", language="python",
        progress_bar=False, store_widget_state=False,
    )  # fmt: skip
    notebook = nbformat.read(target, as_version=4)
    assert "widgets" not in notebook.metadata
    (output,) = notebook.cells[0].outputs
    assert "application/vnd.jupyter.widget-view+json" in output["data"]
    page, _ = HTMLExporter(embed_images=True).from_notebook_node(notebook)
    assert 'class="pay88-dashboard"' in page
    for text in ("Simulated data, not 88Pay", "1,000,000.00 COP", "300,000.00 COP", "No alerts."):
        assert text in page
    assert re.search(r'<img alt="1 snapshots of [^"]+" src="data:image/png;base64,', page)
    assert "application/vnd.jupyter.widget-view+json" not in page
