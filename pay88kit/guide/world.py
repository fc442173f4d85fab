"""What happens outside of your program: customers, banks, time.

At the local sandbox it happens at once. Elsewhere people do it: a lesson says what is to be done,
and waits until 88Pay has told the inbox.
"""

from __future__ import annotations

import math
import secrets
from contextlib import suppress
from typing import Any

from pay88kit.client import Pay88
from pay88kit.errors import Pay88Error, WrongUse
from pay88kit.guide.lesson import lesson_inbox, watched
from pay88kit.guide.notice import Notice, show
from pay88kit.inbox import Inbox, Received
from pay88kit.sandbox.cards import CVV, DECLINED, EXPIRY, SUCCEEDS

FINAL = ("COMPLETED", "REJECTED")
# Real seconds. For a person at a page; for a bank that nobody can ask; for time itself.
CUSTOMER = 5 * 60
BANK = 10
LONGEST = 2 * 60
# How often is looked, in seconds.
_LOOK = 0.5
_LOCAL = "Simulated data, not 88Pay."


class World:
    """Customers, banks and time around a client.

    Each verb returns the status that the operation has then. A final one stays as it is; the verb
    says so when it asks for another. In your own tests you say it to the sandbox yourself:
    ``client.sandbox.complete(reference)``.

    Args:
        client: the lesson's client. Its notifications come to ``lesson_inbox(client)``.
    """

    def __init__(self, client: Pay88) -> None:
        self._client = client
        self._run = secrets.token_hex(3)
        # The unverified notifications that may be of any operation, and were spoken of.
        self._told: set[str] = set()

    # -- customers

    def show_checkout(self, charge: Any) -> Any:
        """A link to the page where the customer pays."""
        if self._client.sandbox is not None:
            return self._client.sandbox.show_checkout(charge)
        return Notice(url=_page(charge), label=f"The page of {charge.reference}")

    def pay(self, charge: Any) -> str:
        """The customer pays.

        Raises:
            Pay88Error: elsewhere than at the local sandbox, no notification came within 5 minutes.
        """
        card = f"{SUCCEEDS} (CVV {CVV}, expiry {EXPIRY}) succeeds"
        return self._customer(charge, "COMPLETED", "Open the page and pay.", card)

    def decline(self, charge: Any) -> str:
        """The customer, or the customer's bank, declines. Raises as :meth:`pay` does."""
        card = f"{DECLINED} (CVV {CVV}, expiry {EXPIRY}) is declined"
        return self._customer(charge, "REJECTED", "Open the page and decline.", card)

    def _customer(self, charge: Any, status: str, task: str, card: str) -> str:
        if self._client.sandbox is not None:
            return self._at_once(charge.reference, status)
        known = self._known(charge.reference)
        if known in FINAL:
            return _already(charge.reference, known, status)
        cards = f"If it asks for a card: {card}. It is 88Pay's test card, from a legacy page."
        url, label = _page(charge), f"The page of {charge.reference}"
        told = self._wait(charge.reference, CUSTOMER, task, cards, url=url, label=label)
        if told is None:
            raise Pay88Error(
                f"No notification of {charge.reference} came within {CUSTOMER // 60} minutes. Pay "
                f"or decline on its page, see that your tunnel runs and that PAY88_PUBLIC_URL is "
                f"its address, and run this cell again."
            )
        return told

    # -- banks

    def transfer(self, payout: Any) -> str:
        """The bank pays out. Elsewhere than at the local sandbox nobody can say that it shall: the
        status may still be ``PENDING``."""
        return self._bank(payout.reference, "COMPLETED")

    def refuse(self, payout: Any) -> str:
        """The bank sends the payout back. Elsewhere as :meth:`transfer`."""
        return self._bank(payout.reference, "REJECTED")

    def _bank(self, reference: str, status: str) -> str:
        if self._client.sandbox is not None:
            return self._at_once(reference, status)
        known = self._known(reference)
        if known in FINAL:
            return _already(reference, known, status)
        task = f"A bank decides about {reference}; nobody can do it from here."
        told = self._wait(reference, BANK, task)
        if told is None:
            rest = (
                f"It has not decided yet: {reference} stays PENDING until 88Pay's notification "
                f"comes to the inbox. The lesson goes on without it."
            )
            show(Notice(rest))
        return told or known or "PENDING"

    # -- time

    def wait(self, seconds: float) -> None:
        """Time passes: at once on the local sandbox's clock, for real elsewhere.

        Raises:
            WrongUse: elsewhere, for more than 2 minutes.
        """
        if self._client.sandbox is not None:
            self._client.sandbox.clock.advance(seconds)
            return
        if seconds > LONGEST:
            raise WrongUse(
                f"seconds: {seconds:g} s would pass for real here. Use {LONGEST} at most, or the "
                f"clock of practice_client(client).sandbox."
            )
        clock = self._client.config.clock
        line = _Line()
        end = clock.monotonic() + seconds
        while (left := end - clock.monotonic()) > 0:
            line.say(Notice(f"Waiting for real: {math.ceil(left)} of {seconds:g} s left."))
            clock.wait_until(min(end, clock.monotonic() + 1))
        line.say(Notice(f"{seconds:g} s have passed."))

    # -- names

    def fresh(self, name: str) -> str:
        """A name for an order that no earlier run of this lesson has used.

        The local sandbox begins anew with each kernel, so there it is ``name`` itself. Elsewhere
        the books remember what an earlier kernel created.
        """
        return name if self._client.sandbox is not None else f"{name}-{self._run}"

    # -- how it is done

    def _at_once(self, reference: str, status: str) -> str:
        sandbox = self._client.sandbox
        assert sandbox is not None  # noqa: S101 - asked before
        known = str(sandbox.transaction(reference)["status"])
        if known in FINAL:
            # The page behind the link is real: somebody may have pressed its button.
            return _already(reference, known, status)
        finished = sandbox.complete if status == "COMPLETED" else sandbox.reject
        return str(finished(reference)["status"])

    def _known(self, reference: str) -> str | None:
        """What the books say: an earlier kernel may have received the notification."""
        if self._client.books is None:
            return None
        every = self._client.books.operations()
        config = self._client.config
        found = every[
            (every["environment"] == config.environment)
            & (every["merchant_id"] == config.merchant_id)
            & (every["reference"] == reference)
        ]["status"].dropna()
        return None if found.empty else str(found.iloc[-1])

    def _wait(self, reference: str, seconds: int, *lines: str, **link: Any) -> str | None:
        """The final status that the inbox is told; None when it is not told in time."""
        clock, inbox, line = self._client.config.clock, lesson_inbox(self._client), _Line()
        whole = f"{seconds // 60} minutes" if seconds >= 60 else f"{seconds} seconds"
        line.say(Notice(*lines, f"Waiting for its notification, at most {whole} …", **link))
        end = clock.monotonic() + seconds
        while True:
            came = self._came(inbox, reference)
            if came is not None and came.outcome == "unverified":
                line.say(Notice(*lines, _UNREAD, **link))
                return self._known(reference) or "PENDING"
            if came is not None:
                line.say(Notice(*lines, f"Its notification came: {came.status}.", **link))
                return came.status
            if clock.monotonic() >= end:
                line.say(Notice(*lines, f"No notification came within {whole}.", **link))
                return None
            clock.wait_until(min(end, clock.monotonic() + _LOOK))

    def _came(self, inbox: Inbox, reference: str) -> Received | None:
        """The notification that ends a wait for this operation."""
        came: list[Received] = []
        with suppress(Pay88Error):  # none came yet
            came = inbox.wait(timeout=0)
        for received in came:
            read = received.outcome != "unverified"
            if received.reference == reference and (received.status in FINAL or not read):
                return received
            # 88Pay documents no reference in its notifications: this one may be meant.
            if not read and received.reference is None and received.id not in self._told:
                self._told.add(received.id)
                return received
        return None


