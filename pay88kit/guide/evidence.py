"""What shows that an item of the checklist was done: seen while it happened, kept in the books.

A lesson's clients and inbox are watched (:mod:`pay88kit.guide.lesson`). The first exchange,
notification, verdict or solved exercise that shows an item is kept with the place where it
happened. What happens at 88Pay's own address counts as done there; everything else is practice,
whatever it plays. The books that outlive the process hold it, so that a restart loses nothing.

Watching must never change a lesson: a thread of its own writes, and nobody waits for it but
those who read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pay88kit import money
from pay88kit.config import BASE_URLS, Config, without_secrets
from pay88kit.display import one_line
from pay88kit.guide.catalogue import ITEMS
from pay88kit.language import N_, _
from pay88kit.policy import usable_seconds

if TYPE_CHECKING:
    import httpx
    import pandas as pd

    from pay88kit.client import Pay88
    from pay88kit.endpoint_check import EndpointCheck
    from pay88kit.inbox import Received

LOCAL = "local"
# The number under which an exercise is kept that practises no item of the checklist.
NO_ITEM = 0
_PAYINS = ("charge", "cash")
# The creates by the last part of their path.
_CREATES = {"charges": "charge", "cash": "cash", "cashout-bank-transfer": "cashout"}
_FAULTS = (400, 403, 404, 422)
_LONGEST = 120
# Real seconds that a reader waits for what is still being written.
_PATIENCE = 12.0


class Kind(StrEnum):
    """How evidence came about; what shows most comes first."""

    NOTIFICATION = N_("notification")
    EXCHANGE = N_("exchange")
    ENDPOINT = N_("endpoint")
    CHECK = N_("check")
    RECORD = N_("record")
    HAND = N_("hand")


class Told(StrEnum):
    """What is kept with something in it: in English, and read again by :func:`told`.

    The first that fits is taken.
    """

    CAME = N_("{status} came and was verified")
    ACCEPTED = N_("{call}: accepted")
    OWN_CALL_RAISED = N_("a call: {status}, raised as an error")
    RAISED = N_("{call}: {status}, raised as an error")
    RECORD = N_("an integration record, {filled} of {lines} lines filled in")
    QUIZ = N_("Support quiz: {right} of {questions} right")


def told(kind: str, what: str) -> str:
    """What a piece of evidence says, in the language of this process; a person's note as it is."""
    if kind == Kind.HAND:
        return what
    for sentence in Told:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(sentence))
        found = re.fullmatch(pattern, what)
        if found:
            return _(sentence, **found.groupdict())
    return _(what)


@dataclass(frozen=True)
class Place:
    """Where something happened: ``local``, or an environment of 88Pay's, and as which merchant."""

    environment: str
    merchant_id: str = ""

    @classmethod
    def of(cls, config: Config) -> Place:
        """The place that a configuration talks to.

        Only 88Pay's own address is 88Pay: a tunnel or a proxy may lead to any sandbox.
        """
        host = urlsplit(config.base_url).hostname
        itself = config.origin is None and host == urlsplit(BASE_URLS[config.environment]).hostname
        return cls(config.environment if itself else LOCAL, str(config.merchant_id or ""))

    @property
    def at_88pay(self) -> bool:
        """Whether 88Pay itself answers there."""
        return self.environment != LOCAL


