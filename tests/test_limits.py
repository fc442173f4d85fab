"""When a request may go: the client's count against the sandbox's, whatever happens in between."""

from __future__ import annotations

import math
import tracemalloc
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pay88kit.limits import DOCUMENTED, Place, Windows
from pay88kit.sandbox.limits import LIFTED, LIMITS, Window

START = datetime(2026, 1, 15, 12, tzinfo=UTC)
# The longest way of a request and its answer together, in seconds. Times are eighths of a second,
# which are exact in binary.
LATENCY = 20.0


def at(now: float) -> datetime:
    return START + timedelta(seconds=now)


@dataclass(eq=False)
class Request:
    """A request under way; ``answer`` is what 88Pay said when it arrived there."""

    place: Place
    left: float
    answer: tuple[int, dict[str, str]] | None = None


class Service:
    """88Pay's side of one family."""

    def __init__(self, per_minute: int, per_hour: int) -> None:
        self.window = Window(per_minute, per_hour)

    def ask(self, now: float) -> tuple[int, dict[str, str]]:
        seconds = self.window.retry_after(at(now))
        if seconds:
            return 429, {"Retry-After": str(seconds)}
        self.window.take(at(now))
        return 200, self.window.headers(at(now))

    def free_at(self, now: float) -> float:
        """The exact moment from which it accepts one more."""
        self.window.retry_after(at(now))  # forgets what is over
        moments = [now]
        for kept, size, length in (
            (self.window.minute, self.window.per_minute, 60.0),
            (self.window.hour, self.window.per_hour, 3_600.0),
        ):
            if len(kept) >= size:
                moments.append((kept[-size] - START).total_seconds() + length)
        return max(moments)


def tell(windows: Windows, request: Request, now: float) -> None:
    """Hand an answer to the client's side."""
    assert request.answer is not None
    status, headers = request.answer
    if status == 429:
        windows.refused(request.place, now, float(headers["Retry-After"]))
    else:
        windows.answered(
            request.place,
            now,
            int(headers["X-RateLimit-Limit"]),
            int(headers["X-RateLimit-Remaining"]),
        )


class OneClient(RuleBasedStateMachine):
    """A client alone with its credentials: several requests under way, answers out of order."""

    PER_MINUTE, PER_HOUR = 2, 5

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.windows = Windows(self.PER_MINUTE, self.PER_HOUR)
        self.service = Service(self.PER_MINUTE, self.PER_HOUR)
        self.under_way: list[Request] = []

    @rule()
    def leave_if_due(self) -> None:
        if self.windows.due(self.now) <= self.now:
            self.under_way.append(Request(self.windows.take(self.now), self.now))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.under_way))
        if request.answer is None:
            request.answer = self.service.ask(self.now)
            assert request.answer[0] == 200, "refused, though nobody else uses these limits"

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.under_way))
        if request.answer is not None:
            self.under_way.remove(request)
            tell(self.windows, request, self.now)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def lose_the_answer(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.under_way))
        if request.answer is not None:
            self.under_way.remove(request)
            self.windows.lost(request.place, self.now)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def never_arrive(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.under_way))
        if request.answer is None:
            self.under_way.remove(request)
            self.windows.release(request.place)

    @rule(eighths=st.integers(1, 8 * 61))
    def let_time_pass(self, eighths: int) -> None:
        latest = min((r.left for r in self.under_way), default=math.inf) + LATENCY
        self.now = min(self.now + eighths / 8, max(self.now, latest))

    @precondition(lambda self: not self.under_way)
    @rule()
    def wait_until_due(self) -> None:
        self.now = max(self.now, self.windows.due(self.now))

    @invariant()
    def is_not_later_than_it_must_be(self) -> None:
        # What is under way and not counted there yet takes its place now at the earliest.
        service = Service(self.PER_MINUTE, self.PER_HOUR)
        service.window.minute = deque(self.service.window.minute)
        service.window.hour = deque(self.service.window.hour)
        for request in self.under_way:
            if request.answer is None:
                service.window.take(at(self.now))
        # It counts from the answer, so it may be late by one way of it.
        assert self.windows.due(self.now) <= service.free_at(self.now) + LATENCY


class TwoClients(OneClient):
    """Another process uses the same credentials; the hour is too wide to matter."""

    PER_HOUR = 10_000

    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[float] = []

    @rule(times=st.integers(1, 4))
    def another_process_asks(self, times: int) -> None:
        for _ in range(times):
            if self.service.ask(self.now)[0] == 200:
                self.foreign.append(self.now)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.under_way))
        if request.answer is None:
            request.answer = self.service.ask(self.now)
            if request.answer[0] != 200:
                # The other's, in the last minute; or what came of the other's before that.
                assert self.foreign

    @invariant()
    def is_not_later_than_it_must_be(self) -> None:
        # Of the other's places the client knows only when it heard of them.
        heard = max([*self.foreign, 0.0]) + LATENCY + 120 + LATENCY
        assert self.windows.due(self.now) <= max(heard, self.now) + 60

    def teardown(self) -> None:
        # All is answered, and the other one has stopped: after a minute all places are free, and
        # the first answer says so.
        for request in list(self.under_way):
            request.answer = request.answer or self.service.ask(self.now)
            tell(self.windows, request, self.now)
        self.now = max(self.now, self.windows.due(self.now)) + 200
        for number in range(self.PER_MINUTE):
            assert self.windows.due(self.now) <= self.now, number
            request = Request(self.windows.take(self.now), self.now)
            request.answer = self.service.ask(self.now)
            assert request.answer[0] == 200
            tell(self.windows, request, self.now)
        assert self.windows.due(self.now) == self.now + 60


