"""What is asked without making a transaction: tokens, balances, refusals, a token's end."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeGuard

from pay88kit import money
from pay88kit.client.exchange import PATHS
from pay88kit.config import KEY_PREFIXES
from pay88kit.contract import Observe
from pay88kit.doctor.wire import YOUNG, Heard, Session, Stopped, Wire
from pay88kit.errors import Pay88Error, status_error
from pay88kit.webhooks import Incoming

_UUID4 = re.compile(r"sess_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TWO_DECIMALS = re.compile(r"-?[0-9]+\.[0-9]{2}")
_FIGURES = ("total_payin", "total_payout", "total_settled", "total_available")
BAD_KEY = "Invalid API key or merchant ID"
BAD_TOKEN = "Invalid or expired token"  # noqa: S105 - 88Pay's message
# When in a token's documented 60 s it is tried, in seconds after it was asked for and came.
ALIVE, DEAD = 55.0, 61.0


@dataclass(frozen=True)
class Check:
    """A part of the run, and the most that it uses."""

    observe: Observe
    tokens: int
    calls: int
    run: Callable[[Examiner], None]


@dataclass(frozen=True)
class Notify:
    """Where one notification is to go, and how it is heard there.

    ``hear`` waits that many real seconds, at most, for the next request to ``url``, and is None
    where nobody listens. ``timeout`` bounds the whole wait, in real seconds.
    """

    url: str
    hear: Callable[[float], Incoming | None] | None
    timeout: float


class Examiner:
    """What the checks share: the wire, the sessions that were opened, and who hears a webhook."""

    def __init__(self, wire: Wire, notify: Notify | None = None) -> None:
        self.wire = wire
        self.config = wire.config
        self.see = wire.notes.see
        self.notify = notify
        # Methods whose charge was accepted with a checkout, in the order in which they were asked.
        self.payable: list[str] = []
        # The charge that was made for its notification, until that has come.
        self.notified: str | None = None
        self.sessions: list[Session] = []

    def token(self, **changes: str | None) -> tuple[Heard, Session | None]:
        """Ask for a token; ``changes`` replace a header, None leaves it out."""
        own = {"x-api-key": str(self.config.api_key), "x-merchant-id": str(self.config.merchant_id)}
        given = own | {name.replace("_", "-"): value for name, value in changes.items()}
        headers = {name: value for name, value in given.items() if value is not None}
        asked = self.wire.clock.monotonic()
        heard = self.wire.ask(PATHS["token"], headers)
        token, session_id = heard.data.get("access_token"), heard.data.get("session_id")
        if heard.status != 200 or not (_sendable(token) and _sendable(session_id)):
            return heard, None
        return heard, Session(token, session_id, asked)

    def pair(self) -> tuple[Session, Session]:
        """The two newest sessions, both young enough to be used.

        Raises:
            Stopped: there are none to be had.
        """
        while len(self._young()) < 2:
            self._open()
        first, second = self._young()[-2:]
        return first, second

    def session(self) -> Session:
        """The newest session, young enough to be used.

        Raises:
            Stopped: there is none to be had.
        """
        if not self._young():
            self._open()
        return self._young()[-1]

    def _young(self) -> list[Session]:
        now = self.wire.clock.monotonic()
        return [session for session in self.sessions if now - session.asked < YOUNG]

    def _open(self) -> None:
        heard, session = self.token()
        if session is None:
            raise Stopped(f"the token call was answered {heard.status}")
        self.sessions.append(session)

    def balance(self, headers: dict[str, str], *, id: str | None = "", method: str = "POST") -> Any:
        """Ask for a balance: no body, and no Content-Type."""
        asked = str(self.config.merchant_id) if id == "" else id
        params = None if asked is None else {"id": asked}
        return self.wire.ask(PATHS["balance"], headers, params=params, method=method)

    def refused(self, id: str, heard: Heard, status: int, message: str | None = None) -> None:
        """Judge an answer that has to be an error."""
        fits = heard.status == status and message in (None, heard.message)
        self.see(id, fits, str(heard))


def tokens(x: Examiner) -> None:
    """Two tokens: their fields, and that each has its own session."""
    for _ in range(2):
        heard, session = x.token()
        if heard.status in (401, 403) and not x.sessions:
            # Not a deviation: nothing can be said about 88Pay with these credentials.
            raise status_error(heard.status)(
                "token", heard.status, x.wire.mask(str(heard.message or "without a message"))
            )
        x.see("token.call", heard.status == 200, str(heard.status))
        if heard.status == 200:
            _judge_token(x, heard)
        if session is None:
            raise Stopped("no token came, or without what the other calls need")
        x.sessions.append(session)
    first, second = x.sessions
    if first.token == second.token:
        x.see("token.own-session", None, "the same token came twice")
    else:
        own = first.session_id != second.session_id
        x.see("token.own-session", own, f"two tokens, {'two sessions' if own else 'one session'}")


def _judge_token(x: Examiner, heard: Heard) -> None:
    data = heard.data
    if isinstance(heard.message, str):
        x.see("token.message", heard.message == "Token generated successfully", str(heard))
    if not data:
        return
    life, token, session_id = (
        data.get(name) for name in ("expires_in", "access_token", "session_id")
    )
    x.see("token.expires-in", type(life) is int and life == 60, _value(life))
    x.see("token.access-token", isinstance(token, str) and bool(token), kind(token))
    fits = isinstance(session_id, str) and _UUID4.fullmatch(session_id) is not None
    x.see("token.session-id", fits, "of that form" if fits else f"{kind(session_id)}, otherwise")
    if isinstance(token, str) and token:
        x.see("token.form", True, token_form(token))


def token_form(token: str) -> str:
    """What a token looks like; none of its contents but names of algorithms."""
    parts = token.split(".")
    names = {3: "a JWT", 5: "a JWE"}
    if len(parts) not in names:
        return f"neither JWT nor JWE: {len(parts)} part(s)"
    try:
        header = json.loads(urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
        said = [str(header[name])[:20] for name in ("alg", "enc") if name in header]
    except (ValueError, TypeError, RecursionError):
        return f"{names[len(parts)]} by its {len(parts)} parts, with an unreadable header"
    return f"{names[len(parts)]} ({', '.join(said)})"


def balances(x: Examiner) -> None:
    """Three balances: the figures, a token used twice, an older token beside a newer one."""
    first, second = (session.headers for session in x.sessions[:2])
    heard = x.balance(first)
    if heard.status == 401:
        newer = x.balance(second)
        if newer.status == 200:
            x.see("token.several", False, f"the older token was answered {heard}")
            first, heard = second, newer
    else:
        x.see("token.several", heard.status == 200 or None, "an older token works")
    x.see("balance.call", heard.status == 200, str(heard.status))
    x.see("token.headers", heard.status == 200 or None, "accepted with these two")
    if heard.status != 200:
        raise Stopped(f"the balance was answered {heard.status}")
    _judge_balance(x, heard)
    again = x.balance(first)
    x.see("token.reuse", again.status == 200, f"second call: {again.status}")
    if first is not second:
        other = x.balance(second)
        if other.status == 401:
            x.see("token.several", False, f"the newer token was answered {other}")


def _judge_balance(x: Examiner, heard: Heard) -> None:
    # The figures themselves are the merchant's own affair: only their form is told.
    if isinstance(heard.message, str):
        x.see("balance.message", heard.message == "OK", str(heard))
    data = heard.data
    if not data:
        return
    inner = data.get("message")
    x.see("balance.inner-message", inner == "Balance calculated successfully", _value(inner))
    same = data.get("merchant_id") == x.config.merchant_id
    x.see("balance.merchant-id", same, "the same" if same else kind(data.get("merchant_id")))
    summary = data.get("balance_summary")
    fields = summary if isinstance(summary, dict) else {}
    for name in _FIGURES:
        value = fields.get(name)
        fits = isinstance(value, str) and _TWO_DECIMALS.fullmatch(value) is not None
        x.see(f"balance.{name}", fits, "of that form" if fits else f"{kind(value)}, otherwise")
    net = fields.get("net_balance")
    number = isinstance(net, int | Decimal) and not isinstance(net, bool)
    x.see("balance.net_balance", number, kind(net))
    payin, payout, exact = (
        amount_of(value) for value in (fields.get("total_payin"), fields.get("total_payout"), net)
    )
    if payin is not None and payout is not None and exact is not None:
        fits = payin - payout == exact
        x.see("balance.net-formula", fits, "it is" if fits else "it is another figure")
    named = "currency" in data or "currency" in fields
    x.see("balance.no-currency", not named, "there is one" if named else "none")


def credentials(x: Examiner) -> None:
    """Token calls with a wrong key, a wrong merchant id, and neither."""
    wrong_key, _ = x.token(x_api_key=KEY_PREFIXES[x.config.environment] + "0" * 32)
    x.refused("token.wrong-key", wrong_key, 401, BAD_KEY)
    wrong_merchant, _ = x.token(x_merchant_id="MCH-COL-000000")
    x.refused("token.wrong-merchant", wrong_merchant, 401, BAD_KEY)
    nothing, _ = x.token(x_api_key=None, x_merchant_id=None)
    x.refused("token.no-credentials", nothing, 401)


def sessions(x: Examiner) -> None:
    """Balance calls with what must not open the door."""
    first, second = x.pair()
    token, session = {"Authorization": f"Bearer {second.token}"}, {"x-session-id": first.session_id}
    if first.token == second.token or first.session_id == second.session_id:
        x.see("token.pairing", None, "there are no two different sessions to mix")
    else:
        x.refused("token.pairing", x.balance(token | session), 401)
    x.refused("token.no-authorization", x.balance(session), 401)
    x.refused("token.no-session", x.balance(token), 401)
    unknown = second.headers | {"Authorization": "Bearer pay88.doctor.unknown"}
    x.refused("token.unknown", x.balance(unknown), 401, BAD_TOKEN)


def paths(x: Examiner) -> None:
    """A path that there is not, and a method that a path has not."""
    headers = x.session().headers
    x.refused("errors.unknown-path", x.wire.ask("/api/pay88-doctor", headers), 404)
    x.refused("errors.other-method", x.balance(headers, method="GET"), 405)


def other_balances(x: Examiner) -> None:
    """The balance of somebody else, and of nobody."""
    headers = x.session().headers
    x.refused("balance.other-merchant", x.balance(headers, id="MCH-COL-000000"), 403)
    x.refused("balance.no-id", x.balance(headers, id=None), 400)


def life(x: Examiner) -> None:
    """One token, used shortly before and shortly after its end."""
    heard, session = x.token()
    came = x.wire.clock.monotonic()
    if session is None:
        raise Stopped(f"the token call was answered {heard.status}")
    if x.config.origin is None:
        if x.wire.same_time is False:
            raise Stopped("this 88Pay's clock is not this machine's")
        x.wire.say(f"Waiting {DEAD:.0f} s for a token to expire.")
    x.wire.clock.wait_until(session.asked + ALIVE)
    alive = x.balance(session.headers)
    x.wire.clock.wait_until(came + DEAD)
    dead = x.balance(session.headers)
    lives = alive.status == 200 and dead.status == 401
    x.see("token.life", lives, f"{ALIVE:.0f} s: {alive.status}; {DEAD:.0f} s: {dead.status}")
    if dead.status == 200:
        x.see("token.expired", None, "the token had not expired")
    else:
        x.refused("token.expired", dead, 401, BAD_TOKEN)


CHECKS = (
    Check(Observe.READS, 2, 0, tokens),
    Check(Observe.READS, 0, 4, balances),
    Check(Observe.REFUSALS, 3, 0, credentials),
    Check(Observe.REFUSALS, 0, 4, sessions),
    Check(Observe.REFUSALS, 1, 2, paths),
    Check(Observe.REFUSALS, 0, 2, other_balances),
)
LIFE = Check(Observe.WAIT, 1, 2, life)


def _sendable(value: Any) -> TypeGuard[str]:
    """Whether a header can carry it."""
    return isinstance(value, str) and bool(value) and value.isascii() and value.isprintable()


def amount_of(value: Any) -> Decimal | None:
    """An amount, exact, or None where it is none."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return money.exact(value)
    except Pay88Error:
        return None


def kind(value: Any) -> str:
    """What a value is, without the value."""
    if value is None:
        return "missing"
    names = {str: "text", bool: "true or false", int: "a number", Decimal: "a decimal number"}
    return names.get(type(value), "an object or a list")


def _value(value: Any) -> str:
    return kind(value) if isinstance(value, dict | list) or value is None else str(value)
