"""Which open things add up to a gap: a hint, and only where there is one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Sums that are looked at before it is given up. With many open things there are many answers.
_WORTH_TRYING = 400_000


@dataclass(frozen=True, slots=True)
class Item:
    """One open thing: the part it belongs to, its name, and its amount in cents, above zero."""

    part: str
    label: str
    cents: int


@dataclass(frozen=True)
class Fit:
    """What adds up: the cents of each part, and the names of what may be behind it.

    ``single``: these things and no others; else only the parts and their amounts are sure.
    """

    cents: Mapping[str, int]
    labels: Mapping[str, tuple[str, ...]]
    single: bool


def fitting(items: Sequence[Item], target: int) -> Fit | None:
    """The items that add up to ``target`` cents, or None.

    None where nothing does, where they could be divided among the parts in several ways, and where
    there are too many items to tell.
    """
    parts = list(dict.fromkeys(item.part for item in items))
    place = {part: number for number, part in enumerate(parts)}
    usable = [item for item in items if 0 < item.cents <= target]
    # For each way to divide a sum among the parts: how often it occurs (two are as good as many),
    # and the items of the first one, last first.
    ways: dict[tuple[int, ...], tuple[int, object]] = {(0,) * len(parts): (1, None)}
    tried = 0
    for item in usable:
        tried += len(ways)
        if tried > _WORTH_TRYING:
            return None
        at = place[item.part]
        for way, (count, chosen) in list(ways.items()):
            if sum(way) + item.cents <= target:
                more = (*way[:at], way[at] + item.cents, *way[at + 1 :])
                known, first = ways.get(more, (0, (item, chosen)))
                ways[more] = (min(2, known + count), first)
    found = [way for way in ways if sum(way) == target]
    if len(found) != 1:
        return None
    count, chosen = ways[found[0]]
    cents = {part: found[0][place[part]] for part in parts if found[0][place[part]]}
    single = count == 1
    behind = _unroll(chosen) if single else [item for item in usable if item.part in cents]
    labels = {part: tuple(i.label for i in behind if i.part == part) for part in cents}
    return Fit(cents, labels, single)


def _unroll(chosen: object) -> Sequence[Item]:
    items: list[Item] = []
    while isinstance(chosen, tuple):
        item, chosen = chosen
        items.append(item)
    return items[::-1]
