"""88Pay's notifications: sign, verify, parse. Pure rules, no input or output.

Documented by 88Pay: a POST with ``Authorization: Bearer {encrypted token}``; decrypted with the
merchant's secret, the token's ``transaction_id`` and ``transaction_amount`` must equal the body's,
and its ``ts`` (epoch milliseconds) must be at most five minutes old. **Not documented**: the
cipher. The kit assumes a compact JWE, ``dir`` with ``A256GCM`` and SHA-256 of the secret as the
key; :func:`verify` takes another ``decrypt`` where that guess is wrong.

The token does not cover ``transaction_status``: a valid token with another status passes 88Pay's
own check. A status from a notification is likely, not proven.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pay88kit import money
from pay88kit.config import Secret
from pay88kit.errors import InvalidRequest, MissingExtra, WebhookRefused, needs

TOLERANCE = timedelta(minutes=5)
MAX_BODY = 64 * 1024
MAX_REFERENCE = 255
# The query parameter with which the kit marks the notification_url of an operation.
MARKER = "pay88_operation"

# Token and secret in, the token's content out; whatever it raises, the token did not decrypt.
Decrypt = Callable[[str, str], bytes]

_EPOCH = datetime.fromtimestamp(0, UTC)
_MILLISECOND = timedelta(milliseconds=1)


def marked(url: str, operation_id: str) -> str:
    """``url`` with an operation id in its query; the merchant's own query stays as it is.

    That a ``notification_url`` is called with its query is assumed.

    Raises:
        ValueError: it is no web address.
    """
    parts = urlsplit(url)
    # Not decoded and written anew: the merchant's query may be signed.
    added = f"{MARKER}={operation_id}"
    return urlunsplit(parts._replace(query=f"{parts.query}&{added}" if parts.query else added))


class Reason(StrEnum):
    """Why a notification is not believed."""

    NOT_JSON = "not JSON"
    FIELD_MISSING = "field missing"
    MISSING_TOKEN = "missing token"  # noqa: S105 - a reason, not a password
    CANNOT_DECRYPT = "cannot decrypt"
    OTHER_TRANSACTION = "other transaction"
    OTHER_AMOUNT = "other amount"
    TOO_OLD = "too old"
    FROM_THE_FUTURE = "from the future"

    @property
    def malformed(self) -> bool:
        """Whether the body itself is at fault (400), rather than its token (401)."""
        return self in (Reason.NOT_JSON, Reason.FIELD_MISSING)


@dataclass(frozen=True)
class Incoming:
    """A request to a receiver as it came, not believed. Its token stays out of its repr.

    ``headers`` have names in small letters; ``marker`` is the operation id that came back on the
    address.
    """

    method: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    marker: str | None


@dataclass(frozen=True)
class Notification:
    """What a notification says. ``fields`` has all of it, as 88Pay sent it.

    ``amount`` is exact. ``date`` is in UTC: 88Pay's text has no zone, the kit assumes UTC.
    ``reference``, ``currency`` and ``customer_id`` are there in the local sandbox's notifications;
    whether 88Pay sends them is not documented.
    """

    transaction_id: str
    status: str
    amount: Decimal
    fields: Mapping[str, Any]

    @property
    def date(self) -> datetime | None:
        """When the status was reached, or None where the text is missing or no date."""
        try:
            moment = datetime.fromisoformat(self._text("transaction_date") or "")
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    @property
    def reference(self) -> str | None:
        """The transaction's reference, if the notification carries it.

        88Pay's have 11 characters. One of more than 255 is none: no database could find it.
        """
        found = self._text("transaction_reference")
        return found if found and len(found) <= MAX_REFERENCE else None

    @property
    def currency(self) -> str | None:
        """The currency, if the notification carries it."""
        return self._text("transaction_currency")

    def record(self) -> dict[str, Any]:
        """One row of a table: every field that came, the amount exact."""
        return {**self.fields, "transaction_amount": self.amount}

    def _text(self, name: str) -> str | None:
        value = self.fields.get(name)
        return value if isinstance(value, str) else None


def parse(body: bytes) -> Notification:
    """Read a notification's body, without believing it.

    Raises:
        WebhookRefused: ``NOT_JSON`` or ``FIELD_MISSING``; never another exception.
    """
    try:
        # JSON that travels is UTF-8. The parser would guess at others, which no record could keep.
        fields = money.loads(body.decode("utf-8-sig"))
    except ValueError:
        raise WebhookRefused(Reason.NOT_JSON, "The body is not JSON.") from None
    if not isinstance(fields, dict):
        raise WebhookRefused(Reason.NOT_JSON, "The body is not a JSON object.")
    for name in ("transaction_id", "transaction_status"):
        if not isinstance(fields.get(name), str) or not fields[name]:
            raise WebhookRefused(Reason.FIELD_MISSING, f"{name} is missing or not text.")
    return Notification(
        fields["transaction_id"],
        fields["transaction_status"],
        _amount(fields.get("transaction_amount"), Reason.FIELD_MISSING),
        fields,
    )


def verify(
    body: bytes,
    authorization: str | None,
    secret: str,
    *,
    now: datetime,
    tolerance: timedelta = TOLERANCE,
    decrypt: Decrypt | None = None,
) -> Notification:
    """Read a notification's body and check it against its token.

    Stricter than 88Pay's own check in one point: a ``ts`` further in the future than ``tolerance``
    is refused, 88Pay's sample lets it through.

    Args:
        body: the bytes as they came.
        authorization: the header of that name, or None where there is none.
        secret: the merchant's webhook secret.
        now: the time that counts, with its zone.
        tolerance: how far ``ts`` may be from ``now``, on both sides; five minutes are 88Pay's.
        decrypt: what makes the claims out of token and secret, as JSON; :func:`decrypt_jwe` by
            default.

    Raises:
        WebhookRefused: with the :class:`Reason`; never another exception, whatever the bytes and
            whatever ``decrypt`` raises.
        MissingExtra: when the packages for decryption are not installed.
    """
    # A refusal is raised with these among its local variables.
    authorization, secret = Secret(authorization or ""), Secret(secret)
    notification = parse(body)
    scheme, token = authorization.partition(" ")[0], Secret(authorization.partition(" ")[2].strip())
    if scheme.lower() != "bearer" or not token:
        raise WebhookRefused(
            Reason.MISSING_TOKEN, "There is no Authorization header with a bearer token."
        )
    claims = _claims(token, secret, decrypt or decrypt_jwe)
    if claims.get("transaction_id") != notification.transaction_id:
        raise WebhookRefused(
            Reason.OTHER_TRANSACTION, "The token belongs to another transaction_id."
        )
    if _amount(claims.get("transaction_amount"), Reason.OTHER_AMOUNT) != notification.amount:
        raise WebhookRefused(Reason.OTHER_AMOUNT, "The token belongs to another amount.")
    age = now - _moment(claims.get("ts"))
    if age > tolerance:
        raise WebhookRefused(Reason.TOO_OLD, f"The token is {age.total_seconds():.0f} s old.")
    if age < -tolerance:
        raise WebhookRefused(
            Reason.FROM_THE_FUTURE, f"The token is {-age.total_seconds():.0f} s ahead of the clock."
        )
    return notification


def sign(
    transaction_id: str,
    transaction_amount: str,
    secret: str,
    *,
    now: datetime,
    nonce: bytes,
) -> str:
    """The ``Authorization`` header that makes a notification pass :func:`verify`.

    Here stands what the kit assumes; how 88Pay makes its token is not documented. ``now`` becomes
    the token's ``ts``. ``nonce`` is 12 bytes and must not be used twice with one secret.

    Raises:
        MissingExtra: when the packages for encryption are not installed.
    """
    with needs("server"):
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    claims = {
        "transaction_id": transaction_id,
        "transaction_amount": transaction_amount,
        "ts": (now - _EPOCH) // _MILLISECOND,
    }
    # joserfc, which reads these tokens, draws the nonce itself; a reproducible sandbox cannot use
    # that, so the five parts of the compact form are put together here.
    header = _base64(b'{"alg":"dir","enc":"A256GCM"}')
    sealed = AESGCM(_key(secret)).encrypt(nonce, json.dumps(claims).encode(), header.encode())
    parts = (header, "", _base64(nonce), _base64(sealed[:-16]), _base64(sealed[-16:]))
    return "Bearer " + ".".join(parts)


def decrypt_jwe(token: str, secret: str) -> bytes:
    """The content of a token under the kit's assumption: compact JWE, ``dir``, ``A256GCM``.

    Raises:
        ValueError: when it does not decrypt.
        MissingExtra: when the packages for decryption are not installed.
    """
    with needs("server"):
        from joserfc import jwe
        from joserfc.errors import JoseError
        from joserfc.jwk import OctKey
    try:
        found = jwe.decrypt_compact(
            token, OctKey.import_key(_key(secret)), algorithms=["dir", "A256GCM"]
        )
    except JoseError as error:
        raise ValueError(str(error)) from None
    return found.plaintext or b""


def _claims(token: str, secret: str, decrypt: Decrypt) -> Mapping[str, Any]:
    fault = ""
    try:
        claims = money.loads(decrypt(token, secret))
    except MissingExtra:
        raise
    except Exception as error:
        # A stranger's bytes reach a cipher here; whatever it makes of them, it is no token. Its
        # words may repeat them; its kind tells a wrong cipher from a mistake in `decrypt`.
        claims, fault = None, f" ({type(error).__name__})"
    if not isinstance(claims, dict):
        raise WebhookRefused(
            Reason.CANNOT_DECRYPT, f"The token does not decrypt with this webhook secret{fault}."
        )
    return claims


def _amount(value: Any, reason: Reason) -> Decimal:
    try:
        return money.exact(value, "transaction_amount")
    except InvalidRequest:
        raise WebhookRefused(reason, "transaction_amount is missing or no amount.") from None


def _moment(ts: Any) -> datetime:
    try:
        if not isinstance(ts, int) or isinstance(ts, bool):
            raise ValueError
        return _EPOCH + timedelta(milliseconds=ts)
    except (ValueError, OverflowError):
        raise WebhookRefused(Reason.TOO_OLD, "The token carries no usable time.") from None


def _key(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
