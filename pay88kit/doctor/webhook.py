"""What is seen with ``--create --notify``: one charge, paid for its one notification.

The notification is judged as it came. Neither its token nor a value that is the customer's is
told, only their shape.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

from pay88kit import money, webhooks
from pay88kit.contract import POINTS, Observe
from pay88kit.doctor.checks import Check, Examiner, Notify, amount_of, kind, token_form
from pay88kit.doctor.creates import body, create
from pay88kit.doctor.wire import Session, Stopped
from pay88kit.errors import WebhookRefused
from pay88kit.sandbox.cards import CVV, EXPIRY, SUCCEEDS
from pay88kit.webhooks import Incoming, Reason

_SESSION = re.compile(r"sess_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_AMOUNT = re.compile(r"[0-9]+(\.[0-9]+)?")
_STATUSES = ("PENDING", "COMPLETED", "REJECTED")
# Known to be among the sandbox's, and asked after at 88Pay.
_SANDBOX_FIELDS = ("reference", "currency", "country", "customer_id")
_DOCUMENTED = ("date", "status", "id", "amount", "payment_method")
# Real seconds. In short waits: on Windows a long one would not hear Ctrl-C.
_STEP, _SAY_AGAIN = 1.0, 30.0
# What a sandbox has paid is notified before it says so; more than that is only a slow tunnel.
_AFTER_PAYING = 10.0
_CLOCKS_DIFFER = timedelta(minutes=5)


def notification(x: Examiner) -> None:
    """Make one charge, see that it is paid, and judge its notification."""
    if x.notify is None:
        return
    if not x.payable:
        raise Stopped("no charge with a checkout was accepted, so none could be paid")
    marker = f"doctor-{token_hex(8)}"
    asked = body(x, x.payable[0], notification_url=webhooks.marked(x.notify.url, marker))
    session = x.session()
    made = x.wire.clock.now()
    heard = create(x, "charge", asked)
    reference = heard.data.get("reference")
    if heard.status != 200 or not isinstance(reference, str):
        _unseen(x, f"the charge for the notification was answered {heard}")
        return
    x.notified = x.wire.mask(reference)
    if x.notify.hear is None:
        _unseen(x, "nobody listened for it here")
        return
    if x.wire.pay(reference):
        limit = min(_AFTER_PAYING, x.notify.timeout)
        x.wire.say(f"The charge {x.notified} was paid in the sandbox. Waiting for its "
                   f"notification.")  # fmt: skip
    else:
        limit = x.notify.timeout
        _ask_to_pay(x, x.notify, asked["method_code"], heard.data.get("urlCheckout"))
    try:
        came = _wait(x, x.notify, marker, limit)
    except KeyboardInterrupt:
        # What was asked before is worth its report.
        _unseen(x, "the waiting for it was stopped")
        return
    if came is None:
        _unseen(x, f"no notification came within {limit:g} s")
        return
    x.notified = None
    _judge(x, came, marker, asked, session, made)


CHECK = Check(Observe.WEBHOOK, 1, 1, notification)


def _unseen(x: Examiner, reason: str) -> None:
    for point in POINTS:
        if point.observe is Observe.WEBHOOK:
            x.see(point.id, None, reason)


def _ask_to_pay(x: Examiner, notify: Notify, code: str, checkout: Any) -> None:
    shown = "".join(char if char.isprintable() else "?" for char in str(checkout))
    card = f" with the test card {SUCCEEDS} (CVV {CVV}, expiry {EXPIRY})" if code == "CARDS" else ""
    x.wire.say(
        f"The charge {x.notified} waits for its customer: you, within {notify.timeout:g} s.\n"
        f"  1. Keep {notify.url} leading to this machine.\n"
        f"  2. Open {shown}\n"
        f"  3. Pay{card}, or decline. Both are notified.\n"
        f"Ctrl-C stops the waiting; the report follows.\n"
        f"Waiting for the notification."
    )


def _wait(x: Examiner, notify: Notify, marker: str, limit: float) -> Incoming | None:
    """The notification; another method than POST only when no POST came."""
    other: Incoming | None = None
    end = time.monotonic() + limit
    say_again = end - limit + _SAY_AGAIN
    while (left := end - time.monotonic()) > 0:
        request = notify.hear(min(left, _STEP)) if notify.hear else None
        if request is not None and _belongs(request, marker):
            if request.method == "POST":
                return request
            # Perhaps somebody only looks whether the address answers.
            other = other or request
        if time.monotonic() >= say_again:
            say_again += _SAY_AGAIN
            x.wire.say(f"Still waiting: {left:.0f} s are left.")
    return other


def _belongs(request: Incoming, marker: str) -> bool:
    """Whether a request is this notification, and no stranger's or an earlier run's."""
    if request.marker is not None:
        return request.marker == marker
    return "authorization" in request.headers or b"transaction_" in request.body


def _judge(
    x: Examiner,
    came: Incoming,
    marker: str,
    asked: Mapping[str, Any],
    session: Session,
    made: datetime,
) -> None:
    see = x.see
    see("webhook.post", came.method == "POST", came.method)
    media = came.headers.get("content-type", "").partition(";")[0].strip().lower()
    see("webhook.content-type", media == "application/json", media or "none")
    see("webhook.marker", came.marker == marker, "it came back" if came.marker else "it did not")
    token = _judge_bearer(x, came.headers.get("authorization"))
    try:
        fields = money.loads(came.body)
    except ValueError:
        fields = None
    whole = isinstance(fields, dict)
    see("webhook.body", whole, "it is" if whole else "it is none")
    if whole:
        _judge_fields(x, fields, asked, session)
        _judge_date(x, fields.get("transaction_date"), made)
    if token:
        _judge_check(x, came)


def _judge_bearer(x: Examiner, authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    for secret in (authorization, token, *token.split(".")):
        x.wire.mask.add(secret)
    if scheme.lower() != "bearer" or not token:
        seen = "there is no Authorization" if authorization is None else "it is of another form"
        x.see("webhook.bearer", False, seen)
        return ""
    x.see("webhook.bearer", True, "it has")
    parts = token.count(".") + 1
    x.see("webhook.token-form", parts == 5, f"{parts} part(s): {token_form(token)}")
    return token


def _judge_fields(
    x: Examiner, fields: Mapping[str, Any], asked: Mapping[str, Any], session: Session
) -> None:
    see = x.see
    id, status, amount, method = (
        fields.get(f"transaction_{name}") for name in ("id", "status", "amount", "payment_method")
    )
    see("webhook.transaction_id", isinstance(id, str) and bool(id), kind(id))
    if isinstance(id, str) and id:
        x.wire.mask.add(id)
        fits = _SESSION.fullmatch(id) is not None
        see("webhook.id-form", fits, "of that form" if fits else "of another form")
        same = id == session.session_id
        see("webhook.id", True, "the session id of the create" if same else "an id of its own")
    word = status if isinstance(status, str) else kind(status)
    known = status in _STATUSES
    see("webhook.transaction_status", known, word)
    if known:
        see("webhook.when", status != "PENDING", f"at {word}")
    fits = isinstance(amount, str) and _AMOUNT.fullmatch(amount) is not None
    see(
        "webhook.transaction_amount", fits, "of that form" if fits else f"{kind(amount)}, otherwise"
    )
    exact = amount_of(amount)
    if exact is not None:
        same = exact == asked["amount"]
        see("webhook.amount", same, "the amount charged" if same else "another amount")
    see("webhook.transaction_payment_method", isinstance(method, str), kind(method))
    if isinstance(method, str):
        card = asked["method_code"] == "CARDS"
        expected = "CREDIT_CARD" if card else asked["method_code"]
        see("webhook.cards" if card else "webhook.other-methods", method == expected, method)
    other = "webhook.other-methods" if asked["method_code"] == "CARDS" else "webhook.cards"
    see(other, None, f"the charge was paid with {asked['method_code']}")
    more = sorted(fields.keys() - {f"transaction_{name}" for name in _DOCUMENTED})
    see("webhook.more-fields", True, f"further fields: {', '.join(more) or 'none'}")
    found = [name for name in _SANDBOX_FIELDS if f"transaction_{name}" in fields]
    see("webhook.sandbox-fields", True, ", ".join(found) or "none of them")


def _judge_date(x: Examiner, date: Any, made: datetime) -> None:
    fits = isinstance(date, str) and _DATE.fullmatch(date) is not None
    moment = None
    if fits:
        try:
            moment = datetime.fromisoformat(date).replace(tzinfo=UTC)
        except ValueError:
            fits = False
    x.see("webhook.transaction_date", fits, "of that form" if fits else f"{kind(date)}, otherwise")
    if moment is None:
        return
    if x.wire.same_time is False:
        x.see("webhook.zone", None, "this 88Pay's clock is not this machine's")
        return
    now = x.wire.clock.now()
    fits = made - _CLOCKS_DIFFER <= moment <= now + _CLOCKS_DIFFER
    ahead = (moment - now).total_seconds() / 3600
    x.see("webhook.zone", fits, "it fits" if fits else f"as UTC it is {ahead:+.1f} h from now")


def _judge_check(x: Examiner, came: Incoming) -> None:
    secret = x.config.webhook_secret
    if not secret:
        for id in ("webhook.cipher", "webhook.check"):
            x.see(id, None, "there is no PAY88_WEBHOOK_SECRET, so the token was not decrypted")
        return
    try:
        webhooks.verify(
            came.body, came.headers.get("authorization"), secret, now=x.wire.clock.now()
        )
    except WebhookRefused as refusal:
        reason, detail = refusal.reason, refusal.detail
        if reason.malformed:
            for id in ("webhook.cipher", "webhook.check"):
                x.see(id, None, f"without these fields the token is not compared: {detail}")
            return
        if reason is Reason.CANNOT_DECRYPT:
            x.see("webhook.cipher", False, "it does not decrypt with this webhook secret")
            x.see("webhook.check", None, "the token did not decrypt")
            return
        x.see("webhook.cipher", True, "it decrypts")
        timed = reason in (Reason.TOO_OLD, Reason.FROM_THE_FUTURE)
        fits = None if timed and x.wire.same_time is False else False
        x.see("webhook.check", fits, detail)
        return
    x.see("webhook.cipher", True, "it decrypts")
    x.see("webhook.check", True, "all three fit")
