"""Where credentials come from, which 88Pay they are for, and whose clock counts.

For each value the order is: argument, environment variable, ``.env`` file, default.
"""

from __future__ import annotations

import html
import ipaddress
import json
import os
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from pay88kit.display import Row, Shown
from pay88kit.errors import ConfigError

if TYPE_CHECKING:
    import ssl

# 88Pay's documented hosts. `local` is the sandbox inside the kit; its address is only a text.
BASE_URLS = {
    "local": "http://pay88.local",
    "sandbox": "https://api-sandbox.88pay.io",
    "production": "https://api.88pay.io",
}
KEY_PREFIXES = {"local": "sk_test_", "sandbox": "sk_test_", "production": "sk_live_"}

# The kit's own names first; then those of 88Pay's own examples, which mean 88Pay's credentials
# and so are not read for `local`.
VARIABLES = {
    "environment": ("PAY88_ENVIRONMENT",),
    "base_url": ("PAY88_BASE_URL",),
    "api_key": ("PAY88_API_KEY", "EIGHTY_EIGHT_PAY_API_KEY"),
    "merchant_id": ("PAY88_MERCHANT_ID", "EIGHTY_EIGHT_PAY_MERCHANT_ID"),
    "webhook_secret": ("PAY88_WEBHOOK_SECRET",),
}


# What looks like a secret, whoever's it is: a stranger's words may repeat anything.
SECRET_SHAPES = re.compile(r"(?:sk_test|sk_live|whsec|sess)_[\w-]+|eyJ[\w.-]+", re.IGNORECASE)

# The documented prefixes and forms, after anything that is no letter or digit: "task_test_" is no
# key, but one after a line break that a log writes as \n is. Ten characters keep prefixes in
# prose out; a token with three dots at its end is one that was cut for print.
SECRETS = re.compile(
    r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))(?:"
    r"(?P<key>sk_(?:test|live)_[\w-]{10,})"
    r"|(?P<secret>whsec_[\w+/=-]{10,})"
    r"|(?P<token>eyJ[\w-]{5,}(?:\.[\w-]*(?:\.[\w-]{2,}){3}|(?:\.[\w-]{2,}){2}))"
    r"|(?P<session>sess_[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r")",
    re.ASCII,
)
# What may be seen of a secret: it says what the secret is. With `Bearer ` a token is a header.
_HEADS = ("sk_test_", "sk_live_", "whsec_", "sess_", "Bearer ")
# A shorter one of this machine's own values would be found everywhere.
_SHORTEST = 8
# What this process has read from where it cannot be looked up again, by variable.
_also: dict[str, str] = {}


class Secret(str):
    """A string that shows only its ends in a repr; in use it is an ordinary string.

    It is not pickled, and so does not reach a file or a queue inside of something that is.
    """

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("A secret is not pickled; read it where it is used.")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: Any) -> Secret:
        return self

    def __repr__(self) -> str:
        return f"'{mask(self)}'"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(cls)


def mask(text: str) -> str:
    """A secret as it may be shown: its prefix (``sk_test_``) and nothing that helps to guess."""
    head = next((p for p in _HEADS if text.startswith(p)), "")
    return f"{head}…{text[-4:]}" if len(text) - len(head) >= 16 else f"{head}…"


