"""Secrets in files: API keys, webhook secrets, access tokens, session ids, and this machine's own.

A notebook is read as what it shows (cells, outputs, metadata, widgets), because its JSON escapes
would hide a secret from a search of the file. Everything else is read line by line, so that a
large log is never in memory as a whole.

What the local sandbox draws from its seed is public: anybody can draw it again. It is told apart
by drawing it again here, not by how it looks, so no real secret passes for a simulated one.
"""

from __future__ import annotations

import binascii
import codecs
import html
import json
import os
import re
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from io import TextIOWrapper
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote

from pay88kit.config import SECRETS, mask, own_credentials
from pay88kit.display import one_line
from pay88kit.errors import WrongUse

# On the line of a text that only looks like a secret.
ALLOW = "pay88-scan: allow"

CURE = f"""
Take each one out of its file. In a notebook, clear the cell's outputs and let Config() read the
value from the environment or from .env. Delete a log or a page that holds one.
A key or secret that was committed or sent to somebody is known: let 88Pay replace it.
Text that only looks like a secret: write {ALLOW} on its line."""

_NEEDLES = ("sk_test_", "sk_live_", "whsec_", "eyJ", "sess_")
_KINDS = {
    "key": "API key",
    "secret": "webhook secret",
    "token": "access token",
    "session": "session id",
}
# How the same characters may be written in a log, an address or a page.
_ESCAPES = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{16,}={0,2}\s*")
_DATA_URI = re.compile(r";base64,([A-Za-z0-9+/]{16,}={0,2})")

# A line is read in pieces of this many characters; they overlap by more than a token is long.
_PIECE = 1 << 20
_OVERLAP = 1 << 14
_SKIPPED = {".git", ".hg", ".svn", ".venv", "node_modules", "__pycache__"}
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Far more than a lesson or a test draws.
_DRAWS = 1_000


class State(StrEnum):
    """What a finding counts as. Only ``FOUND`` is a secret."""

    FOUND = "found"
    SIMULATED = "simulated"
    ALLOWED = "allowed"


@dataclass(frozen=True)
class Finding:
    """Where something that looks like a secret stands. ``masked`` is all that is kept of it."""

    file: str
    where: str
    kind: str
    masked: str
    state: State = State.FOUND

    def __str__(self) -> str:
        note = "" if self.state is State.FOUND else f" ({self.state})"
        return f"{self.file}:{self.where}: {self.kind} {self.masked}{note}"


