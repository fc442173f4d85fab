"""A lesson's receipt: what was done in it, with real references, and what that shows."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

from pay88kit import money
from pay88kit.client import Pay88
from pay88kit.display import Row, Shown
from pay88kit.endpoint_check import EndpointCheck
from pay88kit.errors import WrongUse
from pay88kit.guide.catalogue import ITEMS, PAGES, Item, Page
from pay88kit.guide.checklist import Checklist, example
from pay88kit.guide.evidence import Witness, judged, troubles, witness_of
from pay88kit.guide.exercises.turn import lesson_exercises
from pay88kit.guide.exercises.world import KEY

# More would be no receipt; the books have all of them.
_MOST = 6


class Receipt(Shown):
    """What was done, row by row; the same as text and as HTML."""

    def __init__(self, page: Page, rows: list[Row]) -> None:
        self._page = page
        self._lines = rows

    def _title(self) -> str:
        return f"What you did in {self._page.label}"

    def _rows(self) -> list[Row]:
        return self._lines

    def __repr__(self) -> str:
        return str(self)


def receipt(lesson: str, client: Pay88 | None = None, *checks: EndpointCheck) -> Receipt:
    """The receipt of a lesson: its operations, notifications, exercises, and checklist items.

    It counts what the client and the inbox of the lesson have done since the kernel started.

    Args:
        lesson: its number, such as ``"03"``, or ``"explore"``.
        client: the lesson's, from ``lesson_client()``, where it has one.
        checks: verdicts on an endpoint that the lesson brought.

    Raises:
        WrongUse: there is no such lesson.
        BooksError: the books cannot be read.
    """
    pages = {page.number or page.name: page for page in PAGES}
    page = pages.get(str(lesson))
    if page is None:
        known = ", ".join(pages)
        raise WrongUse(f"lesson: there is no {lesson!r}. Use one of {known}.")
    for check in checks:
        judged(check)
    rows: list[Row] = []
    if client is not None:
        witness = witness_of(client.config)
        rows += [*_operations(client, witness), *_events(witness)]
    rows += [("endpoint", check.summary()) for check in checks]
    return Receipt(page, [*rows, *_progress(page), *(("not kept", said) for said in troubles())])


def _operations(client: Pay88, witness: Witness) -> Iterator[Row]:
    """What the books have of this merchant since the kernel started, a check's own left out."""
    if client.books is None:
        return
    frame = client.books.operations(
        environment=client.config.environment, merchant_id=str(client.config.merchant_id)
    )
    # A local sandbox begins anew with its references, books that were named do not.
    frame = frame[frame["reference"].isna() | ~frame["reference"].duplicated(keep="last")]
    rows = [row for row in frame.to_dict("records") if _is_mine(row, witness)]
    for row in rows[:_MOST]:
        amount = money.show(row["amount"], row["currency"])
        named = row["reference"] if isinstance(row["reference"], str) else "without a reference"
        status = row["status"] if isinstance(row["status"], str) else row["state"]
        yield f"{row['operation']} {named}", f"{row['method_code']}, {amount}: {status}"
    if len(rows) > _MOST:
        yield "and more", f"{len(rows) - _MOST} operations: client.books.operations()"


def _is_mine(row: Mapping[Hashable, object], witness: Witness) -> bool:
    """Whether it happened in this kernel, or may have, and is not a check's."""
    reference = row["reference"]
    here = not isinstance(reference, str) or reference in witness.references
    return here and not str(row["key"]).startswith(KEY)


def _events(witness: Witness) -> Iterator[Row]:
    if witness.notifications:
        repeats = f", {witness.repeats} of them repeats" if witness.repeats else ""
        yield "notifications", f"{witness.notifications} kept{repeats}"
    if witness.errors:
        yield "errors met", ", ".join(map(str, sorted(witness.errors)))


def _progress(page: Page) -> Iterator[Row]:
    board = Checklist()
    exercises = [exercise.id for exercise in lesson_exercises(page.place)]
    solved = [id for id in exercises if id in board.exercises]
    if exercises:
        yield "your turn", f"{len(solved)} of {len(exercises)} solved"
    marks = (("practised locally", board.practised), ("done", board.done))
    for item in ITEMS:
        if item.number in page.items:
            shown = [name for name, items in marks if item.number in items]
            yield f"item {item.number}", " and ".join(shown) or f"open: {_way_to(item)}"


def _way_to(item: Item) -> str:
    """What would tick an open item here."""
    if item.local and item.checks:
        return f"solve {' or '.join(item.checks)}"
    if item.by_hand:
        return f"tick it when it is done: {example(item)}"
    if item.local:
        return "run this lesson to its end"
    return "when 88Pay's sandbox has taken your key: run lesson 02 with PAY88_ENVIRONMENT=sandbox"
