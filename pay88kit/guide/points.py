"""What 88Pay documents and what the kit assumes about one subject, for the lesson that teaches it.

The table is ``pay88kit/contract.py``'s, the same that ``pay88 doctor`` asks an 88Pay about.
"""

from __future__ import annotations

from pay88kit.contract import POINTS, Point
from pay88kit.display import grid_html, one_line


class Points:
    """The points of one subject. Whether 88Pay documents a point is said in words at each."""

    _HEADER = ("Source", "88Pay says, or leaves open", "The kit assumes")

    def __init__(self, subject: str, points: tuple[Point, ...], of: tuple[Point, ...]) -> None:
        self._points = points
        documented = sum(point.documented for point in of)
        self._title = (
            f"{subject}: {documented} points documented by 88Pay, "
            f"{len(of) - documented} assumed by the kit"
        )
        if len(points) < len(of):
            self._title += " (only these are listed)"

    def _cells(self) -> list[tuple[str, str, str]]:
        return [
            (_source(point), point.topic, "–" if point.documented else point.reading)
            for point in self._points
        ]

    def __repr__(self) -> str:
        lines = (f"  {_source(point):<10}  {one_line(point.statement)}" for point in self._points)
        return "\n".join([self._title, *lines])

    def _repr_html_(self) -> str:
        return grid_html(self._title, self._HEADER, self._cells())


def _source(point: Point) -> str:
    return "documented" if point.documented else "assumed"


def points(subject: str, *, assumed: bool = False) -> Points:
    """The points of a subject, as ``docs/what_is_simulated.md`` lists them under "About".

    Args:
        subject: such as ``Webhooks``.
        assumed: list only what the kit assumes.

    Raises:
        ValueError: there is no such subject.
    """
    of = tuple(point for point in POINTS if point.section == subject)
    if not of:
        known = ", ".join(dict.fromkeys(point.section for point in POINTS))
        raise ValueError(f"subject: nothing about {subject!r}. Use one of: {known}.")
    return Points(subject, tuple(p for p in of if not (assumed and p.documented)), of)