class Scan:
    """One search. ``files`` and ``left_out`` count what was read and what is binary.

    ``faults`` names what could not be read as it should; such a file cannot be called clean.

    Args:
        credentials: names and values that are secrets whatever their form; by default
            :func:`own_credentials`.
        seeds: of the local sandboxes whose ids are simulated.
    """

    def __init__(
        self,
        credentials: Sequence[tuple[str, str]] | None = None,
        *,
        seeds: Iterable[int] = (88,),
    ) -> None:
        self.files = 0
        self.left_out = 0
        self.faults: list[str] = []
        self._seeds = tuple(seeds)
        self._own = {
            form: (f"this machine's {name}", value)
            for name, value in (own_credentials() if credentials is None else credentials)
            for form in (value, html.escape(value), quote(value, safe=""), json.dumps(value)[1:-1])
        }
        self._needles = (*_NEEDLES, *self._own)

    def summary(self) -> str:
        """What was read, in words."""
        left_out = f" ({_count(self.left_out, 'binary file')} left out)" if self.left_out else ""
        return f"{_count(self.files, 'file')} read{left_out}"

    def run(self, paths: Iterable[str | Path]) -> Iterator[Finding]:
        """Search files and folders, one finding after the other.

        In a folder, version control, virtual environments, caches and ``.env`` files (where
        credentials belong) are left out; a file that is named itself is always read.

        Raises:
            WrongUse: a path does not exist; nothing was read.
        """
        given = [Path(path) for path in paths]
        for path in given:
            if not path.exists():
                raise WrongUse(f"{self._clean(str(path))}: there is no such file or folder.")
        seen = set()
        for path in given:
            for file in self._walk(path) if path.is_dir() else [path]:
                if (real := file.resolve()) not in seen:
                    seen.add(real)
                    yield from self._file(file)

    # -- files

    def _walk(self, folder: Path) -> Iterator[Path]:
        def unreadable(error: OSError) -> None:
            self._fault(str(error.filename), f"cannot be read: {error.strerror}")

        for place, folders, files in os.walk(folder, onerror=unreadable):
            folders[:] = sorted(
                name
                for name in folders
                if name not in _SKIPPED and not (Path(place, name) / "pyvenv.cfg").is_file()
            )
            for name in sorted(files):
                if name != ".env" and Path(place, name).is_file():
                    yield Path(place, name)

    def _file(self, path: Path) -> Iterator[Finding]:
        name = str(path)
        try:
            if not path.is_file():  # a pipe would never end
                self.left_out += 1
                return
            with path.open("rb") as file:
                start = file.read(8192)
            encoding = "utf-16" if start.startswith(_MARKS[1:]) else "utf-8-sig"
            if encoding != "utf-16" and b"\0" in start:
                self.left_out += 1
                return
            self.files += 1
            texts = self._notebook(path) if path.suffix == ".ipynb" and start.strip() else None
            if texts is None:
                with path.open(encoding=encoding, errors="replace", newline="\n") as opened:
                    yield from self._lines(name, opened)
            else:
                yield from self._texts(name, texts)
        except OSError as error:
            self._fault(name, f"cannot be read: {error.strerror}")

    def _fault(self, name: str, fault: str) -> None:
        self.faults.append(f"{self._clean(name)}: {fault}")

    def _lines(self, name: str, file: TextIOWrapper) -> Iterator[Finding]:
        number, piece, seen = 1, "", set[str]()
        while part := file.readline(_PIECE):
            piece += part
            ended = part.endswith("\n")
            for kind, value, state in self._search(piece, cut=not ended):
                if value not in seen:
                    seen.add(value)
                    yield Finding(self._clean(name), str(number), kind, mask(value), state)
            if ended:
                number, piece = number + 1, ""
                seen.clear()
            else:
                piece = piece[-_OVERLAP:]
        # A file whose last line has no end: what touched the end of the last piece is whole.
        for kind, value, state in self._search(piece):
            if value not in seen:
                seen.add(value)
                yield Finding(self._clean(name), str(number), kind, mask(value), state)

    # -- notebooks

    def _notebook(self, path: Path) -> Iterator[tuple[str, str, bool]] | None:
        """The texts of a notebook: where, what, and whether its cell has the marker."""
        try:
            # Numbers stay text: one may be a secret, and a long one is no reason to stop.
            content = json.loads(path.read_bytes(), parse_int=str, parse_float=str)
            if not isinstance(content, dict):
                raise ValueError
            return iter(list(_texts_of(content)))
        except (ValueError, RecursionError):
            self._fault(
                str(path), "is not a readable notebook. It was read as text, which may hide secrets"
            )
            return None

    def _texts(self, name: str, texts: Iterable[tuple[str, str, bool]]) -> Iterator[Finding]:
        seen = set()
        for place, text, allowed in texts:
            for number, line in enumerate(text.split("\n"), 1):
                for kind, value, state in self._search(line, allowed=allowed):
                    if (place, value) not in seen:
                        seen.add((place, value))
                        where = f" {self._clean(place)}, line {number}"
                        yield Finding(self._clean(name), where, kind, mask(value), state)

    # -- text

    def _search(
        self, line: str, *, cut: bool = False, allowed: bool = False
    ) -> Iterator[tuple[str, str, State]]:
        """Kind, value and state of what is in a line; ``cut``: the line goes on after it."""
        allowed = allowed or ALLOW in line
        for text in _readings(line):
            for end, kind, value in self._matches(text):
                if cut and end == len(text):
                    continue  # the next piece has it whole
                if self._simulated(value):
                    state = State.SIMULATED
                elif allowed and kind in _KINDS.values():
                    state = State.ALLOWED
                else:
                    state = State.FOUND
                yield kind, value, state

    def _matches(self, text: str) -> Iterator[tuple[int, str, str]]:
        """Where each one ends, its kind and its value."""
        if not any(needle in text for needle in self._needles):
            return
        taken: list[tuple[int, int]] = []
        for form, (kind, value) in self._own.items():
            at = text.find(form)
            if at >= 0:
                taken.append((at, at + len(form)))
                yield at + len(form), kind, value
        for match in SECRETS.finditer(text):
            if not any(match.start() < end and start < match.end() for start, end in taken):
                yield match.end(), _KINDS[str(match.lastgroup)], match[0]

    def _simulated(self, value: str) -> bool:
        return any(_mark_of(value) in _draws(seed) for seed in self._seeds)

    def _clean(self, name: str) -> str:
        """A name as it may be printed: it is a stranger's, and may itself hold a secret."""
        for _, _, value in list(self._matches(name)):
            name = name.replace(value, mask(value))
        return one_line(name)


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def _readings(line: str) -> Iterator[str]:
    """A line as it is, and as what it stands for once its escapes are undone."""
    yield line
    plain = line
    if "\\" in plain:
        plain = _ESCAPES.sub(lambda match: chr(int(match[1] or match[2], 16)), plain)
    if "%" in plain:
        plain = unquote(plain)
    if "&" in plain:
        plain = html.unescape(plain)
    if "\x1b" in plain:
        yield _COLOURS.sub(" ", plain)
        plain = _COLOURS.sub("", plain)
    if plain != line:
        yield plain
    if ";base64," in plain:
        for match in _DATA_URI.finditer(plain):
            yield from _from_base64(match[1])


