"""The dashboard: a widget, and a plain function for each of its controls."""

from __future__ import annotations

import asyncio
import html
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pay88kit.balance import Alerts, History, Thresholds, alerts, history, metrics
from pay88kit.balance.alerts import DEFAULT
from pay88kit.balance.history import HOUR
from pay88kit.client import Pay88
from pay88kit.display import one_line
from pay88kit.errors import BooksError, WrongUse, needs
from pay88kit.frames import to_frame
from pay88kit.guide.dashboard.items import OpenItems, open_items
from pay88kit.guide.dashboard.parts import Cards, Methods, scrolled, style
from pay88kit.guide.dashboard.source import Asked, Source
from pay88kit.guide.lesson import chart
from pay88kit.models.countries import CURRENCIES
from pay88kit.reports.days import ZONES, day_of
from pay88kit.reports.words import SIMULATED

with needs("guide"):
    import ipywidgets

# Calendar days in the merchant's zone, today included.
PERIODS: Mapping[str, int | None] = {"today": 1, "7 days": 7, "30 days": 30, "all": None}
# 88Pay's page: a balance is kept for one to five minutes.
_SHORTEST = 1
_MINUTES = (1, 5, 15)
# ipywidgets shows no name for the value None.
_NEVER = 0
# Without their usual margin, which would make them wider than the page.
_WIDE = {"width": "100%", "margin": "0"}
_OPERATIONS = ("operation", "method_code", "status", "state", "currency", "amount")
_BALANCES = (
    "taken_at", "total_payin", "total_payout", "total_settled", "total_available", "net_balance",
)  # fmt: skip


@dataclass(frozen=True)
class _State:
    """All that is shown, of one moment."""

    asked: Asked
    cards: Cards
    history: History
    methods: Methods
    items: OpenItems
    # Of the books; that of the balance is in ``asked``.
    trouble: str = ""

    @property
    def troubles(self) -> list[str]:
        said = dict.fromkeys((self.asked.trouble, self.trouble))
        return [one_line(each) for each in said if each]