TestOneClient: Any = OneClient.TestCase
TestOneClient.settings = settings(max_examples=150, stateful_step_count=60)
TestTwoClients: Any = TwoClients.TestCase
TestTwoClients.settings = settings(max_examples=100, stateful_step_count=50)


def test_the_documented_limits_are_the_sandboxes() -> None:
    assert DOCUMENTED == LIMITS


def ask(windows: Windows, service: Service, now: float) -> int:
    """One request that takes no time; its status."""
    request = Request(windows.take(now), now)
    request.answer = service.ask(now)
    tell(windows, request, now)
    return request.answer[0]


def ask_while_due(windows: Windows, service: Service, now: float) -> int:
    """How many go at once; none is refused."""
    sent = 0
    while windows.due(now) <= now:
        assert ask(windows, service, now) == 200
        sent += 1
    return sent


def test_a_minute_and_an_hour() -> None:
    windows, service = Windows(60, 1_000), Service(60, 1_000)
    now, sent = 0.0, 0
    while now < 3_600:
        sent += ask_while_due(windows, service, now)
        now = windows.due(now)
        assert now == (60.0 * (sent // 60) if sent < 1_000 else 3_600)
    assert sent == 1_000


def test_a_lifted_limit_is_not_throttled() -> None:
    windows = Windows(60, 1_000)
    for _ in range(3_000):
        assert windows.due(5.0) == 5.0
        windows.answered(windows.take(5.0), 5.0, LIFTED, LIFTED)


def test_a_lowered_limit_is_kept() -> None:
    windows, service = Windows(60, 1_000), Service(3, 1_000)
    assert ask_while_due(windows, service, 0) == 3
    assert windows.due(0) == 60
    service.window.per_minute = 60
    assert ask(windows, service, 60) == 200
    assert ask_while_due(windows, service, 60) == 59


def test_another_process_is_seen_and_corrected_back() -> None:
    windows, service = Windows(60, 1_000), Service(60, 1_000)
    for _ in range(50):
        service.ask(0)
    # The first answer shows 51 of 60 used; since when is not known.
    for _ in range(8):
        assert ask(windows, service, 30) == 200
    assert windows.due(30) == 30
    # The other's places were free again at 60: the next answer shows it.
    assert ask_while_due(windows, service, 60) == 52
    assert windows.due(60) == 90


def test_an_answer_that_comes_late_does_not_hide_another_process() -> None:
    windows, service = Windows(60, 1_000), Service(60, 1_000)
    for _ in range(50):
        service.ask(0)
    late, soon = Request(windows.take(0), 0), Request(windows.take(0), 0)
    late.answer, soon.answer = service.ask(0), service.ask(0)
    tell(windows, soon, 1)
    tell(windows, late, 2)
    for _ in range(8):
        assert windows.due(3) == 3
        windows.take(3)
    assert windows.due(3) > 3


@pytest.mark.parametrize("retry_after", [1, 17, 60, 3_000])
def test_a_429_closes_for_exactly_its_time(retry_after: int) -> None:
    windows = Windows(60, 1_000)
    windows.refused(windows.take(4), 5, retry_after)
    assert windows.due(5) == 5 + retry_after
    assert windows.due(5 + retry_after) == 5 + retry_after
    # It did not use a place up.
    for _ in range(60):
        assert windows.due(5 + retry_after) == 5 + retry_after
        windows.answered(windows.take(5 + retry_after), 5 + retry_after)
    assert windows.due(5 + retry_after) == 65 + retry_after


def test_a_429_closes_for_an_hour_at_most() -> None:
    windows = Windows(60, 1_000)
    windows.refused(windows.take(0), 0, 999_999_999)
    assert windows.due(0) == 3_600


def test_a_huge_limit_that_is_used_up_costs_nothing() -> None:
    windows = Windows(60, 1_000)
    tracemalloc.start()
    windows.answered(windows.take(0), 0, limit=2_000_000, remaining=0)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100_000
    assert windows.due(0) == 0


def test_a_429_without_its_time_closes_for_a_minute() -> None:
    windows = Windows(60, 1_000)
    windows.refused(windows.take(0), 0, None)
    assert windows.due(0) == 60


def test_an_answer_on_the_edge_of_the_minute_is_not_taken_for_anothers() -> None:
    windows, service = Windows(2, 1_000), Service(2, 1_000)
    first = Request(windows.take(0), 0)
    first.answer = service.ask(0.5)
    tell(windows, first, 0.5)
    # It leaves and is counted before the first one's place is free, and is answered after.
    second = Request(windows.take(60.25), 60.25)
    second.answer = service.ask(60.375)
    tell(windows, second, 61)
    assert windows.due(61) == 61


def test_a_request_under_way_for_longer_than_the_window_keeps_its_place() -> None:
    windows, service = Windows(1, 1_000), Service(1, 1_000)
    slow = Request(windows.take(0), 0)
    slow.answer = service.ask(50)
    assert windows.due(60) > 60
    tell(windows, slow, 70)
    assert windows.due(70) == 130


@pytest.mark.parametrize("size", [(60, 1_000), (10, 100)])
def test_an_answer_without_headers_leaves_the_documented_limits(size: tuple[int, int]) -> None:
    windows = Windows(*size)
    for _ in range(size[0]):
        assert windows.due(0) == 0
        windows.answered(windows.take(0), 0)
    assert windows.due(0) == 60
    assert windows.per_minute == size[0]
