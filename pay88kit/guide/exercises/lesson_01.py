"""Exercises of lesson 01: credentials."""

from __future__ import annotations

from collections.abc import Callable

from pay88kit.config import Config
from pay88kit.errors import ConfigError
from pay88kit.guide.exercises.exercise import Exercise, Kind, NotYet, compare, of_type, shown
from pay88kit.language import N_

_ABOUT_REFUSALS = {
    "this_machine": "Nothing leaves this machine, so nobody can read the key on its way.",
    "live_key": "A live key belongs to production, and this configuration is the sandbox's.",
    "field": "The error names the value that has to change, at the beginning of its text.",
}
# This many characters of a key in a row give more away than the kit's short form does.
_GIVEN_AWAY = 6
_PART = "Every character that is known makes the rest easier to find."


def _sandbox_config(answer: object, lesson: Config) -> str:
    config = of_type(
        answer, Config, "a configuration", "Config(…) makes one; it takes each value by its name."
    )
    if config.environment != "sandbox":
        raise NotYet(
            f"environment is {shown(config.environment)}",
            "the one that the task names",
            "The local sandbox is inside the kit. 88Pay's own sandbox is another environment.",
        )
    if config.base_url != lesson.base_url:
        raise NotYet(
            f"base_url is {shown(config.base_url)}",
            "the address of the sandbox, which comes by itself",
            "The environment brings its address. Another one sends the key to another machine.",
        )
    if config.merchant_id != "MCH-MEX-TEST-88":
        raise NotYet(
            f"merchant_id is {shown(config.merchant_id)}",
            "the one that the task names",
            "Key and merchant id belong together: they say which merchant calls.",
        )
    if config.api_key is None or config.api_key != lesson.api_key:
        missing = config.api_key is None
        raise NotYet(
            "api_key is missing" if missing else "api_key is another one",
            "the invented key of this lesson",
            "Without a key 88Pay does not know who calls. Hand it over by its name, api_key.",
        )
    return f"a configuration for {config.base_url} and the merchant {config.merchant_id}"


def _refusals(answer: tuple[object, object, object]) -> str:
    this_machine, live_key, field = answer
    key = "sk_" + "live_" + "0" * 32
    tries: dict[str, Callable[[], Config]] = {
        "this_machine": lambda: Config(environment="sandbox", base_url="http://127.0.0.1:8080"),
        "live_key": lambda: Config(environment="sandbox", api_key=key),
    }
    seen: dict[str, object] = {}
    for name, make in tries.items():
        try:
            make()
            seen[name] = "accepted"
        except ConfigError as error:
            seen[name] = "refused"
            seen["field"] = str(error).partition(":")[0]
    guesses = {"this_machine": this_machine, "live_key": live_key, "field": field}
    expected = "what the kit did with the two configurations"
    return compare(guesses, seen, expected, _ABOUT_REFUSALS)


def _log_line(answer: Callable[[Config], object], config: Config) -> str:
    # Another merchant too: a line that is right for one only is not written from `config`.
    other_key = "sk_" + "test_" + "fedcba0987654321" * 2
    for each in (config, config.replace(merchant_id="MCH-MEX-TEST-88", api_key=other_key)):
        line = of_type(answer(each), str, "the function returns a text", secret=True)
        leaked = _leaked(str(each.api_key), line)
        if leaked:
            # The line is not shown: it carries the key, or much of it.
            raise NotYet(
                f"{leaked} characters of the key, one after the other, are in the line",
                "the key is hidden or left out",
                _PART if leaked < len(str(each.api_key)) else None,
            )
        if str(each.merchant_id) not in line:
            raise NotYet(
                f"{shown(line)} for {each.merchant_id}",
                "the line names the merchant of its configuration",
                "A log that does not say for whom the program runs helps nobody. "
                "The merchant id is no secret.",
            )
    return shown(answer(config))


def _leaked(key: str, line: str) -> int:
    """How many characters of the key stand in the line in a row; 0 when few enough do."""
    # How every key begins is no secret.
    start = key.rfind("_") + 1
    for length in range(len(key), _GIVEN_AWAY - 1, -1):
        for first in range(len(key) - length + 1):
            if first + length - start >= _GIVEN_AWAY and key[first : first + length] in line:
                return length
    return 0


