"""Exact amounts: how they come in, how they travel as JSON, how they are shown.

An amount is a ``Decimal`` from the parser to the screen. A float never holds one.
"""

from __future__ import annotations

import json
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from pay88kit.errors import InvalidRequest, Problem

CENT = Decimal("0.01")
# Of our own: a program's global context may round earlier than money does.
_CONTEXT = Context(prec=60)
_quoted = json.encoder.encode_basestring_ascii
# The largest amount that decimal128(18, 2) holds. 88Pay documents no bound; assumed.
MAX_AMOUNT = Decimal("9999999999999999.99")


def exact(value: Any, field: str = "amount") -> Decimal:
    """``value`` as an exact ``Decimal`` with at most two decimals.

    Accepts an int, a ``Decimal`` or a decimal string such as ``"50000.50"``.

    Raises:
        InvalidRequest: for a float (the message gives the literal to write instead), a boolean,
            text that is no plain number, more than two decimals, or an amount out of range.
    """

    def refuse(fault: str, cure: str) -> InvalidRequest:
        return InvalidRequest(Problem(field, fault, cure))

    if isinstance(value, float):
        raise refuse(
            f"{value!r} is a float, which cannot hold money exactly.",
            f'Write Decimal("{value!r}") or "{value!r}" instead.',
        )
    if isinstance(value, int) and value.bit_length() > 64:
        # Turning millions of digits into a Decimal, only to refuse it, takes seconds.
        raise refuse("the amount is out of range.", f"Use at most {MAX_AMOUNT:,}.")
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise refuse(
            f"a {type(value).__name__} is not an amount.",
            'Use an int, a Decimal or a decimal string such as "50000.50".',
        )
    try:
        # "1_000", "１２" and "1e3" are numbers to Decimal, but nobody's way to write money.
        if isinstance(value, str) and not _is_plain(value):
            raise InvalidOperation
        number = Decimal(value)
    except InvalidOperation:
        raise refuse(
            f"{str(value)[:40]!r} is not a plain decimal number.",
            'Write digits and at most one point, such as "50000.50", without thousands marks.',
        ) from None
    if not number.is_finite():
        raise refuse(f"{value} is not a finite number.", "Use a number.")
    # Not abs(): the arithmetic context would round, or overflow on a million digits.
    if not -MAX_AMOUNT <= number <= MAX_AMOUNT:
        raise refuse("the amount is out of range.", f"Use at most {MAX_AMOUNT:,}.")
    if number != number.quantize(CENT, context=_CONTEXT):
        raise refuse(f"{value} has more than two decimals.", "Round it to two decimals yourself.")
    return number


def as_written(value: Any, field: str = "amount", *, mark: str = "") -> Decimal:
    """The same for what a person or a file wrote, where a point may stand for thousands.

    ``"50.000"`` is fifty thousand in Bogotá and fifty to a computer, so text with more than two
    digits after its point is refused, whatever they are. ``mark`` says how a caller can be told
    which mark is the decimal one, and ends the cure.

    Raises:
        InvalidRequest: as for :func:`exact`, and for such text.
    """
    number = exact(value, field)
    whole, _, after = value.partition(".") if isinstance(value, str) else ("", "", "")
    if len(after) > 2:
        meant = f'Write "{whole}{after}" or "{whole}.{after[:2]}", whichever you mean'
        raise InvalidRequest(
            Problem(
                field,
                f"{value[:40]!r} has {len(after)} digits after the point, which marks decimals.",
                f"{meant}, or {mark}." if mark else f"{meant}.",
            )
        )
    return number


def _is_plain(text: str) -> bool:
    """Whether ``text`` is an optional minus, ASCII digits and at most one point between them."""
    whole, point, cents = text.removeprefix("-").partition(".")
    parts = (whole, cents) if point else (whole,)
    return all(part.isascii() and part.isdigit() for part in parts)


def has_cents(amount: Decimal) -> bool:
    """Whether an amount is finite and has at most two decimals."""
    return amount.is_finite() and amount == amount.quantize(CENT, context=_CONTEXT)


def to_cents(amount: Decimal) -> int:
    """An exact amount as a whole number of cents."""
    return int(amount.scaleb(2, _CONTEXT))


def from_cents(cents: int) -> Decimal:
    """A whole number of cents as an amount with two decimals."""
    return Decimal(cents).scaleb(-2, _CONTEXT)


def to_text(amount: Decimal) -> str:
    """The amount with exactly two decimals, as in a balance: ``"34490.00"``."""
    return f"{amount.quantize(CENT, context=_CONTEXT):f}"


def show(amount: Decimal | None, currency: str | None = None) -> str:
    """The amount for people: ``50,000.00 COP``. A missing amount is an en dash."""
    if amount is None:
        return "–"
    # What has more decimals is shown with all of them: nothing is rounded on the screen.
    places = max(2, -int(amount.as_tuple().exponent))
    return f"{amount:,.{places}f} {currency or ''}".rstrip()


# ---------------------------------------------------------------- exact JSON


def loads(data: str | bytes) -> Any:
    """JSON with its decimal numbers as ``Decimal``.

    Raises:
        ValueError: whatever is wrong with ``data``: not UTF-8, not JSON, NaN, too deeply nested,
            a number with thousands of digits.
    """
    try:
        return json.loads(data, parse_float=_finite, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def dumps(value: Any) -> str:
    """JSON with every ``Decimal`` written as the number that it is.

    The standard encoder cannot write a ``Decimal`` as a number, and other encoders write it as a
    string or through a float.

    Raises:
        TypeError: for what has no exact JSON form, floats and a ``Decimal`` NaN included.
    """
    # By exact type first, which is quick; what is derived from one of them, below.
    kind = type(value)
    if kind is str:
        return _quoted(value)
    if kind is int:
        return repr(value)
    if isinstance(value, dict):
        parts = [f"{_quoted(str(name))}: {dumps(item)}" for name, item in value.items()]
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(dumps, value)) + "]"
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}"
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    raise TypeError(
        f"a {type(value).__name__} here has no exact JSON form; use int, finite Decimal or str"
    )


def _finite(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"number out of range: {text[:40]}") from None
    # Writing 1e999999 out as digits would fill the memory.
    if not -400 < number.adjusted() < 400:
        raise ValueError(f"number out of range: {text[:40]}")
    return number


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