class Dashboard:
    """A merchant's account at a glance; :func:`dashboard` makes one.

    ``button``, ``period`` and ``interval`` are ipywidgets, and may be used from code too.
    """

    _source: Source

    def __init__(
        self,
        client: Pay88,
        *,
        thresholds: Thresholds | Mapping[str, Thresholds],
        currency: str | None,
        period: str,
        every: float | None,
        snapshots: timedelta,
        timezone: str,
    ) -> None:
        self.client = client
        config = client.config
        id = str(config.merchant_id)
        country = id.split("-")[1] if id.count("-") >= 2 else ""
        self.currency = currency or next(iter(CURRENCIES.get(country, ())), None)
        self.zone = timezone or ZONES.get(country, "UTC")
        day_of(id, "2026-01-01", self.zone)  # refuses an unknown zone
        self._thresholds = thresholds
        self._snapshots = snapshots
        self._period = _known(period)
        same = [board for board in _boards if board.client is client]
        self._source = same[0]._source if same else Source(client)
        self._task: asyncio.Task[None] | None = None
        self._minutes: float | None = None
        # Drawing takes most of the time, and is often for the same snapshots.
        self._picture: tuple[History, str] | None = None
        self._state = self._look(self._source.ask())

        self.button = ipywidgets.Button(
            description="Refresh", button_style="primary", layout={"width": "auto"},
            tooltip="Asks 88Pay at most once a minute, and again when something has completed",
        )  # fmt: skip
        self.period = _choice("Period", [(name, name) for name in PERIODS], self._period)
        self.interval = _choice("Refresh by itself", _intervals(None), _NEVER)
        self._head, self._status, self._cards, self._history, self._methods, self._items = (
            ipywidgets.HTML(layout=_WIDE) for _ in range(6)
        )
        controls = ipywidgets.Box(
            [self.button, self.period, self.interval],
            layout=_WIDE
            | {"flex_flow": "row wrap", "align_items": "flex-end", "grid_gap": "0 1em"},
        )
        #: The widget; a notebook shows it when this dashboard is a cell's last line.
        self.box = ipywidgets.VBox(
            [self._head, controls, self._status, self._cards, self._history, self._methods,
             self._items],
            layout=_WIDE,
        )  # fmt: skip
        self.box.add_class("pay88-dashboard")
        self._draw()
        self.button.on_click(lambda _: self.refresh())
        self.period.observe(lambda change: self.select(period=change["new"]), "value")
        self.interval.observe(self._chosen, "value")
        _boards.add(self)
        if every is not None:
            self.auto(every)

    # -- a plain function for each control

    def refresh(self) -> None:
        """Read the books again, and the balance as far as 88Pay may be asked.

        88Pay is asked when its last answer is a minute old, and when the books have learned since
        that an operation completed; at most ten times a minute. What goes wrong is said on the
        dashboard, and the last numbers stay.
        """
        self._show(self._look(self._source.ask()))

    def select(self, *, period: str) -> None:
        """Show another period in the history and the methods: a key of ``PERIODS``.

        The cards are of now, and the open items of always. 88Pay is not asked.

        Raises:
            WrongUse: there is no such period.
        """
        self._period = _known(period)
        try:
            kept, made = self._of_period()
            self._show(replace(self._state, history=kept, methods=made, trouble=""))
        except BooksError as error:
            self._show(replace(self._state, trouble=str(error)))
        self.period.value = period

    def auto(self, minutes: float | None) -> None:
        """Refresh every so many real minutes, from one on; None ends it.

        It goes on while the kernel runs and the widget is not closed. Of a client's dashboards,
        only the last one does it.

        Raises:
            WrongUse: less than a minute; or nothing runs here that could do it, as in a program
                without an event loop.
        """
        if minutes is not None and not _SHORTEST <= minutes < float("inf"):
            raise WrongUse(
                f"every: {minutes} is no number of minutes from {_SHORTEST} on. 88Pay recommends "
                f"to keep a balance for one to five minutes."
            )
        loop = None
        if minutes is not None:
            with suppress(RuntimeError):
                loop = asyncio.get_running_loop()
            if loop is None:
                raise WrongUse(
                    "every: only a notebook, or another program with an event loop, can refresh "
                    "by itself. Call refresh() yourself."
                )
        for board in [each for each in _boards if each.client is self.client]:
            board._stop()
        if minutes is not None and loop is not None:
            self._task = loop.create_task(self._again(minutes * 60))
            self._minutes = minutes
            options = _intervals(minutes)
            self.interval.options = options
            self.interval.tooltips = _tips(self.interval.description, [name for name, _ in options])
            self.interval.value = minutes

    def cards(self) -> Cards:
        """The five numbers, the metrics and the alerts."""
        return self._state.cards

    def history(self) -> History:
        """The snapshots of the period; ``.plot()`` draws them."""
        return self._state.history

    def methods(self) -> Methods:
        """The operations of the period, by method and status."""
        return self._state.methods

    def open_items(self) -> OpenItems:
        """What somebody should look at."""
        return self._state.items

    def close(self) -> None:
        """Take the widget away, and end its refreshing."""
        self._stop()
        self.box.close()

    # -- refreshing by itself

    async def _again(self, seconds: float) -> None:
        """In the kernel's own thread, but for the waiting: pyplot belongs to that thread."""
        while True:
            await asyncio.sleep(seconds)
            if self.box.comm is None:
                return
            asked = await asyncio.to_thread(self._source.ask)
            self._show(self._look(asked))

    def _chosen(self, change: Any) -> None:
        minutes = change["new"] or None
        if minutes != self._minutes:
            self.auto(minutes)

    def _stop(self) -> None:
        self._minutes = None
        if self._task is not None:
            task, self._task = self._task, None
            with suppress(RuntimeError):  # the loop has ended already
                task.get_loop().call_soon_threadsafe(task.cancel)
        self.interval.value = _NEVER

    # -- what is shown

    def _look(self, asked: Asked) -> _State:
        """The numbers of now. Books that cannot be read are said, and the last ones stay."""
        said = Alerts()
        if asked.balance is not None:
            said = alerts(asked.balance, self._thresholds, currency=self.currency)
        cards = Cards(asked.balance, metrics(asked.balance), said, self.currency)
        try:
            return _State(asked, cards, *self._of_period(), self._of_now())
        except BooksError as error:
            last: _State | None = getattr(self, "_state", None)
            if last is None:
                raise
            return replace(last, asked=asked, cards=cards, trouble=str(error))

    def _of_period(self) -> tuple[History, Methods]:
        books, start = self.client.books, self._start()
        environment, merchant_id = self._whose
        if books is None:
            frame = to_frame([], _BALANCES)
            kept = History(merchant_id, environment, frame, self._snapshots, (), self.zone)
            return kept, Methods(self._period, self.zone, to_frame([], _OPERATIONS))
        kept = history(
            books, start, merchant_id=merchant_id, environment=environment, every=self._snapshots,
            zone=self.zone,
        )  # fmt: skip
        made = books.operations(start, environment=environment, merchant_id=merchant_id)
        return kept, Methods(self._period, self.zone, made)

    def _of_now(self) -> OpenItems:
        books = self.client.books
        if books is None:
            return OpenItems([], 0, self.zone, books=False)
        now = self.client.config.clock.now()
        return OpenItems(*open_items(books, *self._whose, self.currency, now), self.zone)

    @property
    def _whose(self) -> tuple[str, str]:
        config = self.client.config
        return config.environment, str(config.merchant_id)

    def _start(self) -> datetime | None:
        """When the period begins: a midnight in the merchant's zone."""
        days = PERIODS[self._period]
        if days is None:
            return None
        today = self.client.config.clock.now().astimezone(ZoneInfo(self.zone)).date()
        first = today - timedelta(days=days - 1)
        return day_of("", f"{first:%Y-%m-%d}", self.zone).start

    def _show(self, state: _State) -> None:
        self._state = state
        self._draw()

    def _draw(self) -> None:
        self._drawn = self._pages()
        widgets = (
            self._head, self._status, self._cards, self._history, self._methods, self._items
        )  # fmt: skip
        for widget, part in zip(widgets, self._drawn, strict=True):
            widget.value = part

    def _pages(self) -> tuple[str, ...]:
        """The HTML of each part; the widget and the saved page are both made from it."""
        state = self._state
        trouble = "".join(
            f'<p role="alert"><b>{html.escape(each)}</b></p>' for each in state.troubles
        )
        return (
            f"{style()}<p><b>{html.escape(self._title())}</b></p>",
            f'<p role="status">{html.escape(self._when())}</p>{trouble}',
            state.cards.html(),
            self._history_html(),
            state.methods.html(),
            state.items.html(),
        )

    def _history_html(self) -> str:
        kept = self._state.history
        words = html.escape(kept.describe())
        if kept.frame.empty:
            hint = "pay88 balance --save keeps one"
            return f'<section aria-label="History"><b>History</b><p>{words} {hint}</p></section>'
        if self._picture is None or not self._picture[0].frame.equals(kept.frame):
            drawn = chart(_narrowed(kept.plot()), alt=kept.describe())
            self._picture = kept, drawn._repr_mimebundle_()[0]["image/png"]
        picture = self._picture[1]
        table = scrolled(kept._repr_html_(), "The history as a table")
        return (
            f'<section aria-label="History"><b>History</b><div class="pay88-both">'
            f'<img alt="{words}" src="data:image/png;base64,{picture}">{table}</div></section>'
        )

    def _title(self) -> str:
        config = self.client.config
        parts = [f"Environment: {config.environment}", f"Merchant: {config.merchant_id}"]
        if config.environment == "local" or self.client.sandbox is not None:
            parts.append(SIMULATED)
        return one_line(" · ".join(parts))

    def _when(self) -> str:
        asked = self._state.asked
        if asked.at is None:
            return "88Pay has not answered yet."
        at = f"{asked.at.astimezone(ZoneInfo(self.zone)):%Y-%m-%d %H:%M:%S}, {self.zone}"
        if asked.trouble:
            return f"Balance of {at}, the last one."
        kept = "" if asked.fresh else "; less than a minute old, so 88Pay was not asked again"
        return f"Balance of {at}{kept}."

    def __repr__(self) -> str:
        state = self._state
        kept = [state.history.describe(), repr(state.history)]
        if state.history.frame.empty:
            kept = [f"{kept[0]} pay88 balance --save keeps one"]
        top = [self._title(), self._when(), *state.troubles]
        history = "\n".join(["History", *kept])
        return "\n\n".join(
            ["\n".join(top), repr(state.cards), history, repr(state.methods), repr(state.items)]
        )

    def _repr_html_(self) -> str:
        return f'<div class="pay88-dashboard">{"".join(self._drawn)}</div>'

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, Any]:
        # Where there is no kernel, and so no widget, the page shows the same numbers.
        still = {"text/html": self._repr_html_(), "text/plain": repr(self)}
        return dict(self.box._repr_mimebundle_()) | still


