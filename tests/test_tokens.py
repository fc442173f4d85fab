"""One token for all who need one, whoever asks; never half of one and half of another."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from support import BALANCE, MERCHANT, TOKEN

from pay88kit import AsyncPay88, Pay88, Policy, Sandbox
from pay88kit.client.transports import InProcess


class Wire(InProcess):
    """The way to a sandbox; notes what was asked for, and with which token and session."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.paths: list[str] = []
        self.pairs: set[tuple[str, str]] = set()
        self.issued: set[tuple[str, str]] = set()
        self._noting = threading.Lock()

    def _answer(self, request: httpx.Request, body: bytes) -> Any:
        reply = super()._answer(request, body)
        with self._noting:
            self.paths.append(request.url.path)
            if request.url.path == TOKEN:
                data = json.loads(reply.body)["data"]
                self.issued.add((f"Bearer {data['access_token']}", data["session_id"]))
            else:
                headers = request.headers
                self.pairs.add((headers["authorization"], headers["x-session-id"]))
        return reply


def test_two_event_loops_and_threads_cost_one_token() -> None:
    """An ``AsyncPay88`` of two loops at once: each with connections of its own below it."""
    with Sandbox(limits=None) as sandbox:
        asked, go = threading.Event(), threading.Event()
        waiting = threading.Semaphore(0)

        class Slow(Wire):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                if request.url.path == TOKEN:
                    asked.set()
                    while not go.is_set():
                        await asyncio.sleep(0.001)
                return await super().handle_async_request(request)

        wire = Slow(sandbox)
        client = AsyncPay88(sandbox.config, transport=wire)

        async def twenty() -> list[Any]:
            tasks = [asyncio.create_task(client.balance()) for _ in range(20)]
            await asyncio.sleep(0)
            waiting.release()
            return await asyncio.gather(*tasks)

        with ThreadPoolExecutor(2) as pool:
            loops = [pool.submit(lambda: asyncio.run(twenty())) for _ in range(2)]
            assert asked.wait(60)
            for _ in loops:
                assert waiting.acquire(timeout=60)
            go.set()
            answers = [answer for loop in loops for answer in loop.result(timeout=60)]
        assert [answer.merchant_id for answer in answers] == [MERCHANT] * 40
        assert wire.paths.count(TOKEN) == 1


def test_a_cancelled_loop_does_not_strand_the_other_one() -> None:
    with Sandbox(limits=None) as sandbox:
        asked, stopped = threading.Event(), threading.Event()

        class FirstStuck(Wire):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                if request.url.path == TOKEN and not asked.is_set():
                    asked.set()
                    await asyncio.Event().wait()
                return await super().handle_async_request(request)

        client = AsyncPay88(sandbox.config, transport=FirstStuck(sandbox))

        async def leader() -> None:
            first = asyncio.create_task(client.balance())
            while not asked.is_set():
                await asyncio.sleep(0.001)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(first, 0.2)
            stopped.set()

        with ThreadPoolExecutor(2) as pool:
            one = pool.submit(lambda: asyncio.run(leader()))
            assert asked.wait(60)
            other = pool.submit(lambda: asyncio.run(client.balance()))
            one.result(timeout=60)
            assert stopped.is_set()
            assert other.result(timeout=60).merchant_id == MERCHANT


def test_business_requests_run_side_by_side() -> None:
    """All twenty are under way at once: nothing that is held keeps one from leaving."""
    with Sandbox(limits=None) as sandbox:
        together = threading.Barrier(20)

        class Meeting(Wire):
            def handle_request(self, request: httpx.Request) -> httpx.Response:
                if request.url.path == BALANCE:
                    together.wait(60)
                return super().handle_request(request)

        with (
            Pay88(sandbox.config, transport=Meeting(sandbox)) as client,
            ThreadPoolExecutor(20) as pool,
        ):
            answers = pool.map(lambda _: client.balance().merchant_id, range(20))
            assert list(answers) == [MERCHANT] * 20


