"""What the lessons' cells call."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import matplotlib as mpl
import pytest

from pay88kit import Config, ConfigError, Pay88Error, RateLimited
from pay88kit.contract import POINTS, Observe, Point
from pay88kit.guide import (
    chart,
    checklist,
    expect,
    lesson,
    lesson_client,
    lesson_config,
    methods,
    points,
)
from pay88kit.guide.catalogue import ITEMS
from pay88kit.guide.points import Points
from pay88kit.models.methods import METHODS

# 88Pay's own list, from its guide overview.
CHECKLIST = """
Create 88Pay account
Upload and get documents approved
Obtain API credentials
Set up development environment
Configure sandbox credentials
Implement token generation
Create first test payment
Set up webhook endpoint
Handle webhook notifications
Implement error handling
Test successful payments
Test failed payments
Test webhook delivery
Test token expiration
Test rate limiting
Switch to production credentials
Configure production webhook URL
Set up monitoring and alerts
Document integration
Train support team
"""


def test_the_checklist_is_88pays_in_its_order() -> None:
    assert [item.text for item in ITEMS] == CHECKLIST.strip().splitlines()
    assert [item.number for item in ITEMS] == list(range(1, 21))


def test_the_checklist_says_the_same_as_text_and_as_html() -> None:
    shown = checklist()
    html = re.sub(r"<[^>]+>", " ", shown._repr_html_())
    for item in ITEMS:
        for word in (str(item.number), item.text, item.lesson):
            assert word in repr(shown)
            assert word in html


def table(shown: Points) -> list[list[str]]:
    """The rows of the HTML form, as a person reads them."""
    rows = re.findall(r"<tr>(.*?)</tr>", shown._repr_html_())
    return [[unescape(c) for c in re.findall(r"<td[^>]*>(.*?)</td>", row)] for row in rows[1:]]


@pytest.mark.parametrize("subject", dict.fromkeys(point.section for point in POINTS))
def test_the_points_of_a_subject_are_all_there_and_named_for_what_they_are(subject: str) -> None:
    shown = points(subject)
    text = repr(shown).splitlines()
    of = [point for point in POINTS if point.section == subject]
    for point, line, cells in zip(of, text[1:], table(shown), strict=True):
        source = "documented" if point.documented else "assumed"
        assert cells == [source, point.topic, "–" if point.documented else point.reading]
        assert line.split(maxsplit=1) == [source, point.statement]
        assert point.topic in line
        assert point.reading in line
    documented = sum(point.documented for point in of)
    counts = f"{documented} points documented by 88Pay, {len(of) - documented} assumed by the kit"
    assert text[0] == f"{subject}: {counts}"
    assert text[0] in unescape(shown._repr_html_())
    # Told by words alone.
    assert "color" not in shown._repr_html_()


def test_only_what_is_assumed_is_listed_on_request() -> None:
    every, assumed = points("Charges"), points("Charges", assumed=True)
    assert table(assumed) == [row for row in table(every) if row[0] == "assumed"]
    assert repr(assumed).splitlines()[0] == repr(every).splitlines()[0] + " (only these are listed)"


def test_an_unknown_subject_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^subject: .*'webhook'.*Authentication.*Webhooks"):
        points("webhook")


def test_points_are_shown_escaped() -> None:
    odd = Point("x", "Odd", "<b>&\nfake", True, "a page", "x.py", Observe.NO)
    shown = Points("Odd", (odd,), (odd,))
    assert "<b>&\n" not in shown._repr_html_()
    assert table(shown) == [["documented", "<b>&\\x0afake", "–"]]
    assert len(repr(shown).splitlines()) == 2


def test_lessons_refuse_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAY88_ENVIRONMENT", "production")
    monkeypatch.setenv("PAY88_API_KEY", "sk_" + "live_" + "x" * 32)
    assert Config().environment == "production"
    with pytest.raises(ConfigError, match="refuse production"):
        lesson_config()


def test_a_key_without_an_environment_is_named_once_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "sk_" + "test_" + "x" * 28 + "wxyz"
    monkeypatch.chdir(tmp_path)

    def said(**variables: str) -> str:
        """By two clients of a new kernel."""
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            with lesson_client(), lesson_client():
                pass
        # Once means once in a kernel.
        lesson._say_unused.cache_clear()
        told = capsys.readouterr()
        return told.out + told.err

    assert said() == ""
    told = said(EIGHTY_EIGHT_PAY_API_KEY=key)
    assert told.startswith("EIGHTY_EIGHT_PAY_API_KEY is set, but PAY88_ENVIRONMENT is not")
    assert told.count("is set, but") == 1
    assert "wxyz" not in told
    assert said(PAY88_API_KEY=key, PAY88_ENVIRONMENT="local") == ""
    (tmp_path / ".env").write_text(f"PAY88_API_KEY={key}\n", encoding="utf-8")
    assert said().startswith("PAY88_API_KEY is set, but PAY88_ENVIRONMENT is not")


def test_the_example_of_an_env_file_names_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A key that is filled in there would have no effect without it.
    monkeypatch.delenv("PAY88_ENVIRONMENT", raising=False)
    example = Path(__file__).resolve().parent.parent / ".env.example"
    (tmp_path / ".env").write_bytes(example.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert Config().environment == "sandbox"


def test_the_methods_are_all_listed_with_what_88pay_says_about_them() -> None:
    header, *rows = [re.split(r"  +", line.strip()) for line in repr(methods()).splitlines()[1:]]
    assert header[:2] == ["Code", "Category"]
    assert {row[0]: row[1] for row in rows} == {m.code: m.category for m in METHODS.values()}
    assert ["PSE", "BANK", "COL", "the country's", "COP to 50,000,000", "instant–24 h"] in rows


def test_an_expected_error_is_shown_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    with expect(Pay88Error):
        raise Pay88Error("first <script>\nsecond")
    assert "Pay88Error\n  first <script>\n  second" in capsys.readouterr().out
    from pay88kit.guide.lesson import Expected

    html = Expected(Pay88Error("<script>alert(1)</script>"))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_an_error_that_does_not_come_fails_the_cell() -> None:
    with pytest.raises(AssertionError, match="RateLimited was expected"), expect(RateLimited):
        pass


def test_another_error_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), expect(RateLimited):
        1 / 0  # noqa: B018


def test_a_chart_carries_its_words() -> None:
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot([1, 2])
    data, metadata = chart(figure, alt="A line that rises")._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == "A line that rises"
    assert data["text/plain"] == "Chart: A line that rises"
    assert data["image/png"].startswith("iVBOR")
    assert not plt.get_fignums()
