"""What 88Pay documents, what the kit assumes where it is silent, and which of two pages it follows.

Plain data, and the one place for it: ``docs/what_is_simulated.md`` is written from it and
``pay88 doctor`` asks an 88Pay about it point by point. A point is either documented (88Pay's pages
say so) or assumed (they do not); an assumption is always worded as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_ASSUMES = "; the kit assumes "


class Observe(StrEnum):
    """What it takes to see a point from outside."""

    READS = "reads"  # a token or a balance: changes nothing, in production too
    REFUSALS = "refusals"  # calls that have to be refused; not in production
    WAIT = "wait"  # a minute on the clock
    CREATES = "creates"  # transactions that are made, or refused as a transaction
    WEBHOOK = "webhook"  # one notification, of a charge that is made for it
    NO = "no"  # in no answer and no single notification: about time, about the kit itself


@dataclass(frozen=True)
class Point:
    """One statement about 88Pay.

    ``source`` is the page of 88Pay's for a documented point, and ``assumed`` for the others.
    ``where`` names the code that follows the statement, under ``pay88kit/``: ``file`` or
    ``file: name``, separated by commas. ``observe`` says how ``pay88 doctor`` can see it.
    """

    id: str
    section: str
    statement: str
    documented: bool
    source: str
    where: str
    observe: Observe

    @property
    def topic(self) -> str:
        """What the point is about; of an assumption, what 88Pay does not document."""
        head, _, _ = self.statement.partition(_ASSUMES)
        return head if self.documented else head.removeprefix("88Pay does not document ")

    @property
    def reading(self) -> str:
        """What is held to be so: the statement itself, or what the kit assumes."""
        return self.statement.partition(_ASSUMES)[2] or self.statement


@dataclass(frozen=True)
class Contradiction:
    """Two pages of 88Pay's that cannot both be right, and the reading that the kit follows.

    ``points`` are the ids of the points whose observation tells which reading is true today.
    """

    number: int
    pages: str
    followed: str
    where: str
    points: tuple[str, ...] = ()


_DOCS = "88Pay's public documentation"
_OVERVIEW = "88Pay's guide overview"
_BALANCE = "88Pay's balance page"
_LEGACY = "a legacy page of 88Pay's"


def _says(
    id: str, section: str, statement: str, where: str,
    observe: Observe = Observe.NO, source: str = _DOCS,
) -> Point:  # fmt: skip
    return Point(id, section, statement, True, source, where, observe)


def _assumes(
    id: str, section: str, silent: str, assumption: str, where: str,
    observe: Observe = Observe.NO,
) -> Point:  # fmt: skip
    statement = f"88Pay does not document {silent}{_ASSUMES}{assumption}"
    return Point(id, section, statement, False, "assumed", where, observe)


_READS, _REFUSALS, _WAIT, _CREATES, _NOTIFIED = (
    Observe.READS, Observe.REFUSALS, Observe.WAIT, Observe.CREATES, Observe.WEBHOOK,
)  # fmt: skip

_ENV = "Environments"
_ENVIRONMENTS = (
    _says("env.hosts", _ENV, "the API is at api-sandbox.88pay.io and api.88pay.io, over https only",
          "config.py: BASE_URLS"),
    _says("env.key-prefix", _ENV, "keys begin with sk_test_ in the sandbox, sk_live_ in production",
          "config.py: KEY_PREFIXES"),
    _says("env.other-key", _ENV, "a sandbox key at the production host is answered 401",
          "config.py: KEY_PREFIXES"),
    _says("env.merchant-id", _ENV, "merchant ids have the form MCH-{COUNTRY}-{ID}",
          "sandbox/world.py"),
    _says("env.checkout-host", _ENV, "checkout pages live at link.88pay.io/{CODE} (the local "
          "sandbox serves its own)", "sandbox/pages.py"),
    _says("env.variables", _ENV, "88Pay's examples read EIGHTY_EIGHT_PAY_API_KEY and "
          "EIGHTY_EIGHT_PAY_MERCHANT_ID", "config.py: VARIABLES"),
    _assumes("env.opaque", _ENV, "the grammar of ids, keys and tokens",
             "that they are opaque, and checks prefixes only", "config.py"),
)  # fmt: skip

_AUTH = "Authentication"
_AUTHENTICATION = (
    _says("token.call", _AUTH, "POST /api/auth/token with x-api-key and x-merchant-id, without a "
          "body, is answered 200", "client/core.py, sandbox/api.py", _READS),
    _says("token.message", _AUTH, 'the message is "Token generated successfully"',
          "sandbox/api.py", _READS),
    _says("token.access-token", _AUTH, "data has access_token, a text",
          "models/answers.py: Token", _READS),
    _says("token.expires-in", _AUTH, "data has expires_in, the number 60",
          "policy.py: usable_seconds", _READS),
    _says("token.session-id", _AUTH, "data has session_id, sess_ and a version 4 UUID",
          "sandbox/world.py", _READS),
    _says("token.own-session", _AUTH, "a session id belongs to its token: another token, another "
          "session id", "client/tokens.py, sandbox/world.py", _READS),
    _says("token.reuse", _AUTH, "a token may be used for more than one call",
          "client/tokens.py", _READS),
    _says("token.headers", _AUTH, "other calls carry Authorization: Bearer and x-session-id",
          "models/answers.py: Token", _READS),
    _says("token.life", _AUTH, "a token lives 60 s, always",
          "sandbox/world.py: TOKEN_LIFE", _WAIT),
    _says("token.expired", _AUTH, 'an expired token is answered 401 "Invalid or expired token"',
          "sandbox/api.py: BAD_TOKEN", _WAIT),
    _says("token.unknown", _AUTH, 'an unknown token is answered 401 "Invalid or expired token"',
          "sandbox/api.py: BAD_TOKEN", _REFUSALS),
    _says("token.wrong-key", _AUTH, 'a wrong key is answered 401 "Invalid API key or merchant ID"',
          "sandbox/api.py: BAD_KEY", _REFUSALS),
    _says("token.wrong-merchant", _AUTH, 'a wrong merchant id is answered 401 "Invalid API key or '
          'merchant ID"', "sandbox/api.py: BAD_KEY", _REFUSALS),
    _says("token.cache", _AUTH, "88Pay asks clients to keep a token for 50 s",
          "policy.py: TOKEN_SHARE"),
    _says("token.suspended", _AUTH, "a suspended account is answered 403", "sandbox/api.py"),
    _says("token.sample", _AUTH, "the sample token is an ES256 JWT with merchant_id, iat and exp, "
          "exp 60 s after iat", "sandbox/world.py"),
    _assumes("token.form", _AUTH, "one form of the token (a JWT on one page, a JWE on another)",
             "no form: it never takes a token apart", "models/answers.py: Token", _READS),
    _assumes("token.several", _AUTH, "whether an older token outlives a newer one",
             "that several tokens of one merchant may be alive at once",
             "sandbox/world.py", _READS),
    _assumes("token.no-credentials", _AUTH, "a token call without key and merchant id",
             "it is answered 401", "sandbox/api.py", _REFUSALS),
    _assumes("token.pairing", _AUTH, "a token with another token's session id",
             "it is answered 401", "sandbox/api.py", _REFUSALS),
    _assumes("token.no-authorization", _AUTH, "a call without Authorization",
             "it is answered 401", "sandbox/api.py", _REFUSALS),
    _assumes("token.no-session", _AUTH, "a call without x-session-id",
             "it is answered 401", "sandbox/api.py", _REFUSALS),
    _assumes("token.suspended-text", _AUTH, "the body of the 403 for a suspended account",
             "the envelope of an error with a text of its own", "sandbox/api.py: SUSPENDED"),
)  # fmt: skip

_ENVELOPE = "Envelope and errors"
_ENVELOPES = (
    _says("envelope.success", _ENVELOPE, 'a success has status "Success", a message and data',
          "sandbox/reply.py: success", _READS),
    _says("envelope.code", _ENVELOPE, "code equals the HTTP status",
          "sandbox/reply.py", _READS),
    _says("envelope.error", _ENVELOPE, 'an error has status "Error" and a message',
          "sandbox/reply.py: error", _REFUSALS),
    _says("errors.unknown-path", _ENVELOPE, "an unknown resource is answered 404",
          "sandbox/api.py", _REFUSALS),
    _says("errors.meanings", _ENVELOPE, "400 invalid parameters, 401 token, 403 no access, 404 "
          "unknown, 422 business rule, 429 rate limit, 500, 502, 503 and 504 temporary",
          "errors.py: STATUS_ERRORS"),
    _says("errors.backoff", _ENVELOPE, "after a temporary error 88Pay suggests waits of 1, 2, 4, "
          "8 s and at most 3 retries", "policy.py: backoff"),
    _assumes("errors.other-method", _ENVELOPE, "another HTTP method on a known path (GET)",
             "it is answered 405", "sandbox/api.py", _REFUSALS),
    _assumes("errors.no-idempotency", _ENVELOPE, "an idempotency key or a look-up of transactions",
             "there is neither, so a create whose answer was lost is never sent again by itself",
             "policy.py: CREATES"),
    _assumes("errors.safe-retry", _ENVELOPE, "when a create may be sent again",
             "only after no connection, 401 or 429, which surely came before it was accepted",
             "policy.py: decide"),
    _assumes("errors.order", _ENVELOPE, "the order in which a request is checked",
             "path, authentication, suspension, rate limit, form, business rule",
             "sandbox/api.py"),
)  # fmt: skip

_LIMIT = "Rate limits"
_LIMITS = (
    _says("limits.headers", _LIMIT, "every answer carries X-RateLimit-Limit, -Remaining, -Reset",
          "sandbox/limits.py", _READS),
    _says("limits.token", _LIMIT, "tokens: 10 a minute (and 100 an hour)",
          "sandbox/limits.py: LIMITS", _READS),
    _says("limits.balance", _LIMIT, "balances: 60 a minute (and 1,000 an hour)",
          "sandbox/limits.py: LIMITS", _READS),
    _says("limits.transactions", _LIMIT, "transactions: 60 a minute (and 1,000 an hour)",
          "sandbox/limits.py: LIMITS", _CREATES),
    _says("limits.reset", _LIMIT, "X-RateLimit-Reset is a time in Unix seconds",
          "sandbox/limits.py", _READS),
    _says("limits.429", _LIMIT, 'over the limit: 429 "Rate limit exceeded. Please try again '
          'later.", Retry-After, retry_after and Remaining 0 (judged when one comes)',
          "sandbox/api.py: TOO_MANY", _READS),
    _assumes("limits.minute", _LIMIT, "which window the three headers report",
             "the minute: Reset is at most 60 s ahead", "sandbox/limits.py", _READS),
    _assumes("limits.remaining", _LIMIT, "when X-RateLimit-Remaining falls",
             "with each call that is accepted, until Reset", "sandbox/limits.py", _READS),
    _assumes("limits.shared", _LIMIT, "whether charges, cash and cashouts share one limit",
             "they do", "sandbox/limits.py", _CREATES),
    _assumes("limits.sliding", _LIMIT, "how the windows run",
             "they slide, and a place is free again after exactly 60 s or 3,600 s",
             "sandbox/limits.py"),
    _assumes("limits.counted", _LIMIT, "which requests count",
             "what passes authentication and is not answered 429, errors 400 included",
             "sandbox/api.py"),
    _assumes("limits.retry-after", _LIMIT, "whether Retry-After is always 60",
             "it is the whole seconds until a request would be accepted",
             "sandbox/limits.py: retry_after"),
    _assumes("limits.off-paths", _LIMIT, "the three headers on answers to unknown paths (404) and "
             "other methods (405)", "nothing: `pay88 doctor` does not judge them",
             "sandbox/api.py"),
    _assumes("limits.lifted", _LIMIT, "how lifted limits show",
             "that Limit and Remaining are 1000000", "sandbox/limits.py: LIFTED"),
)  # fmt: skip

_CHARGE = "Charges"
_CHARGES = (
    _says("charge.body", _CHARGE, "a charge has flow, method_code, method_category, amount, "
          "currency, country, description, customer_id, notification_url and, for redirects, "
          "return_url", "models/requests.py, sandbox/forms.py"),
    _says("charge.message", _CHARGE, 'an accepted charge is answered 200 "Method processed"',
          "sandbox/api.py", _CREATES),
    _says("charge.reference", _CHARGE, "data has reference, 11 characters A–Z and 0–9",
          "sandbox/world.py", _CREATES),
    _says("charge.echo", _CHARGE, "data repeats customer_id, currency and amount, the amount as a "
          "number", "sandbox/api.py", _CREATES),
    _says("charge.no-status", _CHARGE, "data has no status: a charge starts PENDING",
          "models/answers.py: Charge", _CREATES),
    *(
        _says(f"charge.{code}", _CHARGE, f"{code} answers with {fields}",
              "models/answers.py: Charge, sandbox/api.py", _CREATES)
        for code, fields in {
            "CARDS": "urlCheckout",
            "BANK_TRANSFER": "bank_details, its reference_number the reference",
            "CASH": "voucher_url, payment_code (88PAY and 9 digits), expires_at (ISO 8601, Z)",
            "NEQUI": "urlCheckout",
            "DAVIPLATA": "urlCheckout",
            "PAYPAL": "urlCheckout",
            "USDT": "deposit_address, network TRC20, qr_code_url",
            "PSE": "urlCheckout",
            "OXXO": "voucher_url, payment_code (88PAY and 9 digits), expires_at (ISO 8601, Z)",
            "SPEI": "bank_details, its reference_number the reference",
        }.items()
    ),
    _says("charge.voucher-life", _CHARGE, "a cash voucher can be paid for 72 h",
          "models/methods.py", _CREATES),
    _says("charge.notification-url", _CHARGE, "notification_url has to be a public https address: "
          "no http, localhost or private address", "sandbox/forms.py, models/requests.py"),
    _says("charge.methods", _CHARGE, "ten methods, each with its category, countries, currencies, "
          "limits and time to confirm", "models/methods.py: METHODS"),
    _says("charge.currency", _CHARGE, "the currency is the country's own (USDT: USD only; PayPal: "
          "USD and EUR too)", "models/methods.py: currencies_in"),
    _says("charge.countries", _CHARGE, "13 countries, of which four are named: COL, MEX, BRA, CHL",
          "models/countries.py: KNOWN"),
    _assumes("charge.text-amount", _CHARGE, "what becomes of an amount sent as text",
             "it is answered 400", "sandbox/forms.py", _CREATES),
    _assumes("charge.http-notification", _CHARGE, "what becomes of a notification_url with http://",
             "it is refused", "sandbox/forms.py, models/requests.py", _CREATES),
    _assumes("charge.decimals", _CHARGE, "what becomes of an amount with three decimals",
             "it is answered 400", "sandbox/forms.py", _CREATES),
    _assumes("charge.unknown-method", _CHARGE, "the status for an unknown method_code",
             "it is answered 400", "sandbox/forms.py", _CREATES),
    _assumes("charge.category", _CHARGE, "a method_category that does not fit the method_code",
             "it is answered 400", "sandbox/forms.py", _CREATES),
    _assumes("charge.return-url", _CHARGE, "the status for a card charge without return_url",
             "it is answered 400", "sandbox/forms.py", _CREATES),
    _assumes("charge.other-country", _CHARGE, "the status for a method that the country lacks",
             "it is answered 422", "sandbox/forms.py", _CREATES),
    _assumes("charge.over-limit", _CHARGE, "the status for an amount above the method's limit",
             "it is answered 422", "sandbox/forms.py", _CREATES),
    _assumes("charge.unknown-field", _CHARGE, "unknown body fields",
             "they are ignored", "sandbox/forms.py", _CREATES),
    _assumes("charge.loopback", _CHARGE, "loopback addresses in notification_url",
             "they are refused elsewhere, but the local sandbox accepts them for learners",
             "sandbox/forms.py"),
    _assumes("charge.bounds", _CHARGE, "an upper bound of an amount",
             "16 digits before the point", "money.py: MAX_AMOUNT"),
    _assumes("charge.foreign-limits", _CHARGE, "limits in a currency that 88Pay states none in",
             "there are none", "models/methods.py: limits"),
    _assumes("charge.more-countries", _CHARGE, "the countries beyond the four it names",
             "that any ISO country may be one, and passes it on with a warning",
             "models/requests.py"),
    _assumes("charge.unpaid", _CHARGE, "when an unpaid charge ends, but for cash",
             "60 minutes for cards, wallets, PSE and USDT, 3 days for bank transfers and SPEI",
             "models/methods.py"),
    _assumes("charge.messages", _CHARGE, "the texts of refusals",
             "that they are free; its own sandbox names the field and the cure",
             "sandbox/forms.py"),
)  # fmt: skip

_PATHS = "Cash payments and cashouts"
_CASH_AND_CASHOUT = (
    _says("cash.path", _PATHS, "POST /api/transactions/cash creates a cash payment",
          "client/exchange.py: PATHS"),
    _says("cashout.path", _PATHS, "POST /api/transactions/cashout-bank-transfer creates a payout "
          "to a bank account", "client/exchange.py: PATHS"),
    _assumes("cash.body", _PATHS, "body and answer of /transactions/cash",
             "a charge's body with CASH, and the answer of a cash charge",
             "models/requests.py: CashRequest, sandbox/forms.py", _CREATES),
    _assumes("cashout.body", _PATHS, "body and answer of a cashout",
             "a charge's body with PAYOUT and bank_details; reference, customer_id, currency and "
             "amount come back", "models/requests.py: CashoutRequest, sandbox/forms.py", _CREATES),
    _assumes("cashout.funds", _PATHS, "a payout beyond the funds",
             'it is answered 422 "Insufficient funds"', "sandbox/ledger.py", _CREATES),
    _assumes("cashout.currency", _PATHS, "a payout in another currency than the merchant's",
             "it is answered 422", "sandbox/forms.py", _CREATES),
    _assumes("cashout.pending", _PATHS, "when a payout ends",
             "the bank decides; in the local sandbox its control side", "sandbox/world.py"),
)  # fmt: skip

_STATUS = "Statuses"
_STATUSES = (
    _says("status.words", _STATUS, "PENDING becomes COMPLETED or REJECTED", "sandbox/world.py"),
    _assumes("status.final", _STATUS, "whether COMPLETED and REJECTED can change again",
             "that they are final", "sandbox/world.py"),
)  # fmt: skip

_HOOK = "Webhooks"
_WEBHOOKS = (
    _says("webhook.post", _HOOK, "a notification is a POST to notification_url",
          "inbox/receiver.py", _NOTIFIED),
    _says("webhook.content-type", _HOOK, "a notification's Content-Type is application/json",
          "sandbox/world.py: notify", _NOTIFIED),
    _says("webhook.body", _HOOK, "a notification's body is a JSON object",
          "webhooks.py: parse", _NOTIFIED),
    _says("webhook.bearer", _HOOK, "a notification has Authorization: Bearer and a token",
          "webhooks.py: verify", _NOTIFIED),
    _says("webhook.transaction_id", _HOOK, "a notification has transaction_id, a text",
          "webhooks.py: parse", _NOTIFIED),
    _says("webhook.id-form", _HOOK, "transaction_id is sess_ and a UUID, as in the sample",
          "sandbox/world.py", _NOTIFIED),
    _says("webhook.transaction_status", _HOOK, "a notification has transaction_status: PENDING, "
          "COMPLETED or REJECTED", "webhooks.py: parse", _NOTIFIED),
    _says("webhook.transaction_amount", _HOOK, "a notification has transaction_amount, a number as "
          "text",
          "webhooks.py: parse", _NOTIFIED),
    _says("webhook.transaction_date", _HOOK, "a notification has transaction_date, YYYY-MM-DD "
          "HH:MM:SS without a zone", "webhooks.py: Notification", _NOTIFIED),
    _says("webhook.transaction_payment_method", _HOOK, "a notification has "
          "transaction_payment_method, a text",
          "sandbox/world.py: notification_body", _NOTIFIED),
    _says("webhook.check", _HOOK, "the token's transaction_id and transaction_amount equal the "
          "body's, and its ts (epoch ms) is at most 5 minutes old", "webhooks.py: verify",
          _NOTIFIED),
    _says("webhook.status-unchecked", _HOOK, "88Pay's check covers neither the status nor a time "
          "in the future", "webhooks.py: verify"),
    _says("webhook.answer", _HOOK, "the endpoint answers 200 within 5 s; anything else is a failed "
          "delivery, and up to 10 retries follow", "sandbox/courier.py, sandbox/world.py"),
    _says("webhook.duplicates", _HOOK, "the same notification may come more than once",
          "inbox/receiver.py"),
    _says("webhook.cards", _HOOK, "transaction_payment_method is CREDIT_CARD for CARDS",
          "sandbox/world.py", _NOTIFIED),
    _assumes("webhook.token-form", _HOOK, "the form of the token",
             "five parts with dots between them, as a compact JWE has", "webhooks.py: sign",
             _NOTIFIED),
    _assumes("webhook.cipher", _HOOK, "the cipher of the token and where its secret comes from",
             "a compact JWE (dir, A256GCM) under SHA-256 of a webhook secret; it can be replaced",
             "webhooks.py: decrypt_jwe", _NOTIFIED),
    _assumes("webhook.more-fields", _HOOK, "all fields of a notification",
             "that id, status and amount are there, and keeps whatever else comes",
             "webhooks.py: parse", _NOTIFIED),
    _assumes("webhook.sandbox-fields", _HOOK, "whether reference, currency, country and customer "
             "are among them", "they may be; its own sandbox sends them", "sandbox/world.py",
             _NOTIFIED),
    _assumes("webhook.zone", _HOOK, "the zone of transaction_date", "UTC",
             "webhooks.py: Notification", _NOTIFIED),
    _assumes("webhook.amount", _HOOK, "whether transaction_amount is what was charged",
             "it is, before any fee", "books/notifications.py", _NOTIFIED),
    _assumes("webhook.other-methods", _HOOK, "transaction_payment_method for other methods",
             "the method code", "sandbox/world.py", _NOTIFIED),
    _assumes("webhook.id", _HOOK, "whether transaction_id is the session id of the create or an "
             "id of its own", "either: it marks each notification_url with an operation id",
             "client/core.py, webhooks.py", _NOTIFIED),
    _assumes("webhook.marker", _HOOK, "whether the query of notification_url is kept",
             "it is, so that the operation id in it comes back", "client/core.py, webhooks.py",
             _NOTIFIED),
    _assumes("webhook.when", _HOOK, "at which changes it notifies",
             "at COMPLETED and REJECTED, not at the creation", "sandbox/world.py",
             _NOTIFIED),
    _assumes("webhook.spacing", _HOOK, "the time between two attempts",
             "10 s, 30 s, 1, 5, 10, 30 min, 1, 2, 4, 8 h, with a fresh token each",
             "sandbox/world.py: RETRY_WAITS"),
    _assumes("webhook.order", _HOOK, "the order in which notifications arrive",
             "none", "inbox/receiver.py"),
    _assumes("webhook.undecryptable", _HOOK, "what to do with a token that does not decrypt",
             "outside local it is kept as unverified, changes nothing, and is answered 200",
             "inbox/receiver.py"),
    _assumes("webhook.where", _HOOK, "where a test system delivers to",
             "loopback only, in its own sandbox, unless told otherwise", "sandbox/courier.py"),
)  # fmt: skip

_MONEY = "Balance"
_BALANCES = (
    _says("balance.call", _MONEY, "POST /api/balance?id= without a body and without a Content-Type "
          "is answered 200", "client/core.py, sandbox/api.py", _READS, _BALANCE),
    _says("balance.message", _MONEY, 'the message is "OK"', "sandbox/api.py", _READS, _BALANCE),
    _says("balance.inner-message", _MONEY, 'data has the message "Balance calculated successfully"',
          "sandbox/api.py", _READS, _BALANCE),
    _says("balance.merchant-id", _MONEY, "data has merchant_id, the one that was asked for",
          "models/answers.py: Balance", _READS, _BALANCE),
    *(
        _says(f"balance.{name}", _MONEY, f"balance_summary has {name}, text with two decimals",
              "models/answers.py: Balance, sandbox/api.py", _READS, _BALANCE)
        for name in ("total_payin", "total_payout", "total_settled", "total_available")
    ),
    _says("balance.net_balance", _MONEY, "balance_summary has net_balance, a number",
          "models/answers.py: Balance, sandbox/api.py", _READS, _BALANCE),
    _says("balance.net-formula", _MONEY, "net_balance = total_payin − total_payout",
          "sandbox/ledger.py", _READS, _BALANCE),
    _says("balance.no-currency", _MONEY, "there is no currency field",
          "models/answers.py: Balance", _READS, _BALANCE),
    _says("balance.available", _MONEY, "total_available = total_payin − total_payout − "
          "total_settled − fees − reserves", "sandbox/ledger.py", source=_BALANCE),
    _says("balance.completed-only", _MONEY, "pending transactions do not count",
          "sandbox/world.py", source=_BALANCE),
    _says("balance.thresholds", _MONEY, "alerts at 0 (critical), below 10,000 (warning) and at a "
          "net below 0 (error)", "reports/daily.py", source=_BALANCE),
    _assumes("balance.other-merchant", _MONEY, "asking for another merchant's balance",
             "it is answered 403", "sandbox/api.py", _REFUSALS),
    _assumes("balance.no-id", _MONEY, "asking without an id",
             "it is answered 400", "sandbox/api.py", _REFUSALS),
    _assumes("balance.credit", _MONEY, "how 88Pay's credit shows in the figures",
             "the part of a payout on credit is added back to what is available, and is fixed when "
             "the payout completes", "sandbox/ledger.py"),
    _assumes("balance.pending-payout", _MONEY, "what a pending payout does",
             "it changes no figure, and a second payout cannot spend its amount",
             "sandbox/ledger.py"),
    _assumes("balance.settlement", _MONEY, "what may be settled",
             "what is available less pending payouts; fees and reserves may push it below 0",
             "sandbox/ledger.py"),
    _assumes("balance.own-currency", _MONEY, "the currency of the figures",
             "the merchant's own; operations in others are left out", "sandbox/world.py"),
    _assumes("balance.no-list", _MONEY, "an endpoint for settlements or for listing transactions",
             "that there is none: its list is the merchant's own record", "books/record.py"),
)  # fmt: skip

_GUIDE = "Integration checklist"
_CHECKLIST = (
    _says("checklist.items", _GUIDE, "twenty items, from the account to the trained support team",
          "guide/catalogue.py: ITEMS", source=_OVERVIEW),
    _says("checklist.path", _GUIDE, "credentials, token, operations, webhooks, balance",
          "guide/catalogue.py: PAGES", source=_OVERVIEW),
)  # fmt: skip

_CARD = "Test cards"
_TEST_CARDS = (
    _says("cards.two", _CARD, "4242424242424846 succeeds and 4242424242424341 is declined",
          "sandbox/pages.py", source=_LEGACY),
    _assumes("cards.others", _CARD, "what other test cards do",
             "they are refused, with a message that names the two", "sandbox/pages.py"),
)  # fmt: skip

POINTS: tuple[Point, ...] = (
    *_ENVIRONMENTS, *_AUTHENTICATION, *_ENVELOPES, *_LIMITS, *_CHARGES, *_CASH_AND_CASHOUT,
    *_STATUSES, *_WEBHOOKS, *_BALANCES, *_CHECKLIST, *_TEST_CARDS,
)  # fmt: skip

CONTRADICTIONS: tuple[Contradiction, ...] = (
    Contradiction(1, "the formula of total_available gives −215,520 for the sample, which says "
                  "34,490.00", "the formula, with the part of payouts that 88Pay's credit carried "
                  "added back", "sandbox/ledger.py"),
    Contradiction(2, "a charge's body is flat, or nested in customer, order and redirect", "flat",
                  "models/requests.py", ("charge.PSE",)),
    Contradiction(3, "PSE, OXXO and SPEI are methods of their own, or part of BANK_TRANSFER and "
                  "CASH", "both are accepted", "models/methods.py",
                  ("charge.PSE", "charge.OXXO", "charge.SPEI", "charge.BANK_TRANSFER",
                   "charge.CASH")),
    Contradiction(4, 'the currency "must match the country", yet USDT is in USD and PayPal in USD '
                  "or EUR", "those two are exempt", "models/methods.py",
                  ("charge.USDT", "charge.PAYPAL")),
    Contradiction(5, "/transactions/cash is listed, yet the cash page posts to /charges",
                  "both work", "client/core.py", ("cash.body", "charge.CASH")),
    Contradiction(6, "a notification's token is good for 5 minutes, yet there are ten retries",
                  "a fresh token at each attempt", "sandbox/world.py"),
    Contradiction(7, 'a key has "32 random characters"; the samples have 16 and 20',
                  "only the prefix is checked", "config.py"),
    Contradiction(8, "the access token is a JWT on one page, a JWE on another",
                  "nobody takes it apart", "models/answers.py", ("token.form",)),
    Contradiction(9, "an amount is a number in requests, and text in webhooks and balances",
                  "exact decimals inside, each form at its own border", "money.py",
                  ("charge.text-amount", "charge.echo", "balance.total_payin",
                   "webhook.transaction_amount")),
    Contradiction(10, '"a new token for each operation", and "do not"',
                  "a token is kept for 50 s", "client/tokens.py", ("token.reuse",)),
    Contradiction(11, "return_url is optional in a table, and required for redirects elsewhere",
                  "required for cards and wallets", "models/requests.py", ("charge.return-url",)),
    Contradiction(12, "a cash voucher lives 72 h; the sample's about 7 days", "72 h",
                  "models/methods.py", ("charge.voucher-life",)),
    Contradiction(13, 'a net below 0 is an "error", and also "normal"',
                  "with a known credit limit, information within it and an error beyond it; "
                  "without one, a warning that says both", "reports/daily.py"),
    Contradiction(14, "waits of 1, 2, 4, 8 s, and at most three retries",
                  "three retries, after 1, 2 and 4 s", "policy.py: backoff"),
    Contradiction(15, '"future deposits automatically reduce the advance", while a deposit after '
                  "the payouts is available in full", "the sample: the deposit is available",
                  "sandbox/ledger.py"),
    Contradiction(16, 'net_balance is called "profit"', "shown as net position: it is not "
                  "accounting profit", "models/answers.py: Balance"),
)  # fmt: skip


def point(id: str) -> Point:
    """The point with this id.

    Raises:
        KeyError: there is none.
    """
    return _BY_ID[id]


def page() -> str:
    """``docs/what_is_simulated.md``: the three tables."""
    lines = [
        "# What is simulated: what is documented, and what is assumed",
        "",
        "<!-- Written by `make docs` from pay88kit/contract.py. Change it there. -->",
        "",
        "pay88kit is made from 88Pay's public pages. Where they are silent, the kit had to choose,",
        "and where they contradict each other, it had to follow one of them. This page lists all",
        "three, so that you can ask 88Pay before you rely on them. `pay88 doctor` asks an 88Pay",
        'about the points marked in the last column: "reads" always, "refusals" outside of',
        'production, "wait" with `--wait`, "creates" with `--create`, "webhook" with',
        "`--create --notify URL`.",
        "",
        "## Documented by 88Pay",
        "",
        "| About | 88Pay says | Source | Where in `pay88kit/` | `pay88 doctor` |",
        "|---|---|---|---|---|",
        *(
            table_row(p.section, p.statement, p.source, f"`{p.where}`", _seen(p))
            for p in POINTS
            if p.documented
        ),
        "",
        "## Assumed, because 88Pay does not document it",
        "",
        "| About | 88Pay does not document | The kit assumes | Where in `pay88kit/` "
        "| `pay88 doctor` |",
        "|---|---|---|---|---|",
        *(
            table_row(p.section, p.topic, p.reading, f"`{p.where}`", _seen(p))
            for p in POINTS
            if not p.documented
        ),
        "",
        "## Where 88Pay's pages contradict each other",
        "",
        "| # | Contradiction | Followed | Where in `pay88kit/` | What `pay88 doctor` asks |",
        "|---|---|---|---|---|",
        *(
            table_row(str(c.number), c.pages, c.followed, f"`{c.where}`",
                 ", ".join(f"`{id}`" for id in c.points) or "–")
            for c in CONTRADICTIONS
        ),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _seen(point: Point) -> str:
    return "–" if point.observe is Observe.NO else f"{point.observe}: `{point.id}`"


def table_row(*cells: str) -> str:
    """A line of a Markdown table; no cell becomes HTML or another cell."""
    return "| " + " | ".join(c.replace("|", "\\|").replace("<", "&lt;") for c in cells) + " |"


_BY_ID = {point.id: point for point in POINTS}
