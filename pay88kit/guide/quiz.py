"""A few questions with lettered answers, checked one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pay88kit.guide.evidence import recorded
from pay88kit.guide.sheet import Sheet


@dataclass(frozen=True)
class Question:
    """A question. ``choices`` has for each letter the answer and what is to be said of it."""

    asks: str
    choices: Mapping[str, tuple[str, str]]
    right: str


class Quiz:
    """Questions that are shown, and whose answers are checked.

    Who answers all of them rightly has practised ``item`` of the checklist.
    """

    def __init__(self, title: str, questions: tuple[Question, ...], item: int) -> None:
        self._title = title
        self.questions = questions
        self._item = item

    def _sheet(self) -> Sheet:
        return Sheet(self._title, ("#", "Question"), tuple(self._asked()))

    def _asked(self) -> Iterator[tuple[str, str]]:
        for number, question in enumerate(self.questions, 1):
            yield f"q{number}", question.asks
            for letter, (answer, _) in question.choices.items():
                yield letter, answer

    def __repr__(self) -> str:
        return repr(self._sheet())

    def _repr_html_(self) -> str:
        return self._sheet()._repr_html_()

    def check(self, **answers: str) -> Sheet:
        """Say of each answer whether it is right, and why not.

        Args:
            answers: a letter for each question, as ``q1="b"``; an empty one was not tried.

        Raises:
            TypeError: there is no question of that name.
        """
        known = [f"q{number}" for number in range(1, len(self.questions) + 1)]
        for name in answers:
            if name not in known:
                raise TypeError(f"{name}: there is no such question. Use {', '.join(known)}.")
        outcomes = [
            (name, *_outcome(question, answers.get(name, "")))
            for name, question in zip(known, self.questions, strict=True)
        ]
        right = sum(outcome == "right" for _, outcome, _ in outcomes)
        if right == len(known):
            recorded(self._item, f"{self._title}: {right} of {right} right")
        title = f"{self._title}: {right} of {len(known)} right"
        return Sheet(title, ("#", "Outcome", "Why"), tuple(outcomes))


def _outcome(question: Question, answer: object) -> tuple[str, str]:
    letter = str(answer).strip().lower()
    if not letter:
        return "not tried", ""
    if letter not in question.choices:
        return "not yet", f"Answer with one letter: {', '.join(question.choices)}."
    return "right" if letter == question.right else "not yet", question.choices[letter][1]


def support_quiz() -> Quiz:
    """What a support team must know about payments with 88Pay."""
    return Quiz("Support quiz", SUPPORT, item=20)


SUPPORT = (
    Question(
        "The customer is back from the payment page. The order is PENDING. What do you say?",
        {
            "a": ("Your payment has arrived.", "Only COMPLETED says so."),
            "b": ("We are waiting for your payment.", "PENDING says no more than this."),
            "c": ("Your payment was declined.", "Only REJECTED says so."),
        },
        "b",
    ),
    Question(
        "A cash voucher of yesterday is still PENDING. What do you do?",
        {
            "a": ("Ask the customer to pay again.", "Then one order may be paid twice."),
            "b": ("Set it to REJECTED by hand.", "The status comes from 88Pay, not from you."),
            "c": (
                "Wait until its 72 hours are over.",
                "The customer can still pay at the counter.",
            ),
        },
        "c",
    ),
    Question(
        "What do you ask the customer for?",
        {
            "a": ("Reference, amount and time.", "With these you find the payment."),
            "b": ("The card number.", "Never: you do not need it, and must not keep it."),
            "c": ("The password of the bank.", "Never: whoever asks for it is a thief."),
        },
        "a",
    ),
    Question(
        "What do you send to 88Pay's support?",
        {
            "a": ("Our order number alone.", "88Pay does not know your order numbers."),
            "b": ("The API key, so that they can look.", "A key is a secret: never send it."),
            "c": ("The reference of the payment.", "It names the payment at 88Pay."),
        },
        "c",
    ),
    Question(
        "In the books an operation is unknown. What do you do?",
        {
            "a": ("Look for it in 88Pay's dashboard.", "Then record it with books.resolve."),
            "b": ("Create it again.", "It may exist already: the customer would be charged twice."),
            "c": ("Tell the customer that it failed.", "Nobody knows that yet."),
        },
        "a",
    ),
)
