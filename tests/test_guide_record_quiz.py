"""The integration record and the quiz of the last lesson."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import charge_body

from pay88kit import Pay88, Sandbox
from pay88kit.guide.quiz import SUPPORT, support_quiz
from pay88kit.guide.record import IntegrationRecord, integration_record
from pay88kit.guide.sheet import Sheet

RIGHT = {f"q{number}": question.right for number, question in enumerate(SUPPORT, 1)}


def cells(shown: Any) -> list[list[str]]:
    """The rows of the HTML form, as a person reads them."""
    rows = re.findall(r"<tr>(.*?)</tr>", shown._repr_html_())
    return [[unescape(c) for c in re.findall(r"<td[^>]*>(.*?)</td>", row)] for row in rows[1:]]


def outcomes(sheet: Sheet) -> list[str]:
    return [row[1] for row in sheet.rows]


def same_twice(shown: Any) -> None:
    """Text and HTML have the same words, and none is told by a colour."""
    title, *lines = repr(shown).splitlines()
    assert title in unescape(shown._repr_html_())
    said = [re.split(r"\s{2,}", line.strip()) for line in lines]
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', shown._repr_html_())
    header = [unescape(name) for name in heads]
    rows = [header, *cells(shown)] if header else cells(shown)
    assert said == [[cell for cell in row if cell] for row in rows]
    assert "color" not in shown._repr_html_()


# ---------------------------------------------------------------- the quiz


def test_five_questions_each_with_one_right_answer() -> None:
    assert len(SUPPORT) == 5
    for question in SUPPORT:
        assert question.right in question.choices
        assert all(answer and why for answer, why in question.choices.values())
    # Whoever always says the same does not pass.
    assert len(set(RIGHT.values())) == 3


def test_untouched_says_not_tried() -> None:
    quiz = support_quiz()
    for sheet in (quiz.check(), quiz.check(**dict.fromkeys(RIGHT, ""))):
        assert outcomes(sheet) == ["not tried"] * 5
        assert sheet.title.endswith("0 of 5 right")
        same_twice(sheet)


def test_every_right_answer_is_right() -> None:
    sheet = support_quiz().check(**{name: f" {a.upper()} " for name, a in RIGHT.items()})
    assert outcomes(sheet) == ["right"] * 5
    assert sheet.title.endswith("5 of 5 right")
    same_twice(sheet)


@pytest.mark.parametrize("number", range(5))
def test_a_wrong_answer_says_why_and_not_which_is_right(number: int) -> None:
    question = SUPPORT[number]
    for letter in question.choices.keys() - {question.right}:
        sheet = support_quiz().check(**RIGHT | {f"q{number + 1}": letter})
        assert outcomes(sheet).count("right") == 4
        assert sheet.rows[number][1:] == ("not yet", question.choices[letter][1])
        assert question.choices[question.right][1] not in repr(sheet.rows[number])
        same_twice(sheet)


@given(st.text() | st.integers() | st.none())
def test_whatever_is_answered_gets_an_outcome(answer: Any) -> None:
    sheet = support_quiz().check(q1=answer)
    assert outcomes(sheet)[0] in ("not tried", "not yet", "right")
    assert outcomes(sheet)[1:] == ["not tried"] * 4


def test_no_letter_names_the_letters() -> None:
    assert support_quiz().check(q2="pay again").rows[1][2] == "Answer with one letter: a, b, c."


def test_an_unknown_question_names_the_known_ones() -> None:
    with pytest.raises(TypeError, match=r"^q6: .* q1, q2, q3, q4, q5"):
        support_quiz().check(q6="a")


def test_the_questions_are_shown_without_the_answers() -> None:
    quiz = support_quiz()
    same_twice(quiz)
    for question in SUPPORT:
        assert question.asks in repr(quiz)
        for answer, why in question.choices.values():
            assert answer in repr(quiz)
            assert why not in repr(quiz)


# ---------------------------------------------------------------- the record


def table(record: IntegrationRecord) -> dict[str, str]:
    """The Markdown table, as a person reads it."""
    head, rule, *lines = record.markdown.splitlines()
    assert (head, rule) == ("| What | Evidence |", "|---|---|")
    rows = [re.fullmatch(r"\| (.*?) \| (.*?) \|", line) for line in lines]
    return {unescape(row[1]): unescape(row[2]) for row in rows if row}


def charge(client: Pay88, amount: int = 50_000) -> Any:
    names = ("method_code", "currency", "country", "description", "customer_id")
    fields = {name: charge_body()[name] for name in names}
    hook = "https://shop.example/webhooks/88pay"
    return client.charge(amount=amount, notification_url=hook, **fields)


def test_it_is_filled_from_what_happened() -> None:
    with Sandbox() as sandbox:
        client = Pay88(sandbox.config)
        first, second = charge(client), charge(client)
        sandbox.fault("charges", "status", status=500)
        with pytest.raises(Exception, match="may or may not"):
            charge(client)
        record = integration_record(client, checks={"endpoint": "passes"}, ask=["who is called"])
        said = table(record)
    assert said["local: merchant"] == client.config.merchant_id
    assert said["local: charge PENDING"] == f"2 ({first.reference}, {second.reference})"
    assert said["local: charge unknown"] == "1"
    assert said["endpoint"] == "passes"
    assert said["who is called"] == "(to be filled in by you)"
    for name, value in said.items():
        assert re.search(rf"^  {re.escape(name)} +{re.escape(value)}$", repr(record), re.MULTILINE)
    assert record._repr_markdown_() == record.markdown


def test_it_holds_no_secrets() -> None:
    with Sandbox() as sandbox:
        record = integration_record(Pay88(sandbox.config))
        for secret in (sandbox.config.api_key, sandbox.config.webhook_secret):
            assert secret
            assert secret not in record.markdown + repr(record)


def test_many_references_are_counted_and_not_all_named() -> None:
    with Sandbox() as sandbox:
        client = Pay88(sandbox.config)
        references = [charge(client).reference for _ in range(5)]
        said = table(integration_record(client))["local: charge PENDING"]
    assert said == f"5 ({', '.join(references[:3])}, …)"


def test_a_rehearsal_is_called_one() -> None:
    with Sandbox(environment="production") as stage:
        client = Pay88(stage.config)
        charge(client)
        said = table(integration_record(client))
    assert said
    assert all(name.startswith("production (rehearsed locally): ") for name in said)


def test_of_shared_books_each_client_says_its_own() -> None:
    with Sandbox() as sandbox:
        other = sandbox.merchant(merchant_id="MCH-COL-OTHER1")["merchant_id"]
        mine = Pay88(sandbox.config)
        charge(mine)
        theirs = Pay88(sandbox.config_for(other))
        assert mine.books is theirs.books
        assert "local: charge PENDING" not in table(integration_record(theirs))


def test_without_books_there_are_no_operations() -> None:
    with Sandbox() as sandbox:
        client = Pay88(sandbox.config, books=False)
        assert set(table(integration_record(client))) == {"local: merchant", "local: key"}


@given(st.text(min_size=1))
def test_foreign_text_stays_in_its_cell(text: str) -> None:
    (line,) = IntegrationRecord([("x", text)]).markdown.splitlines()[2:]
    assert line.count("|") == 3
    assert not set("<>`*[]$~\\") & set(line)


def test_what_would_be_formatting_is_text() -> None:
    odd = "a|b\n<img src=x> [x](y) `c` **d** _e_ snake_case $f$"
    (line,) = IntegrationRecord([("x", odd)]).markdown.splitlines()[2:]
    assert "snake_case" in line
    assert unescape(line) == "| x | " + odd.replace("\n", "\\x0a") + " |"
