"""The pages a customer sees: checkout, cash voucher, transfer by QR code. Plain, and simulated."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping
from concurrent.futures import wait
from contextlib import suppress
from functools import cache
from importlib.resources import files
from string import Template
from urllib.parse import parse_qs

from pay88kit import money
from pay88kit.errors import needs
from pay88kit.sandbox.cards import CVV, DECLINED, EXPIRY, SUCCEEDS, read_card, spaced
from pay88kit.sandbox.clock import iso
from pay88kit.sandbox.reply import Ask, Reply, asset, error, page
from pay88kit.sandbox.world import Conflict, Transaction, World

KINDS = ("checkout", "voucher", "qr")
SCRIPT = "copy.js"
NETWORK = "TRC20"

_TITLES = {"checkout": "Checkout", "voucher": "Cash voucher", "qr": "Pay with USDT"}
_PAY = {"checkout": "Pay", "voucher": "Paid at the counter", "qr": "Payment sent"}
# Invented, and said to be: a simulated customer has no phone and no bank.
_PAYERS = {
    "NEQUI": "Nequi, phone 300 000 0088 (simulated)",
    "DAVIPLATA": "DaviPlata, phone 300 000 0088 (simulated)",
    "PAYPAL": "PayPal, customer@shop.example (simulated)",
    "PSE": "an account at Banco de Prueba (simulated)",
}


class Pages:
    """What a browser gets under ``/checkout/``, ``/voucher/`` and ``/qr/``."""

    def __init__(self, world: World) -> None:
        self._world = world

    def serves(self, path: str) -> bool:
        """Whether ``path`` is a page of the customer's."""
        return path.count("/") == 2 and path.split("/")[1] in KINDS

    def answer(self, ask: Ask) -> Reply:
        """Show a transaction, or take the customer's decision."""
        _, kind, code = ask.path.split("/")
        if code == SCRIPT:
            return asset(ask, SCRIPT)
        transaction = self._world.codes.get(code)
        if transaction is None or kind_of(transaction) != kind:
            return _page("Not found", "<p>No payment belongs to this address.</p>", status=404)
        if ask.method in ("GET", "HEAD"):
            return _show(transaction)
        if ask.method != "POST":
            return error(405, "method: use GET or POST.", {"Allow": "GET, POST"})
        sent = parse_qs(ask.body.decode("ascii", "replace"))
        form = {name: values[0] for name, values in sent.items()}
        decision = form.get("decision")
        if decision not in ("pay", "decline"):
            return error(400, "decision: send pay or decline.")
        status: str | None = "COMPLETED" if decision == "pay" else "REJECTED"
        if decision == "pay" and transaction.method.code == "CARDS":
            status, wrong = read_card(form)
            if status is None and transaction.status == "PENDING":
                return _show(transaction, wrong)
        # Decided already, perhaps in another tab: then the page shows what was decided.
        if status is not None:
            with suppress(Conflict):
                wait(self._world.finish(transaction, status))
        # The answer to a form is a redirect to the same page, so that reloading repeats nothing.
        return Reply(303, b"", {"Location": code})


def kind_of(transaction: Transaction) -> str | None:
    """The page on which a transaction is paid; None where a customer has none."""
    if transaction.flow != "PAYIN" or transaction.method.code in ("BANK_TRANSFER", "SPEI"):
        return None
    if transaction.method.category == "CASH":
        return "voucher"
    return "qr" if transaction.method.code == "USDT" else "checkout"


# ---------------------------------------------------------------- what is on a page


@cache
def _file(name: str) -> str:
    return files(__package__).joinpath("static", name).read_text("utf-8")


