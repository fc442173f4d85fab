"""The live table of an inbox, for JupyterLab, and its twin as text."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterable, Mapping
from queue import SimpleQueue
from typing import Any

from pay88kit.display import one_line
from pay88kit.errors import needs
from pay88kit.inbox.log import Log
from pay88kit.inbox.received import Received

with needs("guide"):
    import ipywidgets

# At one time; the oldest give way.
ROWS = 200
# At most, of a body; the books have all of it.
SHOWN = 20_000
COLUMNS = ("received_at", "reference", "status", "amount", "outcome", "times")
NOTE = "A status is likely, not proven: 88Pay's token does not cover it."
EMPTY = "Nothing has come yet."
_GRID = "display:grid;grid-template-columns:13em 9em 9em 11em 9em 4em;gap:0 1em"


class LiveTable:
    """A row for each different notification, newest last, shown as soon as it is kept.

    A row opens with a click or with Enter, and shows the body. That needs no kernel, so it works
    while a cell runs. What comes is put into a queue, and a thread of the table's own changes the
    widget: it prints nothing, so no cell's output is touched.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._rows: dict[str, tuple[Received, int]] = {}
        self._shown: dict[str, Any] = {}
        self._position = 0
        heads = "".join(f"<b>{html.escape(name)}</b>" for name in COLUMNS)
        self._head = ipywidgets.HTML(f'<div style="{_GRID};padding-left:1.2em">{heads}</div>')
        self._note = ipywidgets.HTML(f"<small>{html.escape(EMPTY)}</small>")
        #: The widget; a notebook shows it when this table is a cell's last line.
        self.box = ipywidgets.VBox([self._head, self._note])
        self._came: SimpleQueue[bool] = SimpleQueue()
        self._update()
        threading.Thread(target=self._follow, name="pay88-table", daemon=True).start()

    def _follow(self) -> None:
        with self._log.listening(lambda: self._came.put(True)):
            while not self._log.closed:
                self._update()
                self._came.get()
        self._update()

    def _update(self) -> None:
        fresh, self._position = self._log.since(self._position)
        for received in fresh:
            first, _ = self._rows.get(received.id, (received, 0))
            self._rows[received.id] = first, received.times
            page = _row(first, received.times)
            if received.id in self._shown:
                self._shown[received.id].value = page
            else:
                self._shown[received.id] = ipywidgets.HTML(page)
        while len(self._rows) > ROWS:
            oldest = next(iter(self._rows))
            del self._rows[oldest]
            # A widget that is not closed stays in the browser's memory.
            self._shown.pop(oldest).close()
        if fresh:
            self._note.value = f"<small>{html.escape(NOTE)}</small>"
            # New rows at the end: those above stay as they are, and as open as they are.
            self.box.children = [self._head, *self._shown.values(), self._note]

    def __str__(self) -> str:
        return as_text(self._rows.values())

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, Any]:
        return dict(self.box._repr_mimebundle_()) | {"text/plain": str(self)}


def as_text(rows: Iterable[tuple[Received, int]]) -> str:
    """The table for a terminal."""
    lines = [list(COLUMNS), *(_cells(*row) for row in list(rows))]
    if len(lines) == 1:
        return EMPTY
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    told = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*told, NOTE])


def _cells(received: Received, times: int) -> list[str]:
    cells = received.cells() | {"times": str(times)}
    return [one_line(cells.get(name, "–"))[:60] for name in COLUMNS]


def _row(received: Received, times: int) -> str:
    cells = "".join(
        f'<span style="overflow:hidden;text-overflow:ellipsis">{html.escape(cell)}</span>'
        for cell in _cells(received, times)
    )
    body = received.body[:SHOWN] + ("…" if len(received.body) > SHOWN else "")
    text = "\n".join(map(one_line, body.splitlines()))
    return (
        f'<details><summary style="cursor:pointer">'
        f'<div style="{_GRID};width:calc(100% - 1.4em);display:inline-grid">{cells}</div>'
        f'</summary><pre style="white-space:pre-wrap;overflow-wrap:anywhere">'
        f"{html.escape(text)}</pre></details>"
    )
