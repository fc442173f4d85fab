"""The pytest plugin for a merchant's own tests: a local 88Pay and a client, new for each test.

    def test_an_order_is_paid(pay88_sandbox, pay88_client): ...

    @pytest.mark.pay88(seed=7, limits=None, clock="real")
    def test_many_orders(pay88_client): ...

A test that fails shows what was asked and answered. pytest loads this module wherever the kit is
installed, so everything it needs is imported by the fixtures.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pay88kit.client import Pay88
    from pay88kit.sandbox import Sandbox

SECTION = "88Pay (simulated)"
# What a mark may set; each is an argument of Sandbox.
OPTIONS = ("seed", "limits", "clock", "transaction_ids")
# A report is read by a person: the last calls, each body on one line.
MOST_SHOWN = 20
LONGEST_BODY = 400
LONGEST_NAME = 120

_running: pytest.StashKey[Sandbox] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, for those who run pytest with ``--strict-markers``."""
    config.addinivalue_line(
        "markers",
        'pay88(seed=88, limits=…, clock="manual", transaction_ids="operation"): '
        "the sandbox of the fixture pay88_sandbox.",
    )


@pytest.fixture
def pay88_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A local 88Pay of this test alone: seed 88, a clock that moves only when told.

    ``@pytest.mark.pay88(…)`` on the test, its class or module changes ``seed``, ``limits``,
    ``clock`` and ``transaction_ids``; see :class:`~pay88kit.Sandbox`.

    Raises:
        pytest.UsageError: the mark sets something else.
        MissingExtra: when it is used, without the extra ``server``.
    """
    from pay88kit.sandbox import Sandbox

    options = _options(request.node)
    with pytest.MonkeyPatch.context() as patch, Sandbox(**options) as sandbox:
        # Books that were chosen for the developer's real work, in .env too, are none of a test's.
        patch.setenv("PAY88_BOOKS", "")
        request.node.stash[_running] = sandbox
        yield sandbox


@pytest.fixture
def pay88_client(pay88_sandbox: Sandbox) -> Iterator[Pay88]:
    """A client of ``pay88_sandbox``, with books of this test alone, in memory.

    ``Inbox(pay88_client.config)`` shares those books.

    Raises:
        MissingExtra: at a create, without the extra ``books``.
    """
    from pay88kit.client import Pay88

    with Pay88(pay88_sandbox.config) as client:
        yield client


# A wrapper of the older kind: merchants run other versions of pytest, too.
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Show in a failed test's report what its sandbox was asked and answered."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    sandbox = item.stash.get(_running, None)
    if sandbox is None:
        return
    if report.failed:
        report.sections.append((SECTION, _exchange(sandbox)))
    if report.when == "teardown":
        del item.stash[_running]


def _options(node: Any) -> dict[str, Any]:
    """What the marks of a test say, the nearest one last."""
    options: dict[str, Any] = {"seed": 88}
    for mark in reversed(list(node.iter_markers("pay88"))):
        for name in (*map(repr, mark.args), *mark.kwargs.keys() - set(OPTIONS)):
            raise pytest.UsageError(f"pay88: {name} is unknown; use {', '.join(OPTIONS)}.")
        options |= mark.kwargs
    return options


# ---------------------------------------------------------------- the report


def _exchange(sandbox: Sandbox) -> str:
    lines: list[str] = []
    calls = sandbox.requests()
    lines += _left_out(calls, "calls")
    for call in calls[-MOST_SHOWN:]:
        status = call["status_code"] or "no answer"
        lines.append(f"{call['at']} {_name(call['method'])} {_name(call['path'])} → {status}")
        lines += _bodies(asked=call["request_body"], answered=call["response_body"])
    if not calls:
        lines.append("88Pay was asked nothing.")
    attempts = sandbox.webhooks()
    lines += _left_out(attempts, "notifications")
    for attempt in attempts[-MOST_SHOWN:]:
        status = "" if attempt["status_code"] is None else f" {attempt['status_code']}"
        lines.append(
            f"{attempt['at']} notification {attempt['id']} of {attempt['reference']}, attempt "
            f"{attempt['attempt']} to {_name(attempt['url'])} →{status} {attempt['outcome']}"
        )
        lines += _bodies(sent=attempt["request_body"], answered=attempt["response_body"] or None)
    return "\n".join(lines)


def _left_out(things: list[Any], what: str) -> list[str]:
    more = len(things) - MOST_SHOWN
    return [f"… {more} earlier {what} are not shown."] if more > 0 else []


def _bodies(**bodies: Any) -> list[str]:
    from pay88kit import money

    return [
        f"    {name}: {_short(_readable(money.dumps(body)), LONGEST_BODY)}"
        for name, body in bodies.items()
        if body is not None
    ]


def _readable(text: str) -> str:
    """JSON with characters such as é as they are; what could not be seen stays escaped."""

    def character(found: re.Match[str]) -> str:
        char = chr(int(found[1], 16))
        return char if char.isprintable() else found[0]

    return re.sub(r"(?<!\\)\\u([0-9a-f]{4})", character, text)


def _name(text: str) -> str:
    return _short(text, LONGEST_NAME)


def _short(text: str, most: int) -> str:
    """One line without secrets, cut. A stranger may have written it."""
    from pay88kit.config import SECRET_SHAPES, mask

    # Masked before it is cut: half a secret would not be found.
    text = SECRET_SHAPES.sub(lambda found: mask(found[0]), text)
    text = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"
