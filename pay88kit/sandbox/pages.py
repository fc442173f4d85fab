"""The pages a customer sees: checkout, cash voucher, transfer by QR code. Plain, and simulated."""

from __future__ import annotations

import html
from concurrent.futures import wait
from contextlib import suppress
from urllib.parse import parse_qs

from pay88kit import money
from pay88kit.sandbox.reply import Ask, Reply, error, page
from pay88kit.sandbox.world import Conflict, Transaction, World

KINDS = ("checkout", "voucher", "qr")

# No script, no font, no picture from elsewhere: the page works offline and behind any proxy, and
# every address in it is relative.
_TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · simulated 88Pay</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 30rem; margin: 2rem auto; padding: 0 1rem; }}
.note {{ border: 1px solid; border-radius: .4rem; padding: .4rem .8rem; }}
.amount {{ font-size: 2rem; font-weight: 600; margin: .5rem 0; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; }}
dt {{ opacity: .75; }} dd {{ margin: 0; overflow-wrap: anywhere; }}
button, .button {{ font: inherit; padding: .6rem 1.4rem; border-radius: .4rem; border: 1px solid;
  background: none; color: inherit; cursor: pointer; text-decoration: none; display: inline-block; }}
button.pay {{ background: #14532d; border-color: #14532d; color: #fff; }}
form {{ display: flex; gap: .75rem; }}
button:focus-visible, .form {{ display: flex; gap: .75rem; }}
button:focus-visible {{ outline: 3px solid #2563eb; outline-offset: 2px; }}
</style>
</head>
<body>
<p class="note">Simulated data, not 88Pay. No money moves.</p>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""  # noqa: E501


class Pages:
    """What a browser gets under ``/checkout/``, ``/voucher/`` and ``/qr/``."""

    def __init__(self, world: World) -> None:
        self._world = world

    def serves(self, path: str) -> bool:
        """Whether ``path`` is a page of the customer's."""
        return path.count("/") == 2 and path.split("/")[1] in KINDS

    def answer(self, ask: Ask) -> Reply:
        """Show a transaction, or take the customer's decision."""
        transaction = self._world.codes.get(ask.path.rsplit("/", 1)[1])
        if transaction is None:
            return page(_page("Not found", "<p>No payment belongs to this address.</p>"), 404)
        if ask.method in ("GET", "HEAD"):
            return page(_show(transaction, ask.path.split("/")[1]))
        if ask.method != "POST":
            return error(405, "method: use GET or POST.", {"Allow": "GET, POST"})
        if ask.headers.get("sec-fetch-site") == "cross-site":
            return error(403, "origin: another site's page may not pay here.")
        decision = parse_qs(ask.body.decode("ascii", "replace")).get("decision", [""])[0]
        if decision not in ("pay", "decline"):
            return error(400, "decision: send pay or decline.")
        # Decided already, perhaps in another tab: then the page shows what was decided.
        with suppress(Conflict):
            wait(self._world.finish(transaction, "COMPLETED" if decision == "pay" else "REJECTED"))
        # The answer to a form is a redirect to the same page, so that reloading repeats nothing.
        return Reply(303, b"", {"Location": ask.path.rsplit("/", 1)[1]})


def _page(title: str, body: str) -> str:
    return _TEMPLATE.format(title=html.escape(title), body=body)


_TITLES = {"checkout": "Checkout", "voucher": "Cash voucher", "qr": "Pay with USDT"}
_PAY = {"checkout": "Pay", "voucher": "Paid at the counter", "qr": "Payment sent"}


def _show(transaction: Transaction, kind: str) -> str:
    amount = money.show(money.from_cents(transaction.amount), transaction.currency)
    facts = {
        "Merchant": transaction.merchant_id,
        "For": transaction.description,
        "Method": transaction.method.code,
        "Reference": transaction.reference,
        "Status": transaction.status,
    }
    if kind == "voucher":
        facts["Payment code"] = transaction.payment_code
    listed = "".join(
        f"<dt>{name}</dt><dd>{html.escape(value)}</dd>" for name, value in facts.items()
    )
    if transaction.status == "PENDING":
        below = (
            '<form method="post">'
            f'<button class="pay" name="decision" value="pay">{_PAY[kind]}</button>'
            '<button name="decision" value="decline">Decline</button></form>'
        )
    else:
        below = "<p>This page has done its part. The shop learns the result from 88Pay.</p>"
        if transaction.return_url:
            back = html.escape(transaction.return_url, quote=True)
            below += f'<p><a class="button" href="{back}">Back to the shop</a></p>'
    return _page(_TITLES[kind], f'<p class="amount">{amount}</p><dl>{listed}</dl>{below}')
