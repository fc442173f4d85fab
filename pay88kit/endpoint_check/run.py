"""Running a check: one probe after another, bounded in count and time."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from itertools import count
from typing import Any, TypeVar

from pay88kit import webhooks
from pay88kit.config import Clock, Secret, SystemClock, is_loopback, read_dotenv
from pay88kit.endpoint_check.judge import Trace, judge
from pay88kit.endpoint_check.notification import Ready, Signer, SignerFailed, Transaction, Writer
from pay88kit.endpoint_check.probes import (
    ANSWER_TIME,
    LARGE_BODY,
    MOST_CALLS,
    PROBES,
    TLS,
    Call,
    Kind,
    Probe,
    Verdict,
)
from pay88kit.endpoint_check.results import EndpointCheck
from pay88kit.endpoint_check.said import Sentence, Told, say
from pay88kit.endpoint_check.wire import (
    Answer,
    Mask,
    Uncounted,
    Unreachable,
    Wire,
    not_reached,
    parts_of,
    shown,
)
from pay88kit.errors import ConfigError, WrongUse

# 88Pay's documented limit for an answer, in seconds.
LIMIT = 5.0
# Real seconds for the whole check, and for a fulfilment to be counted after its 200.
BUDGET, SETTLE, STEP = 60.0, 2.0, 0.05
VARIABLE = "PAY88_WEBHOOK_SECRET"

_T = TypeVar("_T")
_used: defaultdict[tuple[int, datetime], Iterator[int]] = defaultdict(count)


def check_endpoint(
    url: str,
    secret: str | None = None,
    *,
    seed: int = 88,
    signer: Signer | None = None,
    effects: str | None = None,
    mine: bool = False,
    timeout: float = LIMIT,
    clock: Clock | None = None,
) -> EndpointCheck:
    """Judge a webhook endpoint: send it about 25 notifications, right and wrong ones.

    They name invented transactions: references begin with ``CHECK``, the customer is
    ``pay88-check``. These are new ones at each check, drawn from the seed, the clock's time, and
    how often both were used in this process: so an endpoint can be judged again, and with a clock
    that stands still the same program sends the same.

    Args:
        url: the endpoint. Redirects are not followed.
        secret: its webhook secret; by default ``PAY88_WEBHOOK_SECRET``.
        seed: of references, transaction ids and amounts.
        signer: how a token is made, where the endpoint expects another one than the kit assumes
            (88Pay's cipher is not documented): takes what :func:`pay88kit.webhooks.sign` takes,
            gives back the ``Authorization`` header, or the token alone.
        effects: an address of the endpoint's own that counts fulfilments: a GET with ``reference``
            and ``transaction_id`` in the query answers 200 with a number, or ``{"count": number}``,
            and 0 for what it does not know. With it, it is seen whether a repeat is fulfilled
            once, and whether an order that was not paid is fulfilled.
        mine: that the endpoint is yours; asked in a terminal when it is not on this machine.
        timeout: seconds within which an answer must come; 88Pay documents 5.
        clock: whose time the tokens have; a sandbox's, for an endpoint that goes by it. How long an
            answer takes is always measured in real time.

    Raises:
        WrongUse: no web address, not confirmed as yours, or ``effects`` gives no number.
        ConfigError: there is no secret.
        ConnectionFailed: nobody listens there.
        SignerFailed: ``signer`` gives no header.
        MissingExtra: without the extra ``server``, which has the cipher.
    """
    secret = Secret(secret) if secret else _configured()
    if not 0 < timeout <= LIMIT:
        raise WrongUse(f"timeout: 88Pay waits {LIMIT:g} s. Use seconds above 0 and up to that.")
    address = parts_of(url)
    addresses = [address] if effects is None else [address, parts_of(effects, "effects")]
    outside = [parts.hostname for parts in addresses if not is_loopback(parts.hostname or "")]
    if outside and not mine:
        _ask(str(outside[0]))
    clock = clock or SystemClock()
    at = clock.now()
    drawn_from = f"{seed}/{at.timestamp()}/{next(_used[seed, at])}"
    writer = Writer(drawn_from, secret, signer or webhooks.sign, clock)
    # Before anything is sent: whether there will be tokens at all.
    writer.write(Call(), Transaction.of(drawn_from, "none"))
    wire = Wire(url, effects, timeout, Mask(secret, writer.tokens))
    run = _Run(wire, writer, drawn_from, counted=effects is not None, url=url)
    results = judge(_finish(run.all()))
    return EndpointCheck(
        shown(address), f"{at:%Y-%m-%dT%H:%M:%SZ}", seed, effects is not None, results
    )


def assert_endpoint(url: str, secret: str | None = None, **options: Any) -> EndpointCheck:
    """For a test: judge an endpoint with :func:`check_endpoint`, whose arguments it takes.

    Raises:
        AssertionError: a probe fails; the message lists each with its cause and its cure.
    """
    __tracebackhide__ = True
    secret = Secret(secret) if secret else None
    check = check_endpoint(url, secret, **options)
    if not check.ok:
        raise AssertionError(f"the webhook endpoint does not pass.\n{check.text()}")
    return check


class _Run:
    """One check, under way."""

    def __init__(self, wire: Wire, writer: Writer, seed: str, *, counted: bool, url: str) -> None:
        self._wire = wire
        self._writer = writer
        self._seed = seed
        self._counted = counted
        self._url = url
        self._ends = time.monotonic() + BUDGET
        self._gone: Told = ""
        self._reason = ""
        self._settle = 0.0
        # Why there is no count, once that is known.
        self._uncounted: Told = "" if counted else say(Sentence.UNSEEN)

    async def all(self) -> list[Trace]:
        """Every probe."""
        traces = {probe.name: Trace(probe) for probe in PROBES}
        async with self._wire:
            if self._counted:
                try:
                    await self._wire.count(self._transaction(ANSWER_TIME), new=True)
                except Uncounted as error:
                    raise WrongUse(f"effects: {error}") from None
            tls = traces[TLS.name]
            tls.found, tls.unseen = await self._wire.tls()
            first = traces[ANSWER_TIME.name]
            await self._one(first)
            if self._gone:
                raise not_reached(self._url, self._reason)
            rest = [trace for trace in traces.values() if trace not in (tls, first)]
            last = traces[LARGE_BODY.name]
            rest.remove(last)
            if first.answers[0].kind is Kind.LATE:
                # Each of these may take its whole time, so they take it together.
                await asyncio.gather(*map(self._one, rest))
            else:
                for trace in rest:
                    await self._one(trace)
            await self._one(last)
            await self._still_there(last)
            await self._count_again(traces.values())
        return list(traces.values())

    async def _one(self, trace: Trace) -> None:
        probe = trace.probe
        if self._gone:
            trace.unseen = say(Sentence.NOT_SENT, why=self._gone)
            return
        if time.monotonic() > self._ends:
            over = say(Sentence.TIME_OVER, seconds=f"{BUDGET:g}")
            trace.unseen = say(Sentence.NOT_SENT, why=over)
            return
        transaction = self._transaction(probe)
        trace.reference = transaction.reference if probe.calls[0].method == "POST" else None
        try:
            await self._count(trace, transaction)
            if probe.together:
                calls = (self._send(call, transaction) for call in probe.calls)
                trace.answers += await asyncio.gather(*calls)
                await self._count(trace, transaction)
                return
            for call in probe.calls:
                answer = await self._send(call, transaction)
                trace.answers.append(answer)
                await self._count(trace, transaction)
                if answer.kind in (Kind.LATE, Kind.DROPPED):
                    return
        except Unreachable as error:
            self._reason = str(error)
            self._gone = say(Sentence.GONE, probe=probe.name, reason=self._reason)
            trace.unseen = self._gone
        except SignerFailed as error:
            trace.unseen = str(error)

    async def _send(self, call: Call, transaction: Transaction) -> Answer:
        return await self._wire.send(self._writer.write(call, transaction))

    async def _count(self, trace: Trace, transaction: Transaction) -> None:
        if self._uncounted:
            trace.unseen = self._uncounted
            return
        if trace.probe.fulfilments is None:
            return
        if trace.answers and self._settle:
            await asyncio.sleep(min(self._settle, SETTLE / 2))
        try:
            new = not trace.counts
            trace.counts.append(await self._wire.count(transaction, new=new))
            if trace.probe.name == "completed" and trace.answers:
                await self._settled(trace, transaction)
        except Uncounted as error:
            trace.unseen = self._uncounted = say(Sentence.EFFECTS, why=error.said)

    async def _settled(self, trace: Trace, transaction: Transaction) -> None:
        """Learn how long after its 200 the endpoint fulfils, in a queue for instance."""
        started = time.monotonic()
        if trace.answers[-1].kind is not Kind.OK:
            return
        while not trace.counts[-1]:
            if time.monotonic() - started > SETTLE:
                self._uncounted = say(Sentence.NEVER_COUNTED)
                self._settle = 0.0
                return
            await asyncio.sleep(STEP)
            trace.counts[-1] = await self._wire.count(transaction)
            self._settle = 2 * (time.monotonic() - started)

    async def _still_there(self, trace: Trace) -> None:
        """Tell a connection that was closed from an endpoint that has ended."""
        if not trace.answers or trace.answers[-1].kind is not Kind.DROPPED:
            return
        try:
            await self._wire.send(Ready("GET", {}, b""))
        except Unreachable as error:
            trace.found = Verdict.FAILS
            trace.unseen = say(Sentence.STOPPED, reason=str(error))

    async def _count_again(self, traces: Iterable[Trace]) -> None:
        """Once more at the end: a second fulfilment may have come late."""
        if self._settle:
            await asyncio.sleep(min(self._settle, SETTLE))
        with suppress(Uncounted):
            for trace in traces:
                if trace.counts and time.monotonic() < self._ends:
                    trace.counts.append(await self._wire.count(self._transaction(trace.probe)))

    def _transaction(self, probe: Probe) -> Transaction:
        return Transaction.of(self._seed, probe.name)


def _configured() -> Secret:
    for source in (os.environ, read_dotenv()):
        found = source.get(VARIABLE, "").strip()
        if found:
            return Secret(found)
    raise ConfigError(f"secret: not set. Set {VARIABLE}, or pass secret=… .")


def _ask(host: str) -> None:
    """Ask a person whether the endpoint is theirs.

    Raises:
        WrongUse: it is not, or nobody is there to ask.
    """
    what = f"This sends about {MOST_CALLS} notifications, right and forged ones, to {host}."
    if not sys.stdin or not sys.stdin.isatty():
        raise WrongUse(
            f"url: {what} Nothing was sent. If the endpoint is yours, say so with --mine "
            f"(mine=True in Python)."
        )
    print(f"{what} Is that endpoint yours? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise WrongUse("url: not confirmed as yours. Nothing was sent.")


def _finish(work: Coroutine[Any, Any, _T]) -> _T:
    """Run to the end, also where a notebook's event loop is running."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
