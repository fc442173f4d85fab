"""The sandbox's charges: beside its peers and a fixed answer, as it fills, on disk, in process."""

from __future__ import annotations

import cProfile
import json
import pstats
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from pay88kit import Sandbox
from pay88kit.sandbox.reply import Ask
from tests.bench import peers, servers
from tests.bench.measure import ROUNDS, SECONDS, Row, in_turns, rate, say
from tests.bench.servers import Contender, Load, Running

A_ROUND = 1_000
MANY = 20_000
EDGE = 500
# The first and the last 500 in parts; the median of their rates is theirs.
CHUNK = 50
# Sandboxes that are filled; the median of what they show counts.
FILLED = 5


def beside(others: Sequence[Contender]) -> Iterator[Row]:
    """Charges a second and processor time a charge, all servers in turns in one run."""
    with ExitStack() as stack:
        stack.enter_context(peers.own_files_kept())
        started = {}
        for contender in (servers.sandbox(), servers.static(), *others):
            try:
                server = stack.enter_context(servers.running(contender))
                servers.load(server, 20)
            except (RuntimeError, OSError) as error:
                say(f"bench: {contender.name} is left out: {error}")
                continue
            started[contender.name] = server
        loads: dict[str, list[Load]] = {name: [] for name in started}

        def turn(name: str, server: Running) -> Callable[[], float]:
            def run() -> float:
                loads[name].append(servers.load(server, A_ROUND, within=SECONDS))
                return loads[name][-1].rate

            return run

        rates = in_turns({name: turn(name, server) for name, server in started.items()})
    cpu = {
        # Not the first round, which warms up. Summed, since the system counts in hundredths.
        name: 1e6 * sum(one.cpu for one in turns[1:]) / sum(one.count for one in turns[1:])
        for name, turns in loads.items()
    }
    yield from _rows("charges over HTTP", "/s", rates, max, "≥ 2", "≥ 0.5")
    yield from _rows("processor time a charge", "µs", cpu, min, "≤ 0.5", "≤ 2")


def cold_start(others: Sequence[Contender]) -> Iterator[Row]:
    """From the start of the process to the first 200."""

    def start(contender: Contender) -> Callable[[], float]:
        def run() -> float:
            with servers.running(contender) as server:
                return server.seconds * 1000

        return run

    works = {}
    with peers.own_files_kept():
        for contender in (servers.sandbox(), servers.static(), *others):
            try:
                start(contender)()
            except RuntimeError as error:
                say(f"bench: {contender.name} is left out: {error}")
            else:
                works[contender.name] = start(contender)
        times = in_turns(works)
    yield from _rows("cold start", "ms", times, min, "≤ 1", "")


def _rows(
    what: str,
    unit: str,
    figures: dict[str, float],
    best: Callable[..., str],
    goal: str,
    floor_goal: str,
) -> Iterator[Row]:
    """The sandbox against each; ``goal`` holds against the best peer."""
    own, floor, *peer_names = figures
    yield Row(what, figures[own], unit, floor, figures[floor], floor_goal)
    leader = best(peer_names, key=figures.__getitem__) if peer_names else ""
    for name in sorted(peer_names, key=lambda name: name != leader):
        bound = goal if name == leader else ""
        yield Row(what, figures[own], unit, name, figures[name], bound)


def as_it_fills() -> Iterator[Row]:
    """The last 500 of 20,000 charges against the first 500, and the memory they take.

    A full sandbox's last charges and a new one's first are made in turns: the machine's other work
    then slows both.
    """
    pairs, memories = [], []
    for _ in range(FILLED):
        with servers.running(servers.sandbox()) as full:
            start = full.memory()
            for _ in range(MANY // EDGE - 1):
                servers.load(full, EDGE)
            with servers.running(servers.sandbox()) as new:
                chunks = [
                    (servers.load(new, CHUNK).rate, servers.load(full, CHUNK).rate)
                    for _ in range(EDGE // CHUNK)
                ]
            pairs.append([median(rates) for rates in zip(*chunks, strict=True)])
            memories.append((start, full.memory()))
    first, last = sorted(pairs, key=lambda pair: pair[1] / pair[0])[FILLED // 2]
    yield Row(
        f"the last {EDGE} of {MANY:,} charges", last, "/s", f"the first {EDGE}", first, "≥ 0.95"
    )
    start_memory, end_memory = sorted(memories, key=lambda pair: pair[1])[FILLED // 2]
    yield Row(f"memory after {MANY:,} charges", end_memory, "MB", "after its start", start_memory)


def on_disk() -> Iterator[Row]:
    """Charges that are committed to a file before their answer leaves."""
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.running(servers.sandbox("--db", str(Path(folder) / "sandbox.db"))) as kept,
        servers.running(servers.sandbox()) as lost,
    ):

        def turn(server: Running) -> Callable[[], float]:
            return lambda: servers.load(server, A_ROUND, within=SECONDS).rate

        rates = in_turns({"kept": turn(kept), "lost": turn(lost)})
    yield Row("charges over HTTP, --db FILE", rates["kept"], "/s", "in memory", rates["lost"])


# ---------------------------------------------------------------- in process


def in_process() -> Iterator[Row]:
    """Charges without HTTP, and a word on what bounds them."""
    with Sandbox(limits=None) as sandbox:
        config = sandbox.config
        key = {"x-api-key": str(config.api_key), "x-merchant-id": str(config.merchant_id)}
        answer = sandbox.handle(Ask("POST", "/api/auth/token", headers=key)).body
        headers = {k.lower(): v for k, v in servers.charge_headers(answer).items()}
        body = json.dumps(servers.CHARGE).encode()
        charge = Ask("POST", "/api/transactions/charges", headers=headers, body=body)
        if sandbox.handle(charge).status != 200:
            raise RuntimeError("The sandbox refuses the charge.")
        made = median(rate(lambda: sandbox.handle(charge), A_ROUND) for _ in range(ROUNDS))
        yield Row("charges in process", made, "/s")
        profile = cProfile.Profile(time.process_time)
        profile.runcall(lambda: [sandbox.handle(charge) for _ in range(2 * A_ROUND)])
    say(f"bench: in process, all of it is Python: {_shares(profile)}.")


def _shares(profile: cProfile.Profile) -> str:
    """Which functions of the kit take the time, with what each calls outside the kit."""
    spent: Counter[str] = Counter()
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for function, (_, _, own, _, callers) in stats.items():
        if _is_kit(function):
            spent[_name(function)] += own
        else:
            for caller, (_, _, _, whole) in callers.items():
                if _is_kit(caller):
                    spent[_name(caller)] += whole
    total = sum(spent.values())
    return ", ".join(f"{name} {part / total:.0%}" for name, part in spent.most_common(8))


def _is_kit(function: tuple[str, int, str]) -> bool:
    return "pay88kit" in Path(function[0]).parts


def _name(function: tuple[str, int, str]) -> str:
    return f"{Path(function[0]).stem}.{function[2]}"
