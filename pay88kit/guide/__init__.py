"""What the guide's notebooks use beside the package itself."""

from pay88kit.guide.checklist import checklist
from pay88kit.guide.exercises import your_turn
from pay88kit.guide.lesson import (
    by_hand,
    chart,
    expect,
    lesson_client,
    lesson_config,
    lesson_inbox,
)
from pay88kit.guide.methods import methods
from pay88kit.guide.points import points
from pay88kit.guide.receipt import receipt
from pay88kit.guide.world import World, practice_client

__all__ = [
    "World", "by_hand", "chart", "checklist", "expect", "lesson_client", "lesson_config",
    "lesson_inbox", "methods", "points", "practice_client", "receipt", "your_turn",
]  # fmt: skip
