"""What must be the same wherever one run's reports are made, so that they come out the same."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from pay88kit import places
from pay88kit.version import __version__

# What runs a notebook, and what shows its tables and its page.
_PACKAGES = ("ipykernel", "nbconvert", "pandas", "papermill")


@cache
def ours() -> dict[str, str]:
    """The versions of this process, by name.

    Of the kit also a digest of its code and reports: two checkouts may differ and have the same
    version. It is taken once, because later changes of the files are not in this process.
    """
    found = {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "pay88kit": f"{__version__} (sources {_digest()})",
    }
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return found


def differences(theirs: Mapping[str, str], here: Mapping[str, str]) -> str:
    """What another process has otherwise than this one, in words; empty if nothing."""
    return ", ".join(
        f"{name} {theirs.get(name, 'none')} (here {version})"
        for name, version in here.items()
        if theirs.get(name) != version
    )


def _digest() -> str:
    digest = hashlib.sha256()
    for name, path in sorted(_files()):
        # git may have given a file Windows' line ends.
        content = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def _files() -> Iterator[tuple[str, Path]]:
    """The kit's code, what stands beside it to make reports, and the reports themselves."""
    package = Path(__file__).parents[2]
    folders = [package / "reports", package / "language"]
    paths = {*package.rglob("*.py"), *(path for each in folders for path in each.rglob("*"))}
    # In an installed package the guide's notebooks are within it.
    outside = {package / "guide" / "notebooks"}
    for path in paths:
        if path.is_file() and path.suffix != ".pyc" and outside.isdisjoint(path.parents):
            yield path.relative_to(package).as_posix(), path
    for path in (places.notebooks() / "reports").glob("*.ipynb"):
        yield f"notebooks/{path.name}", path
