"""Reports in Spanish: the catalogue has every sentence, and a Spanish page says none in English."""

from __future__ import annotations

import html
import re
import string
from pathlib import Path

import pytest
from tools import write_catalogue

from pay88kit import language, reports
from pay88kit.errors import WrongUse


@pytest.fixture(autouse=True)
def english_afterwards():
    yield
    language.speak("en")


def _messages():
    return [message for message in write_catalogue.read("es") if message.id]


def test_the_catalogue_says_what_the_code_says():
    assert language.catalogue_of("es").read_text("utf-8") == write_catalogue.renewed("es")


def test_no_string_is_missing():
    assert [str(m.id) for m in _messages() if not m.string or m.fuzzy] == []


def _fields(text: str) -> list[str]:
    try:
        return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)
    except ValueError:
        return ["braces that are no placeholder"]


def test_a_translation_has_the_placeholders_and_marks_of_its_sentence():
    def marks(text: str) -> list[str]:
        return [*_fields(text), *sorted(re.findall(r"`[^`]+`|^#+ |^- ", text, re.M))]

    assert [str(m.id) for m in _messages() if marks(str(m.id)) != marks(str(m.string))] == []


def test_a_value_is_never_read_as_a_sentence_or_a_placeholder():
    language.speak("es")
    assert language._("{words}", words="{other} ## Balance") == "{other} ## Balance"


def test_an_unknown_language_names_those_that_there_are():
    with pytest.raises(WrongUse, match="language: 'pt' is none of en, es"):
        language.speak("pt")
    assert language.spoken() == "en"


def _sentences(page: Path) -> set[str]:
    """The texts of a page: what stands between two tags, and the words for pictures."""
    body = page.read_text("utf-8").partition("<main>")[2]
    body = re.sub(r"<code>.*?</code>", "<code>", body)  # commands and names
    texts = [*re.split(r"<[^>]*>", body), *re.findall(r'alt="([^"]*)"', body)]
    return {" ".join(html.unescape(text).split()) for text in texts}


@pytest.mark.parametrize("name", reports.names())
def test_a_spanish_page_says_nothing_in_english(name, tmp_path):
    english, spanish = (
        reports.carry_out(reports.prepare(name, {"language": code}, tmp_path), engine="pay88-fork")
        for code in ("en", "es")
    )
    assert '<html lang="es">' in spanish.html.read_text("utf-8")
    both = _sentences(english.html) & _sentences(spanish.html)
    # A word of small letters that follows another one: a sentence, and not a name or a number.
    said = [text for text in both if re.search(r"[a-z]{2,} [a-z]{2,}", text)]
    assert said == []
    assert spanish.summary != english.summary