def _page(title: str, body: str, *, script: bool = False, status: int = 200) -> Reply:
    style = _file("customer.css")
    text = Template(_file("customer.html")).substitute(
        title=html.escape(title),
        style=style,
        script=f'<script src="{SCRIPT}" defer></script>\n' if script else "",
        body=body,
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return page(text, status, style=f"'sha256-{digest}'", script=script)


def _show(transaction: Transaction, wrong: Mapping[str, str] | None = None) -> Reply:
    """The page of a transaction; ``wrong`` says what is wrong with a card, by field."""
    kind = kind_of(transaction) or "checkout"
    pending = transaction.status == "PENDING"
    amount = money.show(money.from_cents(transaction.amount), transaction.currency)
    facts = {"Merchant": transaction.merchant_id, "For": transaction.description}
    facts["Method"] = transaction.method.code
    if payer := _PAYERS.get(transaction.method.code):
        facts["Paid from"] = payer
    facts["Reference"] = transaction.reference
    facts["Status"] = transaction.status
    if pending:
        until = iso(transaction.created_at + transaction.method.expires)
        facts["Pay before"] = until[:19].replace("T", " ") + " UTC"
    listed = "".join(
        f"<dt>{name}</dt><dd>{html.escape(value)}</dd>" for name, value in facts.items()
    )
    about = f'<p class="amount">{amount}</p>'
    if not pending:
        about = f"{_result(transaction)}{about}<dl>{listed}</dl>{_way_back(transaction)}"
        return _page(_TITLES[kind], about)
    about += f"<dl>{listed}</dl>"
    if transaction.method.code == "CARDS":
        # 422: the form arrived, and what is in it cannot be paid with.
        form = _card_form(wrong or {})
        return _page(_TITLES[kind], about + form, status=422 if wrong else 200)
    ways = {"voucher": _voucher, "qr": _qr}
    way = ways[kind](transaction) if kind in ways else ""
    form = f'<form method="post">{_buttons(_PAY[kind])}</form>'
    return _page(_TITLES[kind], about + way + form, script=kind in ways)


def _buttons(pay: str) -> str:
    return (
        f'<div class="actions"><button class="pay" name="decision" value="pay">{pay}</button>'
        # The card's fields may be empty when the customer declines.
        '<button name="decision" value="decline" formnovalidate>Decline</button></div>'
    )


def _card_form(wrong: Mapping[str, str]) -> str:
    """Empty in every field, also after a mistake: a number is never written into a page."""

    def field(name: str, label: str, most: int) -> str:
        message = wrong.get(name)
        first = message is not None and name == next(iter(wrong))
        more = f' aria-invalid="true" aria-describedby="wrong-{name}"' if message else ""
        below = f'<p class="wrong" id="wrong-{name}">{message}</p>' if message else ""
        return (
            f'<div class="field"><label for="{name}">{label}</label>'
            f'<input id="{name}" name="{name}" inputmode="numeric" autocomplete="off"'
            f' maxlength="{most}"{more}{" autofocus" if first else ""}>{below}</div>'
        )

    alert = (
        '<p class="alert" role="alert">The card was not taken, and nothing was paid. '
        "What you typed was dropped, so the form is empty.</p>"
    )
    return (
        f"{alert if wrong else ''}"
        "<h2>Card</h2>"
        '<p class="hint">Only two test cards work here. Never type a real card.</p>'
        f'<ul class="cards"><li><code>{spaced(SUCCEEDS)}</code> succeeds</li>'
        f"<li><code>{spaced(DECLINED)}</code> is declined</li>"
        f"<li>Expiry <code>{EXPIRY}</code>, CVV <code>{CVV}</code></li></ul>"
        '<form method="post">'
        f"{field('number', 'Card number', 40)}"
        f'<div class="pair">{field("expiry", "Expiry", 9)}{field("cvv", "CVV", 4)}</div>'
        f"{_buttons('Pay')}</form>"
    )


def _copyable(label: str, name: str, value: str, size: str = "") -> str:
    return (
        f'<div class="code"><span class="label">{label}</span>'
        f'<code id="{name}"{size}>{html.escape(value)}</code>'
        # The script shows it; without one a button that does nothing would be a lie.
        f'<button type="button" data-copies="{name}" aria-label="Copy: {label}" hidden>'
        "Copy</button></div>"
    )


def _voucher(transaction: Transaction) -> str:
    large = ' class="large"'
    return (
        _copyable("Payment code", "payment-code", transaction.payment_code, large)
        + '<p class="hint">The customer shows this code at the counter and pays there in cash.</p>'
    )


def _qr(transaction: Transaction) -> str:
    with needs("server"):
        import segno
    address = transaction.deposit_address or ""
    picture = segno.make(address, micro=False).svg_inline(
        omitsize=True, border=4, dark="#000", light="#fff"
    )
    return (
        f'<div class="qr" role="img" aria-label="QR code of the deposit address">{picture}</div>'
        + _copyable("Deposit address", "deposit-address", address)
        + f'<p class="hint">Network: {NETWORK}. The address is invented: send nothing to it.</p>'
    )


def _result(transaction: Transaction) -> str:
    if transaction.status == "COMPLETED":
        return '<p class="result good">Paid.</p>'
    over = transaction.created_at + transaction.method.expires
    if transaction.expired or transaction.updated_at >= over:
        return '<p class="result bad">This payment has expired. It was not paid in time.</p>'
    return '<p class="result bad">Declined. Nothing was paid.</p>'


def _way_back(transaction: Transaction) -> str:
    text = (
        "<p>The shop learns the result from 88Pay, by webhook. "
        "Going back there does not tell it anything.</p>"
    )
    if transaction.return_url:
        back = html.escape(transaction.return_url, quote=True)
        text += f'<p><a class="button" href="{back}">Back to the shop</a></p>'
    return text
