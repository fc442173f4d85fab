"""The checklist's evidence: what ticks an item, what never does, and that it lasts."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pay88kit import (
    Books,
    Inbox,
    OutcomeUnknown,
    Pay88,
    Pay88Error,
    Policy,
    RateLimited,
    Sandbox,
    WrongUse,
    check_endpoint,
    reports,
    webhooks,
)
from pay88kit.books import Event, default
from pay88kit.config import Config
from pay88kit.endpoint_check import Verdict, sample
from pay88kit.guide import checklist, evidence, onboarding, receipt, your_turn
from pay88kit.guide.catalogue import ITEMS
from pay88kit.guide.exercises.turn import every_exercise
from pay88kit.guide.lesson import lesson_client, lesson_inbox
from pay88kit.guide.quiz import SUPPORT, support_quiz
from pay88kit.guide.record import integration_record
from pay88kit.inbox import Received
from pay88kit.language import speak, translated
from pay88kit.webhooks import parse

ORDER = {
    "method_code": "PSE",
    "amount": 50_000,
    "currency": "COP",
    "country": "COL",
    "description": "Order 1001",
    "customer_id": "customer-7",
}
NEVER_LOCALLY = {1, 2, 3, 5, 16, 17}
KEY = "sk_" + "test_" + "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a kernel that has just started."""
    monkeypatch.setattr(evidence, "_witnesses", {})


@pytest.fixture
def lesson() -> Iterator[tuple[Pay88, Inbox]]:
    """A lesson's client and inbox on a sandbox of their own."""
    with Sandbox() as sandbox:
        client = lesson_client(sandbox.config)
        with closing(lesson_inbox(client)) as inbox:
            yield client, inbox


def charge(client: Pay88, inbox: Inbox) -> str:
    reference = client.charge(**ORDER, notification_url=inbox.url).reference
    assert reference
    return reference


# ---------------------------------------------------------------- what ticks


def test_nothing_is_ticked_before_anything_happened() -> None:
    board = checklist()
    assert (board.practised, board.done, board.exercises) == ([], [], [])


def test_a_paid_charge_ticks_what_it_shows(lesson: tuple[Pay88, Inbox]) -> None:
    client, inbox = lesson
    reference = charge(client, inbox)
    assert checklist().practised == [4, 6, 7]
    assert client.sandbox
    client.sandbox.complete(reference)
    board = checklist()
    assert board.practised == [4, 6, 7, 8, 9, 11]
    assert board.done == []
    assert f"COMPLETED came and was verified ({reference})" in repr(board)


def test_a_declined_charge_a_repeat_and_an_old_token_tick_theirs(
    lesson: tuple[Pay88, Inbox],
) -> None:
    client, inbox = lesson
    reference = charge(client, inbox)
    assert client.sandbox
    client.sandbox.reject(reference)
    assert set(checklist().practised) >= {12}
    assert not {13, 14} & set(checklist().practised)
    client.sandbox.resend(client.sandbox.webhooks(reference)[0]["id"])
    assert 13 in checklist().practised
    client.sandbox.clock.advance(49)
    client.token(fresh=True)
    assert 14 not in checklist().practised
    client.sandbox.clock.advance(51)
    client.balance()
    assert 14 in checklist().practised


def test_a_payout_is_no_payment(lesson: tuple[Pay88, Inbox]) -> None:
    client, inbox = lesson
    assert client.sandbox
    client.sandbox.scenario("profitable")
    details = {
        "bank_name": "Bancolombia", "account_number": "1", "account_type": "SAVINGS",
        "holder_name": "Ana", "identification": "9",
    }  # fmt: skip
    payout = client.cashout(
        amount=1_000, currency="COP", country="COL", description="Payout", customer_id="s-1",
        bank_details=details, notification_url=inbox.url,
    )  # fmt: skip
    client.sandbox.complete(payout.reference)
    assert 9 in checklist().practised
    assert not {7, 11, 12} & set(checklist().practised)


