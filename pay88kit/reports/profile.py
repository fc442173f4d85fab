"""Whose credentials a report uses: the configured ones, or those of a profile.

A profile is a name that stands before the usual variables. With ``profile="SHOP"`` the key comes
from ``SHOP_PAY88_API_KEY``, in the process environment or in ``.env``. So a report of any of many
merchants is asked for by name, and no secret is a parameter.
"""

from __future__ import annotations

import os
import re

from pay88kit.config import VARIABLES, Config, Secret, read_dotenv
from pay88kit.errors import ConfigError, WrongUse
from pay88kit.sandbox.world import DEFAULT_MERCHANT


def config_of(profile: str = "", merchant_id: str = "") -> Config:
    """The configuration of a report, with the merchant that it is about.

    Args:
        profile: the name before the variables; empty: the configuration as it is.
        merchant_id: the merchant that is asked for; empty: the configured one, in ``local`` the
            sandbox's own.

    Raises:
        WrongUse: the profile is no name, or has no key.
        ConfigError: no merchant id is configured, or the configuration cannot be used.
    """
    config = Config()
    if profile:
        check_profile(profile)
        values = {name: _variable(profile, VARIABLES[name][0]) for name in VARIABLES}
        config = Config(**values)  # type: ignore[arg-type]
    merchant_id = merchant_id or config.merchant_id or ""
    if not merchant_id and config.environment != "local":
        raise ConfigError(
            "merchant_id: none is configured. Set PAY88_MERCHANT_ID, or give merchant_id=…"
        )
    return config.replace(merchant_id=merchant_id or DEFAULT_MERCHANT)


def check_profile(profile: str) -> None:
    """Raises :class:`WrongUse` unless the profile is a name whose key is set."""
    if not re.fullmatch(r"[A-Za-z]\w{0,40}", profile, re.ASCII):
        raise WrongUse(f"{profile[:40]!r} is no name of a profile. Use letters, digits and _.")
    if not _variable(profile, "PAY88_API_KEY"):
        name = f"{profile.upper()}_PAY88_API_KEY"
        raise WrongUse(f"{name} is not set. Set it in the environment or in .env.")


def _variable(profile: str, name: str) -> str | None:
    full = f"{profile.upper()}_{name}"
    if value := os.environ.get(full, "").strip():
        return Secret(value)
    value = read_dotenv().get(full, "").strip()
    if name == "PAY88_ENVIRONMENT" and value == "production":
        raise ConfigError(
            f"{full}: production is not switched on by a .env file. Set it in the process "
            f"environment."
        )
    return Secret(value) if value else None