EXERCISES = (
    Exercise(
        id="01.1",
        kind=Kind.CALL,
        title=N_("A configuration of your own"),
        task=(
            "Make a configuration for 88Pay's **sandbox**. The key is `invented`, the merchant id "
            "`MCH-MEX-TEST-88`."
        ),
        answer="mexico",
        needs=("config",),
        starter="mexico = ...",
        solution=(
            "mexico = Config(\n"
            '    environment="sandbox", api_key=invented, merchant_id="MCH-MEX-TEST-88"\n'
            ")"
        ),
        wrong=(
            'mexico = Config(environment="local")',
            'mexico = Config(environment="sandbox", api_key=invented, merchant_id="MCH-COL-1")',
            'mexico = Config(environment="sandbox", merchant_id="MCH-MEX-TEST-88")',
            'mexico = Config(\n    environment="sandbox", base_url="https://api.88pay.io",\n'
            '    api_key=invented, merchant_id="MCH-MEX-TEST-88"\n)',
            'mexico = Config(\n    environment="sandbox", api_key="sk_" + "test_" + "0" * 32,\n'
            '    merchant_id="MCH-MEX-TEST-88"\n)',
            'mexico = "sandbox"',
        ),
        hints=(
            "Config takes environment, api_key and merchant_id.",
            'Begin with Config(environment="sandbox", api_key=invented, …).',
        ),
        why="The environment decides the address, and with it whether money is real.",
        check=_sandbox_config,
    ),
    Exercise(
        id="01.2",
        kind=Kind.PREDICT,
        title=N_("Accepted or refused?"),
        task=(
            "Two configurations for 88Pay's sandbox. The first has the address "
            "`http://127.0.0.1:8080`, a server on this machine. The second has a key that begins "
            'with `sk_live_`. Is each `"accepted"` or `"refused"`? And which field does the '
            "error name? Write your prediction; the check then makes both."
        ),
        answer="(this_machine, live_key, field)",
        starter="this_machine = ...\nlive_key = ...\nfield = ...",
        solution='this_machine = "accepted"\nlive_key = "refused"\nfield = "api_key"',
        wrong=(
            'this_machine = "refused"\nlive_key = "refused"\nfield = "base_url"',
            'this_machine = "accepted"\nlive_key = "refused"\nfield = "environment"',
            'this_machine = "accepted"\nlive_key = "accepted"\nfield = None',
        ),
        hints=(
            "Read again what the errors of this lesson say, the part in brackets too.",
            "An address of this machine sends nothing over a network. A live key in the sandbox "
            "is a key of the other environment.",
        ),
        why="A key of the other environment is found here, before it leaves your machine.",
        check=_refusals,
    ),
    Exercise(
        id="01.3",
        kind=Kind.FAULT,
        title=N_("A key in the log"),
        task=(
            "This line runs at the start of a shop, and its result goes into a log file:\n\n"
            "```python\n"
            'f"Started with {config.api_key} for {config.merchant_id}"\n'
            "```\n\n"
            "Inside an f-string, a key is an ordinary string: the whole key is in the log. Write "
            "the function so that the line still names the merchant and no longer gives the key "
            "away."
        ),
        answer="log_line",
        needs=("config",),
        starter="def log_line(config): ...",
        solution=(
            "def log_line(config):\n"
            '    return f"Started with {config.api_key!r} for {config.merchant_id}"'
        ),
        wrong=(
            "def log_line(config):\n"
            '    return f"Started with {config.api_key} for {config.merchant_id}"',
            'def log_line(config):\n    return "Started"',
            "def log_line(config):\n"
            '    return f"Started with {config.api_key[:20]}… for {config.merchant_id}"',
            'def log_line(config):\n    return "Started for MCH-COL-TEST-12345"',
            "def log_line(config):\n"
            '    print(f"Started with {config.api_key!r} for {config.merchant_id}")',
            "def log_line(config):\n"
            '    return "Started with " + config.key + " for " + config.merchant_id',
        ),
        hints=(
            "Leave the key out, or show it as the configuration shows it.",
            "In an f-string, {config.api_key!r} is the form that hides the key.",
        ),
        why="Logs are copied, sent and kept for years. A key in a log is a key that is lost.",
        check=_log_line,
    ),
)
