"""Whose credentials a report uses: the configured ones, or those of a profile.

A profile is a name that stands before the usual variables. With ``profile="SHOP"`` the key is what
``SHOP_PAY88_API_KEY`` is set to: in the process environment, else in ``.env``, else in the
operating system's keyring. So a report of any of many merchants is asked for by name, and no
secret is a parameter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection

from pay88kit.config import VARIABLES, Config, Secret, mask_also, read_dotenv
from pay88kit.errors import ConfigError, WrongUse
from pay88kit.language import _
from pay88kit.reports import system_keyring
from pay88kit.sandbox.world import DEFAULT_MERCHANT

# Not the environment and the address: what decides where a key is sent is said in the open.
_IN_KEYRING = ("api_key", "merchant_id", "webhook_secret")


def config_of(profile: str = "", merchant_id: str = "") -> Config:
    """The configuration of a report, with the merchant that it is about.

    Args:
        profile: the name before the variables; empty: the configuration as it is.
        merchant_id: the merchant that is asked for; empty: the configured one, of a profile its
            own; in ``local`` the sandbox's own.

    Raises:
        WrongUse: the profile is no name, or has no key.
        ConfigError: no merchant id is configured, or the configuration cannot be used.
    """
    config = Config()
    configured = config.merchant_id
    if profile:
        needed = {"api_key"} if merchant_id else {"api_key", "merchant_id"}
        values = _values(profile, needed)
        config = Config(**values)  # type: ignore[arg-type]
        # PAY88_MERCHANT_ID, which Config falls back to, is another one's: this key is not for it.
        configured = config.merchant_id if values["merchant_id"] else None
    merchant_id = merchant_id or configured or ""
    if not merchant_id and config.environment != "local":
        cure = _cure(_name(profile, "merchant_id")) if profile else _("Set PAY88_MERCHANT_ID")
        raise ConfigError(
            _("merchant_id: none is configured. {cure}, or give merchant_id=…", cure=cure)
        )
    return config.replace(merchant_id=merchant_id or DEFAULT_MERCHANT)


def check_profile(profile: str) -> None:
    """Raises :class:`WrongUse` unless the profile is a name whose key is set."""
    _values(profile, {"api_key"})


def _values(profile: str, needed: Collection[str]) -> dict[str, Secret | None]:
    """What the profile sets. Only for what is needed, the keyring is asked.

    Raises:
        WrongUse: the profile is no name, or has no key.
        ConfigError: production is switched on in ``.env``.
    """
    if not re.fullmatch(r"[A-Za-z]\w{0,40}", profile, re.ASCII):
        raise WrongUse(
            _(
                "{given} is no name of a profile. Use letters, digits and _.",
                given=repr(profile[:40]),
            )
        )
    values = {name: _variable(_name(profile, name)) for name in VARIABLES}
    fault = ""
    # To ask may open a window, and somebody who keeps nothing there would wonder why.
    if not all(values[name] for name in needed):
        missing = {_name(profile, name): name for name in _IN_KEYRING if not values[name]}
        found, fault = system_keyring.ask(list(missing))
        for variable, value in found.items():
            values[missing[variable]] = value
            if missing[variable] != "merchant_id":
                mask_also(variable, value)
    if not values["api_key"]:
        name = _name(profile, "api_key")
        said = _("{name} is not set. {cure}.", name=name, cure=_cure(name))
        raise WrongUse(" ".join(filter(None, (said, fault))))
    return values


def _name(profile: str, name: str) -> str:
    return f"{profile.upper()}_{VARIABLES[name][0]}"


def _cure(variable: str) -> str:
    return _(
        "Set it in the environment, in .env, or in the keyring ({command})",
        command=f"keyring set {system_keyring.SERVICE} {variable}",
    )


def _variable(full: str) -> Secret | None:
    if value := os.environ.get(full, "").strip():
        return Secret(value)
    value = read_dotenv().get(full, "").strip()
    if full.endswith("_PAY88_ENVIRONMENT") and value == "production":
        raise ConfigError(
            f"{full}: production is not switched on by a .env file. Set it in the process "
            f"environment."
        )
    return Secret(value) if value else None