def test_errors_tick_theirs(lesson: tuple[Pay88, Inbox]) -> None:
    client, inbox = lesson
    with pytest.raises(Pay88Error):
        client.charge(check=False, notification_url=inbox.url, **(ORDER | {"amount": "50000"}))
    assert 10 in checklist().practised
    careless = lesson_client(client.config, policy=Policy(pace=False, max_wait=0))
    for _ in range(9):
        careless.token(fresh=True)
    with pytest.raises(RateLimited):
        careless.token(fresh=True)
    assert 15 in checklist().practised


def test_a_verdict_ticks_the_endpoint(lesson: tuple[Pay88, Inbox]) -> None:
    client, inbox = lesson
    assert client.config.webhook_secret
    check = check_endpoint(inbox.url, client.config.webhook_secret, clock=client.config.clock)
    before = set(checklist().practised)
    shown = receipt("04", client, check)
    assert check.ok
    assert {8, 13} <= set(checklist().practised)
    assert not {13} & before
    assert check.summary() in repr(shown)


def test_a_doubtful_verdict_ticks_nothing(lesson: tuple[Pay88, Inbox]) -> None:
    client, _ = lesson
    secret = "whsec_" + "0" * 24
    # Another secret: it refuses what the check signs rightly.
    with closing(Inbox(Sandbox(seed=7).config, books="sqlite://", on_unverified="refuse")) as other:
        check = check_endpoint(other.url, secret, clock=client.config.clock)
    receipt("04", client, check)
    assert any(result.verdict is Verdict.DOUBTFUL for result in check.results)
    assert not {8, 13} & set(checklist().practised)


def test_record_and_quiz_are_practice() -> None:
    integration_record()
    assert checklist().practised == []
    with Sandbox() as sandbox:
        integration_record(Pay88(sandbox.config))
    assert checklist().practised == [19]
    quiz = support_quiz()
    right = {f"q{number}": question.right for number, question in enumerate(SUPPORT, 1)}
    quiz.check(**(right | {"q5": "b"}))
    assert checklist().practised == [19]
    quiz.check(**right)
    assert checklist().practised == [19, 20]
    assert checklist().done == []


def test_a_passed_exercise_is_kept_and_a_wrong_one_is_not() -> None:
    with Sandbox() as sandbox:
        client = Pay88(sandbox.config)
        your_turn("02.2").check((200, 200), client)
        assert (checklist().practised, checklist().exercises) == ([], [])
        right = your_turn("02.2").check((200, 401), client)
    assert (checklist().practised, checklist().exercises) == ([14], ["02.2"])
    assert "item 14 practised locally" in repr(right)
    # One that practises no item of the list counts among the exercises all the same.
    evidence.practised("05.1", "Pay one invoice")
    assert (checklist().practised, checklist().exercises) == ([14], ["02.2", "05.1"])


def test_each_exercise_of_the_catalogue_exists() -> None:
    known = {exercise.id for exercise in every_exercise()}
    assert {check for item in ITEMS for check in item.checks} <= known


# ---------------------------------------------------------------- what never does


def test_local_evidence_never_ticks_what_only_88pay_can_show() -> None:
    witness = evidence.Witness(evidence.Place("local", "MCH-COL-29ZTP4"))
    for item in ITEMS:
        witness.keep(item.number, evidence.Kind.EXCHANGE, "whatever")
    board = checklist()
    assert set(board.practised) == {item.number for item in ITEMS} - NEVER_LOCALLY
    assert board.done == []


