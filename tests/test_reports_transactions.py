"""What the transactions report makes of the books."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pay88kit import Pay88, Sandbox, demo, reports
from pay88kit.books.tables import OPERATION_COLUMNS
from pay88kit.frames import to_frame

DAYS = reports.days_of("MCH-COL-1", "2026-01-15", "2026-01-16")  # from 05:00 UTC to 05:00 UTC
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def operation(status: str | None = "COMPLETED", **changes: Any) -> dict[str, Any]:
    values = {
        "operation": "charge", "method_code": "PSE", "country": "COL", "currency": "COP",
        "amount": Decimal("100.10"), "state": "created", "status": status, "created_at": NOON,
        "updated_at": NOON + timedelta(minutes=2),
    }  # fmt: skip
    return values | changes


def made(*operations: dict[str, Any]) -> reports.Transactions:
    return reports.Transactions(to_frame(list(operations), OPERATION_COLUMNS), DAYS)


def rows(table: reports.Table) -> list[dict[str, Any]]:
    return table.frame.to_dict("records")


def test_counts_acceptance_sum_and_time() -> None:
    (row,) = rows(
        made(
            operation(),
            operation(updated_at=NOON + timedelta(minutes=5)),
            operation("REJECTED"),
            operation("PENDING"),
            operation(None, state="refused"),
            operation(None, state="unknown"),
        ).by("method_code", title="t")
    )
    assert row == {
        "method_code": "PSE", "currency": "COP", "count": 6, "completed": 2, "rejected": 1,
        "other": 3, "acceptance %": Decimal("66.67"), "completed amount": Decimal("200.20"),
        "median minutes": Decimal("3.50"),
    }  # fmt: skip


def test_a_status_is_88pays_or_what_the_books_know() -> None:
    found = rows(
        made(
            operation(None, state="refused"),
            operation(None, state="unknown"),
            operation(None, state="created"),
            operation("EXPIRED"),
        ).by_status()
    )
    assert {row["status"]: row["count"] for row in found} == {
        "EXPIRED": 1, "no status yet": 1, "refused by 88Pay": 1, "unknown outcome": 1,
    }  # fmt: skip


def test_two_currencies_are_two_rows_and_no_sum() -> None:
    report = made(operation(), operation(currency="USD", amount=Decimal("7.00")))
    found = {row["currency"]: row["completed amount"] for row in rows(report.by(title="t"))}
    assert found == {"COP": Decimal("100.10"), "USD": Decimal("7.00")}
    assert repr(report.summary()) == (
        "Charges: 2, completed 2 (100.00 % of those decided), 100.10 COP and 7.00 USD. "
        "Payouts: none."
    )


def test_a_day_is_one_of_the_reports_zone() -> None:
    late = NOON.replace(hour=4) + timedelta(days=1)  # 23:00 of the 15th in Bogotá
    daily = made(operation(), operation("REJECTED", created_at=late)).daily()
    assert daily.counts["rejected"] == {"2026-01-15": 1, "2026-01-16": 0}
    assert daily.describe() == (
        "Bars for each day of 2026-01-15 to 2026-01-16, both included, America/Bogota: "
        "1 completed, 1 rejected, 0 other; most on 2026-01-15: 2."
    )


def test_days_without_operations_say_so() -> None:
    report = made()
    assert repr(report.summary()) == "Charges: none. Payouts: none."
    assert rows(report.by("day", title="t")) == []
    assert report.daily().describe().endswith("0 completed, 0 rejected, 0 other.")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["COMPLETED", "REJECTED", "PENDING", None]),
            st.decimals("0.01", "9999999999999", places=2),
            st.sampled_from(["COP", "USD"]),
        ),
        max_size=30,
    )
)
def test_every_table_counts_each_operation_once_and_exactly(
    drawn: list[tuple[str | None, Decimal, str]],
) -> None:
    report = made(*(operation(s, amount=a, currency=c) for s, a, c in drawn))
    for table in (report.by("method_code", title="t"), report.by("day", title="t")):
        assert sum(row["count"] for row in rows(table)) == len(drawn)
        for currency in ("COP", "USD"):
            exact = sum((a for s, a, c in drawn if (s, c) == ("COMPLETED", currency)), Decimal(0))
            found = [r["completed amount"] for r in rows(table) if r["currency"] == currency]
            assert sum(found, Decimal(0)) == exact
    assert sum((r["amount"] for r in rows(report.by_status())), Decimal(0)) == sum(
        (a for _, a, _ in drawn), Decimal(0)
    )


def test_the_sentence_of_a_reconciliation_says_if_it_agrees() -> None:
    from pay88kit.balance import reconcile

    days = reports.days_of("MCH-COL-29ZTP4", "2026-01-15", "2026-01-15")
    client = demo.play_days("MCH-COL-29ZTP4", days.bounds(), snapshots=True)
    compared = reconcile(client.books, client.balance(), config=client.config, since=days.start)
    assert (
        repr(reports.verdict(compared)) == "The books and the balance agree; the gap is 0.00 COP."
    )
    sandbox: Sandbox = client.sandbox
    sandbox.charge_fees(1_000, "MCH-COL-29ZTP4")
    compared = reconcile(client.books, client.balance(), config=client.config, since=days.start)
    assert "differ by -1,000.00 COP; not all of it is known." in repr(reports.verdict(compared))
    first = Pay88(Sandbox().config)
    compared = reconcile(first.books, first.balance(), config=first.config)
    assert "no opening snapshot" in repr(reports.verdict(compared))


def test_the_days_of_a_range() -> None:
    days = reports.days_of("MCH-CHL-1", "2026-09-05", "2026-09-07")
    hours = [(end - start).total_seconds() / 3600 for start, end in days.bounds()]
    assert hours == [24, 23, 24]  # Chile sets its clocks forward on the 6th
    assert (days.bounds()[0][0], days.bounds()[-1][1]) == (days.start, days.end)
    with pytest.raises(reports.ReportError, match="last_day: 2026-01-01 lies before first_day"):
        reports.days_of("MCH-COL-1", "2026-01-02", "2026-01-01")
