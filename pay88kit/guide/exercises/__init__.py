"""The guide's exercises: what a learner is asked, and how the answer is judged.

One module a lesson (``lesson_03``) holds the text, the starter, the solution, the wrong answers
and the check of each exercise. The notebooks' cells are written from it, and so are the tests.
"""

from pay88kit.guide.exercises.turn import your_turn

__all__ = ["your_turn"]