@pytest.mark.parametrize(
    ("environment", "address", "at_88pay"),
    [
        ("sandbox", None, True),
        ("sandbox", "https://api-sandbox.88pay.io/", True),
        # What is behind these, nobody knows: a sandbox that is served through a tunnel, too.
        ("sandbox", "https://pay88.proxy.shop.example", False),
        ("sandbox", "https://some-words.trycloudflare.com", False),
        ("sandbox", "http://127.0.0.1:8088", False),
        ("sandbox", "http://localhost:8088", False),
        ("sandbox", "https://10.0.0.8", False),
        ("local", None, False),
    ],
)
def test_what_answers_on_this_machine_is_practice(
    environment: str, address: str | None, at_88pay: bool
) -> None:
    config = Config(environment=environment, base_url=address, api_key=KEY, merchant_id="MCH-COL-1")
    assert evidence.Place.of(config).at_88pay is at_88pay


def test_a_sandbox_that_plays_production_is_practice() -> None:
    with Sandbox(environment="production") as stage:
        assert evidence.Place.of(stage.config) == evidence.Place("local", stage.config.merchant_id)


AT_88PAY = Config(environment="sandbox", api_key=KEY, merchant_id="MCH-COL-29ZTP4")
TOKEN = {"access_token": "a.b.c", "expires_in": 60, "session_id": "s"}


def answered(data: Any, code: int = 200) -> httpx.Response:
    return httpx.Response(200, json={"status": "Success", "code": code, "data": data})


def client_of(*answers: httpx.Response, config: Config = AT_88PAY, **options: Any) -> Pay88:
    """A client of 88Pay's own address, whose answers are given; tokens come by themselves."""
    rest = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        token = request.url.path.endswith("/token") and not options.get("no_token")
        return answered(TOKEN) if token else next(rest)

    given = {name: value for name, value in options.items() if name != "no_token"}
    return lesson_client(config, transport=httpx.MockTransport(answer), **given)


def test_88pays_own_answers_are_done_there() -> None:
    made = {"reference": "IP9BD7CJES6", "customer_id": "customer-7", "amount": 50000}
    client = client_of(answered(made))
    client.charge(**ORDER, notification_url="https://shop.example/hook")
    board = checklist()
    assert board.done == [1, 3, 4, 5, 6, 7]
    assert board.practised == []
    assert "✓ sandbox: charges: accepted (IP9BD7CJES6)" in repr(board)
    assert KEY not in repr(board.evidence().to_dict())
    assert set(board.evidence()["merchant_id"]) == {"MCH-COL-29ZTP4"}
    assert "By 88Pay's own answers: 6. Ticked by a person: 0." in onboarding.summary(board)
    ticked = board.tick(1, "opened on 2 March, says Ana").tick(2, "approved")
    assert "By 88Pay's own answers: 6. Ticked by a person: 1." in onboarding.summary(ticked)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(302, headers={"Location": "https://hotel.example/login"}),
        httpx.Response(200, text="<html>Welcome to the hotel's network</html>"),
        answered(None, code=401),
        answered({"access_token": "a.b.c"}),
        answered([]),
        httpx.Response(500),
    ],
    ids=["redirect", "page", "refusal", "half", "list", "error"],
)
def test_an_answer_that_is_no_token_shows_nothing(answer: httpx.Response) -> None:
    # What is tried again waits by this clock, not by the wall's.
    config = AT_88PAY.replace(clock=Sandbox().clock)
    with pytest.raises(Pay88Error):
        client_of(*[answer] * 9, config=config, no_token=True).token()
    assert (checklist().practised, checklist().done) == ([], [])


def test_two_clients_make_no_old_token(lesson: tuple[Pay88, Inbox]) -> None:
    client, _ = lesson
    client.token()
    assert client.sandbox
    client.sandbox.clock.advance(60)
    lesson_client(client.config).token()
    assert 14 not in checklist().practised


