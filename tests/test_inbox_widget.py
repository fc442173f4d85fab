"""The live table: what it shows, without a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from inbox_support import SECRET, accepted, body_of, token_of, until

from pay88kit import Inbox

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202e"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox(secret=SECRET, books="sqlite://") as inbox:
        yield inbox


def receive(inbox: Inbox, number: int = 1, **changes: Any) -> None:
    body = body_of(number, **changes)
    inbox.receive(json.dumps(body, ensure_ascii=False).encode(), token_of(body))


def pages(table: Any) -> list[str]:
    """The HTML of each row."""
    return [child.value for child in table.box.children[1:-1]]


def test_a_row_appears_for_each_different_notification(inbox: Inbox) -> None:
    accepted(inbox.books, 1)
    table = inbox.widget()
    assert pages(table) == []
    assert "Nothing has come yet" in str(table)
    receive(inbox)
    receive(inbox, 2)
    receive(inbox)
    until(lambda: len(pages(table)) == 2 and ">2</span>" in pages(table)[0])
    first, second = pages(table)
    for text in ("REF-1", "COMPLETED", "50,000.00", "applied"):
        assert text in first
    assert "unmatched" in second
    # One made later has the same.
    assert pages(inbox.widget()) == [first, second]


def test_a_new_row_leaves_the_others_as_they_are(inbox: Inbox) -> None:
    table = inbox.widget()
    receive(inbox, 1)
    until(lambda: len(pages(table)) == 1)
    row = table.box.children[1]
    receive(inbox, 2)
    until(lambda: len(pages(table)) == 2)
    # The same widget: the browser keeps it open, if it was opened.
    assert table.box.children[1] is row


def test_the_body_is_one_click_away_and_needs_no_mouse_and_no_kernel(inbox: Inbox) -> None:
    receive(inbox, note="all of it")
    (page,) = pages(inbox.widget())
    # What the browser opens by itself, with Enter too.
    summary, _, body = page.partition("</summary>")
    assert summary.startswith("<details><summary")
    assert "all of it" in body
    assert "all of it" not in summary


def test_hostile_text_is_shown_and_does_nothing(inbox: Inbox) -> None:
    receive(inbox, reference=HOSTILE, status=HOSTILE, note=HOSTILE)
    table = inbox.widget()
    (page,) = pages(table)
    tags = set(re.findall(r"<\s*/?\s*([a-z]+)", page))
    assert tags == {"details", "summary", "div", "span", "pre"}
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "\u202e" not in str(table)
    assert len(str(table).splitlines()) == 3


def test_its_twin_in_a_terminal_is_text(inbox: Inbox) -> None:
    receive(inbox)
    table = inbox.widget()
    head, row, note = str(table).splitlines()
    assert head.split() == ["received_at", "reference", "status", "amount", "outcome", "times"]
    assert head.index("status") == row.index("COMPLETED")
    assert "not proven" in note
    bundle = table._repr_mimebundle_()
    assert bundle["text/plain"] == str(table)
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == table.box.model_id


def test_the_oldest_rows_give_way(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pay88kit.inbox.widget.ROWS", 3)
    table = inbox.widget()
    for number in range(5):
        receive(inbox, number)
    until(lambda: len(pages(table)) == 3 and "REF-4" in pages(table)[-1])
    assert "REF-2" in pages(table)[0]


def test_it_prints_nothing(inbox: Inbox, capfd: pytest.CaptureFixture[str]) -> None:
    table = inbox.widget()
    receive(inbox, 1)
    until(lambda: len(pages(table)) == 1)
    inbox.close()
    assert capfd.readouterr() == ("", "")
