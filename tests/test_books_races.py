"""Many at once: threads, and processes that know nothing of each other."""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from books_support import PASSED, begin, create, only, operation, receive
from processes import at_once

from pay88kit import Books


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What ``work`` gave to threads that began together; an exception is a result too."""
    together = threading.Barrier(count)
    results: list[Any] = []

    def run(number: int) -> None:
        together.wait()
        try:
            results.append(work(number))
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == count
    return results


def in_processes(count: int, url: str, program: str) -> list[str]:
    """The lines that processes print which began together: ``books`` and ``number`` are theirs."""
    imports = "import sys, psycopg; from books_support import *"
    ended = at_once(count, imports, "books = Books(sys.argv[1])", program, url)
    assert [(process.code, process.err) for process in ended] == [(0, "")] * count
    return [line for process in ended for line in process.out.splitlines()]


# ---------------------------------------------------------------- one key


BEFORE = {
    "new": lambda books: None,
    "refused": lambda books: (begin(books, "op"), books.refused("op", "429", now=PASSED)),
}


@pytest.mark.parametrize("before", BEFORE)
def test_of_threads_with_one_key_one_sends(database_url: str, before: str) -> None:
    with closing(Books(database_url)) as books:
        BEFORE[before](books)
        entries = in_threads(8, lambda number: begin(books, f"op-{number}"))
        assert sorted(entry.busy for entry in entries) == [False] + [True] * 7
        assert {entry.id for entry in entries} == {only(books.operations())["id"]}
        assert operation(books, entries[0].id)["state"] == "sending"


def test_of_processes_with_one_key_one_sends(database_url: str) -> None:
    with closing(Books(database_url)) as books:
        for turn in range(10):
            begin(books, f"op {turn}", key=f"order {turn}")
            books.refused(f"op {turn}", "429", now=PASSED)
        program = (
            "for turn in range(20):\n"
            "    entry = begin(books, f'op-{number}-{turn}', key=f'order {turn}')\n"
            "    print(turn, 'waits' if entry.busy else 'sends')\n"
        )
        said = collections.Counter(in_processes(3, database_url, program))
        expected = {f"{turn} sends": 1 for turn in range(20)}
        assert said == expected | {f"{turn} waits": 2 for turn in range(20)}
        assert len(books.operations()) == 20


def test_of_two_that_find_a_key_refused_at_one_moment_one_sends(postgres: Any) -> None:
    with postgres.database() as url, closing(Books(url)) as books, postgres.connect(url) as other:
        begin(books, "op")
        books.refused("op", "429", now=PASSED)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        other.execute("SELECT * FROM operations FOR UPDATE")

        def work(number: int) -> Any:
            if number < 2:
                return begin(books, f"op-{number}")
            # Both are inside now, and go on together.
            with postgres.connect(url) as third:
                while third.execute(waiting).fetchone()[0] < 2:
                    third.rollback()
            other.rollback()
            return None

        entries = [entry for entry in in_threads(3, work) if entry is not None]
        assert sorted(entry.busy for entry in entries) == [False, True]


def test_overdue_it_is_sent_by_nobody(database_url: str) -> None:
    with closing(Books(database_url)) as books:
        begin(books, "op", deadline=PASSED)
        results = in_threads(8, lambda number: begin(books, f"op-{number}"))
        assert [type(result).__name__ for result in results] == ["OutcomeUnknown"] * 8


# ---------------------------------------------------------------- one notification


def test_of_one_notification_in_many_threads_one_is_applied(database_url: str) -> None:
    with closing(Books(database_url)) as books:
        create(books)
        markers = ["op-1", None] * 4
        events = in_threads(8, lambda number: receive(books, marker=markers[number]))
        assert sorted(event.outcome for event in events) == ["applied"] + ["repeated"] * 7
        assert only(books.notifications())["times"] == 8


def test_of_one_unmatched_notification_in_many_threads_one_is_kept(database_url: str) -> None:
    with closing(Books(database_url)) as books:
        events = in_threads(8, lambda number: receive(books))
        assert sorted(event.outcome for event in events) == ["repeated"] * 7 + ["unmatched"]
        assert only(books.notifications())["times"] == 8


def test_of_two_final_statuses_in_many_processes_one_counts(database_url: str) -> None:
    with closing(Books(database_url)) as books:
        for number in range(20):
            create(books, f"op-{number}", f"R{number}")
        program = (
            "status = ['COMPLETED', 'REJECTED'][number % 2]\n"
            "for turn in range(20):\n"
            "    event = receive(books, reference=f'R{turn}', status=status)\n"
            "    print(turn, event.outcome)\n"
        )
        said = collections.Counter(in_processes(4, database_url, program))
        expected = {f"{turn} applied": 1 for turn in range(20)}
        expected |= {f"{turn} conflict": 1 for turn in range(20)}
        assert said == expected | {f"{turn} repeated": 2 for turn in range(20)}


def test_threads_record_without_losing_any(database_url: str) -> None:
    with closing(Books(database_url)) as books:
        create(books, "op-0", "R-0")

        def work(name: int) -> str:
            for number in range(10):
                create(books, f"op-{name}-{number}", f"R{name}-{number}")
                receive(books, reference=f"R{name}-{number}")
                receive(books, reference="R0-0")
            return "done"

        assert in_threads(4, work) == ["done"] * 4
        assert len(books.operations()) == 41
        assert int(books.notifications()["times"].sum()) == 80


def test_threads_take_turns_instead_of_giving_up(tmp_path: Path) -> None:
    # So short is their patience with other processes; for each other they wait as long as it takes.
    with closing(Books(f"sqlite:///{tmp_path / 'books.db'}?timeout=0.02")) as books:

        def work(number: int) -> None:
            for order in range(20):
                id = f"op-{number}-{order}"
                create(books, id, reference=id.upper())

        assert in_threads(16, work) == [None] * 16
        assert len(books.operations()) == 320
