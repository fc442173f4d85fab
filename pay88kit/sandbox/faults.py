"""Faults on purpose: what goes wrong with which call, how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pay88kit.sandbox.forms import Fault as BadForm

# The last part of 88Pay's paths; * stands for all of them.
OPERATIONS = ("token", "charges", "cash", "cashout-bank-transfer", "balance", "*")
KINDS = ("status", "latency", "drop_before", "drop_after", "malformed")
FIELDS = (
    "operation", "kind", "times", "rate", "sequence", "status", "message", "retry_after", "seconds"
)  # fmt: skip


@dataclass
class Fault:
    """One fault that waits for its calls.

    ``kind``: ``status`` answers ``status`` (500 by default) instead of 88Pay; ``latency`` answers
    after ``seconds`` of real time; ``drop_before`` accepts nothing and answers nothing;
    ``drop_after`` accepts, and its answer is lost; ``malformed`` accepts, and answers half a body.

    It meets ``times`` calls (None: all until it is deleted); with ``rate``, each call with that
    chance, from the seed; with ``sequence``, the calls whose word is ``fail`` (``pass`` lets one
    through), after which it is over.
    """

    operation: str
    kind: str
    times: int | None = 1
    rate: Decimal | None = None
    sequence: list[str] | None = None
    status: int = 500
    message: str = "Simulated fault"
    retry_after: int = 60
    seconds: Decimal = Decimal(1)

    def record(self) -> dict[str, Any]:
        """As the control side shows it, with what is left of it."""
        return {name: getattr(self, name) for name in FIELDS}

    @property
    def over(self) -> bool:
        """Whether it meets no call any more."""
        return self.times == 0 or self.sequence == []

    def meets(self, operation: str, chance: Callable[[], float]) -> bool:
        """Whether this call fails; counts it."""
        if self.over or self.operation not in ("*", operation):
            return False
        if self.sequence is not None:
            return self.sequence.pop(0) == "fail"
        if self.rate is not None and chance() >= self.rate:
            return False
        if self.times is not None:
            self.times -= 1
        return True


def read_fault(fields: Mapping[str, Any]) -> Fault:
    """A fault from the body of ``POST /_sandbox/faults``.

    Raises:
        forms.Fault: 400, naming the field.
    """
    for name in fields:
        if name not in FIELDS:
            raise BadForm(400, f"{name[:40]}: no field of a fault; use {', '.join(FIELDS)}.")
    _one_of(fields, "operation", OPERATIONS)
    _one_of(fields, "kind", KINDS)
    given = dict(fields)
    for name, low, high in (("times", 1, 10**6), ("status", 100, 599), ("retry_after", 0, 10**6)):
        value = given.get(name)
        if value is None and name != "times":
            given.pop(name, None)
        elif value is not None and (not _whole(value) or not low <= value <= high):
            raise BadForm(400, f"{name}: give a whole number from {low} to {high}.")
    for name, high in (("rate", 1), ("seconds", 60)):
        value = given.get(name)
        if value is None:
            given.pop(name, None)
        elif not (_whole(value) or isinstance(value, Decimal)) or not 0 <= value <= high:
            raise BadForm(400, f"{name}: give a number from 0 to {high}.")
        else:
            given[name] = Decimal(value)
    sequence = given.get("sequence")
    if sequence is not None and (
        not isinstance(sequence, list)
        or not 1 <= len(sequence) <= 1_000
        or any(word not in ("fail", "pass") for word in sequence)
    ):
        raise BadForm(400, 'sequence: give a list of "fail" and "pass".')
    if sequence is not None:
        given["sequence"] = list(sequence)
    if not isinstance(given.get("message", ""), str):
        raise BadForm(400, "message: give it as text.")
    # With a rate or a sequence and no count, the rate or the sequence decides when it is over.
    if "times" not in fields and ("rate" in given or sequence is not None):
        given["times"] = None
    return Fault(**given)


def _one_of(fields: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> None:
    value = fields.get(name)
    if not isinstance(value, str) or value not in allowed:
        raise BadForm(400, f"{name}: use one of {', '.join(allowed)}.")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