def test_a_token_can_be_renewed_while_a_business_request_is_under_way() -> None:
    with Sandbox(limits=None) as sandbox:
        renewed = threading.Event()

        class Slow(Wire):
            def handle_request(self, request: httpx.Request) -> httpx.Response:
                answer = super().handle_request(request)
                if request.url.path == BALANCE:
                    assert renewed.wait(60)
                return answer

        with (
            Pay88(sandbox.config, transport=Slow(sandbox)) as client,
            ThreadPoolExecutor(1) as pool,
        ):
            client.token()
            slow = pool.submit(client.balance)
            client.token(fresh=True)
            renewed.set()
            assert slow.result(60).merchant_id == MERCHANT


def test_a_token_and_its_session_are_never_mixed_with_anothers() -> None:
    with Sandbox(limits=None) as sandbox:
        wire = Wire(sandbox)
        over = threading.Event()

        def ask(_: int) -> None:
            for _ in range(60):
                assert client.balance().merchant_id == MERCHANT

        def let_tokens_end() -> None:
            while not over.wait(0.002):
                sandbox.clock.advance(17)

        with (
            Pay88(sandbox.config, transport=wire) as client,
            ThreadPoolExecutor(9) as pool,
        ):
            clock = pool.submit(let_tokens_end)
            list(pool.map(ask, range(8)))
            over.set()
            clock.result(10)
        assert len(wire.issued) > 3
        assert wire.pairs <= wire.issued


@pytest.mark.parametrize("kind", [Pay88, AsyncPay88])
@pytest.mark.parametrize(("life", "used"), [(60, 50), (600, 500), (6, 5)])
def test_five_sixths_of_any_life_are_used(kind: Any, life: int, used: int) -> None:
    class Other(Wire):
        """88Pay with another lifetime."""

        def _answer(self, request: httpx.Request, body: bytes) -> Any:
            reply = super()._answer(request, body)
            if request.url.path == TOKEN:
                reply.body = reply.body.replace(b'"expires_in": 60', b'"expires_in": %d' % life)
                assert b"%d" % life in reply.body
            return reply

    with Sandbox(limits=None) as sandbox:
        wire = Other(sandbox)
        client = kind(sandbox.config, transport=wire)

        def ask() -> Any:
            token = client.token()
            return asyncio.run(token) if kind is AsyncPay88 else token

        first = ask()
        sandbox.clock.advance(used - 0.001)
        assert ask() == first
        sandbox.clock.advance(0.001)
        assert ask() != first
        assert wire.paths == [TOKEN, TOKEN]


def test_a_token_for_each_operation() -> None:
    with Sandbox(limits=None) as sandbox:
        wire = Wire(sandbox)
        with Pay88(sandbox.config, transport=wire, policy=Policy(reuse_tokens=False)) as client:
            for _ in range(3):
                client.balance()
        assert wire.paths == [TOKEN, BALANCE] * 3
        assert len(wire.pairs) == 3
        assert wire.pairs == wire.issued


def test_a_refused_token_is_renewed_for_each_operation_too() -> None:
    with Sandbox(limits=None) as sandbox:
        wire = Wire(sandbox)
        sandbox.fault("balance", "status", status=401)
        with Pay88(sandbox.config, transport=wire, policy=Policy(reuse_tokens=False)) as client:
            assert client.balance().merchant_id == MERCHANT
        assert wire.paths == [TOKEN, BALANCE, TOKEN, BALANCE]


def test_a_token_that_ended_on_its_way_does_not_count_as_a_refusal() -> None:
    """Others move the manual clock while a request is on its way."""
    with Sandbox(limits=None) as sandbox:

        class Slow(Wire):
            late = 3

            def _answer(self, request: httpx.Request, body: bytes) -> Any:
                if request.url.path == BALANCE and self.late:
                    self.late -= 1
                    sandbox.clock.advance(61)
                return super()._answer(request, body)

        with Pay88(sandbox.config, transport=Slow(sandbox)) as client:
            assert client.balance().merchant_id == MERCHANT