def practice_client(client: Pay88, why: str = "") -> Pay88:
    """A client of the local sandbox, for what only that can do: move its clock, fail, repeat.

    It is the lesson's client itself in ``local``. Elsewhere it is one of a sandbox of its own,
    with books in memory, and says so. ``why`` names what needs it.
    """
    if client.sandbox is not None:
        return client
    from pay88kit.books import Books
    from pay88kit.sandbox import Sandbox

    needed = f"This part needs {why or 'what only the local sandbox has'}"
    show(Notice(f"{needed}, so it runs on the local sandbox. {_LOCAL}"))
    return watched(Sandbox(seed=88).config, books=Books())


_UNREAD = (
    "A notification came whose token the inbox cannot decrypt. It is kept as unverified and "
    "changes nothing (lesson 04)."
)


def _already(reference: str, known: str, wanted: str) -> str:
    """The final status that an operation has, and a word when it is not the one that is wanted."""
    if known != wanted:
        show(Notice(f"{reference} is already final: {known}. Nothing was changed."))
    return known


def _page(charge: Any) -> str | None:
    return charge.url_checkout or charge.voucher_url or charge.qr_code_url  # type: ignore[no-any-return]


class _Line:
    """One output that changes its words."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._said = ""

    def say(self, notice: Notice) -> None:
        if repr(notice) == self._said:
            return
        self._said = repr(notice)
        if self._handle is None:
            self._handle = show(notice, display_id=True)
        else:
            self._handle.update(notice)
