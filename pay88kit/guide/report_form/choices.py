"""What may be chosen from, where something else may be typed too."""

from __future__ import annotations

import os
from contextlib import suppress
from zoneinfo import available_timezones

from pay88kit import reports
from pay88kit.config import read_dotenv
from pay88kit.errors import Pay88Error

_KEY = "_PAY88_API_KEY"


def of(name: str, kind: str) -> tuple[str, ...]:
    """The choices for a parameter of this name and type; empty where there are none to offer."""
    if kind == "time zone":
        return tuple(sorted(zone for zone in available_timezones() if "/" in zone))
    if kind == "profile":
        return profiles()
    return merchants() if name == "merchant_id" else ()


def profiles() -> tuple[str, ...]:
    """The names of profiles in the environment and in ``.env``; never a value of theirs."""
    names = [*os.environ]
    with suppress(Pay88Error):
        names += read_dotenv()
    return tuple(sorted({name.removesuffix(_KEY) for name in names if name.endswith(_KEY)}))


def merchants() -> tuple[str, ...]:
    """The merchants in the books of the configured environment."""
    try:
        config = reports.config_of()
        return tuple(merchant.merchant_id for merchant in reports.merchants_in_books(config))
    except Pay88Error:
        # The books are new, or cannot be read: the report says which when it is run.
        return ()
