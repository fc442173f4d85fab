"""The language of a report: English, or Spanish by a gettext catalogue.

English is what the code and the notebooks say. A sentence goes through :func:`_` where it is
shown; ``es.po`` has what it is in Spanish. ``make docs`` adds new sentences to the catalogue,
and a test names those that nobody has translated.

One language is spoken in a process, because a report is a process of its own.
"""

from __future__ import annotations

import re
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any

from pay88kit.errors import WrongUse, needs

# By its code, what each language calls itself.
LANGUAGES = {"en": "English", "es": "Español"}

_ENGLISH = "en"
_spoken = _ENGLISH


def speak(language: str) -> None:
    """Choose the language of this process, ``en`` or ``es``.

    Raises:
        WrongUse: another language.
        MissingExtra: Spanish without the extra ``frames``.
    """
    global _spoken
    _catalogue(language)
    _spoken = language


def spoken() -> str:
    """The language of this process."""
    return _spoken


def _(text: str, /, **values: Any) -> str:
    """The sentence in the language of this process; ``{name}`` in it becomes ``values[name]``."""
    return translated(text, _spoken, **values)


def N_(text: str) -> str:  # noqa: N802  (gettext's own name for it)
    """Mark a sentence that is kept in a constant; :func:`_` translates it where it is shown."""
    return text


def translated(text: str, language: str, /, **values: Any) -> str:
    """The sentence in this language, whatever is spoken; see :func:`_`.

    Raises:
        WrongUse: the language is none of :data:`LANGUAGES`.
        MissingExtra: Spanish without the extra ``frames``.
    """
    if text:  # gettext answers to an empty one with the catalogue's header
        text = _catalogue(language).gettext(text)
    return text.format(**values) if values else text


def blocks(markdown: str) -> list[str]:
    """The paragraphs, lists and headings of a text, which are translated one by one."""
    return [block for block in re.split(r"\n{2,}", markdown) if block]


def translated_markdown(markdown: str, language: str) -> str:
    """A text of several :func:`blocks` in this language."""
    return "\n\n".join(translated(block, language) for block in blocks(markdown))


def catalogue_of(language: str) -> Path:
    """The file with the translations into a language."""
    return Path(__file__).with_name(f"{language}.po")


@cache
def _catalogue(language: str) -> NullTranslations:
    if language not in LANGUAGES:
        raise WrongUse(f"language: {language!r} is none of {', '.join(LANGUAGES)}.")
    if language == _ENGLISH:
        return NullTranslations()
    with needs("frames"):
        from babel.messages.mofile import write_mo
        from babel.messages.pofile import read_po
    with catalogue_of(language).open("rb") as file:
        catalogue = read_po(file)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)
