"""The words of the guide, explained, with their Spanish and Brazilian Portuguese terms.

``make docs`` writes ``notebooks/glossary.ipynb`` from them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """One word: what it means, and how it is called in Spanish and in Brazilian Portuguese."""

    name: str
    spanish: str
    portuguese: str
    meaning: str

    @property
    def anchor(self) -> str:
        """Where a lesson's link leads, as JupyterLab and nbconvert name a heading."""
        return f"glossary.ipynb#{self.name.replace(' ', '-')}"


TERMS = tuple(
    Term(*words)
    for words in (
        ("Advance", "anticipo", "adiantamento",
         "Money of 88Pay's that carried a payout when the merchant had not received enough. It "
         "shows as a negative net balance."),
        ("Alert", "alerta", "alerta",
         "A message to a person that something needs a look, such as a balance of zero."),
        ("API key", "clave de API", "chave de API",
         "The secret that says which merchant calls. It opens only the token call. Keep it out of "
         "code, chats and tickets."),
        ("Available balance", "saldo disponible", "saldo disponível",
         "What can be paid out or settled now: `total_available`."),
        ("Backoff", "espera progresiva", "espera progressiva",
         "To wait longer before each new try (1, 2, 4 seconds), so that a busy server can "
         "recover."),
        ("Bank transfer", "transferencia bancaria", "transferência bancária",
         "The customer sends money from a bank account to the account that the charge names, or "
         "approves it on the bank's page."),
        ("Books", "registro propio", "registro próprio",
         "The kit's record of what you asked 88Pay for and what its notifications said. It is "
         "yours: 88Pay documents no call that lists transactions."),
        ("Cache", "caché", "cache",
         "An answer that is kept for a short time, so that the same question is not asked again. "
         "A balance is kept for one to five minutes, and not after a payout."),
        ("Cashout", "retiro a cuenta bancaria", "saque para conta bancária",
         "88Pay's name for the call that makes a payout."),
        ("Charge", "cobro", "cobrança",
         "A request for a payment from a customer. Its answer has no status: the charge is "
         "`PENDING` until the customer has paid or declined."),
        ("Checkout", "página de pago", "página de pagamento",
         "The page of 88Pay's where the customer pays: `url_checkout`."),
        ("Credentials", "credenciales", "credenciais",
         "The API key and the merchant id, together."),
        ("Doubtful", "dudoso", "duvidoso",
         "What a check found and what 88Pay's pages neither confirm nor forbid: ask 88Pay."),
        ("Endpoint", "punto de acceso", "endpoint",
         "An address that takes requests: 88Pay's, such as `/api/balance`, or yours for webhooks."),
        ("Environment", "entorno", "ambiente",
         "Which 88Pay you talk to: `local` (inside the kit), `sandbox` (88Pay's, for tests) or "
         "`production` (real money)."),
        ("Fee", "comisión", "taxa",
         "What 88Pay keeps for its service. It lowers what is available, and no field of the "
         "balance names it."),
        ("Final status", "estado final", "status final",
         "`COMPLETED` or `REJECTED`. That a final status does not change again is assumed."),
        ("Forged", "falsificado", "falsificado",
         "Of a notification: made by somebody who is not 88Pay. It is refused, not believed."),
        ("Idempotency", "idempotencia", "idempotência",
         "That doing something twice has the effect of doing it once. 88Pay documents no "
         "idempotency key, so the kit's books keep one for you: `key`."),
        ("Inbox", "bandeja de entrada", "caixa de entrada",
         "The kit's small server that receives notifications, checks them and keeps them."),
        ("Merchant", "comercio", "estabelecimento comercial",
         "The company that takes payments through 88Pay: you. Its merchant id looks like "
         "`MCH-COL-…`."),
        ("Method", "medio de pago", "meio de pagamento",
         "How a customer pays: a card, a wallet, cash, a bank transfer, crypto."),
        ("Net balance", "saldo neto", "saldo líquido",
         "What came in less what was paid out: `net_balance`. It may be below zero, and it is not "
         "your profit."),
        ("Notification", "notificación", "notificação",
         "One message of 88Pay's to your endpoint: a transaction has a new status."),
        ("Payin", "recaudo", "recebimento",
         "Money that comes in: a customer pays you. You ask for it with a charge."),
        ("Payout", "dispersión", "repasse, pagamento a terceiros",
         "Money that goes out to somebody's bank account. 88Pay's call is named cashout."),
        ("Pending", "pendiente", "pendente",
         "Not decided yet. Pending transactions do not count in the balance."),
        ("Rate limit", "límite de solicitudes", "limite de requisições",
         "How many requests 88Pay takes in a minute and in an hour. One more is answered 429."),
        ("Reconciliation", "conciliación", "conciliação",
         "To compare two records of the same money, such as your books and the balance, and to "
         "explain every difference."),
        ("Reference", "referencia", "referência",
         "88Pay's name for one transaction: 11 letters and digits. Quote it when you ask for "
         "help."),
        ("Reserve", "reserva", "reserva",
         "A part of your money that 88Pay holds back for a time. No field of the balance names "
         "it."),
        ("Retry", "reintento", "nova tentativa",
         "To send a request again. Safe for what changes nothing; a create that is sent again can "
         "charge twice."),
        ("Sandbox", "entorno de pruebas", "ambiente de testes",
         "An 88Pay without real money: 88Pay's own, or the local one inside the kit."),
        ("Session", "sesión", "sessão",
         "What a token belongs to. Its `session_id` goes with the token in every call."),
        ("Settlement", "liquidación", "liquidação",
         "To move available money from 88Pay to your own bank account: `total_settled`."),
        ("Snapshot", "foto del saldo", "registro do saldo no momento",
         "A balance with the time when it was asked for, kept in the books. Where a comparison "
         "starts is the opening snapshot."),
        ("Threshold", "umbral", "limite de alerta",
         "The amount at which an alert begins, such as less than 10,000 available."),
        ("Token", "token de acceso", "token de acesso",
         "A text that opens the calls for 60 seconds. You get it for your API key."),
        ("Transaction", "transacción", "transação",
         "One movement of money, in or out, with a reference, an amount and a status."),
        ("Voucher", "cupón de pago, ficha de pago", "boleto, guia de pagamento",
            "The page and the code with which a customer pays cash at a counter, within 72 hours."),
        ("Wallet", "billetera digital", "carteira digital",
         "A payment app of the customer's, such as Nequi or DaviPlata."),
        ("Webhook", "webhook", "webhook",
         "The way in which 88Pay calls you: an HTTP request to your `notification_url`."),
        ("Webhook secret", "secreto del webhook", "segredo do webhook",
         "What a notification's token is checked with. Where 88Pay gives it to you is not "
         "documented: ask its support."),
    )
)  # fmt: skip

_INTRODUCTION = """# Glossary

The words of this guide, from A to Z. Below each stand the terms that people use for it in Spanish (**es**) and in Brazilian Portuguese (**pt**); your bank or company may have others.

[Map](00_start_here.ipynb#The-map) · [Quick reference](quick_reference.ipynb)"""  # noqa: E501


def cells() -> list[str]:
    """The page, as Markdown cells: a heading for each term, so that each can be linked."""
    return [
        _INTRODUCTION,
        *(
            f"## {term.name}\n\n{term.meaning}\n\n**es** {term.spanish} · **pt** {term.portuguese}"
            for term in TERMS
        ),
    ]
