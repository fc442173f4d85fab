"""``pay88 doctor``: any 88Pay against the contract, point by point."""

from __future__ import annotations

from pay88kit.doctor.findings import Finding, Verdict
from pay88kit.doctor.report import Report
from pay88kit.doctor.run import Doctor, Plan

__all__ = ["Doctor", "Finding", "Plan", "Report", "Verdict"]