def test_a_repeat_at_88pay_may_be_the_learners_own() -> None:
    def received(outcome: str) -> Received:
        event = Event(outcome, "IP9BD7CJES6", "op", 1, operation="charge")
        body = {
            "transaction_id": "t", "transaction_status": "COMPLETED", "transaction_amount": "1",
        }  # fmt: skip
        notification = parse(json.dumps(body).encode())
        return Received(datetime.now(UTC), notification, event, "")

    witness = evidence.witness_of(AT_88PAY)
    for outcome in ("repeated", "applied", "repeated", "unmatched"):
        witness.received(received(outcome))
    assert checklist().done == [8, 9, 11, 13]
    assert "88Pay delivered it" in repr(checklist())
    assert "a repeat" not in repr(checklist())


def test_two_merchants_are_told_apart_on_the_board() -> None:
    client_of().token()
    assert "MCH-COL" not in repr(checklist())
    client_of(config=AT_88PAY.replace(merchant_id="MCH-MEX-1")).token()
    assert "✓ sandbox MCH-COL-29ZTP4: 88Pay took the credentials" in repr(checklist())


def test_what_a_stranger_says_is_kept_short_and_without_secrets() -> None:
    witness = evidence.Witness(evidence.Place("local"))
    witness.keep(7, evidence.Kind.EXCHANGE, f"{KEY} " + "x" * 500, reference=KEY)
    kept = checklist().evidence().to_dict("records")[0]
    assert len(kept["what"]) <= 120
    assert KEY not in repr(kept)


def test_a_path_of_the_learners_own_is_not_kept(lesson: tuple[Pay88, Inbox]) -> None:
    client, _ = lesson
    with pytest.raises(Pay88Error):
        client.request("GET", "/api/transactions/my-own-words")
    assert 10 in checklist().practised
    assert "my-own-words" not in repr(checklist().evidence().to_dict())


# ---------------------------------------------------------------- it disturbs nobody


def test_a_wrong_answer_ticks_nothing(lesson: tuple[Pay88, Inbox]) -> None:
    client, inbox = lesson
    your_turn("00.1").check(("COMPLETED", "COMPLETED", "REJECTED"), client, inbox)
    assert checklist().practised == []


