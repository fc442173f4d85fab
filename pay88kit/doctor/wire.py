"""Every request of the doctor's: counted, paced, and judged by what holds for every answer."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from pay88kit import money
from pay88kit.client.exchange import PATHS
from pay88kit.config import Clock, Config
from pay88kit.doctor.findings import Mask, Notes
from pay88kit.errors import Pay88Error
from pay88kit.version import __version__

# Below 88Pay's documented 10 a minute and 100 an hour, so that the account's own use has room.
TOKENS_A_MINUTE = 8
TOKENS_IN_ALL = 30
# How many answers 429 are waited for in a run, a minute each at most.
PATIENCE = 3
# A session is taken for calls while it is younger than this, in seconds, of its documented 60.
YOUNG = 40.0
LIFTED = "1000000"
_DAY = 86_400
_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_LIMITS = {
    PATHS["token"]: ("limits.token", "10"),
    PATHS["balance"]: ("limits.balance", "60"),
    PATHS["charge"]: ("limits.transactions", "60"),
    PATHS["cash"]: ("limits.transactions", "60"),
    PATHS["cashout"]: ("limits.transactions", "60"),
}


class Stopped(Pay88Error):
    """A check cannot go on: no answer came, or what the doctor may spend is spent."""


class Budget:
    """Lets a token call happen: at most 8 in 60 s on the clock, at most ``total`` in all."""

    def __init__(self, clock: Clock, total: int, say: Callable[[str], None]) -> None:
        self._clock = clock
        self._total = total
        self._say = say
        self._recent: deque[float] = deque(maxlen=TOKENS_A_MINUTE)
        self.spent = 0

    def take(self) -> None:
        """Wait until there is a place, and use it.

        Raises:
            Stopped: all of them are used.
        """
        if self.spent >= self._total:
            raise Stopped(f"the {self._total} tokens of the plan are used")
        if len(self._recent) == TOKENS_A_MINUTE:
            due = self._recent[0] + 60
            left = due - self._clock.monotonic()
            if left > 0:
                self._say(f"Waiting {left:.0f} s: at most {TOKENS_A_MINUTE} tokens a minute.")
                self._clock.wait_until(due)
        self._recent.append(self._clock.monotonic())
        self.spent += 1


@dataclass(frozen=True)
class Heard:
    """An answer. ``raw`` is None when it is not a JSON object."""

    status: int
    headers: Mapping[str, str]
    raw: dict[str, Any] | None

    @property
    def message(self) -> Any:
        """The envelope's message, whatever it is."""
        return (self.raw or {}).get("message")

    @property
    def data(self) -> Mapping[str, Any]:
        """The envelope's data; empty when there is none."""
        data = (self.raw or {}).get("data")
        return data if isinstance(data, Mapping) else {}

    def __str__(self) -> str:
        if self.raw is None:
            return f"{self.status}, not a JSON object"
        said = self.message
        return f"{self.status} {said!r}" if isinstance(said, str) else f"{self.status}, no message"

    def number(self, name: str) -> int | None:
        """A header as a whole number, or None."""
        text = self.headers.get(name, "")
        return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None


@dataclass(frozen=True)
class Session:
    """A token with its session id, and when it was asked for, on the monotonic clock."""

    token: str
    session_id: str
    asked: float

    @property
    def headers(self) -> dict[str, str]:
        """Those of every other call."""
        return {"Authorization": f"Bearer {self.token}", "x-session-id": self.session_id}


