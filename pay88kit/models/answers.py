"""What 88Pay answers, as typed models.

Answers are read leniently: a field that 88Pay adds is kept, one that is missing or has another
type than documented is ``None``, and :attr:`Answer.raw` has everything as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from pay88kit import money
from pay88kit.config import Secret, mask
from pay88kit.display import Row, Shown
from pay88kit.models.requests import BankDetails

A = TypeVar("A", bound="Answer")


def _lenient(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        # A float can only come from a hand-made answer; its digits are not to be trusted.
        return None if isinstance(value, float | bool) else handler(value)
    except ValidationError:
        return None


def _account(value: Any) -> Any:
    """A number among the texts of a bank account must not hide the others."""
    if not isinstance(value, Mapping):
        return value
    known = BankDetails.model_fields
    return {n: v for n, v in value.items() if n not in known or isinstance(v, str)}


Text = Annotated[str | None, WrapValidator(_lenient)]
Amount = Annotated[Decimal | None, WrapValidator(_lenient)]
Number = Annotated[int | None, WrapValidator(_lenient)]
Account = Annotated[BankDetails | None, WrapValidator(_lenient), BeforeValidator(_account)]


class Answer(Shown, BaseModel):
    """The common part: the data of one answer, readable as attributes."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)
    _raw: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def read(cls: type[A], raw: Mapping[str, Any]) -> A:
        """The answer in 88Pay's envelope ``{"status", "code", "message", "data"}``."""
        guarded = _guard(raw)
        data = guarded.get("data")
        fields = cls._flatten(data if isinstance(data, Mapping) else {})
        for name, field in cls.model_fields.items():
            if field.alias in fields:  # 88Pay's own word counts, and a field is there once
                fields.pop(name, None)
        answer = cls.model_validate(fields)
        answer._raw = guarded
        return answer

    @classmethod
    def _flatten(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        return dict(data)

    @property
    def raw(self) -> dict[str, Any]:
        """The whole answer as decoded JSON, decimal numbers as ``Decimal``."""
        return self._raw

    def record(self) -> dict[str, Any]:
        """The fields that are there, as one row of a table."""
        return {name: value for name, value in self if value is not None}

    def _rows(self) -> list[Row]:
        record = self.record()
        currency = record.get("currency")
        if "amount" in record:
            record.pop("currency", None)  # it stands behind the amount
        known = type(self).model_fields
        return [
            (name, money.show(value, currency))
            # A decimal in a field that the kit does not know may be a rate.
            if isinstance(value, Decimal) and name in known
            else (name, _shown(value))
            for name, value in record.items()
        ]

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self.record().items())
        return f"{type(self).__name__}({inner})"


def _shown(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Secret):
        return mask(value)
    if isinstance(value, BaseModel):
        return ", ".join(f"{name} {text}" for name, text in value if text is not None)
    return str(value)


_SECRET_FIELDS = ("access_token", "session_id", "api_key", "webhook_secret")


def _guard(value: Any) -> Any:
    """The same JSON, its secrets masked in every repr."""
    if isinstance(value, Mapping):
        return {
            key: Secret(item)
            if key in _SECRET_FIELDS and isinstance(item, str)
            else _guard(item)
            for key, item in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [_guard(item) for item in value]
    return value


def _secret(value: Any) -> Secret | None:
    return Secret(value) if isinstance(value, str) else None


SecretText = Annotated[Secret | None, BeforeValidator(_secret)]


class Token(Answer):
    """An access token with the session id it belongs to. It lives ``expires_in`` seconds (60)."""

    access_token: SecretText = None
    expires_in: Number = None
    session_id: SecretText = None

    @property
    def headers(self) -> dict[str, str]:
        """The two headers of every other call."""
        return {
            "Authorization": Secret(f"Bearer {self.access_token}"),
            "x-session-id": Secret(self.session_id or ""),
        }


class Charge(Answer):
    """A charge or cash payment that was accepted. It has no status: it starts ``PENDING``.

    ``reference`` names the transaction. Which of the other fields are there depends on the method:
    ``url_checkout`` for CARDS, wallets and PSE; ``bank_details`` for BANK_TRANSFER and SPEI;
    ``voucher_url``, ``payment_code`` and ``expires_at`` for CASH and OXXO; ``deposit_address``,
    ``network`` and ``qr_code_url`` for USDT.
    """

    reference: str
    customer_id: Text = None
    amount: Amount = None
    currency: Text = None
    url_checkout: Annotated[Text, Field(alias="urlCheckout")] = None
    bank_details: Account = None
    voucher_url: Text = None
    payment_code: Text = None
    expires_at: Text = None
    deposit_address: Text = None
    network: Text = None
    qr_code_url: Text = None


class Cashout(Answer):
    """A payout that was accepted. It starts ``PENDING``. The answer's form is assumed."""

    reference: str
    customer_id: Text = None
    amount: Amount = None
    currency: Text = None


class Balance(Answer):
    """A merchant's balance, in the merchant's currency (88Pay sends no currency field).

    ``total_payin``, ``total_payout``: completed transactions. ``total_settled``: moved to the
    merchant's bank. ``total_available``: what can be paid out now. ``net_balance``: payin minus
    payout, below zero when 88Pay's credit was used.
    """

    merchant_id: Text = None
    total_payin: Amount = None
    total_payout: Amount = None
    total_settled: Amount = None
    total_available: Amount = None
    net_balance: Amount = None

    @classmethod
    def _flatten(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        summary = data.get("balance_summary")
        rest = {k: v for k, v in data.items() if k not in ("balance_summary", "message")}
        return rest | (dict(summary) if isinstance(summary, Mapping) else {})
