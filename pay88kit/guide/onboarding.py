"""What the onboarding report shows: how far a developer has come, and what proves it."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from pay88kit.display import one_line
from pay88kit.guide.catalogue import ITEMS, PAGES, Item
from pay88kit.guide.checklist import Checklist, example
from pay88kit.guide.evidence import LOCAL, NO_ITEM, Kind, all_evidence
from pay88kit.guide.exercises.turn import every_exercise, lesson_exercises
from pay88kit.guide.markdown import escaped
from pay88kit.guide.sheet import Sheet
from pay88kit.reports.days import day_of
from pay88kit.reports.words import SIMULATED


def first_line(board: Checklist, developer: str, zone: tzinfo = UTC) -> str:
    """Whose report it is, of which merchants at 88Pay, and from when to when."""
    found = all_evidence()  # books that cannot be read must not look like nothing done
    at_88pay = found[found["environment"] != LOCAL]
    pairs = zip(at_88pay["merchant_id"], at_88pay["environment"], strict=True)
    merchants = sorted(
        {f"{merchant} ({environment})" for merchant, environment in pairs if merchant}
    )
    times = (
        [_when(moment, zone) for moment in (found["at"].min(), found["at"].max())]
        if len(found)
        else []
    )
    parts = [
        f"Developer: {escaped(one_line(str(developer or ''))) or 'not named'}",
        f"Merchants at 88Pay: {escaped(', '.join(merchants)) or 'none yet'}",
        f"Evidence: {' to '.join(times) or 'none yet'}",
        f"Times: {escaped(str(zone))}",
    ]
    return " · ".join(parts)


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name; UTC where it is empty.

    Raises:
        ReportError: there is no such zone.
    """
    return ZoneInfo(day_of("", "2000-01-01", name).zone) if name else UTC


def summary(board: Checklist) -> str:
    """Both counts in words, and what neither of them means."""
    done = set(board.done)
    found = board.evidence()
    real = found[(found["environment"] != LOCAL) & (found["kind"] != Kind.HAND)]
    shown = done & set(real["item"])
    items = f"{len(board.practised)} of {sum(item.local for item in ITEMS)} items"
    exercises = f"{len(board.exercises)} of {len(every_exercise())} exercises"
    return (
        f"**Practised locally: {items}, {exercises} solved.** That is the sandbox inside the kit: "
        f"{SIMULATED}.\n\n"
        f"**Done: {len(done)} of {len(ITEMS)} items.** By 88Pay's own answers: {len(shown)}. "
        f"Ticked by a person: {len(done - shown)}. This needs the company's account at 88Pay."
    )


def proof(board: Checklist, zone: tzinfo = UTC) -> Sheet:
    """Every piece of evidence of the checklist, in the order of its items."""
    found = board.evidence()
    rows = [
        (
            str(row["item"]), row["environment"], row["kind"], row["what"],
            row["reference"] if isinstance(row["reference"], str) else "–", _when(row["at"], zone),
        )
        for row in found.to_dict("records")
        if row["item"] != NO_ITEM
    ]  # fmt: skip
    header = ("Item", "Where", "Kind", "What", "Reference", "When")
    return Sheet("Evidence", header, tuple(rows))


def solved(board: Checklist) -> Sheet:
    """How many exercises of each lesson were solved."""
    rows = []
    for page in PAGES:
        ids = [exercise.id for exercise in lesson_exercises(page.place)]
        right = [id for id in ids if id in board.exercises]
        rows.append((page.label, f"{len(right)} of {len(ids)}", ", ".join(right) or "–"))
    return Sheet("Exercises", ("Lesson", "Solved", "Which"), tuple(rows))


def still_open(board: Checklist) -> Sheet:
    """What is not done yet, whose it is, and what would do it."""
    rows = []
    for item in ITEMS:
        if item.number in board.done:
            continue
        practised = item.number in board.practised
        if item.by_hand:
            step = f"when it has happened: {example(item)}"
        elif practised or not item.local:
            lesson = "02_token" if item.number == 5 else item.lesson
            step = f"{lesson}, with PAY88_ENVIRONMENT=sandbox"
        else:
            step = f"{item.lesson}, on the local sandbox first"
        rows.append((str(item.number), item.text, _whose(item), "yes" if practised else "no", step))
    return Sheet("Not done yet", ("#", "Item", "Whose", "Practised", "Next"), tuple(rows))


def _whose(item: Item) -> str:
    if item.by_hand == "production":
        return "the team's"
    # The account: before any program.
    return "the company's" if item.number <= 3 else "the developer's"


def _when(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"
