"""Whether an answer still is the starter's placeholder, the ``...``."""

from __future__ import annotations

import dis
from collections.abc import Callable, Mapping
from types import FunctionType


def _nothing() -> None: ...


def _steps(function: Callable[..., object]) -> list[str]:
    return [step.opname for step in dis.get_instructions(function)]


def untouched(answer: object) -> bool:
    """Whether a ``...`` is left in the answer: as a value, in a container, or as a function's body.

    A function counts as untouched too when it has nothing but a docstring or ``pass``.
    """
    if answer is ...:
        return True
    if isinstance(answer, Mapping):
        return any(untouched(part) for part in answer.values())
    if isinstance(answer, (list, tuple, set)):
        return any(untouched(part) for part in answer)
    if isinstance(answer, FunctionType):
        constants = answer.__code__.co_consts
        # Python leaves a bare `...` out of the compiled body: it looks like an empty function.
        empty = _steps(answer) == _steps(_nothing)
        return ... in constants or (empty and set(constants) <= {None, answer.__doc__})
    return False