class Clock(Protocol):
    """What time it is, and how to wait. The sandbox brings one that moves only when told."""

    def now(self) -> datetime:
        """The current time, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""

    def wait_until(self, moment: float) -> None:
        """Return when :meth:`monotonic` has reached ``moment``."""

    async def wait_until_async(self, moment: float) -> None:
        """The same, for asyncio."""


def fault_of_time(moment: Any) -> str:
    """What is wrong with a time that was given, and the cure; "" where nothing is."""
    if not isinstance(moment, datetime):
        fault = f"is a {type(moment).__name__}, not a datetime."
    elif moment.tzinfo is None:
        fault = "has no time zone."
    else:
        return ""
    return f"{fault} Give one: datetime(2026, 1, 1, tzinfo=UTC)."


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current time, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    def wait_until(self, moment: float) -> None:
        """Sleep until ``moment``."""
        time.sleep(max(0.0, moment - time.monotonic()))

    async def wait_until_async(self, moment: float) -> None:
        """Sleep until ``moment`` without blocking the event loop."""
        import asyncio  # costs a synchronous program a tenth of its start

        await asyncio.sleep(max(0.0, moment - time.monotonic()))


class Config(Shown):
    """Which 88Pay to talk to, and as whom. Immutable; secrets are masked in its repr.

    Args:
        environment: ``local`` (the embedded sandbox; the default), ``sandbox`` or ``production``
            (88Pay's own).
        base_url: another address for that environment, a served sandbox for one.
        api_key: begins with ``sk_test_`` (``sk_live_`` in production).
        merchant_id: ``MCH-{COUNTRY}-{ID}``.
        webhook_secret: decrypts the token of a notification.
        clock: whose time counts; the machine's by default.
        origin: the in-process sandbox this configuration belongs to, if any; set by the sandbox.

    Raises:
        ConfigError: for an unknown environment, a key whose prefix belongs to another environment,
            an address that is neither https nor loopback, or a production that was not asked for
            in code or in the process environment.
    """

    __slots__ = (
        "api_key", "base_url", "clock", "environment", "merchant_id", "origin", "webhook_secret"
    )  # fmt: skip

    environment: str
    base_url: str
    api_key: Secret | None
    merchant_id: str | None
    webhook_secret: Secret | None
    clock: Clock
    origin: Any

    def __init__(
        self,
        environment: str | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        merchant_id: str | None = None,
        webhook_secret: str | None = None,
        *,
        clock: Clock | None = None,
        origin: Any = None,
    ) -> None:
        # First of all: an error below is raised with these names among its local variables.
        api_key = Secret(api_key) if api_key else None
        webhook_secret = Secret(webhook_secret) if webhook_secret else None
        dotenv = read_dotenv()
        environment = environment or _environment(dotenv)
        if environment not in BASE_URLS:
            raise ConfigError(
                f"environment: {environment!r} is unknown. Use 'local', 'sandbox' or 'production'."
            )
        # With a sandbox of its own, the surroundings have no say.
        sources: list[Mapping[str, str]] = [] if origin is not None else [_variables(), dotenv]
        base_url = base_url or _look_up("base_url", sources, local=False)
        # The embedded sandbox has its own credentials: a variable that is set for 88Pay's
        # must not reach it. A served one, named by its address, is given them.
        embedded = environment == "local" and not base_url
        credentials = [] if embedded else sources

        def credential(name: str, given: str | None) -> str | None:
            value = given or _look_up(name, credentials, local=environment == "local")
            # A key that was copied with its line break would break the header it travels in.
            return value.strip() if value else None

        def secret(name: str, given: str | None) -> Secret | None:
            value = credential(name, given)
            return Secret(value) if value else None

        values = {
            "environment": environment,
            "base_url": (base_url or BASE_URLS[environment]).rstrip("/"),
            "api_key": secret("api_key", api_key),
            "merchant_id": credential("merchant_id", merchant_id),
            "webhook_secret": secret("webhook_secret", webhook_secret),
            "clock": clock or SystemClock(),
            "origin": origin,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        for name in ("api_key", "merchant_id"):
            value = getattr(self, name)
            if value is not None and not (value.isascii() and value.isprintable()):
                raise ConfigError(
                    f"{name}: has a character that no header can carry. Copy it again from the "
                    f"dashboard, without line breaks."
                )
        prefix = KEY_PREFIXES[self.environment]
        if self.api_key is not None and not self.api_key.startswith(prefix):
            raise ConfigError(
                f"api_key: a key for {self.environment} begins with {prefix}; this one does not. "
                f"Use the key of that environment, or choose the environment of this key."
            )
        try:
            address = urlsplit(self.base_url)
            usable = bool(address.hostname) and address.port != 0  # a bad port raises here
        except ValueError:
            usable = False
        if not usable:
            raise ConfigError("base_url: this is no web address. Use one such as https://host.")
        if address.username is not None or address.password is not None:
            # It would be shown wherever the address is.
            raise ConfigError("base_url: leave the user name and password out of the address.")
        plain_is_fine = self.environment != "production" and (
            self.embedded or is_loopback(address.hostname or "")
        )
        # An in-process sandbox may play production: nothing leaves the process.
        if address.scheme != "https" and not plain_is_fine and self.origin is None:
            raise ConfigError(
                f"base_url: {self.base_url} would send the key unencrypted. Use an https:// address"
                f" (http:// is accepted for this machine only, and never in production)."
            )

    @property
    def embedded(self) -> bool:
        """Whether this is the sandbox inside the kit, reached without a socket."""
        return self.environment == "local" and self.base_url == BASE_URLS["local"]

    def missing(self) -> list[str]:
        """The names of the credentials that a call needs and that are not set."""
        return [name for name in ("api_key", "merchant_id") if getattr(self, name) is None]

    def replace(self, **changes: Any) -> Config:
        """A copy with some values changed."""
        values: dict[str, Any] = {"clock": self.clock, "origin": self.origin}
        return Config(**(values | self._shown() | changes))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Config is immutable; use config.replace({name}=…)")

    def _shown(self) -> dict[str, str | None]:
        names = ("environment", "base_url", "api_key", "merchant_id", "webhook_secret")
        # None: a traceback of the constructor shows a Config that is not complete.
        return {name: getattr(self, name, None) for name in names}

    def _rows(self) -> list[Row]:
        return [
            (name, mask(value) if isinstance(value, Secret) else str(value))
            for name, value in self._shown().items()
        ]

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self._shown().items())
        return f"{type(self).__name__}({inner})"

    def __reduce__(self) -> Any:
        raise TypeError("A Config holds secrets and is not pickled; make it where it is used.")


def _environment(dotenv: Mapping[str, str]) -> str:
    said = os.environ.get("PAY88_ENVIRONMENT", "").strip()
    if said:
        return said
    from_file = dotenv.get("PAY88_ENVIRONMENT", "").strip()
    if from_file == "production":
        raise ConfigError(
            "environment: production is not switched on by a .env file. Say it in code, "
            'Config(environment="production"), or set PAY88_ENVIRONMENT in the process environment.'
        )
    return from_file or "local"


def environment_is_set() -> bool:
    """Whether the process environment or a ``.env`` file names an environment."""
    name = "PAY88_ENVIRONMENT"
    return bool((os.environ.get(name) or read_dotenv().get(name, "")).strip())


def _variables() -> dict[str, str]:
    """The kit's variables in the process environment, masked in every repr."""
    names = [name for names in VARIABLES.values() for name in names]
    return {name: Secret(os.environ[name]) for name in names if name in os.environ}


def _look_up(name: str, sources: list[Mapping[str, str]], *, local: bool) -> str | None:
    variables = VARIABLES[name][:1] if local else VARIABLES[name]
    for source in sources:
        for variable in variables:
            if source.get(variable, "").strip():
                return source[variable]
    return None


def read_dotenv(start: Path | None = None) -> dict[str, str]:
    """The variables of the nearest ``.env``: here, or further up to the root of the project.

    Only ``NAME=value`` lines count; quotes around a value are taken off. A project is a folder
    with ``.git`` or ``pyproject.toml``; outside of one only the folder itself is looked at.
    """
    folder = (start or Path.cwd()).resolve()
    places = [folder]
    for place in (folder, *folder.parents):
        if (place / ".git").exists() or (place / "pyproject.toml").exists():
            places = [folder, *folder.parents[: len(folder.parts) - len(place.parts)]]
            break
    file = next((file for place in places if (file := place / ".env").is_file()), None)
    if file is None:
        return {}
    # An editor on Windows may have put a byte order mark in front.
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    if "\x00" in text or "\ufffd" in text:
        del text  # a traceback would show it
        raise ConfigError(f"{file}: is not UTF-8 text. Save it as UTF-8.")
    return _parse_dotenv(text)


def books_url() -> str:
    """The database that ``PAY88_BOOKS`` names, in the environment or in ``.env``; else empty.

    An empty one in the environment counts too: it hides that of the file.

    Raises:
        ConfigError: the ``.env`` file is not UTF-8 text.
    """
    name = "PAY88_BOOKS"
    said = os.environ[name] if name in os.environ else read_dotenv().get(name, "")
    return str(said).strip()


def _parse_dotenv(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.removeprefix("export ").partition("=")
        name, value = name.strip(), value.strip()
        if not equals or name.startswith("#"):
            continue
        quoted = re.match(r"""(["'])(.*?)\1\s*(#.*)?$""", value)
        value = quoted.group(2) if quoted else value.partition(" #")[0].strip()
        found[name] = Secret(value)
    return found


def looks_secret(text: str) -> bool:
    """Whether a text holds what looks like a key, a webhook secret, a token or a session id."""
    return bool(SECRETS.search(text))


def own_credentials() -> list[tuple[str, str]]:
    """This machine's credentials, whatever their form: the variable and its value.

    Both the process environment and ``.env`` are read, for every 88Pay they may be meant for;
    ``SHOP_PAY88_API_KEY`` counts like ``PAY88_API_KEY``. Those of :func:`mask_also` count too.
    Merchant ids are no secrets. Values of fewer than eight characters are left out.

    Raises:
        ConfigError: the ``.env`` file is not UTF-8 text.
    """
    found = list(_also.items())
    names = (*VARIABLES["api_key"], *VARIABLES["webhook_secret"])
    for source in (os.environ, read_dotenv()):
        for variable in source:
            if variable.endswith(names):
                found.append((variable, source[variable].strip()))
        try:
            password = urlsplit(source.get("PAY88_BOOKS", "")).password or ""
        except ValueError:
            password = ""
        found.append(("password in PAY88_BOOKS", unquote(password)))
    return [pair for pair in dict.fromkeys(found) if len(pair[1]) >= _SHORTEST]


def mask_also(variable: str, value: Secret) -> None:
    """Count a credential from elsewhere, such as a keyring, among this machine's from now on."""
    _also[variable] = value


def without_secrets(text: str) -> str:
    """The text with all that looks like a secret, and this machine's own credentials, masked."""
    for _, value in own_credentials():
        for form in (value, html.escape(value)):
            text = text.replace(form, mask(value)).replace(json.dumps(form)[1:-1], mask(value))
    return SECRETS.sub(lambda found: mask(found[0]), text)


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def no_certificates() -> ssl.SSLContext:
    """For HTTP clients of ``http://`` addresses: it trusts no certificate at all.

    Where nothing is encrypted, loading the usual ones takes longer than many a call.
    """
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
