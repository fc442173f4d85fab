"""The merchant's program of the drill, with pay88kit. It may be killed at any moment."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from orders import orders, split

from pay88kit import Pay88, Pay88Error, Policy


def main() -> None:
    """Place every order once; what was placed before is known by its key."""
    plan = json.loads(sys.argv[1])
    logging.disable(logging.CRITICAL)
    # Short, so that what a killed process leaves behind is soon known to be nobody's.
    policy = Policy(backoff=(0.05, 0.1, 0.2), deadline=2.0, max_wait=1.5)
    # One line for each answer: whoever watches counts them.
    tell = {"response": [lambda response: print("answer", flush=True)]}
    charges, payouts = split(plan["count"])

    def pay_out(order: dict[str, Any]) -> None:
        fields = {name: value for name, value in order.items() if name != "key"}
        # Whatever came of it, the books have it.
        with contextlib.suppress(Pay88Error):
            client.cashout(key=order["key"], **fields)

    with Pay88(books=plan["books"], policy=policy, event_hooks=tell) as client:
        client.charge_many(orders("charge", charges, plan["notify"]), progress=False)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(pay_out, orders("cashout", payouts, plan["notify"])))


if __name__ == "__main__":
    main()
