"""Write the pages that come from the code, in ``docs/`` and in the guide: ``make docs``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pay88kit import Policy, contract
from pay88kit.guide import glossary, quick_reference
from pay88kit.guide.markdown import table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from tools.run_notebooks import METADATA  # noqa: E402


def retry_table() -> str:
    """What the client does after each kind of failure, from its own rules."""
    policy = Policy()
    rows = policy.table()
    lines = table(list(rows[0]), [list(row.values()) for row in rows])
    return f"""# What the client tries again

Written by `make docs` from `pay88kit/policy.py`.

88Pay documents neither an idempotency key nor a way to look a transaction up. So a **read** (token,
balance), which changes nothing, may be repeated; a **create** (charge, cash, cashout) is sent again
only when it surely did not happen. Anything else that `request` sends counts as a create, unless it
is a GET.

{lines}

- A create that ends as `OutcomeUnknown` stays `unknown` in the books until its notification comes,
  or until somebody has looked into 88Pay's dashboard and calls `books.resolve(…)`.
- A token whose time was over when 88Pay read it does not use up the one renewal after a 401.
- 88Pay's page suggests waits of 1, 2, 4 and 8 s and at most three retries for 5xx. The kit reads
  that as three retries, after 1, 2 and 4 s, and for reads only.
- One call takes at most {policy.deadline:g} s in all (`deadline`), token and retries included, and
  waits at most {policy.max_wait:g} s for a place under the rate limits (`max_wait`).
- The rules are a value: `Pay88(policy=Policy(backoff=(1, 5), max_wait=0))` has others, and a
  subclass with its own `decide` any that you like. One thing no policy changes: a create that may
  have happened ends as `OutcomeUnknown`.
"""


def notebook(name: str, cells: Sequence[str]) -> str:
    """A notebook of Markdown cells, as ``make notebooks`` would write it."""
    content = {
        "cells": [
            {
                "cell_type": "markdown",
                "id": f"{name.replace('_', '-')}-{number:02}",
                "metadata": {},
                "source": source.splitlines(keepends=True),
            }
            for number, source in enumerate(cells)
        ],
        "metadata": METADATA,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


PAGES = {
    ROOT / "docs" / "what_is_simulated.md": contract.page,
    ROOT / "docs" / "retry_table.md": retry_table,
    ROOT / "notebooks" / "glossary.ipynb": lambda: notebook("glossary", glossary.cells()),
    ROOT / "notebooks" / "quick_reference.ipynb": lambda: notebook(
        "quick_reference", quick_reference.cells()
    ),
}


def main() -> None:
    """Write them all."""
    for path, text in PAGES.items():
        path.write_text(text(), encoding="utf-8", newline="\n")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