def test_a_home_that_cannot_be_written_breaks_no_lesson(
    lesson: tuple[Pay88, Inbox], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client, inbox = lesson
    client.token()
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file" / "below"))
    reference = charge(client, inbox)
    assert client.sandbox
    client.sandbox.complete(reference)
    assert inbox.wait(1)[0].outcome == "applied"
    assert client.books is not None
    assert len(client.books.unknown()) == 0
    assert "cannot be written" in repr(checklist())
    assert "PAY88_BOOKS" in dict(receipt("03", client)._rows())["not kept"]
    right = your_turn("02.2").check((200, 401), client)
    assert "practised locally" not in repr(right)
    assert "cannot be written" in repr(right)
    monkeypatch.delenv("XDG_DATA_HOME")
    # What comes again is kept then.
    charge(client, inbox)
    assert 7 in checklist().practised


def test_a_locked_file_delays_neither_a_call_nor_an_answer(lesson: tuple[Pay88, Inbox]) -> None:
    client, inbox = lesson
    checklist()
    lock = sqlite3.connect(default.lasting_books()._database._engine.url.database)
    lock.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    reference = charge(client, inbox)
    assert client.sandbox
    client.sandbox.complete(reference)
    (attempt,) = client.sandbox.webhooks(reference)
    took = time.monotonic() - started
    lock.rollback()
    lock.close()
    assert attempt["status_code"] == 200
    # SQLite would have been waited for for ten seconds.
    assert took < 5
    assert {7, 9, 11} <= set(checklist().practised)


def test_what_was_charged_by_an_earlier_kernel_ticks_when_it_is_paid(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        books = Books(f"sqlite:///{tmp_path / 'books.db'}")
        with Pay88(sandbox.config, books=books) as earlier:
            with closing(Inbox(sandbox.config, books=books)) as inbox:
                reference = charge(earlier, inbox)
            client = lesson_client(sandbox.config, books=books)
            with closing(lesson_inbox(client)):
                sandbox.plan(reference, [{"status": "COMPLETED"}])
                assert 11 not in checklist().practised
                lesson_inbox(client).receive(*_signed(sandbox, reference))
    assert {9, 11} <= set(checklist().practised)


def _signed(sandbox: Sandbox, reference: str) -> tuple[bytes, str]:
    """A genuine notification of a charge of 50,000, as 88Pay would send it."""
    body = {
        "transaction_id": "sess_1", "transaction_status": "COMPLETED",
        "transaction_amount": "50000", "transaction_reference": reference,
    }  # fmt: skip
    assert sandbox.config.webhook_secret
    token = webhooks.sign(
        "sess_1", "50000", sandbox.config.webhook_secret,
        now=sandbox.clock.now(), nonce=b"twelve-bytes",
    )  # fmt: skip
    return json.dumps(body).encode(), token


# ---------------------------------------------------------------- by hand


def test_ticks_by_hand_are_made_changed_and_taken_back() -> None:
    board = checklist().tick(2, "approved on 2026-03-02, says Ana")
    assert (board.practised, board.done) == ([], [2])
    board = board.tick(2, "approved on 2026-03-03, says Luz").tick(20, "trained, see the wiki")
    assert board.done == [2, 20]
    assert "✓ by hand: approved on 2026-03-03, says Luz" in repr(board)
    assert "says Ana" not in repr(board.evidence().to_dict())
    assert board.untick(2).done == [20]


@pytest.mark.parametrize("item", [n for n in range(-1, 23) if n not in {1, 2, 3, *range(15, 21)}])
def test_what_happens_cannot_be_ticked_by_hand(item: int) -> None:
    for change in (lambda: checklist().tick(item, "done"), lambda: checklist().untick(item)):
        with pytest.raises(WrongUse, match=r"item: "):
            change()


@pytest.mark.parametrize("note", ["", "  ", "x" * 201, f"the key is {KEY}"])
def test_a_note_says_something_and_no_secret(note: str) -> None:
    with pytest.raises(WrongUse, match="note: ") as refused:
        checklist().tick(2, note)
    assert KEY not in str(refused.value)
    assert checklist().done == []


# ---------------------------------------------------------------- it lasts, and it is text

SOLVE = """
from pay88kit.guide import checklist, lesson_client, your_turn
client = lesson_client()
client.token()
your_turn("02.2").check((200, 401), client)
"""


def test_it_survives_the_process() -> None:
    for _ in range(2):
        subprocess.run([sys.executable, "-c", SOLVE], check=True)
    board = checklist()
    assert (board.practised, board.exercises) == ([4, 6, 14], ["02.2"])
    assert len(board.evidence()) == 3


def test_books_that_cannot_be_written_disturb_no_lesson(
    lesson: tuple[Pay88, Inbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, inbox = lesson
    monkeypatch.setenv("PAY88_BOOKS", "sqlite:////no-such-folder/books.db")
    assert charge(client, inbox)
    assert "The evidence cannot be read" in repr(checklist())
    assert "cannot be opened" in dict(receipt("03")._rows())["not kept"]
    assert "The evidence cannot be read" in checklist()._repr_html_()


def test_the_board_says_the_same_as_text_and_as_html() -> None:
    board = checklist().tick(2, "says <b>Ana</b>")
    html = board._repr_html_()
    assert "<b>Ana" not in html
    title, *lines = repr(board).splitlines()
    assert title in unescape(html)
    header = re.findall(r"<th [^>]*>(.*?)</th>", html)
    rows = re.findall(r"<tr>(.*?)</tr>", html)[1:]
    told = [header, *(re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows)]
    texts = [[unescape(re.sub(r"</?a\b[^>]*>", "", cell)) for cell in row] for row in told]
    assert [re.split(r"\s{2,}", line.strip()) for line in lines] == texts
    assert "color" not in html


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_a_stranger_wrote_stays_text(what: str, reference: str) -> None:
    with closing(Books()) as books:
        books.evidence.keep(
            7, "exchange", f"<i>{what}", environment="local", merchant_id="m",
            now=datetime.now(UTC), reference=f"{reference}<i>",
        )  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pay88kit.books.lasting_books", lambda: books)
            board = checklist()
            proof = onboarding.proof(board)
            assert "<i>" not in board._repr_html_() + proof._repr_html_()
            assert len(repr(board).split("\n")) == len(ITEMS) + 2
            assert len(repr(proof).split("\n")) == 3


# ---------------------------------------------------------------- the receipt and the report


def test_the_receipt_has_references_statuses_and_items(lesson: tuple[Pay88, Inbox]) -> None:
    client, inbox = lesson
    paid, open_ = charge(client, inbox), charge(client, inbox)
    assert client.sandbox
    client.sandbox.complete(paid)
    told = dict(receipt("03", client)._rows())
    assert told[f"charge {paid}"] == "PSE, 50,000.00 COP: COMPLETED"
    assert told[f"charge {open_}"] == "PSE, 50,000.00 COP: PENDING"
    assert told["notifications"] == "1 kept"
    assert told["your turn"] == "0 of 3 solved"
    assert (told["item 7"], told["item 11"]) == ("practised locally",) * 2
    assert told["item 12"] == "open: solve 03.2"
    assert "run lesson 02 with PAY88_ENVIRONMENT=sandbox" in dict(receipt("01")._rows())["item 5"]
    assert "tick(16, " in dict(receipt("09")._rows())["item 16"]


def test_a_receipt_leaves_out_what_a_check_did(lesson: tuple[Pay88, Inbox]) -> None:
    client, inbox = lesson
    mine = charge(client, inbox)
    your_turn("00.1").check(("PENDING", "COMPLETED", "REJECTED"), client, inbox)
    assert len(client.books.operations()) == 3 if client.books else False
    told = dict(receipt("00", client)._rows())
    assert [name for name in told if name.startswith("charge ")] == [f"charge {mine}"]


def test_a_receipt_names_what_got_no_answer(lesson: tuple[Pay88, Inbox]) -> None:
    client, inbox = lesson
    assert client.sandbox
    client.sandbox.fault("charges", "drop_after")
    with pytest.raises(OutcomeUnknown):
        client.charge(key="order-1", **ORDER, notification_url=inbox.url)
    told = dict(receipt("07", client)._rows())
    assert told["charge without a reference"] == "PSE, 50,000.00 COP: unknown"


def test_times_are_told_in_the_readers_zone(lesson: tuple[Pay88, Inbox]) -> None:
    client, inbox = lesson
    charge(client, inbox)
    board = checklist()
    (at, *_) = board.evidence()["at"]
    zone = onboarding.zone_of("America/Bogota")
    assert onboarding.proof(board, zone).rows[0][-1] == f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
    assert "Times: America/Bogota" in onboarding.first_line(board, "", zone)
    with pytest.raises(WrongUse, match="timezone: "):
        onboarding.zone_of("Bogota")


@pytest.fixture
def in_spanish() -> Iterator[None]:
    speak("es")
    yield
    speak("en")


def test_evidence_that_was_kept_in_english_is_shown_in_spanish(
    lesson: tuple[Pay88, Inbox], in_spanish: None
) -> None:
    client, inbox = lesson
    paid, refused = charge(client, inbox), charge(client, inbox)
    assert client.sandbox
    client.sandbox.complete(paid)
    client.sandbox.reject(refused)
    client.sandbox.resend(client.sandbox.webhooks(refused)[0]["id"])
    client.sandbox.clock.advance(100)
    client.balance()
    for status in (422, 429):
        # A 429 is tried again, some times.
        client.sandbox.fault("charges", "status", status=status, times=None)
        with pytest.raises(Pay88Error):
            charge(client, inbox)
        client.sandbox.clear_faults()
    your_turn("00.1").check(("PENDING", "COMPLETED", "REJECTED"), client, inbox)
    integration_record(client, ask=["who"])
    right = {f"q{number}": question.right for number, question in enumerate(SUPPORT, 1)}
    support_quiz().check(**right)
    evidence.judged(replace(sample(), results=()))
    board = checklist().tick(2, "a token was given")
    found = board.evidence()
    assert "COMPLETED came and was verified" in set(found["what"])
    told = {row[3] for row in onboarding.proof(board).rows}
    assert told >= {
        "COMPLETED llegó y se verificó",
        "REJECTED llegó y se verificó",
        "se reconoció una repetición",
        "charges: aceptado",
        "charges: 422, tratado como error",
        "charges: 429, tratado como error",
        "un token nuevo cuando el anterior ya había vencido",
        "Tres momentos, tres estados",
        "Cuestionario de soporte: 5 de 5 correctas",
        # A person's words.
        "a token was given",
    }
    assert told & set(found["what"]) == {"a token was given"}
    assert "a mano: a token was given" in repr(board)
    assert f"charges: aceptado ({paid})" in repr(board)


def test_every_title_of_the_guide_and_every_item_has_its_spanish() -> None:
    titles = [exercise.title for exercise in every_exercise()]
    texts = {*titles, *(item.text for item in ITEMS), *evidence.Told, *evidence.Kind}
    assert {text for text in texts if translated(text, "es") == text} <= {"endpoint"}


def test_a_receipt_is_short(lesson: tuple[Pay88, Inbox]) -> None:
    client, inbox = lesson
    for _ in range(9):
        charge(client, inbox)
    told = receipt("03", client)._rows()
    assert ("and more", "3 operations: client.books.operations()") in told
    assert len(told) <= 14


def test_a_receipt_of_no_lesson_names_the_lessons(lesson: tuple[Pay88, Inbox]) -> None:
    with pytest.raises(WrongUse, match="lesson: there is no '99'"):
        receipt("99", lesson[0])


def test_the_report_counts_both(lesson: tuple[Pay88, Inbox]) -> None:
    client, inbox = lesson
    charge(client, inbox)
    board = checklist().tick(2, "approved")
    told = onboarding.summary(board)
    assert "Practised locally: 3 of 14 items, 0 of 35 exercises solved." in told
    assert "Done: 1 of 20 items.** By 88Pay's own answers: 0. Ticked by a person: 1." in told
    todo = {row[0]: row for row in onboarding.still_open(board).rows}
    assert set(todo) == {str(item.number) for item in ITEMS} - {"2"}
    mine = "the developer's"
    assert todo["7"][2:] == (mine, "yes", "03_charge, with PAY88_ENVIRONMENT=sandbox")
    assert todo["12"][2:] == (mine, "no", "03_charge, on the local sandbox first")
    assert todo["1"][2] == "the company's"
    assert "<" not in onboarding.first_line(board, "<script>Ana").replace("&lt;", "")


def test_the_onboarding_report_is_a_page_of_what_happened(
    lesson: tuple[Pay88, Inbox], tmp_path: Path
) -> None:
    client, inbox = lesson
    reference = charge(client, inbox)
    checklist().tick(2, "approved, <script>alert(1)</script>")
    result = reports.run("onboarding", {"developer": "Ana <b>Pérez</b>"}, out=tmp_path)
    page = result.html.read_text("utf-8")
    told = unescape(re.sub(r"<[^>]+>", " ", page))
    assert "Practised locally: 3 of 14 items" in told
    assert "Ana <b>Pérez</b>" in told
    assert "approved, <script>alert(1)</script>" in told
    assert reference in told
    assert "Simulated data, not 88Pay" in told
    assert "<script>alert" not in page
    assert "<b>Pérez" not in page