# Those of one client share what 88Pay said: whoever runs the cell again asks no more often.
_boards: weakref.WeakSet[Dashboard] = weakref.WeakSet()


def dashboard(
    client: Pay88,
    *,
    thresholds: Thresholds | Mapping[str, Thresholds] = DEFAULT,
    currency: str | None = None,
    period: str = "30 days",
    every: float | None = None,
    snapshots: timedelta = HOUR,
    timezone: str = "",
) -> Dashboard:
    """A dashboard of the client's merchant, for a notebook. It only reads.

    Balance, metrics and alerts; the history; operations by method and status; what is open.

    Args:
        client: whose account; its books are what history, methods and open items come from.
        thresholds: the limits of the alerts; see :func:`pay88kit.balance.alerts`.
        currency: the merchant's own. By default its country's, as its id names it (assumed).
        period: what history and methods show: ``today``, ``7 days``, ``30 days`` or ``all``.
        every: refresh by itself, every so many real minutes, from one on; see
            :meth:`Dashboard.auto`.
        snapshots: the interval in which snapshots are kept; longer pauses are gaps.
        timezone: the IANA name of the zone of days and times; by default the country's.

    Raises:
        WrongUse: a period, zone, interval or limit that is none.
        BooksError: the books cannot be read.
        MissingExtra: without the extra ``guide``.
    """
    return Dashboard(
        client, thresholds=thresholds, currency=currency, period=period, every=every,
        snapshots=snapshots, timezone=timezone,
    )  # fmt: skip


