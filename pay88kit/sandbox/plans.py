"""Scripted notifications: what an endpoint must stand, in any order the plan says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from pay88kit.sandbox.forms import Fault

TOKENS = (
    "valid", "stale", "future", "foreign", "missing", "other_transaction", "other_amount"
)  # fmt: skip
STATUSES = ("PENDING", "COMPLETED", "REJECTED")
MOST_STEPS = 100


@dataclass(frozen=True)
class Step:
    """One notification of a plan.

    ``after`` counts seconds on the sandbox's clock from the start of the plan. ``status`` and
    ``amount`` change what the body says; ``fields`` adds to it, or changes it. ``token`` is
    ``valid``, ``stale`` (ten minutes old), ``future`` (ten minutes ahead), ``foreign`` (of another
    secret), ``missing``, or belongs to an ``other_transaction`` or ``other_amount``. It is sent
    ``times`` times. With ``retry`` a failed attempt is followed by 88Pay's retries.
    """

    after: Decimal = Decimal(0)
    status: str | None = None
    amount: str | None = None
    token: str = "valid"  # noqa: S105 - a kind of token
    times: int = 1
    retry: bool = False
    fields: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """As the control side shows it."""
        return asdict(self)


# The notification that 88Pay itself would send.
PLAIN = Step(retry=True)


def read_steps(value: Any) -> list[Step]:
    """The steps of a plan from the body of ``POST /_sandbox/deliveries``.

    Raises:
        Fault: 400, naming the field.
    """
    if not isinstance(value, list) or len(value) > MOST_STEPS:
        raise Fault(400, f"steps: give a list of at most {MOST_STEPS} steps.")
    return [_step(index, item) for index, item in enumerate(value)]


def _step(index: int, item: Any) -> Step:
    where = f"steps[{index}]"
    if not isinstance(item, Mapping):
        raise Fault(400, f"{where}: give an object.")
    known = Step.__dataclass_fields__
    for name in item:
        if name not in known:
            raise Fault(400, f"{where}.{name[:40]}: unknown; use {', '.join(known)}.")
    given = {name: value for name, value in item.items() if value is not None}
    after, times = given.get("after", 0), given.get("times", 1)
    if isinstance(after, bool) or not isinstance(after, int | Decimal) or not 0 <= after <= 10**7:
        raise Fault(400, f"{where}.after: give seconds from 0 to 10000000.")
    if isinstance(times, bool) or not isinstance(times, int) or not 1 <= times <= 100:
        raise Fault(400, f"{where}.times: give a whole number from 1 to 100.")
    if not isinstance(given.get("status", ""), str):
        raise Fault(400, f"{where}.status: give text such as {', '.join(STATUSES)}.")
    if not isinstance(given.get("amount", ""), str):
        raise Fault(400, f'{where}.amount: give it as text, as in a notification: "50000".')
    if given.get("token", "valid") not in TOKENS:
        raise Fault(400, f"{where}.token: use one of {', '.join(TOKENS)}.")
    if not isinstance(given.get("retry", False), bool):
        raise Fault(400, f"{where}.retry: give true or false.")
    if not isinstance(given.get("fields", {}), Mapping):
        raise Fault(400, f"{where}.fields: give an object.")
    return Step(**(given | {"after": Decimal(after)}))