class Witness:
    """What was seen at one place since the process started, and what it shows."""

    def __init__(self, place: Place) -> None:
        self.place = place
        #: The references that were created or heard of, oldest first.
        self.references: dict[str, None] = {}
        #: The statuses of error answers, each once.
        self.errors: list[int] = []
        #: Notifications that were kept, and how many of them were repeats.
        self.notifications = self.repeats = 0
        self._applied: set[str] = set()
        self._kept: set[tuple[int, str]] = set()
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why the last piece of evidence could not be kept; None when it could."""
        settle()
        return self._trouble

    def received(self, received: Received) -> None:
        """The inbox has kept this notification. Only what belongs to an operation shows anything.

        Others come too: anybody may call an inbox, and a check of it sends invented ones.
        """
        if _paused:
            return
        self.notifications += 1
        reference = received.reference
        if received.outcome == "repeated":
            self.repeats += 1
            # At 88Pay it may be the learner's own: lesson 04 signs one.
            if reference in self._applied and not self.place.at_88pay:
                self.keep(13, Kind.NOTIFICATION, N_("a repeat was recognised"), reference)
        if received.outcome != "applied" or reference is None:
            return
        self.references[reference] = None
        self._applied.add(reference)
        came = Told.CAME.format(status=str(received.status)[:20])
        self.keep(8, Kind.NOTIFICATION, N_("the inbox was reached"), reference)
        self.keep(9, Kind.NOTIFICATION, came, reference)
        if self.place.at_88pay:
            self.keep(13, Kind.NOTIFICATION, N_("88Pay delivered it"), reference)
        if received.operation in _PAYINS:
            for item, final in ((11, "COMPLETED"), (12, "REJECTED")):
                if received.status == final:
                    self.keep(item, Kind.NOTIFICATION, came, reference)

    def keep(self, item: int, kind: str, what: str, reference: str | None = None) -> None:
        """Keep a piece of evidence soon, unless one of its kind was kept."""
        if (item, kind) in self._kept:
            return
        self._kept.add((item, kind))
        # It may hold a stranger's words.
        words = without_secrets(one_line(what))[:_LONGEST]
        named = without_secrets(one_line(reference))[:_LONGEST] if reference else None
        _later(self._write, item, kind, words, named)

    def _write(self, item: int, kind: str, what: str, reference: str | None) -> None:
        try:
            from pay88kit.books import lasting_books

            lasting_books().evidence.keep(
                item, kind, what, reference=reference, now=datetime.now(UTC),
                environment=self.place.environment, merchant_id=self.place.merchant_id,
            )  # fmt: skip
        except Exception as error:
            # Whatever it is, the lesson goes on; the receipt and the board say it.
            self._trouble = str(error)
            # The next time that it is seen, it is tried again.
            self._kept.discard((item, kind))
        else:
            self._trouble = None


class Exchanges:
    """What one client was answered."""

    def __init__(self) -> None:
        self._token_at: datetime | None = None

    def answered(self, client: Pay88, response: httpx.Response) -> None:
        """One exchange of the client ended with this answer."""
        if _paused:
            return
        witness = witness_of(client.config)
        operation = response.request.url.path.rsplit("/", 1)[-1]
        status = response.status_code
        if status >= 400:
            self._failed(witness, operation, status)
            return
        data = _data(response)
        if operation == "token" and _is_text(data, "access_token", "session_id"):
            self._token(witness, client.config.clock.now())
        elif operation in _CREATES and _is_text(data, "reference"):
            reference = str(data["reference"])
            witness.references[reference] = None
            if _CREATES[operation] in _PAYINS:
                witness.keep(7, Kind.EXCHANGE, Told.ACCEPTED.format(call=operation), reference)

    def _token(self, witness: Witness, now: datetime) -> None:
        witness.keep(4, Kind.EXCHANGE, N_("an exchange with a token"))
        witness.keep(6, Kind.EXCHANGE, N_("a token was given"))
        if witness.place.at_88pay:
            # Who gets a token there has an account and credentials.
            for item in (1, 3, 5):
                witness.keep(item, Kind.EXCHANGE, N_("88Pay took the credentials"))
        if self._token_at and (now - self._token_at).total_seconds() >= usable_seconds(None):
            witness.keep(14, Kind.EXCHANGE, N_("a new token after the old one was too old"))
        self._token_at = now

    def _failed(self, witness: Witness, operation: str, status: int) -> None:
        if status not in witness.errors:
            witness.errors.append(status)
        # The path may be the learner's own, with anything in it.
        known = operation in (*_CREATES, "token", "balance")
        raised = Told.RAISED if known else Told.OWN_CALL_RAISED
        what = raised.format(call=operation, status=status)
        if status == 429:
            witness.keep(15, Kind.EXCHANGE, what)
        elif status in _FAULTS:
            witness.keep(10, Kind.EXCHANGE, what)


def judged(check: EndpointCheck) -> None:
    """An endpoint was judged. The kit did it, not 88Pay: it is practice, wherever it was."""
    from pay88kit.endpoint_check import Verdict

    doubtful = any(result.verdict is Verdict.DOUBTFUL for result in check.results)
    if check.ok and not doubtful:
        for item in (8, 13):
            _here().keep(item, Kind.ENDPOINT, N_("no probe of an endpoint failed"))


def practised(exercise_id: str, title: str) -> tuple[list[int], str | None]:
    """Keep that an exercise was solved; returns the items that it practises.

    And why it could not be kept, None when it was.
    """
    items = [item.number for item in ITEMS if exercise_id in item.checks]
    for number in items or [NO_ITEM]:
        _here().keep(number, f"{Kind.CHECK} {exercise_id}", title)
    return items, _here().trouble


def recorded(item: int, what: str) -> None:
    """Keep that something of the guide was finished that is no exercise."""
    _here().keep(item, Kind.RECORD, what)


def witness_of(config: Config) -> Witness:
    """The witness of the place that a configuration talks to, one for this process."""
    return _at(Place.of(config))


def troubles() -> list[str]:
    """Why evidence of this process could not be kept, each reason once."""
    return list(dict.fromkeys(w.trouble for w in list(_witnesses.values()) if w.trouble))


def all_evidence() -> pd.DataFrame:
    """Every piece of evidence, by item, the oldest first. From the books.

    Raises:
        BooksError: they cannot be read.
        MissingExtra: without the extra ``books``.
    """
    settle()
    from pay88kit.books import lasting_books

    return lasting_books().evidence.frame()


@contextmanager
def unwatched() -> Iterator[None]:
    """What happens in here shows nothing: a check plays with the learner's own client."""
    global _paused
    _paused += 1
    try:
        yield
    finally:
        _paused -= 1


def settle() -> None:
    """Wait until what was seen is written, at most for twelve seconds."""
    with suppress(TimeoutError):
        _later(lambda: None).result(_PATIENCE)


_witnesses: dict[Place, Witness] = {}
_paused = 0
_writer = ThreadPoolExecutor(1, "pay88-evidence")


def _later(work: Any, *given: Any) -> Future[None]:
    try:
        return _writer.submit(work, *given)
    except RuntimeError:
        # The interpreter ends.
        done: Future[None] = Future()
        done.set_result(None)
        return done


def _at(place: Place) -> Witness:
    return _witnesses.setdefault(place, Witness(place))


def _here() -> Witness:
    return _at(Place(LOCAL))


def _data(response: httpx.Response) -> Mapping[str, Any]:
    """What a whole answer of 88Pay's holds; empty where it is none."""
    if response.status_code != 200:
        return {}
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        response.read()
        answer = money.loads(response.content)
        if answer["code"] == 200 and isinstance(answer["data"], Mapping):
            return answer["data"]
    return {}


def _is_text(data: Mapping[str, Any], *names: str) -> bool:
    return all(isinstance(data.get(name), str) and data[name] for name in names)
