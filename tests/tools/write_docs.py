"""Write the pages of ``docs/`` that come from the code: ``make docs``."""

from __future__ import annotations

from pathlib import Path

from pay88kit import Policy, contract

ROOT = Path(__file__).resolve().parents[2]


def retry_table() -> str:
    """What the client does after each kind of failure, from its own rules."""
    policy = Policy()
    rows = policy.table()
    names = list(rows[0])
    table = [names, ["---"] * len(names), *(list(row.values()) for row in rows)]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in table)
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


PAGES = {
    ROOT / "docs" / "what_is_simulated.md": contract.page,
    ROOT / "docs" / "retry_table.md": retry_table,
}


def main() -> None:
    """Write them all."""
    for path, text in PAGES.items():
        path.write_text(text(), encoding="utf-8", newline="\n")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
