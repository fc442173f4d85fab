"""Markdown that is written from the code."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from pay88kit.contract import table_row

# What would be formatting in Markdown, a table's border, or mathematics in a notebook.
_MARKS = re.compile(r"[\\`*\[\]|~$]|(?<!\w)_|_(?!\w)")


def escaped(text: str) -> str:
    """A stranger's text, so that Markdown shows it as it stands."""
    return _MARKS.sub(lambda match: f"&#{ord(match[0])};", html.escape(text, quote=False))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; no cell becomes HTML or another cell."""
    lines = [table_row(*header), "|" + "---|" * len(header)]
    lines += [table_row(*row) for row in rows]
    return "\n".join(lines)
