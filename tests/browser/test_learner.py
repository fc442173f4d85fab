"""A learner's way through the guide."""

from __future__ import annotations

from pathlib import Path

import learner
from driver import Lab
from playwright.sync_api import expect


def test_learner_pays_tries_solves_and_sees_the_board_tick(lab: Lab) -> None:
    learner.pays(lab)
    before = lab.in_kernel("from pay88kit.guide import checklist; print(checklist().summary)")
    assert "00.1" not in lab.in_kernel("print(checklist().exercises)")
    learner.solves(lab)
    board = learner.sees_the_board(lab)
    after = lab.in_kernel("print(checklist().summary)")
    assert after != before
    expect(board.get_by_text(after)).to_be_visible()
    row = board.get_by_role("row").filter(has_text="Test successful payments")
    expect(row).to_contain_text("✓")
    row = board.get_by_role("row").filter(has_text="Create 88Pay account")
    expect(row).to_contain_text("not here")


def test_what_was_ticked_is_there_in_another_kernel(lab: Lab) -> None:
    learner.pays(lab)
    ticked = lab.in_kernel("from pay88kit.guide import checklist; print(checklist().practised)")
    lab.close()
    lab.open(learner.START)
    again = lab.in_kernel("from pay88kit.guide import checklist; print(checklist().practised)")
    assert set(eval(ticked)) <= set(eval(again))  # noqa: S307 - lists of numbers
    assert "7" in again


def test_a_terminal_finds_the_command(lab: Lab) -> None:
    lab.open(learner.START)
    found = lab.in_kernel("import shutil; print(shutil.which('pay88'))")
    assert Path(found).stem == "pay88"


def test_learner_explores(lab: Lab) -> None:
    box = learner.explores(lab)
    expect(box.locator("details").first).to_contain_text("COMPLETED")


def test_learner_watches_the_inbox(lab: Lab) -> None:
    table = learner.watches(lab)
    expect(table.locator("details").first).to_be_visible()
