"""What the onboarding report shows: how far a developer has come, and what proves it."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from pay88kit.display import one_line
from pay88kit.guide.catalogue import ITEMS, PAGES, Item
from pay88kit.guide.checklist import Checklist, example
from pay88kit.guide.evidence import LOCAL, NO_ITEM, Kind, all_evidence, told
from pay88kit.guide.exercises.turn import every_exercise, lesson_exercises
from pay88kit.guide.markdown import escaped
from pay88kit.guide.sheet import Sheet
from pay88kit.language import _
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
    name = escaped(one_line(str(developer or "")))
    parts = [
        _("Developer: {name}", name=name) if name else _("Developer: not named"),
        _("Merchants at 88Pay: {merchants}", merchants=escaped(", ".join(merchants)))
        if merchants
        else _("Merchants at 88Pay: none yet"),
        _(
            "Evidence: {first} to {last}",
            first=_when(found["at"].min(), zone),
            last=_when(found["at"].max(), zone),
        )
        if len(found)
        else _("Evidence: none yet"),
        _("Times: {zone}", zone=escaped(str(zone))),
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
    at_home = _(
        "**Practised locally: {practised} of {items} items, {solved} of {exercises} exercises "
        "solved.** That is the sandbox inside the kit: {simulated}.",
        practised=len(board.practised),
        items=sum(item.local for item in ITEMS),
        solved=len(board.exercises),
        exercises=len(every_exercise()),
        simulated=_(SIMULATED),
    )
    at_88pay = _(
        "**Done: {done} of {items} items.** By 88Pay's own answers: {shown}. Ticked by a person: "
        "{ticked}. This needs the company's account at 88Pay.",
        done=len(done),
        items=len(ITEMS),
        shown=len(shown),
        ticked=len(done - shown),
    )
    return f"{at_home}\n\n{at_88pay}"


def proof(board: Checklist, zone: tzinfo = UTC) -> Sheet:
    """Every piece of evidence of the checklist, in the order of its items."""
    found = board.evidence()
    rows = [
        (
            str(row["item"]), row["environment"], _kind(row["kind"]),
            told(row["kind"], row["what"]),
            row["reference"] if isinstance(row["reference"], str) else "–", _when(row["at"], zone),
        )
        for row in found.to_dict("records")
        if row["item"] != NO_ITEM
    ]  # fmt: skip
    header = (_("Item"), _("Where"), _("Kind"), _("What"), _("Reference"), _("When"))
    return Sheet(_("Evidence"), header, tuple(rows))


def solved(board: Checklist) -> Sheet:
    """How many exercises of each lesson were solved."""
    rows = []
    for page in PAGES:
        ids = [exercise.id for exercise in lesson_exercises(page.place)]
        right = [id for id in ids if id in board.exercises]
        lesson = f"{page.number} {_(page.title)}".strip()
        count = _("{solved} of {exercises}", solved=len(right), exercises=len(ids))
        rows.append((lesson, count, ", ".join(right) or "–"))
    return Sheet(_("Exercises"), (_("Lesson"), _("Solved"), _("Which")), tuple(rows))


def still_open(board: Checklist) -> Sheet:
    """What is not done yet, whose it is, and what would do it."""
    rows = []
    for item in ITEMS:
        if item.number in board.done:
            continue
        practised = item.number in board.practised
        if item.by_hand:
            step = _("when it has happened: {command}", command=example(item))
        elif practised or not item.local:
            lesson = "02_token" if item.number == 5 else item.lesson
            step = _("{lesson}, with PAY88_ENVIRONMENT=sandbox", lesson=lesson)
        else:
            step = _("{lesson}, on the local sandbox first", lesson=item.lesson)
        shown = _("yes") if practised else _("no")
        rows.append((str(item.number), _(item.text), _whose(item), shown, step))
    header = ("#", _("Item"), _("Whose"), _("Practised"), _("Next"))
    return Sheet(_("Not done yet"), header, tuple(rows))


def _kind(kind: str) -> str:
    """How evidence came about; of a check with the exercise's number."""
    name, _space, exercise = kind.partition(" ")
    return f"{_(name)} {exercise}".strip()


def _whose(item: Item) -> str:
    if item.by_hand == "production":
        return _("the team's")
    # The account: before any program.
    return _("the company's") if item.number <= 3 else _("the developer's")


def _when(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"
