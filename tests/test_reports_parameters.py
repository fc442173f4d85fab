"""What a report can be asked for, checked before anything starts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports_support import notebook_of

from pay88kit import reports
from pay88kit.cli import main

CELL = """
# What comes first is no parameter's help.
merchant_id = ""  # whose
day: "date" = "2026-01-15"  # which day
size: "int" = 3
limit: "Decimal" = "10.00"  # in the merchant's currency
share = 0.5
full = True  # everything
language: 'Literal["en", "es"]' = "en"  # of the words
timezone: "ZoneInfo" = ""
profile: "Profile" = ""
note = None
days = [1, 2]
customer: "str"  # must be given
"""
NOW = datetime(2026, 3, 1, 2, tzinfo=UTC)  # the evening before, in Bogotá


def prepared(folder: Path, values: dict[str, Any], cell: str = CELL) -> dict[str, Any]:
    source = notebook_of(folder / "report.ipynb", "pass", parameters=cell)
    job = reports.prepare(str(source), values, folder / "out", now=lambda: NOW)
    return dict(job.values)


def refused(folder: Path, values: dict[str, Any], cell: str = CELL) -> str:
    with pytest.raises(reports.ReportError) as error:
        prepared(folder, values, cell)
    assert not (folder / "out").exists()
    return str(error.value)


def test_the_parameters_are_read_without_running_anything(tmp_path: Path) -> None:
    source = notebook_of(tmp_path / "report.ipynb", parameters=CELL + "print(1 / 0)")
    found = {p.name: (p.type, p.default, p.help) for p in reports.parameters(str(source))}
    assert found == {
        "merchant_id": ("text", '""', "whose"),
        "day": ("date", '"2026-01-15"', "which day"),
        "size": ("whole number", "3", ""),
        "limit": ("amount", '"10.00"', "in the merchant's currency"),
        "share": ("number", "0.5", ""),
        "full": ("yes or no", "True", "everything"),
        "language": ("choice", '"en"', "of the words"),
        "timezone": ("time zone", '""', ""),
        "profile": ("profile", '""', ""),
        "note": ("text", "None", ""),
        "days": ("Python value", "[1, 2]", ""),
        "customer": ("text", "", "must be given"),
    }
    assert [p.name for p in reports.parameters(str(source)) if p.required] == ["customer"]


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("day", "2026-02-03", "2026-02-03"),
        ("day", "20260203", "2026-02-03"),
        ("day", date(2026, 2, 3), "2026-02-03"),
        ("day", "today", "2026-02-28"),
        ("day", "yesterday", "2026-02-27"),
        ("size", "12", 12),
        ("size", 12, 12),
        ("limit", "7.5", "7.50"),
        ("limit", Decimal("7.50"), "7.50"),
        ("share", "0.25", 0.25),
        ("full", "no", False),
        ("full", True, True),
        ("language", "es", "es"),
        ("timezone", "America/Bogota", "America/Bogota"),
        ("timezone", "", ""),
        ("merchant_id", "MCH-COL-1 ñ 😀", "MCH-COL-1 ñ 😀"),
        ("note", "words", "words"),
        ("days", "[3]", [3]),
        ("days", [3], [3]),
    ],
)
def test_what_is_given_takes_the_parameters_type(
    name: str, given: Any, value: Any, tmp_path: Path
) -> None:
    found = prepared(tmp_path, {"customer": "x", "merchant_id": "MCH-COL-1", name: given})
    assert found[name] == value
    assert type(found[name]) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("dya", "2026-01-15", "dya: no parameter of report. Did you mean day? It takes: merchant"),
        ("day", "15/01/2026", "day: '15/01/2026' is no date. Write it as 2026-01-15."),
        ("day", "2026-02-30", "day: '2026-02-30' is no date."),
        ("day", "0001-01-01", "day: '0001-01-01' is no date."),
        ("day", "", "day: is empty. It is: which day."),
        (
            "day",
            "2026-03-01",
            "day: 2026-03-01 has not begun yet: in America/Bogota it is 2026-02-28",
        ),
        ("size", "3.5", "size: '3.5' is no whole number. Write digits only, such as 30."),
        ("size", True, "size: True is no whole number."),
        ("size", "١٢", "size: '١٢' is no whole number."),
        ("limit", 7.5, "limit: 7.5 is a float, which cannot hold money exactly."),
        ("limit", "7.505", "limit: 7.505 has more than two decimals."),
        ("share", "half", "share: 'half' is no number."),
        ("share", "nan", "share: 'nan' is no number."),
        ("full", "maybe", "full: 'maybe' is neither yes nor no. Write yes or no."),
        ("language", "ess", "language: 'ess' is none of en, es. Did you mean es?"),
        ("timezone", "Bogota", "timezone: 'Bogota' is unknown. Use an IANA name"),
        ("timezone", "../../etc/passwd", "timezone: '../../etc/passwd' is unknown."),
        ("profile", "no such", "profile: 'no such' is no name of a profile."),
        ("profile", "shop", "profile: SHOP_PAY88_API_KEY is not set. Set it in the environment"),
        ("days", "[1", "days: '[1' is no value of Python"),
        ("days", "__import__('os')", "is no value of Python"),
        ("days", "{1, 2}", "days: '{1, 2}' cannot be kept in a notebook. Use texts, numbers"),
        ("days", "[1e999]", "days: '[1e999]' cannot be kept in a notebook."),
        ("days", b"1", "cannot be kept in a notebook."),
        ("note", "a\udc80", "note: has characters that no file can hold."),
        ("note", "sk_" + "live_" + "a1b2c3d4e5f6", "note: this looks like a secret"),
    ],
)
def test_what_cannot_be_is_refused_with_field_fault_and_cure(
    name: str, given: Any, said: str, tmp_path: Path
) -> None:
    values = {"customer": "x", "merchant_id": "MCH-COL-1", name: given}
    words = refused(tmp_path, values)
    assert said in words
    assert "a1b2c3d4e5f6" not in words


def test_a_profile_that_a_notebook_names_by_default_is_looked_up_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = 'profile: "Profile" = "SHOP"'
    assert "profile: SHOP_PAY88_API_KEY is not set." in refused(tmp_path, {}, cell)
    monkeypatch.setenv("SHOP_PAY88_API_KEY", A_KEY)
    assert prepared(tmp_path, {}, cell) == {}
    assert prepared(tmp_path, {"profile": "shop"}, cell) == {"profile": "shop"}


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    said = refused(tmp_path, {"day": "x", "size": "y", "nothing": "z"}).splitlines()
    assert [line.partition(":")[0] for line in said] == ["nothing", "customer", "day", "size"]
    assert "customer: is missing, and has no default. It is: must be given." in said[1]


RANGE = 'first_day: "date" = "2026-01-01"\nlast_day: "date" = "2026-01-31"'


def test_a_range_includes_both_ends_and_is_not_empty(tmp_path: Path) -> None:
    same = {"first_day": "2026-01-09", "last_day": "2026-01-09"}
    assert prepared(tmp_path, same, RANGE) == same
    # The other end may be the default.
    other = tmp_path / "other"
    other.mkdir()
    said = refused(other, {"first_day": "2026-02-01"}, RANGE)
    assert "last_day: 2026-01-31 lies before first_day, 2026-02-01: the range is empty." in said


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (None, "has no parameters. Give the tag parameters to the cell"),
        ("%matplotlib inline", "its parameters cell is not plain Python"),
    ],
)
def test_a_notebook_whose_parameters_cannot_be_read(
    cell: str | None, said: str, tmp_path: Path
) -> None:
    source = notebook_of(tmp_path / "report.ipynb", "x = 1", parameters=cell)
    with pytest.raises(reports.ReportError, match=said):
        reports.prepare(str(source), {}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"cells": [1]}', "\x00", '{"cells": {"a": 1}}']
)
def test_a_file_that_is_no_notebook(content: str, tmp_path: Path) -> None:
    source = tmp_path / "report.ipynb"
    source.write_text(content)
    with pytest.raises(reports.ReportError, match=r"is no notebook|has no parameters"):
        reports.prepare(str(source), {}, tmp_path / "out")


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_name_and_no_value_breaks_the_check(name: str, value: str) -> None:
    with pytest.raises(reports.ReportError):
        reports.prepare(name, {name: value}, "/nowhere/at/all")


@given(st.text(max_size=60))
def test_a_text_parameter_is_checked_whatever_it_is(tmp_path_factory: Any, value: str) -> None:
    from pay88kit.reports.parameters import checked, parameters_of

    source = notebook_of(tmp_path_factory.getbasetemp() / "any.ipynb", parameters=CELL)
    known = parameters_of(source)
    for parameter in known:
        values = {"customer": "x", "merchant_id": "MCH-COL-1", parameter.name: value}
        said = ""
        try:
            found = checked("any", known, values, lambda: NOW)
        except reports.ReportError as error:
            said = str(error)
        assert said.startswith(parameter.name) if said else parameter.name in found


# ---------------------------------------------------------------- the command line


def test_parameters_from_a_file_and_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = notebook_of(tmp_path / "mine.ipynb", "print(day, repr(limit), size)", parameters=CELL)
    file = tmp_path / "values.yaml"
    file.write_text("day: 2026-02-03\nlimit: 1234.50\nsize: 4\ncustomer: no\n", encoding="utf-8")
    out = tmp_path / "out"
    words = ["report", "run", str(source), "-y", str(file), "-p", "size=5", "--out", str(out)]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("mine day=2026-02-03 limit=1234.50 size=5 customer=no: done in ")
    assert shown.count("\n") == 1
    (page,) = out.glob("mine*.html")
    assert "2026-02-03 '1234.50' 5" in page.read_text(encoding="utf-8").replace("&#39;", "'")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        ("a: [1, 2]", "holds more than parameters"),
        ("- a", "holds more than parameters"),
        ("a: b: c", "is no YAML"),
        ("a: !!python/object/apply:os.system ['x']", "holds more than parameters"),
        ("dya: 2026-02-03", "dya: no parameter of daily_balance. Did you mean day?"),
        ("\x00", "is no YAML"),
    ],
)
def test_a_file_that_holds_no_parameters(
    content: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "values.yaml"
    if content is not None:
        file.write_text(content)
    out = tmp_path / "out"
    assert main(["report", "run", "daily_balance", "-y", str(file), "--out", str(out)]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


# ---------------------------------------------------------------- profiles

A_KEY = "sk_" + "test_" + "of_the_shop_1234"


def test_a_profile_names_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAY88_MERCHANT_ID", "MCH-COL-USUAL1")
    monkeypatch.setenv("SHOP_PAY88_ENVIRONMENT", "sandbox")
    monkeypatch.setenv("SHOP_PAY88_API_KEY", A_KEY)
    monkeypatch.setenv("SHOP_PAY88_MERCHANT_ID", "MCH-MEX-SHOP01")
    config = reports.config_of("shop")
    assert (config.environment, config.merchant_id) == ("sandbox", "MCH-MEX-SHOP01")
    assert config.api_key == A_KEY
    assert reports.config_of("shop", "MCH-MEX-OTHER1").merchant_id == "MCH-MEX-OTHER1"
    assert reports.config_of().environment == "local"


def test_a_profile_from_a_dotenv_file_is_not_production(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pay88kit import ConfigError

    (tmp_path / ".env").write_text(
        f"SHOP_PAY88_API_KEY={A_KEY}\nSHOP_PAY88_ENVIRONMENT=production\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"production is not switched on by a \.env file"):
        reports.config_of("shop")


def test_no_merchant_of_the_sandbox_is_taken_for_one_of_88pays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pay88kit import ConfigError

    monkeypatch.setenv("PAY88_ENVIRONMENT", "sandbox")
    with pytest.raises(ConfigError, match="merchant_id: none is configured"):
        reports.config_of()
