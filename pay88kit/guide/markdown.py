"""Markdown for the pages of the guide that are written from the code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pay88kit.contract import table_row


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; no cell becomes HTML or another cell."""
    lines = [table_row(*header), "|" + "---|" * len(header)]
    lines += [table_row(*row) for row in rows]
    return "\n".join(lines)
