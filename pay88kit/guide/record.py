"""The record of an integration, filled from what happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pay88kit.client import Pay88
from pay88kit.config import Config, mask
from pay88kit.display import as_text, one_line
from pay88kit.guide.evidence import Place, Told, recorded
from pay88kit.guide.markdown import escaped

# References that are named; the others are in the books.
_MOST = 3
_TO_FILL_IN = "(to be filled in by you)"


class IntegrationRecord:
    """What was done, as a Markdown table for your team's documents. It holds no secrets."""

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        self._rows = [(one_line(name), one_line(value)) for name, value in rows]

    @property
    def markdown(self) -> str:
        """The table. Everything in it is escaped: references and statuses are 88Pay's words."""
        lines = [f"| {escaped(name)} | {escaped(value)} |" for name, value in self._rows]
        return "\n".join(["| What | Evidence |", "|---|---|", *lines]) + "\n"

    def __repr__(self) -> str:
        return as_text("Integration record", self._rows)

    def _repr_markdown_(self) -> str:
        return self.markdown


def integration_record(
    *clients: Pay88,
    checks: Mapping[str, str] | None = None,
    ask: Iterable[str] | Mapping[str, str] = (),
) -> IntegrationRecord:
    """The record of an integration; making one is practice for item 19 of the checklist.

    Args:
        clients: for each, which 88Pay it talks to, and what its books say of that environment:
            operations by status, with references.
        checks: what was checked, and the result in one line.
        ask: what no program can know; these rows are left for you, or have your answers where
            it maps each to one.

    Raises:
        BooksError: books cannot be read.
    """
    rows = [row for client in clients for row in _of(client)]
    rows += (checks or {}).items()
    answers = ask if isinstance(ask, Mapping) else dict.fromkeys(ask, "")
    rows += [(name, answer or _TO_FILL_IN) for name, answer in answers.items()]
    left = sum(not answer for answer in answers.values())
    if clients:
        recorded(19, Told.RECORD.format(filled=len(rows) - left, lines=len(rows)))
    return IntegrationRecord(rows)


def _of(client: Pay88) -> Iterator[tuple[str, str]]:
    config = client.config
    name = _name(config)
    yield f"{name}: merchant", str(config.merchant_id)
    yield f"{name}: key", mask(config.api_key or "")
    if client.books is None:
        return
    every = client.books.operations()
    mine = every[
        (every["environment"] == config.environment) & (every["merchant_id"] == config.merchant_id)
    ]
    # An operation that is unknown or was refused has no status.
    status = mine["status"].fillna(mine["state"])
    for (operation, state), group in mine.groupby([mine["operation"], status]):
        found = list(group["reference"].dropna())
        named = ", ".join(found[:_MOST]) + (", …" if len(found) > _MOST else "")
        yield f"{name}: {operation} {state}", f"{len(group)}" + (f" ({named})" if named else "")


def _name(config: Config) -> str:
    """The environment. A sandbox that plays production must not be taken for it."""
    if config.environment != "local" and not Place.of(config).at_88pay:
        return f"{config.environment} (rehearsed locally)"
    return config.environment
