"""What the kit says of an answer, kept apart from the endpoint's own words.

A sentence is kept with what stands in it, and filled in where it is shown. So a file of results is
English for whoever reads it, and a report shows it in its own language.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pay88kit.language import N_, spoken, translated


class Sentence(StrEnum):
    """All that is said about what came back. No other text of a file is ever filled in."""

    THEN = N_("{first}, then {next}")
    AND = N_("{first} and {next}")
    LATE = N_("no answer in time within {seconds} s")
    DROPPED = N_("no answer ({reason})")
    REDIRECTED = N_("{status} to {address}")
    SIGNING = N_(
        "{observed} — signing may differ: every signed call was refused. Check the secret; if your "
        "endpoint expects another cipher, give --signer"
    )

    COUNTED = N_("{answers}; fulfilments counted: {counts}")
    UNKNOWN = N_(
        "{answers}; fulfilments counted: {counts}, so it does not know the transaction, or "
        "fulfils it later"
    )
    TOO_MANY = N_("{answers}; fulfilments counted: {counts}, at most {allowed} is right")
    TAKEN_BACK = N_("{answers}; fulfilments counted: {counts}, one was taken back")
    UNCOUNTED = "{answers}; {why}"
    UNSEEN = N_("what is fulfilled is not seen")
    NEVER_COUNTED = N_("the endpoint counted no fulfilment of a valid notification")
    EFFECTS = "effects: {why}"
    COUNT_SILENT = N_("the address gave no answer ({reason}).")
    COUNT_WRONG = N_(
        "the address answered {status} {text}. It must answer a GET with ?reference=… and "
        '&transaction_id=… with 200 and a number, or {{"count": number}}; 0 for one that it does '
        "not know."
    )
    COUNT_INVENTED = N_(
        "the address counts {count} of a transaction that was never sent. It must count those of "
        "the reference in its query."
    )

    NOT_SENT = N_("not sent: {why}")
    TIME_OVER = N_("the {seconds} s of a check are over")
    GONE = N_("the endpoint no longer listens since {probe} ({reason})")
    STOPPED = N_("no answer, and since then the endpoint does not listen ({reason})")

    PLAIN_HERE = N_("http:// on this machine: nothing is encrypted")
    PLAIN = N_("http://: 88Pay calls https:// addresses only")
    CERTIFICATE_REFUSED = N_("the certificate is refused: {reason}")
    NOT_ENCRYPTED = N_("no encrypted connection: {reason}")
    NO_CONNECTION = N_("no connection of its own ({reason})")
    CERTIFICATE = N_("{version}, certificate until {day}")
    CERTIFICATE_ENDS = N_("{version}, certificate until {day}: renew it")


@dataclass(frozen=True)
class Said:
    """A sentence and what stands in it: a stranger's words, or another sentence."""

    sentence: Sentence
    values: tuple[tuple[str, Told], ...] = ()

    def __str__(self) -> str:
        return self._in("en")

    def shown(self) -> str:
        """The sentence in the language of this process."""
        return self._in(spoken())

    def record(self) -> dict[str, Any]:
        """The sentence as JSON's types; :func:`said_in` takes it back."""
        return {
            "sentence": str(self.sentence),
            "values": {n: v.record() if isinstance(v, Said) else v for n, v in self.values},
        }

    def _in(self, language: str) -> str:
        values = {n: v._in(language) if isinstance(v, Said) else v for n, v in self.values}
        return translated(self.sentence, language, **values)


# What came back: the endpoint's words alone, or with a sentence around them.
Told = str | Said


def say(sentence: Sentence, **values: Told) -> Said:
    """The sentence with these values."""
    return Said(sentence, tuple(values.items()))


def said_in(record: dict[str, Any]) -> Said | None:
    """What was said in the record of a result; None where ``observed`` must do.

    So it is in a file of an older kit, or of one that knows other sentences.
    """
    try:
        said = _said(record["said"])
        return said if str(said) == record["observed"] else None
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _said(record: Any) -> Said:
    values = ((n, v if isinstance(v, str) else _said(v)) for n, v in record["values"].items())
    return Said(Sentence(record["sentence"]), tuple(values))
