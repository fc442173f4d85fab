"""Write the pages of ``docs/`` that come from the code: ``make docs``."""

from __future__ import annotations

from pathlib import Path

from pay88kit import contract

ROOT = Path(__file__).resolve().parents[2]
PAGES = {ROOT / "docs" / "what_is_simulated.md": contract.page}


def main() -> None:
    """Write them all."""
    for path, text in PAGES.items():
        path.write_text(text(), encoding="utf-8", newline="\n")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
