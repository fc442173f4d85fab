"""The doctor's round: what it will ask, and asking it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from pay88kit.client import Pay88
from pay88kit.client.api import TIMEOUT
from pay88kit.client.transports import InProcess
from pay88kit.config import Config, is_loopback, no_certificates
from pay88kit.contract import Observe
from pay88kit.doctor import checks, creates, webhook
from pay88kit.doctor.checks import Check, Examiner, Notify
from pay88kit.doctor.findings import Mask, Notes
from pay88kit.doctor.report import Report
from pay88kit.doctor.wire import PATIENCE, TOKENS_A_MINUTE, TOKENS_IN_ALL, Stopped, Wire
from pay88kit.errors import ConnectionFailed, WrongUse
from pay88kit.webhooks import Incoming


@dataclass(frozen=True)
class Plan:
    """The most that a run uses, known before it begins."""

    tokens: int
    calls: int
    refusals: bool
    creates: bool
    waits: bool
    moves_clock: bool
    notifies: bool

    def __str__(self) -> str:
        """For people."""
        lines = [
            f"It asks for at most {self.tokens} tokens ({TOKENS_A_MINUTE} a minute at most) "
            f"and makes at most {self.calls} other calls."
        ]
        if self.refusals:
            lines.append("Some are wrong on purpose (a wrong key), to see how they are refused.")
        if self.creates:
            lines.append("It creates transactions: charges, a cash payment, and a small payout.")
        else:
            lines.append("It creates nothing.")
        if self.notifies:
            lines.append("One more charge is made for its notification; where the doctor cannot "
                         "pay it, you will be asked to.")  # fmt: skip
        if self.moves_clock:
            lines.append("It moves the sandbox's clock by about a minute.")
        elif self.waits:
            lines.append("It waits about a minute for a token to expire.")
        return "\n".join(lines)


class Doctor:
    """Asks an 88Pay about every point of the contract that can be seen from outside.

    In production only tokens and balances are asked for. The clock of ``config`` paces it: never
    more than 8 tokens a minute, 30 in all. Nothing is retried but what was answered 429.

    Args:
        config: which 88Pay, and as whom; by default from environment variables and ``.env``.
        create: whether transactions may be made. A payout is among them.
        wait: whether to wait about a minute for a token to expire. A sandbox's manual clock is
            moved instead, whatever is said here.
        notify: the ``notification_url`` of one more charge, for one real webhook.
        timeout: how long its notification is waited for, in real seconds.
        transport: an httpx transport of your own.
        say: is given progress, one line each.

    Raises:
        ConfigError: credentials are missing or do not fit the environment.
        WrongUse: creating in production, or ``notify`` without ``create``.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        create: bool = False,
        wait: bool = False,
        notify: str | None = None,
        timeout: float = 300.0,
        transport: httpx.BaseTransport | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        with Pay88(config, books=False) as client:
            self.config = client.config
        if create and self.config.environment == "production":
            raise WrongUse(
                "create: in production the doctor only reads: tokens and balances. "
                "Leave it out, or ask 88Pay's sandbox."
            )
        if notify is not None and not create:
            raise WrongUse("notify: nothing is created without create (--create), so nothing "
                           "would be notified.")  # fmt: skip
        if notify is not None and not _may_notify(notify, self.config):
            raise WrongUse("notify: 88Pay calls it from the internet. Give an https:// address "
                           "(a local sandbox also takes http:// on this machine).")  # fmt: skip
        self._transport = transport
        self._notify = notify
        self._timeout = timeout
        self._say = say
        origin, clock = self.config.origin, self.config.clock
        self._moves_clock = bool(origin is not None and getattr(clock, "manual", False))
        self._not_asked: dict[Observe, str] = {}
        if self.config.environment == "production":
            self._not_asked[Observe.REFUSALS] = "in production only reads are asked"
            self._not_asked[Observe.CREATES] = "in production only reads are asked"
            self._not_asked[Observe.WEBHOOK] = "in production only reads are asked"
        elif not create:
            self._not_asked[Observe.CREATES] = "needs --create"
        if notify is None:
            self._not_asked.setdefault(Observe.WEBHOOK, "needs --create --notify URL")
        if not (wait or self._moves_clock):
            self._not_asked[Observe.WAIT] = "needs --wait: a minute of waiting"
        every = (*checks.CHECKS, *creates.CHECKS, checks.LIFE, webhook.CHECK)
        self._checks: tuple[Check, ...] = tuple(
            check for check in every if check.observe not in self._not_asked
        )

    def plan(self) -> Plan:
        """What :meth:`run` will use at most."""
        return Plan(
            tokens=min(sum(check.tokens for check in self._checks), TOKENS_IN_ALL),
            # What is answered 429 is sent again.
            calls=sum(check.calls for check in self._checks) + PATIENCE,
            refusals=Observe.REFUSALS not in self._not_asked,
            creates=Observe.CREATES not in self._not_asked,
            waits=Observe.WAIT not in self._not_asked,
            moves_clock=self._moves_clock,
            notifies=Observe.WEBHOOK not in self._not_asked,
        )

    def run(self, hear: Callable[[float], Incoming | None] | None = None) -> Report:
        """Ask.

        ``hear`` waits that many real seconds, at most, for the next request to the address
        ``notify`` and returns it. Without it the charge is made, but its notification not judged.

        Raises:
            ConnectionFailed: 88Pay was not reached at all.
            Unauthorized, Forbidden: the credentials were refused, so nothing can be said.
        """
        mask = Mask((self.config.api_key, self.config.merchant_id, self.config.webhook_secret))
        notes = Notes(mask)
        transport = self._transport
        if transport is None and self.config.origin is not None:
            transport = InProcess(self.config.origin)
        verify = no_certificates() if self.config.base_url.startswith("http:") else True
        with httpx.Client(transport=transport, timeout=TIMEOUT, verify=verify) as http:
            wire = Wire(self.config, http, self.plan().tokens, notes, mask, self._say)
            notify = Notify(self._notify, hear, self._timeout) if self._notify else None
            examiner = Examiner(wire, notify)
            self._go_round(examiner)
        notes.see("limits.429", None, "no 429 came; the doctor provokes none")
        return Report(
            environment=self.config.environment,
            address=_host(self.config.base_url),
            at=self.config.clock.now(),
            tokens=wire.budget.spent,
            calls=wire.calls,
            findings=tuple(notes.findings(self._not_asked)),
            notified=examiner.notified,
            # A sandbox of this process may play production.
            simulated=self.config.environment == "local" or self.config.origin is not None,
        )

    def _go_round(self, examiner: Examiner) -> None:
        wire = examiner.wire
        for check in self._checks:
            try:
                check.run(examiner)
            except Stopped as stopped:
                if not wire.answers:
                    raise ConnectionFailed(
                        "doctor",
                        f"No connection to {self.config.base_url}: {stopped}. Check the network "
                        f"and the base URL.",
                    ) from None
                wire.notes.trouble = wire.notes.trouble or str(stopped)
                if not examiner.sessions:
                    return


def _may_notify(url: str, config: Config) -> bool:
    """Whether a charge with this ``notification_url`` is not refused for it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.port == 0:
            return False
    except ValueError:
        return False
    plain = parts.scheme == "http" and config.environment == "local" and is_loopback(host)
    return bool(host) and (parts.scheme == "https" or plain)


def _host(base_url: str) -> str:
    """The address without its path, which may hold what is nobody else's business."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}"
