"""Where the kit's own files are: in a checkout, or in an installed package."""

from __future__ import annotations

from pathlib import Path

from pay88kit.errors import Pay88Error

_HERE = Path(__file__).resolve().parent


class FilesMissing(Pay88Error):
    """The kit's own files are not where they belong."""


def checkout() -> Path | None:
    """The root of the checkout this file is in, or None in an installed package."""
    root = _HERE.parent
    return root if (root / "pyproject.toml").is_file() else None


def notebooks() -> Path:
    """The folder with the guide's notebooks as they are shipped: the checkout's, else the wheel's.

    Raises:
        FilesMissing: there is neither.
    """
    root = checkout()
    found = root / "notebooks" if root else _HERE / "guide" / "notebooks"
    if not found.is_dir():
        raise FilesMissing(
            "The guide's notebooks are missing from this installation. "
            'Install the package again: pip install --force-reinstall "pay88kit[guide]"'
        )
    return found
