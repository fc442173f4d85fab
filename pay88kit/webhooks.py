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
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pay88kit import money
from pay88kit.errors import InvalidRequest, WebhookRefused, needs

TOLERANCE = timedelta(minutes=5)
MAX_BODY = 64 * 1024
# The query parameter with which the kit marks the notification_url of an operation.
MARKER = "pay88_operation"

Decrypt = Callable[[str, str], bytes]


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
            text = str(self.fields.get("transaction_date"))
            moment = datetime.fromisoformat(text)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    @property
    def reference(self) -> str | None:
        """The transaction's reference, if the notification carries it."""
        return self._text("transaction_reference")

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
        fields = money.loads(body)
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

    Raises:
        WebhookRefused: with the :class:`Reason`; never another exception, whatever the bytes.
        MissingExtra: when the packages for decryption are not installed.
    """
    notification = parse(body)
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
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

    ``nonce`` is 12 bytes and must not be used twice with one secret.

    Raises:
        MissingExtra: when the packages for encryption are not installed.
    """
    with needs("server"):
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    claims = {
        "transaction_id": transaction_id,
        "transaction_amount": transaction_amount,
        "ts": int(now.timestamp() * 1000),
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
    try:
        claims = money.loads(decrypt(token, secret))
    except ImportError:
        raise
    except Exception:
        # A stranger's bytes reach a cipher here; whatever it makes of them, it is no token.
        claims = None
    if not isinstance(claims, dict):
        raise WebhookRefused(
            Reason.CANNOT_DECRYPT, "The token does not decrypt with this webhook secret."
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
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ts)
    except (ValueError, OverflowError):
        raise WebhookRefused(Reason.TOO_OLD, "The token carries no usable time.") from None


def _key(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
