"""Exercises of lesson 01: credentials."""

from __future__ import annotations

from collections.abc import Callable

from pay88kit.config import Config
from pay88kit.errors import ConfigError
from pay88kit.guide.exercises.exercise import Exercise, Kind, NotYet, compare, of_type, shown


def _sandbox_config(answer: object) -> str:
    config = of_type(answer, Config, "a configuration: Config(…)")
    for name, wanted in (("environment", "sandbox"), ("merchant_id", "MCH-MEX-TEST-88")):
        given = getattr(config, name)
        if given != wanted:
            raise NotYet(f"{name} is {shown(given)}", f"{name} is {wanted!r}")
    if config.api_key is None:
        raise NotYet("api_key is missing", "the invented key of this lesson as api_key")
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
    return compare(guesses, seen, "what the kit did with the two configurations")


def _log_line(answer: Callable[[Config], object], config: Config) -> str:
    line = of_type(answer(config), str, "the function returns a text")
    if config.api_key and str(config.api_key) in line:
        # The line is not shown: it carries the key.
        raise NotYet("the whole key is in the line", "the key is hidden or left out")
    if str(config.merchant_id) not in line:
        raise NotYet(
            shown(line),
            f"the line names the merchant, {config.merchant_id}",
            "A log that does not say for whom the program runs helps nobody. "
            "The merchant id is no secret.",
        )
    return shown(line)


EXERCISES = (
    Exercise(
        id="01.1",
        kind=Kind.CALL,
        title="A configuration of your own",
        task=(
            "Make a configuration for 88Pay's **sandbox**. The key is `invented`, the merchant id "
            "`MCH-MEX-TEST-88`."
        ),
        answer="mexico",
        starter="mexico = ...",
        solution=(
            "mexico = Config(\n"
            '    environment="sandbox", api_key=invented, merchant_id="MCH-MEX-TEST-88"\n'
            ")"
        ),
        wrong=(
            'mexico = Config(environment="local")',
            'mexico = Config(environment="sandbox", api_key=invented, merchant_id="MCH-COL-1")',
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
        title="Accepted or refused?",
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
        title="A key in the log",
        task=(
            "This line runs at the start of a shop, and its result goes into a log file:\n\n"
            "```python\n"
            'f"Started with {config.api_key} for {config.merchant_id}"\n'
            "```\n\n"
            "Inside a text, a key is an ordinary text: the whole key is in the log. Write the "
            "function so that the line still names the merchant and no longer gives the key away."
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
