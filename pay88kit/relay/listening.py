"""What somebody sees who listens: one line for each delivery and each attempt, and a summary."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from queue import Empty, SimpleQueue

from pay88kit import money, webhooks
from pay88kit.config import Secret
from pay88kit.display import one_line
from pay88kit.errors import WebhookRefused
from pay88kit.relay.delivery import told
from pay88kit.relay.forwarding import Forwarder, Passed
from pay88kit.relay.outgoing import read, sign
from pay88kit.relay.receiving import Heard
from pay88kit.sandbox.courier import Courier
from pay88kit.webhooks import Reason

# In short waits: on Windows a long one would not hear Ctrl-C.
_STEP = 1.0
_LONGEST = 60


class Listener:
    """Tells of what came, and passes it on where ``forward_to`` says.

    Args:
        secret: with which tokens are checked, and made anew for retries.
        now: the time that counts.
        say: is given each line.
        forward_to: the merchant's own endpoint, or None.
        waits: real seconds before each retry there.
        explain: is given the first token that could not be decrypted; its lines are told.
    """

    def __init__(
        self,
        secret: Secret,
        now: Callable[[], datetime],
        say: Callable[[str], None],
        *,
        forward_to: str | None = None,
        waits: Sequence[float] = (),
        explain: Callable[[Secret], Sequence[str]] = lambda token: (),
    ) -> None:
        self._secret = secret
        self._now = now
        self._say = say
        self._explain = explain
        self._explained = False
        self._events: SimpleQueue[Heard | Passed | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="pay88-listen", daemon=True)
        self._fault: Exception | None = None
        self._kept = self._refused = 0
        self._courier = Courier(anywhere=True)
        self._forwarder = (
            Forwarder(forward_to, self._courier, waits, self._renewed, self._events.put)
            if forward_to is not None
            else None
        )

    def hand_over(self, heard: Heard) -> None:
        """Take what came; from any thread, and at once."""
        self._events.put(heard)

    def run(self) -> None:
        """Tell what comes, until Ctrl-C or a fault."""
        self._thread.start()
        while self._thread.is_alive():
            self._thread.join(_STEP)
        if self._fault is not None:
            raise self._fault

    def _work(self) -> None:
        # In a thread of its own: Ctrl-C, which comes to the main one, loses no event half told.
        try:
            while True:
                due = self._forwarder.step() if self._forwarder else None
                try:
                    event = self._events.get(timeout=due)
                except Empty:
                    continue
                if event is None:
                    return
                self._tell(event)
        except Exception as error:
            self._fault = error

    def finish(self) -> bool:
        """Tell what came until now, and the summary; whether nothing is owed to the endpoint.

        What is under way is given up: an attempt that has not ended does not count.
        """
        self._events.put(None)
        if self._thread.is_alive():
            self._thread.join()
        else:
            self._work()
        self._courier.close()
        self._say(f"Received {self._kept + self._refused}: {self._kept} kept and answered 200, "
                  f"{self._refused} refused.")  # fmt: skip
        if self._forwarder is None:
            return True
        open = self._forwarder.open.values()
        self._say(f"Passed on: {self._forwarder.delivered} answered 200, {len(open)} not yet.")
        for heard, last in open:
            tried = (
                "no answer yet" if last is None else f"attempt {last.attempt}: {self._answer(last)}"
            )
            self._say(f"  #{heard.number} {_named(heard)} {tried}")
        return not open

    # -- one line each

    def _tell(self, event: Heard | Passed) -> None:
        if isinstance(event, Passed):
            self._tell_passed(event)
            return
        reason = self._doubt(event)
        if event.kept is None:
            self._refused += 1
            end = f"refused with {event.status_code}: {event.reason}"
        else:
            self._kept += 1
            trust = "verified" if reason is None else f"not verified: {reason}"
            times = f" ({event.kept.times} times)" if event.kept.times > 1 else ""
            end = f"{trust} · {event.kept.outcome}{times}"
        self._say(f"{event.at:%H:%M:%S} #{event.number} {_named(event)} · {end}")
        if reason is Reason.CANNOT_DECRYPT and not self._explained:
            self._explained = True
            for line in self._explain(Secret((event.authorization or "").partition(" ")[2])):
                self._say(f"         {line}")
        if event.kept is not None and self._forwarder is not None:
            self._forwarder.take(event)

    def _tell_passed(self, passed: Passed) -> None:
        if self._forwarder is not None:
            self._forwarder.ended(passed)
        again = ""
        if passed.again is not None:
            again = f" · again in {passed.again:g} s"
        elif passed.result.retry:
            again = " · given up"
        self._say(
            f"{self._now():%H:%M:%S} #{passed.heard.number} passed on, attempt {passed.attempt} → "
            f"{self._answer(passed)}{again}"
        )

    def _answer(self, passed: Passed) -> str:
        return told(passed.result, passed.authorization, self._secret)

    def _doubt(self, heard: Heard) -> Reason | None:
        """Why a notification is not believed, None where it is."""
        try:
            webhooks.verify(heard.body, heard.authorization, self._secret, now=heard.at)
        except WebhookRefused as refusal:
            reason: Reason = refusal.reason
            return reason
        return None

    def _renewed(self, heard: Heard) -> Secret | None:
        # What this secret does not read, it cannot make either.
        if self._doubt(heard) is not None:
            return None
        return sign(read(heard.body), self._secret, self._now())


def _named(heard: Heard) -> str:
    """Reference, status and amount of what came, as far as it says them. A stranger may have."""
    try:
        said = webhooks.parse(heard.body)
    except WebhookRefused:
        return "–"
    reference: str | None = getattr(heard.kept, "reference", None) or said.reference
    values = (reference, said.status, money.show(said.amount, said.currency))
    return " ".join(map(_cut, values))


def _cut(value: str | None) -> str:
    text = one_line(value or "–")
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
