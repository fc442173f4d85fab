"""Exercises of lesson 09: go live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

from pay88kit.client import Pay88
from pay88kit.config import Config
from pay88kit.doctor import Doctor
from pay88kit.errors import ConfigError, InvalidRequest
from pay88kit.guide.exercises.exercise import Exercise, Kind, NotYet, compare, of_type, shown
from pay88kit.guide.exercises.world import local, pending_order
from pay88kit.language import N_
from pay88kit.sandbox import Sandbox

_PUBLIC = "https://shop.example/webhooks/88pay"


_ABOUT_SWITCH = {
    "only_the_key": "A live key belongs in production only. The kit sends it nowhere else.",
    "only_the_environment": "A sandbox key opens nothing in production, and every payment would "
    "fail.",
    "both": "This is the switch itself: key and environment agree.",
}
_ABOUT_LOOK = {
    "balance": "Asking for the balance changes nothing, and shows that the key opens it.",
    "wrong_key": "A wrong key looks like an attack. In production the doctor uses your true ones.",
    "charge": "A charge is real in production, and the first look creates nothing.",
}


def _switch(answer: tuple[object, object, object]) -> str:
    def judge(environment: Literal["sandbox", "production"], kind: str) -> str:
        try:
            Config(environment=environment, api_key=f"sk_{kind}_" + "0" * 32)
        except ConfigError:
            return "refused"
        return "accepted"

    seen: dict[str, object] = {
        "only_the_key": judge("sandbox", "live"),
        "only_the_environment": judge("production", "test"),
        "both": judge("production", "live"),
    }
    guesses = dict(zip(seen, answer, strict=True))
    expected = "what the kit did with the three configurations"
    return compare(guesses, seen, expected, _ABOUT_SWITCH)


def _address(answer: object, live: Pay88) -> str:
    local(live)
    address = of_type(answer, str, "the address as a text", secret=True)
    if live.config.api_key and str(live.config.api_key) in address:
        # The address is not shown: it carries the key.
        raise NotYet(
            "the API key is in the address",
            "an address without it",
            "An address is written into the logs of every machine on its way. A key in it is lost.",
        )
    amiss = _amiss(address)
    if amiss:
        raise NotYet(shown(address), *amiss)
    try:
        pending_order(live, address)
    except InvalidRequest as refused:
        raise NotYet(
            f"the client refused it: {refused}", "an address that 88Pay can call"
        ) from None
    return f"the client accepted {address}"


def _amiss(address: str) -> tuple[str, str] | None:
    """What an address should have, and why it matters; None for one that can go live."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "a web address", "No program can read this one."
    wanted = urlsplit(_PUBLIC)
    if parts.scheme != wanted.scheme:
        return (
            "an address that begins with https://",
            "88Pay documents https:// only: without it, everybody on the way reads along.",
        )
    if parts.hostname != wanted.hostname or "@" in parts.netloc:
        return (
            "the shop's public name",
            f"88Pay calls from the internet, and {parts.hostname} is not this shop there.",
        )
    if port not in (None, 443):
        return (
            "the port of the web server, which needs no number",
            f"Port {port} is the service's own, inside. From outside, https reaches the web "
            "server, and that passes the call on.",
        )
    if parts.path != wanted.path:
        return (
            "the path that the web server passes on",
            "Every other path ends at the web server, and the service hears nothing.",
        )
    if parts.query or parts.fragment:
        return (
            "the address alone",
            "What is told in an address stands in every log. The token of the call proves who "
            "calls.",
        )
    return None


def _first_look(answer: tuple[object, object, object], rehearsal: Sandbox) -> str:
    before = len(rehearsal.requests())
    Doctor(rehearsal.config).run()
    asked = rehearsal.requests()[before:]

    def sent(which: Callable[[dict[str, object]], bool]) -> str:
        return "sent" if any(map(which, asked)) else "not sent"

    seen: dict[str, object] = {
        "balance": sent(lambda ask: ask["path"] == "/api/balance"),
        "wrong_key": sent(
            lambda ask: ask["path"] == "/api/auth/token" and ask["status_code"] != 200
        ),
        "charge": sent(lambda ask: str(ask["path"]).startswith("/api/transactions")),
    }
    guesses = dict(zip(seen, answer, strict=True))
    expected = f"what was among the doctor's {len(asked)} calls"
    return compare(guesses, seen, expected, _ABOUT_LOOK)


