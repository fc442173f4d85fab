"""The orders of the drill; every process makes the same ones."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

BANK_DETAILS = {
    "bank_name": "Bancolombia",
    "account_number": "1234567890",
    "account_type": "SAVINGS",
    "holder_name": "Ana Pérez",
    "identification": "900123456",
}


def orders(operation: str, count: int, notify: str) -> list[dict[str, Any]]:
    """``count`` orders, each with a key, which is the customer's id as well."""
    made = []
    for number in range(1, count + 1):
        key = f"{operation}-{number}"
        order = {
            "key": key,
            "method_code": "PSE" if operation == "charge" else "BANK_TRANSFER",
            "amount": Decimal(50_000) + Decimal(number) / 100,
            "currency": "COP",
            "country": "COL",
            "description": f"Order {number}",
            "customer_id": key,
            "notification_url": notify,
        }
        if operation == "cashout":
            order["bank_details"] = BANK_DETAILS
        made.append(order)
    return made


def split(count: int) -> tuple[int, int]:
    """How many charges and how many payouts: one payout to three charges."""
    return count - count // 4, count // 4
