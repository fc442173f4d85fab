"""Bring the catalogues of translations up to what the code says: part of ``make docs``.

A new sentence is added with an empty translation, which somebody then writes; one that nobody says
any more is removed. What is translated stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from pay88kit import places, reports
from pay88kit.language import LANGUAGES, blocks, catalogue_of

PACKAGE = Path(places.__file__).parent
HEADER = """# The sentences of the reports. `make docs` adds new ones; a test names what is missing.
msgid ""
msgstr ""
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def said() -> dict[str, set[str]]:
    """Every sentence that can be translated, and the files in which it is said."""
    found: dict[str, set[str]] = {}
    for sentence, place in (*_in_code(), *_in_notebooks()):
        found.setdefault(sentence, set()).add(place)
    return found


def _in_code() -> Iterator[tuple[str, str]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        marked = extract_from_file(
            "python", file, keywords=dict.fromkeys(("_", "N_", "translated"))
        )
        for _, sentence, _, _ in marked:
            if isinstance(sentence, str):
                yield sentence, f"pay88kit/{file.relative_to(PACKAGE).as_posix()}"


def _in_notebooks() -> Iterator[tuple[str, str]]:
    for name in reports.names():
        place = f"notebooks/reports/{name}.ipynb"
        for cell in json.loads(
            (places.notebooks() / "reports" / f"{name}.ipynb").read_text("utf-8")
        )["cells"]:
            if cell["cell_type"] == "markdown":
                for block in blocks("".join(cell["source"])):
                    yield block, place
        for parameter in reports.parameters(name):
            if parameter.help:
                yield parameter.help, place


def read(language: str) -> Catalog:
    """The catalogue of a language as it is."""
    path = catalogue_of(language)
    with BytesIO(path.read_bytes() if path.exists() else b"") as file:
        return read_po(file, locale=language)


def renewed(language: str) -> str:
    """The catalogue's file as it should be, with the translations that it has."""
    old = read(language)
    new = Catalog(locale=language, fuzzy=False)
    for sentence, files in said().items():
        there = old.get(sentence)
        new.add(
            sentence,
            there.string if there else "",
            locations=[(place, 0) for place in sorted(files)],
            flags=there.flags if there else (),
        )
    text = BytesIO()
    write_po(text, new, width=96, omit_header=True, sort_output=True, include_lineno=False)
    return HEADER.format(language=language) + text.getvalue().decode()


if __name__ == "__main__":
    for language in LANGUAGES:
        if language != "en":
            catalogue_of(language).write_text(renewed(language), encoding="utf-8")
            missing = [str(m.id) for m in read(language) if m.id and not m.string]
            print(f"{language}: {len(missing)} not translated")
            for sentence in missing:
                print("  " + re.sub(r"\s+", " ", sentence)[:90])
