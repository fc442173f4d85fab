"""88Pay's integration checklist as a table, each item with its lesson."""

from __future__ import annotations

from pay88kit.display import grid_html
from pay88kit.guide.catalogue import ITEMS


class Checklist:
    """The items as a table."""

    _HEADER = ("#", "Item", "Lesson", "How")

    def _cells(self) -> list[tuple[str, str, str, str]]:
        return [
            (str(item.number), item.text, item.lesson, "here" if item.by_doing else "by you")
            for item in ITEMS
        ]

    def __repr__(self) -> str:
        return "\n".join(
            f"{number:>2}  {text:<36}{lesson:<22}{how}"
            for number, text, lesson, how in (self._HEADER, *self._cells())
        )

    def _repr_html_(self) -> str:
        links = {item.lesson: f"{item.lesson}.ipynb" for item in ITEMS}
        title = "88Pay's integration checklist"
        return grid_html(title, self._HEADER, self._cells(), numbers=["#"], links=links)


def checklist() -> Checklist:
    """88Pay's twenty items, each with its lesson."""
    return Checklist()
