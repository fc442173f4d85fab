"""88Pay's integration checklist, and which lesson covers which of its items."""

from __future__ import annotations

from dataclasses import dataclass

from pay88kit.display import grid_html


@dataclass(frozen=True)
class Item:
    """One item, in 88Pay's words and order. ``by_doing`` says whether a lesson can practise it."""

    number: int
    text: str
    lesson: str
    by_doing: bool


ITEMS = tuple(
    Item(number, text, lesson, by_doing)
    for number, (text, lesson, by_doing) in enumerate(
        (
            ("Create 88Pay account", "01_credentials", False),
            ("Upload and get documents approved", "01_credentials", False),
            ("Obtain API credentials", "01_credentials", False),
            ("Set up development environment", "00_start_here", True),
            ("Configure sandbox credentials", "01_credentials", True),
            ("Implement token generation", "02_token", True),
            ("Create first test payment", "03_charge", True),
            ("Set up webhook endpoint", "04_webhooks", True),
            ("Handle webhook notifications", "04_webhooks", True),
            ("Implement error handling", "07_errors_and_limits", True),
            ("Test successful payments", "03_charge", True),
            ("Test failed payments", "03_charge", True),
            ("Test webhook delivery", "04_webhooks", True),
            ("Test token expiration", "02_token", True),
            ("Test rate limiting", "07_errors_and_limits", True),
            ("Switch to production credentials", "09_go_live", False),
            ("Configure production webhook URL", "09_go_live", False),
            ("Set up monitoring and alerts", "06_balance", True),
            ("Document integration", "09_go_live", False),
            ("Train support team", "09_go_live", False),
        ),
        1,
    )
)


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
