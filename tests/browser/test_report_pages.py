"""A report's page and the index of runs, opened from their files as their reader does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from driver import LOW_CONTRAST, PHONE, WIDE
from playwright.sync_api import Browser, BrowserContext, Page, expect

from pay88kit import reports
from pay88kit.reports.index import Run, add_run

# How many pixels stand out of the window.
BEYOND = "() => document.documentElement.scrollWidth - window.innerWidth"
SCRIPT = "<script>document.title = 'broken into'</script>"


# JavaScript's own numbers end before the second one.
FAILED = {"x": f"7, {SCRIPT}", "number": 123_456_789_012_345_678, "share": 0.125}


def a_run(number: int, **changes: Any) -> Run:
    values = {
        "at": f"2026-01-{15 + number // 5_000:02}T{number // 200 % 24:02}:00:00.000+00:00",
        "seconds": 1.5, "report": ("daily_balance", "transactions")[number % 2],
        "values": {"merchant_id": f"MCH-COL-{number:05}", "day": "2026-01-15"}, "state": "done",
        "words": f"Operations of the day: {number}, completed: 16, pending: 1.",
        "notebook": f"daily {number}.ipynb", "html": f"daily {number}.html",
    }  # fmt: skip
    return Run(**values | changes)


def opened(context: BrowserContext, file: Path, size: Any = WIDE) -> Page:
    page = context.new_page()
    page.set_viewport_size(size)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(file.as_uri())
    assert faults == []
    return page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ten thousand runs; the rows are written as ``add_run`` writes them."""
    folder = tmp_path_factory.mktemp("reports")
    add_run(folder, a_run(0))
    path = folder / "index.html"
    start = path.read_bytes()
    (line,) = start.splitlines(keepends=True)[-1:]
    lines = [line.replace(b"COL-00000", b"COL-%05d" % n) for n in range(1, 9_990)]
    path.write_bytes(start + b"".join(lines))
    add_run(folder, a_run(3, state="failed", words=f"ValueError: {SCRIPT}", values=FAILED))
    add_run(folder, a_run(9_999))
    return folder


def test_ten_thousand_runs_open_within_two_seconds(context: BrowserContext, folder: Path) -> None:
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        page = opened(context, folder / "index.html")
        expect(page.get_by_role("status")).to_contain_text("of 9992 runs, 1 failed")
        times.append(time.perf_counter() - begun)
        page.close()
    assert min(times) <= 2


def test_failures_stand_on_top_and_strangers_words_stay_words(
    context: BrowserContext, folder: Path
) -> None:
    page = opened(context, folder / "index.html")
    first, second = (page.locator("tbody tr").nth(number) for number in (0, 1))
    expect(first).to_contain_text("failed")
    expect(first).to_contain_text(SCRIPT)
    expect(first).to_contain_text(f"x=7, {SCRIPT}, number=123456789012345678, share=0.125")
    expect(first.get_by_role("link", name="error page")).to_have_attribute(
        "href", "./daily%203.html"
    )
    expect(second).to_contain_text("2026-01-16")  # the newest of the others
    assert page.title() == "Reports"


def test_search_and_filters_narrow_the_list(context: BrowserContext, folder: Path) -> None:
    page = opened(context, folder / "index.html")
    page.get_by_label("Search").fill("col-00042 15")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_label("Search").fill("")
    expect(page.locator("tbody tr")).to_have_count(100)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("tbody tr")).to_have_count(200)
    page.get_by_label("Result").select_option("failed")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_label("Result").select_option("")
    page.get_by_label("Report").select_option("transactions")
    expect(page.get_by_role("status")).to_contain_text("2 of 9992 runs")


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["desktop", "phone"])
def test_the_index_can_be_read(
    context: BrowserContext, folder: Path, size: Any, colours: Any
) -> None:
    page = opened(context, folder / "index.html", size)
    page.emulate_media(color_scheme=colours)
    assert page.evaluate(BEYOND) <= 0
    assert page.evaluate(LOW_CONTRAST) == []