def _from_base64(text: str) -> Iterator[str]:
    try:
        yield b64decode(text).decode("utf-8", "replace")
    except binascii.Error:
        return


def _texts_of(notebook: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    cells = notebook.get("cells")
    rest = dict(notebook)
    if isinstance(cells, list):
        # What is no cell is still text.
        rest["cells"] = [cell for cell in cells if not isinstance(cell, dict)]
        for number, cell in enumerate(cells, 1):
            if isinstance(cell, dict):
                yield from _cell(f"cell {number}", cell)
    for name, value in rest.items():
        for where, part in _named(f"notebook {name}", value):
            for text in _strings(part):
                yield where, text, False


def _cell(place: str, cell: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    # The marker in a cell's code counts for its outputs too, where nobody could write it.
    allowed = any(ALLOW in text for text in _strings(cell.get("source")))
    for name, value in cell.items():
        if name == "source":
            parts: Iterable[tuple[str, Any]] = [(place, value)]
        elif name == "outputs":
            parts = _outputs_of(place, value)
        elif name == "attachments":
            parts = _named(f"{place}, attachment", value)
        else:
            parts = [(f"{place}, {name}", value)]
        for where, part in parts:
            for text in _strings(part):
                yield where, text, allowed


def _outputs_of(place: str, outputs: Any) -> Iterator[tuple[str, Any]]:
    for number, output in enumerate(outputs if isinstance(outputs, list) else [outputs], 1):
        where = f"{place}, output {number}"
        if isinstance(output, dict):
            yield from _named(where, output.get("data"))
            yield where, {name: value for name, value in output.items() if name != "data"}
        else:
            yield where, output


def _named(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield place, value
        return
    for name, part in value.items():
        yield f"{place} {name[:60]}", {name: part} if isinstance(part, dict) else part
        yield place, name


def _strings(value: Any) -> Iterator[str]:
    """Every text in a piece of JSON; a list of texts is lines of one, as notebooks keep them."""
    if isinstance(value, str):
        yield value
        if _BASE64.fullmatch(value):
            yield from _from_base64(value)
    elif isinstance(value, list):
        if value and all(isinstance(part, str) for part in value):
            if any(not part.endswith("\n") for part in value[:-1]):
                yield "\n".join(value)
            yield from _strings("".join(value))
        else:
            for part in value:
                yield from _strings(part)
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from _strings(part)


@lru_cache
def _draws(seed: int) -> frozenset[str]:
    """What a sandbox of this seed hands out, or for its tokens what makes each unique."""
    from pay88kit.sandbox.ids import LETTERS, Ids

    ids = Ids(seed)
    letters = LETTERS + LETTERS.lower()
    drawn = set[str]()
    for _ in range(_DRAWS):
        drawn.add("sk_test_" + ids.text("api key", 32, letters))
        drawn.add("whsec_" + ids.text("secret", 32, letters))
        drawn.add(f"sess_{ids.uuid('session')}")
        drawn.add(f"sess_{ids.uuid('transaction')}")
        drawn.add("jti " + ids.text("token", 12))
        drawn.add("nonce " + urlsafe_b64encode(ids.nonce("notification")).rstrip(b"=").decode())
    return frozenset(drawn)


def _mark_of(value: str) -> str:
    """What to look for among the draws: a token's header or nonce, else the value itself."""
    parts = value.split(".")
    if len(parts) == 5:
        return f"nonce {parts[2]}"
    if len(parts) == 3:
        try:
            header = json.loads(urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
            return f"jti {cast('dict[str, Any]', header)['jti']}"
        except (ValueError, KeyError, TypeError):
            return value
    return value
