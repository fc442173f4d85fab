"""What a lesson says between its cells: lines, and perhaps a link."""

from __future__ import annotations

import html
from typing import Any
from urllib.parse import urlsplit

from pay88kit.display import one_line
from pay88kit.errors import needs


class Notice:
    """Something to read, in a notebook and elsewhere.

    The address is 88Pay's text: it is escaped, and is a link only if it leads into the web.
    """

    def __init__(self, *lines: str, url: str | None = None, label: str = "") -> None:
        self._lines = [one_line(line) for line in lines]
        self._url = one_line(url) if url is not None else None
        self._label = one_line(label)

    def __repr__(self) -> str:
        link = [f"{self._label}: {self._url}"] if self._url is not None else []
        return "\n".join([*link, *self._lines])

    def _repr_html_(self) -> str:
        lines = [html.escape(line) for line in self._lines]
        if self._url is not None:
            url, label = html.escape(self._url), html.escape(self._label)
            link = f'<a href="{url}" target="_blank" rel="noopener noreferrer">{label}</a>'
            lines.insert(0, link if _is_web(self._url) else f"{label}: <code>{url}</code>")
        return f"<p>{'<br>'.join(lines)}</p>"


def show(notice: Notice, **options: Any) -> Any:
    """Show it below the cell that runs."""
    with needs("guide"):
        from IPython.display import display
    return display(notice, **options)  # type: ignore[no-untyped-call]


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
