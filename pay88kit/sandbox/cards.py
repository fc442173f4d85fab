"""The card form of the checkout. It takes the two test cards that 88Pay documents, and no other.

A number that is typed here is compared and dropped: it is never stored, logged or shown again.
"""

from __future__ import annotations

from collections.abc import Mapping

# Documented on a legacy page of 88Pay's; that the checkout takes these only is assumed.
SUCCEEDS, DECLINED = "4242424242424846", "4242424242424341"
EXPIRY, CVV = "12/29", "123"
_EXPIRIES = ("1229", "122029")


def spaced(number: str) -> str:
    """A card number in groups of four, as on the card."""
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


TAKEN = f"{spaced(SUCCEEDS)} (succeeds) or {spaced(DECLINED)} (is declined)"


def read_card(form: Mapping[str, str]) -> tuple[str | None, dict[str, str]]:
    """The status a card leads to, or None and what is wrong, by the field's name.

    No message repeats what was typed.
    """
    number = "".join(form.get("number", "").replace("-", "").split())
    expiry = "".join(form.get("expiry", "").replace("/", "").split())
    wrong: dict[str, str] = {}
    if not number:
        wrong["number"] = f"Enter the number of a test card: {TAKEN}."
    elif number not in (SUCCEEDS, DECLINED):
        wrong["number"] = f"Only the two test cards work here: {TAKEN}. Never use a real card."
    if expiry not in _EXPIRIES:
        wrong["expiry"] = f"The test cards expire {EXPIRY}."
    if form.get("cvv", "").strip() != CVV:
        wrong["cvv"] = f"The CVV of the test cards is {CVV}."
    if wrong:
        return None, wrong
    return ("COMPLETED" if number == SUCCEEDS else "REJECTED"), {}