EXERCISES = (
    Exercise(
        id="09.1",
        kind=Kind.PREDICT,
        title=N_("Half a switch"),
        task=(
            "A service runs in 88Pay's sandbox, and goes live. Somebody replaces the key by a live "
            "one and forgets the environment (`only_the_key`); sets `PAY88_ENVIRONMENT=production` "
            "and forgets the key (`only_the_environment`); or does `both`. Is each configuration "
            '`"accepted"` or `"refused"`?'
        ),
        answer="(only_the_key, only_the_environment, both)",
        starter="only_the_key = ...\nonly_the_environment = ...\nboth = ...",
        solution=('only_the_key = "refused"\nonly_the_environment = "refused"\nboth = "accepted"'),
        wrong=(
            'only_the_key = "accepted"\nonly_the_environment = "refused"\nboth = "accepted"',
            'only_the_key = "refused"\nonly_the_environment = "accepted"\nboth = "accepted"',
            'only_the_key = only_the_environment = both = "refused"',
            'only_the_key = only_the_environment = both = "accepted"',
            "only_the_key = only_the_environment = False\nboth = True",
        ),
        hints=(
            "This lesson tried one of the three: a sandbox key in production.",
            "The kit compares the beginning of the key with the environment, in both directions.",
        ),
        why="Environment and key change together, or the program does not start.",
        check=_switch,
    ),
    Exercise(
        id="09.2",
        kind=Kind.FAULT,
        title=N_("An address that cannot go live"),
        task=(
            "The shop's public name is `shop.example`; its web server takes `https` and passes "
            "`/webhooks/88pay` on to the service. This line was good enough for a test:\n\n"
            "```python\n"
            'address = f"http://10.0.0.8:8000/webhooks/88pay?key={live.config.api_key}"\n'
            "```\n\n"
            "It has three faults. Write the address for production. The check makes a charge with "
            "it, in the rehearsal."
        ),
        answer="address",
        needs=("live",),
        starter="address = ...",
        solution=f'address = "{_PUBLIC}"',
        wrong=(
            'address = f"http://10.0.0.8:8000/webhooks/88pay?key={live.config.api_key}"',
            'address = "http://shop.example/webhooks/88pay"',
            'address = "https://10.0.0.8:8000/webhooks/88pay"',
            'address = "https://shop.example:8000/webhooks/88pay"',
            'address = "https://shop.example/webhooks/88pay?key=secret"',
            'address = "https://shop.example/"',
        ),
        hints=(
            "Read it from the left: how it is called, who is called, and what is told.",
            "https:// and the public name, then the path. No port, and no key.",
        ),
        why="88Pay calls from the internet, and every machine on the way may log the address.",
        check=_address,
    ),
    Exercise(
        id="09.3",
        kind=Kind.PREDICT,
        title=N_("What the doctor does in production"),
        task=(
            "The doctor takes a first look at the rehearsal, which plays production. Is each of "
            'these among its calls, `"sent"` or `"not sent"`?\n\n'
            "- `balance`: the balance is asked for\n"
            "- `wrong_key`: a token is asked for with a wrong key, to see it refused\n"
            "- `charge`: a charge is made"
        ),
        answer="(balance, wrong_key, charge)",
        needs=("rehearsal",),
        starter="balance = ...\nwrong_key = ...\ncharge = ...",
        solution='balance = "sent"\nwrong_key = "not sent"\ncharge = "not sent"',
        wrong=(
            'balance = "sent"\nwrong_key = "sent"\ncharge = "not sent"',
            'balance = "sent"\nwrong_key = "not sent"\ncharge = "sent"',
            'balance = wrong_key = charge = "not sent"',
            'balance = wrong_key = charge = "sent"',
        ),
        hints=(
            "print(doctor.plan()) says beforehand what it will use.",
            "In production it asks for tokens and balances only, each with your true credentials.",
        ),
        why="Look before you create: the doctor's first look changes nothing at 88Pay.",
        check=_first_look,
    ),
)