class Wire:
    """Sends requests as they are given; nothing is sent twice but for a 429."""

    def __init__(
        self,
        config: Config,
        http: httpx.Client,
        tokens: int,
        notes: Notes,
        mask: Mask,
        say: Callable[[str], None],
    ) -> None:
        self.config = config
        self.clock = config.clock
        self.notes = notes
        self.mask = mask
        self.say = say
        self.budget = Budget(config.clock, tokens, say)
        self.calls = 0
        self.answers = 0
        self._patience = PATIENCE
        # Whether this 88Pay's time is the clock's: None until a header has told.
        self.same_time: bool | None = None
        self._http = http
        self._left: dict[str, tuple[int, int]] = {}

    def ask(
        self,
        path: str,
        headers: Mapping[str, str],
        *,
        method: str = "POST",
        params: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> Heard:
        """Send one request with just these headers. After a 429, once more.

        Raises:
            Stopped: no answer came, or no token call is left.
        """
        heard = self._send(path, headers, method, params, json)
        if heard.status != 429:
            return heard
        if not self._patience:
            raise Stopped("88Pay answered 429 again and again")
        self._patience -= 1
        # Refused before it was accepted, a create too: it is safe to send it again.
        wait = min(heard.number("Retry-After") or 60, 60)
        self.say(f"88Pay answered 429. Waiting {wait} s.")
        self.clock.wait_until(self.clock.monotonic() + wait)
        heard = self._send(path, headers, method, params, json)
        if heard.status == 429:
            raise Stopped("88Pay answered 429 twice")
        return heard

    def _send(
        self,
        path: str,
        headers: Mapping[str, str],
        method: str,
        params: Mapping[str, str] | None,
        json: Any,
    ) -> Heard:
        if path == PATHS["token"]:
            self.budget.take()
        else:
            self.calls += 1
        own = {"Accept": "application/json", "User-Agent": f"pay88kit/{__version__} doctor"}
        content = None
        if json is not None:
            own["Content-Type"] = "application/json"
            content = money.dumps(json).encode()
        url = self.config.base_url + path
        asked = self.clock.now().timestamp()
        request = self._http.build_request(
            method, url, params=params, headers={**own, **headers}, content=content
        )
        try:
            response = self._http.send(request, follow_redirects=False)
        except httpx.HTTPError as problem:
            lost = "" if json is None else "; what was to be created may exist"
            raise Stopped(f"no answer came to {path} ({type(problem).__name__}){lost}") from None
        self.answers += 1
        try:
            raw = money.loads(response.content)
        except ValueError:
            raw = None
        heard = Heard(response.status_code, response.headers, raw if _is_object(raw) else None)
        self._keep_secret(heard)
        self._judge(path, method, heard, asked)
        return heard

    def _keep_secret(self, heard: Heard) -> None:
        for name in ("access_token", "session_id"):
            self.mask.add(heard.data.get(name))

    def pay(self, reference: str) -> bool:
        """Complete a payment through a local sandbox's control side; whether that was possible.

        Returns when the first attempt to notify has ended. Not 88Pay's, so not counted or judged.
        """
        if self.config.environment != "local":
            return False
        path = f"/_sandbox/transactions/{quote(reference, safe='')}/complete"
        try:
            return self._http.post(self.config.base_url + path).status_code == 200
        except httpx.HTTPError:
            return False

    # -- what holds for every answer

    def _judge(self, path: str, method: str, heard: Heard, asked: float) -> None:
        raw, see = heard.raw or {}, self.notes.see
        if 200 <= heard.status < 300:
            wrong = [
                name
                for name, fine in (
                    ("status", raw.get("status") == "Success"),
                    ("message", isinstance(raw.get("message"), str)),
                    ("data", isinstance(raw.get("data"), Mapping)),
                )
                if not fine
            ]
            see("envelope.success", not wrong, _but("all there", wrong, heard))
        elif 400 <= heard.status < 500:
            wrong = [
                name
                for name, fine in (
                    ("status", raw.get("status") == "Error"),
                    ("message", isinstance(raw.get("message"), str) and raw["message"]),
                )
                if not fine
            ]
            see("envelope.error", not wrong, _but("all there", wrong, heard))
        else:
            return
        if heard.raw is not None:
            code = raw.get("code")
            fits = type(code) is int and code == heard.status
            see("envelope.code", fits, f"code {code!r} with HTTP {heard.status}")
        if heard.status == 429:
            self._judge_refusal(heard)
        if path in _LIMITS and method == "POST":
            self._judge_limits(path, heard, asked)

    def _judge_refusal(self, heard: Heard) -> None:
        after = heard.number("Retry-After")
        said = (heard.raw or {}).get("retry_after")
        fits = (
            heard.message == "Rate limit exceeded. Please try again later."
            and after is not None
            and type(said) is int
            and said == after
            and heard.number("X-RateLimit-Remaining") == 0
        )
        self.notes.see("limits.429", fits, f"{heard}, Retry-After {after}, retry_after {said!r}")

    def _judge_limits(self, path: str, heard: Heard, asked: float) -> None:
        see = self.notes.see
        missing = [name for name in _HEADERS if name not in heard.headers]
        see("limits.headers", not missing, _but("all three", missing, heard))
        limit, reset = heard.headers.get("X-RateLimit-Limit"), heard.number("X-RateLimit-Reset")
        # A refused key or token belongs to no account, so its headers say nothing of its limits.
        if limit is not None and heard.status == 200:
            id, documented = _LIMITS[path]
            lifted = self.config.environment == "local" and limit == LIFTED
            seen = "the limits are lifted here" if lifted else f"{limit} a minute"
            see(id, None if lifted else limit == documented, seen)
        if "X-RateLimit-Reset" in heard.headers:
            shown = heard.headers["X-RateLimit-Reset"]
            seconds = reset is not None and 10**9 <= reset < 10**11
            see("limits.reset", seconds, "Unix seconds" if seconds else f"{shown!r}")
            if not seconds:
                reset = None
        self._judge_time(reset, asked)
        if heard.status == 200 and limit != LIFTED:
            self._judge_remaining(path, heard, reset)

    def _judge_time(self, reset: int | None, asked: float) -> None:
        if reset is None:
            return
        ahead = reset - self.clock.now().timestamp()
        self.same_time = abs(ahead) < _DAY
        if not self.same_time:
            self.notes.see("limits.minute", None, "this 88Pay's clock is not this machine's")
        else:
            # Whole seconds, a slow answer, and clocks that differ a little.
            fits = reset >= asked - 5 and ahead <= 65
            self.notes.see("limits.minute", fits, f"Reset {ahead:.0f} s ahead")

    def _judge_remaining(self, path: str, heard: Heard, reset: int | None) -> None:
        left = heard.number("X-RateLimit-Remaining")
        if left is None:
            if "X-RateLimit-Remaining" in heard.headers:
                shown = heard.headers["X-RateLimit-Remaining"]
                self.notes.see("limits.remaining", False, f"{shown!r} is no number")
            return
        before = self.remaining_before(path)
        if before is not None:
            fell = left < before
            self.notes.see("limits.remaining", fell, f"{before}, then {left}")
        if reset is not None:
            self._left[path] = (left, reset)

    def remaining_before(self, path: str) -> int | None:
        """What was left at the last answer on ``path``, if no place has become free since."""
        known = self._left.get(path)
        if known is None or not self.same_time:
            return None
        return known[0] if self.clock.now().timestamp() < known[1] - 2 else None


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _but(fine: str, wrong: list[str], heard: Heard) -> str:
    return f"{', '.join(wrong)} missing or other, with {heard}" if wrong else fine