def _known(period: str) -> str:
    if period not in PERIODS:
        raise WrongUse(f"period: {period!r} is unknown. Use one of {', '.join(PERIODS)}.")
    return period


def _narrowed(figure: Any) -> Any:
    """The chart for half a page or a phone: smaller, with fewer times, nothing on another thing."""
    figure.set_size_inches(5.4, 3.6)
    axes = figure.axes[0]
    locator = axes.xaxis.get_major_locator()
    locator.maxticks = dict.fromkeys(locator.maxticks, 6)
    axes.set_xlabel(axes.get_xlabel(), loc="left")
    axes.tick_params(labelsize=8)
    return figure


def _choice(label: str, options: Any, value: Any) -> Any:
    """Buttons: JupyterLab takes the arrow keys, which a drop-down needs, for itself."""
    names = [name for name, _ in options]
    return ipywidgets.ToggleButtons(
        options=options, value=value, description=label, tooltips=_tips(label, names),
        layout={"width": "auto", "max_width": "100%", "flex_flow": "row wrap"},
        style={"description_width": "initial", "button_width": "auto"},
    )  # fmt: skip


def _tips(label: str, names: list[str]) -> list[str]:
    return [f"{label}: {name}" for name in names]


def _intervals(chosen: float | None) -> list[tuple[str, float]]:
    minutes = sorted({*_MINUTES, *([chosen] if chosen else [])})
    return [("never", _NEVER), *((f"{each:g} min", each) for each in minutes)]
