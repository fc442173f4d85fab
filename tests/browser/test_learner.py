"""A learner's way through the guide, and how long it takes to begin."""

from __future__ import annotations

import time
from pathlib import Path

import learner
from driver import WIDE, Lab, fresh_clone
from playwright.sync_api import Browser, expect

# From a fresh clone to the first token, in seconds, everything downloaded.
LONGEST = 180


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


def test_from_a_fresh_clone_to_the_first_token(browser: Browser, tmp_path: Path) -> None:
    started = time.monotonic()
    with fresh_clone(tmp_path) as (url, token):
        context = browser.new_context(viewport=WIDE)
        context.set_default_timeout(60_000)
        lab = Lab(context.new_page(), url, token)
        lab.start()
        panel = lab.open("02_token.ipynb")
        lab.command("editmenu:clear-all")
        learner.run(lab, learner.index_of(lab, "token = client.token()"))
        expect(panel.get_by_text("sess_…").first).to_be_visible()
        took = time.monotonic() - started
        lab.close()
        context.close()
    print(f"from a fresh clone to the first token: {took:.0f} s")
    assert took <= LONGEST
