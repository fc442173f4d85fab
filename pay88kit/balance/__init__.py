"""What a balance says: its readings, alerts and history, and what to do with it."""

from pay88kit.balance.alerts import Alert, Alerts, Thresholds, alerts
from pay88kit.balance.cache import AsyncBalanceCache, BalanceCache
from pay88kit.balance.explain import Explanation, explain
from pay88kit.balance.history import History, history
from pay88kit.balance.metrics import Metrics, metrics
from pay88kit.balance.payouts import NotEnoughFunds, check_before_payout
from pay88kit.balance.reconcile import reconcile, reconcile_all
from pay88kit.balance.reconciliation import Part, Reconciliation
from pay88kit.balance.scenarios import Reading, Readings, scenario
from pay88kit.balance.settlement import Settlement, settle_when

__all__ = [
    "Alert",
    "Alerts",
    "AsyncBalanceCache",
    "BalanceCache",
    "Explanation",
    "History",
    "Metrics",
    "NotEnoughFunds",
    "Part",
    "Reading",
    "Readings",
    "Reconciliation",
    "Settlement",
    "Thresholds",
    "alerts",
    "check_before_payout",
    "explain",
    "history",
    "metrics",
    "reconcile",
    "reconcile_all",
    "scenario",
    "settle_when",
]
