"""Which alerts of a balance somebody is still to be told of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pay88kit import money
from pay88kit.balance.alerts import Alert, Alerts, Thresholds, alerts
from pay88kit.balance.figures import Figures


@dataclass(frozen=True)
class Change:
    """The alerts of a balance, and those among them that were not told before.

    Attributes:
        alerts: all of them.
        fired: those that somebody is to be told of now.
        known: level and field of those that were told, now or before: what the next one is
            compared with.
    """

    alerts: Alerts
    fired: tuple[Alert, ...]
    known: frozenset[tuple[str, str]]

    @property
    def fires(self) -> bool:
        """Whether somebody is to be told now."""
        return bool(self.fired)

    def record(self) -> dict[str, Any]:
        """As JSON: amounts are strings, as in 88Pay's balance."""
        found = [
            {
                name: money.to_text(v) if isinstance(v, Decimal) else v
                for name, v in alert.record().items()
            }
            | {"fires": alert in self.fired}
            for alert in self.alerts
        ]
        return {"alerts": found, "fires": self.fires}

    def report(self, limits: Thresholds) -> dict[str, str]:
        """What the books keep of it; see :meth:`pay88kit.Books.reported`."""
        return {"limits": name_of(limits), "alerts": money.dumps(sorted(self.known))}


def name_of(limits: Thresholds) -> str:
    """The limits as text: who judges by others is another monitor, and told by itself."""
    return money.dumps(
        {name: None if v is None else money.to_text(Decimal(v)) for name, v in vars(limits).items()}
    )


def change_of(before: Mapping[str, Any] | None, balance: Any, limits: Thresholds) -> Change:
    """What fires for a balance, given the snapshot that was last reported by the same limits.

    An alert fires once: when its level and field were not told then. What the limits of today make
    of that snapshot does not count, because nobody was told of it. A new account, on which nothing
    has moved yet, has no funds either, but that alarms nobody. What was told of a number that is
    missing now stays told.
    """
    found = alerts(balance, limits)
    told = money.loads(before["alerts"]) if before is not None else []
    missing = {alert.field for alert in found if alert.value is None}
    known = frozenset(
        (level, field) for level, field in told if (level, field) in found.keys or field in missing
    )
    untouched = before is None or Figures.of(before).unmoved
    if untouched and Figures.of(balance).unmoved:
        return Change(found, (), known)
    fired = tuple(a for a in found if a.alarming and (a.level, a.field) not in known)
    return Change(found, fired, known | found.keys)