def test_the_index_speaks_the_language_that_its_reader_chooses(
    browser: Browser, folder: Path
) -> None:
    context = browser.new_context(locale="es-CO")
    page = opened(context, folder / "index.html")
    html = page.locator("html")
    expect(html).to_have_attribute("lang", "es")
    expect(page).to_have_title("Informes")
    expect(page.get_by_role("status")).to_have_text(
        "Ejecuciones: 9992 de 9992; fallidas: 1; mostradas: 100, primero las fallidas"
    )
    expect(page.get_by_label("Buscar")).to_have_attribute("placeholder", "comercio, día, palabras")
    first = page.locator("tbody tr").first
    expect(first).to_contain_text("fallido")
    # What a report says of itself is in its own language.
    expect(first).to_contain_text(f"ValueError: {SCRIPT}")
    page.get_by_label("Resultado").select_option("fallido")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_label("Idioma").select_option("English")
    expect(html).to_have_attribute("lang", "en")
    expect(page).to_have_title("Reports")
    expect(page.get_by_role("status")).to_have_text(
        "1 of 9992 runs, 1 failed; 1 shown, failures first"
    )
    assert page.get_by_role("columnheader").all_inner_texts() == [
        "Begun (UTC)", "Result", "Report", "Parameters", "In words", "Files",
    ]  # fmt: skip
    page.reload()  # as after a look at a report
    expect(html).to_have_attribute("lang", "en")
    context.close()
    context = browser.new_context(locale="pt-BR")
    expect(opened(context, folder / "index.html").locator("html")).to_have_attribute("lang", "en")
    context.close()


def test_on_a_phone_each_cell_says_what_it_is(browser: Browser, folder: Path) -> None:
    label = "cell => getComputedStyle(cell, '::before').content"
    context = browser.new_context(locale="es-MX")
    page = opened(context, folder / "index.html", PHONE)
    cells = page.locator("tbody tr").first.locator("td")
    assert [cell.evaluate(label) for cell in cells.all()] == [
        f'"{words}: "'
        for words in (
            "Inicio (UTC)", "Resultado", "Informe", "Parámetros", "En palabras", "Archivos",
        )
    ]  # fmt: skip
    page.get_by_label("Idioma").select_option("en")
    assert cells.nth(1).evaluate(label) == '"Result: "'
    page.set_viewport_size(WIDE)
    assert cells.nth(1).evaluate(label) == "none"
    context.close()


def test_without_its_script_the_index_says_so_in_both_languages(
    browser: Browser, folder: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = opened(context, folder / "index.html")
    expect(page.locator('p[lang="en"]')).to_contain_text("This list needs JavaScript.")
    expect(page.locator('p[lang="es"]')).to_contain_text("Esta lista necesita JavaScript.")
    context.close()


def test_a_run_without_files_has_no_links(context: BrowserContext, tmp_path: Path) -> None:
    add_run(tmp_path, a_run(1, state="failed", words="OSError: full", notebook="", html=""))
    page = opened(context, tmp_path / "index.html")
    expect(page.locator("tbody tr")).to_contain_text("OSError: full")
    expect(page.get_by_role("link")).to_have_count(0)


@pytest.fixture(scope="module", params=["en", "es"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    return reports.run("transactions", {"language": request.param}, out=out).html


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["desktop", "phone"])
def test_a_report_can_be_read_and_loads_nothing(
    context: BrowserContext, report: Path, size: Any, colours: Any
) -> None:
    page = opened(context, report, size)
    page.emulate_media(color_scheme=colours)
    assert page.evaluate(BEYOND) <= 0
    assert page.evaluate(LOW_CONTRAST) == []
    loaded = page.evaluate("performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []
    chart = {
        "en": "Bars for each day of 2026-01-15 to 2026-01-17",
        "es": "Barras por cada día, del 2026-01-15 al 2026-01-17",
    }[page.locator("html").get_attribute("lang")]
    assert page.get_by_role("img").get_attribute("alt").startswith(chart)


def test_a_report_fits_the_width_of_a4(context: BrowserContext, report: Path) -> None:
    page = opened(context, report)
    page.emulate_media(media="print")
    # A4 without its margins, in CSS pixels.
    page.set_viewport_size({"width": round((210 - 32) / 25.4 * 96), "height": 1000})
    assert page.evaluate(BEYOND) <= 0
    assert not page.get_by_role("link", name="Excel (.xlsx)").first.is_visible()
    assert page.pdf(format="A4", prefer_css_page_size=True).startswith(b"%PDF")


def test_a_table_is_one_press_away_as_a_file(context: BrowserContext, report: Path) -> None:
    page = opened(context, report)
    with page.expect_download() as download:
        page.get_by_role("link", name="Excel (.xlsx)").first.click()
    name = {"en": "1-Operations_by_method.xlsx", "es": "1-Operaciones_por_método.xlsx"}
    assert download.value.suggested_filename == name[page.locator("html").get_attribute("lang")]
    assert download.value.path().read_bytes().startswith(b"PK")
