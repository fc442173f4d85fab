"""What the guide's notebooks use beside the package itself."""

from pay88kit.guide.checklist import checklist
from pay88kit.guide.exercises import your_turn
from pay88kit.guide.lesson import chart, expect, lesson_config
from pay88kit.guide.points import points

__all__ = ["chart", "checklist", "expect", "lesson_config", "points", "your_turn"]
