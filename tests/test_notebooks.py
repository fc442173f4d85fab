"""The committed notebooks, as files: what nbval lets through, and what a reader would stumble on.

Each rule takes a notebook and returns what is wrong with it. The second half of this file breaks
each rule on purpose.
"""

from __future__ import annotations

import html
import json
import re
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pay88kit.guide.catalogue import ITEMS, LESSONS, PAGES
from pay88kit.guide.glossary import TERMS, Term

GUIDE = Path(__file__).resolve().parent.parent / "notebooks"
REPORT = "reports/daily_balance"
NAMES = (*(page.name for page in PAGES), "glossary", "quick_reference", "run_a_report", REPORT)
MOST_LINES = 15
MEDIAN_LINES = 4
FEWEST = 3

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`[^`\n]+`")
HEADING = re.compile(
    r"^ {0,3}(#{1,6})\s|<h([1-6])\b|^[^\n|]*\w[^\n|]*\n(=+|-+)[ \t]*$", re.MULTILINE
)
IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<target>[^)\s]+)[^)]*\)")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)[^)]*\)")
IMG_TAG = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
ATTRIBUTE = re.compile(r"""\b(alt|src)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
KEY = re.compile(r"(?:sk_test_|sk_live_|whsec_)\w{6,}")
MACHINE_PATH = re.compile(r"/(?:work|root|home|tmp|Users)/|[A-Za-z]:\\+Users")
EXERCISE = re.compile(r"^### \d\d\.\d+ · \w", re.MULTILINE)
NUMBERED = re.compile(r"^\d+\. \S", re.MULTILINE)
TABLE_ROW = re.compile(r"^\|.*$", re.MULTILINE)
TITLE_LINE = re.compile(r"^#+ .*$", re.MULTILINE)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Notebook:
    """A notebook file and what it says."""

    path: Path
    content: dict[str, Any]

    @property
    def cells(self) -> list[dict[str, Any]]:
        return self.content["cells"]

    @property
    def code(self) -> list[dict[str, Any]]:
        return [cell for cell in self.cells if cell["cell_type"] == "code"]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        return [output for cell in self.code for output in cell["outputs"]]

    @property
    def markdown(self) -> list[str]:
        return [text(cell["source"]) for cell in self.cells if cell["cell_type"] == "markdown"]

    @property
    def prose(self) -> str:
        """All markdown cells without their code."""
        return INLINE_CODE.sub("", FENCE.sub("", "\n\n".join(self.markdown)))

    @property
    def sections(self) -> list[str]:
        """The cells that begin a section, in order."""
        return [cell for cell in self.markdown if cell.startswith("## ")]

    @property
    def running_text(self) -> str:
        """The prose without headings, tables, pictures and links to other pages."""
        bare = TITLE_LINE.sub("", TABLE_ROW.sub("", IMAGE.sub("", self.prose)))
        return LINK.sub(lambda m: m[0] if m["target"].startswith("glossary") else "", bare)


def text(value: str | list[str]) -> str:
    """What the format writes as one string or as a list of lines."""
    return value if isinstance(value, str) else "".join(value)


def strings(value: Any) -> Iterator[str]:
    """All text in a piece of a notebook, lines joined."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        yield "".join(value)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from strings(part)


def shown(notebook: Notebook) -> Iterator[str]:
    """All text of the outputs; pictures are not text."""
    for output in notebook.outputs:
        data = output.get("data", {})
        for mime, value in data.items():
            if not mime.startswith("image/") or mime == "image/svg+xml":
                yield from strings(value)
        yield from strings({name: part for name, part in output.items() if name != "data"})


def tags(cell: dict[str, Any]) -> list[str]:
    return cell["metadata"].get("tags", [])


def read(path: Path) -> Notebook:
    return Notebook(path, json.loads(path.read_bytes()))


# ---------------------------------------------------------------- the rules


def executed_in_order(notebook: Notebook) -> list[str]:
    counts = [cell["execution_count"] for cell in notebook.code]
    if counts == list(range(1, len(counts) + 1)):
        return []
    return [f"execution counts are {counts}: restart the kernel and run all cells"]


def no_errors(notebook: Notebook) -> list[str]:
    return [
        f"output error: {output['ename']}"
        for output in notebook.outputs
        if output["output_type"] == "error"
    ]


def no_stderr(notebook: Notebook) -> list[str]:
    return [
        f"stderr: {text(output['text'])[:60]!r}"
        for output in notebook.outputs
        if output["output_type"] == "stream" and output["name"] == "stderr"
    ]


def no_widgets(notebook: Notebook) -> list[str]:
    found = ["metadata.widgets is saved"] if "widgets" in notebook.content["metadata"] else []
    views = [output for output in notebook.outputs if WIDGET_VIEW in output.get("data", {})]
    return found + ["a widget view is saved"] * len(views)


def headings(notebook: Notebook) -> list[str]:
    levels = []
    for marks, tag, underline in HEADING.findall(notebook.prose):
        levels.append(len(marks) or int(tag or 0) or (1 if "=" in underline else 2))
    found = [] if levels.count(1) == 1 else [f"{levels.count(1)} headings of level 1"]
    for before, after in zip([0, *levels], levels, strict=False):
        if after > before + 1:
            found.append(f"a heading of level {after} follows one of level {before}")
    return found


def images(notebook: Notebook) -> list[str]:
    found = []
    pictures = [(match["alt"], match["target"]) for match in IMAGE.finditer(notebook.prose)]
    for tag in IMG_TAG.findall(notebook.prose):
        named = {name.lower(): one or other for name, one, other in ATTRIBUTE.findall(tag)}
        pictures.append((named.get("alt", ""), named.get("src", "")))
    for alt, target in pictures:
        if not alt.strip():
            found.append(f"image {target} has no alt text")
        if not in_guide(notebook, target):
            found.append(f"image {target} is not a file of the guide")
    for output in notebook.outputs:
        for mime, value in output.get("data", {}).items():
            about = output["metadata"].get(mime)
            alt = about.get("alt", "") if isinstance(about, dict) else ""
            if mime.startswith("image/") and not alt.strip():
                found.append(f"an output of {mime} has no alt text")
            if mime == "text/html" and any(
                not re.search(r"\balt\s*=\s*[\"'][^\"']", tag)
                for tag in IMG_TAG.findall(text(value))
            ):
                found.append("an image in an output of text/html has no alt text")
    return found


def in_guide(notebook: Notebook, target: str) -> bool:
    """Whether a relative address leads to a file that is shipped with the guide."""
    place = (notebook.path.parent / target.partition("#")[0]).resolve()
    root = next((p for p in notebook.path.parents if p == GUIDE), notebook.path.parent)
    return place.is_file() and place.is_relative_to(root)


def links(notebook: Notebook) -> list[str]:
    targets = (match["target"] for match in LINK.finditer(notebook.prose))
    return [
        f"link to {target}, which is not a file of the guide"
        for target in targets
        if not re.match(r"[a-z]+:|#", target) and not in_guide(notebook, target)
    ]


def no_keys(notebook: Notebook) -> list[str]:
    every = [*strings(notebook.content), json.dumps(notebook.content, ensure_ascii=False)]
    found = {key for part in every for key in KEY.findall(html.unescape(part))}
    # The report on a key must not print it.
    return [f"a key: {key[:8]}… ({len(key)} characters)" for key in sorted(found)]


def short_cells(notebook: Notebook) -> list[str]:
    lengths = {cell["execution_count"]: lines(cell) for cell in notebook.code}
    return [
        f"code cell {count} has {length} lines; at most {MOST_LINES}"
        for count, length in lengths.items()
        if length > MOST_LINES
    ]


def lines(cell: dict[str, Any]) -> int:
    return len(text(cell["source"]).splitlines())


def prose_before_code(notebook: Notebook) -> list[str]:
    found = []
    before = None
    for number, cell in enumerate(notebook.cells):
        if "parameters" in tags(cell):
            # Papermill puts its own cell behind this one; the page shows neither.
            continue
        if cell["cell_type"] == "code" and before not in ("markdown", "code"):
            found.append(f"cell {number} is code without prose before it")
        before = cell["cell_type"] if text(cell["source"]).strip() else "nothing"
    return found


def first_cell(notebook: Notebook) -> list[str]:
    """A lesson begins with its title, the story, and what the reader gets, needs and spends."""
    cell = notebook.cells[0]
    title, *paragraphs = text(cell["source"]).split("\n\n")
    found = []
    if cell["cell_type"] != "markdown" or not re.fullmatch(r"# .+", title):
        found.append("the first cell does not begin with the title alone")
    at = next((n for n, p in enumerate(paragraphs) if p.startswith("**You will learn** ")), None)
    if at is None:
        return [*found, "no paragraph of the first cell begins with **You will learn**"]
    if not "".join(paragraphs[:at]).strip():
        found.append("no story stands between the title and what you will learn")
    if not re.search(r"\*\*You need\*\* \w.*\*\*Time:\*\* \d+ minutes\.", paragraphs[at]):
        found.append("**You need** … and **Time:** … minutes. do not follow what you will learn")
    return found


def ending(notebook: Notebook) -> list[str]:
    """A lesson ends with what was done, its receipt, and the way on."""
    if len(notebook.cells) < 3:
        return ["what you did, its receipt and the way on are not three cells"]
    told, receipt, way = notebook.cells[-3:]
    title, *paragraphs = text(told["source"]).split("\n\n")
    found = [] if "".join(paragraphs).strip() else ["what you did is not told"]
    if told["cell_type"] != "markdown" or title != "## What you did":
        found.append("the last section is not '## What you did'")
    call = text(receipt["source"]).splitlines()[-1:]
    if receipt["cell_type"] != "code" or not "".join(call).startswith("receipt("):
        found.append("no receipt(…) follows what you did")
    if way["cell_type"] != "markdown" or not re.match(
        r"\*\*Next:\*\* \[[^\]]+\]\([^)]+\)", text(way["source"])
    ):
        found.append("the last cell is not **Next:** with a link")
    return found


def exercises(notebook: Notebook) -> list[str]:
    """A lesson lets the learner try, at least three times."""
    sections = {cell.splitlines()[0] for cell in notebook.sections}
    found = [] if "## Your turn" in sections else ["there is no section '## Your turn'"]
    count = len(EXERCISE.findall(notebook.prose))
    return found + ([f"{count} exercises; at least {FEWEST}"] if count < FEWEST else [])


def recall(notebook: Notebook) -> list[str]:
    """A lesson asks, after its exercises, what stays; the answers are folded away."""
    titles = [cell.splitlines()[0] for cell in notebook.sections]
    if titles.count("## Questions to recall") != 1:
        return ["there is not one cell '## Questions to recall'"]
    at = titles.index("## Questions to recall")
    found = []
    if at == 0 or titles[at - 1] != "## Your turn":
        found.append("'Questions to recall' does not follow 'Your turn'")
    asked, _, folded = notebook.sections[at].partition("<details>")
    answers, end, _ = folded.partition("</details>")
    questions = len(NUMBERED.findall(asked))
    if questions < FEWEST:
        found.append(f"{questions} questions to recall; at least {FEWEST}")
    if not end or len(NUMBERED.findall(answers)) != questions:
        found.append("the answers, inside <details>, are not as many as the questions")
    return found


def mentioned(term: Term, words: str) -> int | None:
    """Where the words first name the term."""
    found = re.search(rf"\b{term.name}", words, re.IGNORECASE)
    return found.start() if found else None


def glossary(notebook: Notebook) -> list[str]:
    """A lesson links a word of the glossary once, where the word comes up first."""
    found = []
    words = notebook.running_text
    for term in TERMS:
        link = f"]({term.anchor})"
        if notebook.prose.count(link) > 1:
            found.append(f"{term.name} is linked more than once")
        first = mentioned(term, words)
        # In a table a word is looked up, not read: it is linked there or not.
        if link in words and first is not None and first < words.rindex("[", 0, words.index(link)):
            found.append(f"{term.name} is used before it is linked")
    return found


def small_cells(notebook: Notebook) -> list[str]:
    median = statistics.median(map(lines, notebook.code)) if notebook.code else 0
    if median <= MEDIAN_LINES:
        return []
    return [f"half of the code cells have {median:g} lines or more; at most {MEDIAN_LINES}"]


def no_machine(notebook: Notebook) -> list[str]:
    found = []
    for part in shown(notebook):
        found += [f"a path of this machine: {path}…" for path in MACHINE_PATH.findall(part)]
        found += [f"the control character {char!r}" for char in sorted(set(CONTROL.findall(part)))]
    return found


RULES: tuple[Callable[[Notebook], list[str]], ...] = (
    executed_in_order,
    no_errors,
    no_stderr,
    no_widgets,
    headings,
    images,
    links,
    no_keys,
    short_cells,
    prose_before_code,
    no_machine,
)
# What holds for the numbered lessons besides.
LESSON_RULES: tuple[Callable[[Notebook], list[str]], ...] = (
    first_cell,
    ending,
    small_cells,
    exercises,
    recall,
    glossary,
)
# `explore` is no lesson: nobody learns it by heart, and it takes as long as one likes.
CONSOLE_RULES = (ending, small_cells, exercises, glossary)


# ---------------------------------------------------------------- the committed notebooks


def committed() -> list[Path]:
    return sorted(p for p in GUIDE.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)


@pytest.mark.parametrize("path", committed(), ids=lambda path: path.stem)
def test_notebook_keeps_every_rule(path: Path) -> None:
    notebook = read(path)
    assert [f"{rule.__name__}: {broken}" for rule in RULES for broken in rule(notebook)] == []


@pytest.mark.parametrize("name", [lesson.name for lesson in LESSONS])
@pytest.mark.parametrize("rule", LESSON_RULES, ids=lambda rule: rule.__name__)
def test_lesson_keeps_its_frame(rule: Callable[[Notebook], list[str]], name: str) -> None:
    assert rule(read(GUIDE / f"{name}.ipynb")) == []


@pytest.mark.parametrize("rule", CONSOLE_RULES, ids=lambda rule: rule.__name__)
def test_the_console_keeps_its_frame(rule: Callable[[Notebook], list[str]]) -> None:
    assert rule(read(GUIDE / "explore.ipynb")) == []


def test_a_word_of_the_glossary_is_linked_in_the_first_lesson_that_uses_it() -> None:
    pages = [read(GUIDE / lesson.file) for lesson in LESSONS]
    for term in TERMS:
        using = (page for page in pages if mentioned(term, page.running_text) is not None)
        first = next(using, None)
        if first is not None:
            before = "".join(page.prose for page in pages[: pages.index(first) + 1])
            assert term.anchor in before, (term.name, first.path.stem)


def test_guide_is_complete() -> None:
    assert {f"{name}.ipynb" for name in NAMES} <= {
        path.relative_to(GUIDE).as_posix() for path in committed()
    }


def test_every_item_of_the_checklist_names_a_lesson() -> None:
    assert [item.number for item in ITEMS] == list(range(1, 21))
    for item in ITEMS:
        assert (GUIDE / f"{item.lesson}.ipynb").is_file(), item


def test_report_takes_parameters() -> None:
    tagged = [cell for cell in read(GUIDE / f"{REPORT}.ipynb").code if "parameters" in tags(cell)]
    assert len(tagged) == 1
    for name in ("merchant_id", "day"):
        assert re.search(rf"^{name}(: [^=]+)? = ", text(tagged[0]["source"]), re.MULTILINE)


# ---------------------------------------------------------------- the rules catch a bad notebook


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source.splitlines(keepends=True)}


def code(
    source: str = "1 + 1", *outputs: dict[str, Any], count: int | None = 1, **metadata: Any
) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": count,
        "metadata": metadata,
        "outputs": list(outputs),
        "source": source.splitlines(keepends=True),
    }


def result(**data: Any) -> dict[str, Any]:
    """An output of the MIME types named as ``text_plain=…``."""
    named = {mime.replace("_", "/", 1): value for mime, value in data.items()}
    return {"output_type": "display_data", "data": named, "metadata": {}}


def stream(words: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": [words]}


def notebook_of(folder: Path, *cells: dict[str, Any], **metadata: Any) -> Notebook:
    content = {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path = folder / "page.ipynb"
    path.write_text(json.dumps(content), "utf-8")
    return read(path)


TITLE = markdown("# A title")
OPENING = """# A title

A story.

**You will learn** it. **You need** lesson 01. **Time:** 10 minutes.

← [One](one.ipynb)"""
DONE = markdown("## What you did\n\nYou took a token.")
RECEIPT = code("from pay88kit.guide import receipt\n\nreceipt('02', client)", count=9)
WAY = markdown("**Next:** [Two](next.ipynb): more.")
ENDING = (DONE, RECEIPT, WAY)
YOUR_TURN = """## Your turn

Put your answer in the place of each `...`.

### 03.1 · One

### 03.2 · Two

### 03.3 · Three"""
RECALL = """## Questions to recall

1. What?
2. Where?
3. When?

<details><summary>Answers</summary>

1. This.
2. Here.
3. Now.

</details>"""
WORD = "[payins](glossary.ipynb#Payin)"
ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "", "traceback": []}
PICTURE = {"output_type": "display_data", "data": {"image/png": "iVBO"}, "metadata": {}}
LONG = "\n".join(["pass"] * (MOST_LINES + 1))
# Put together here, so that this file has no key either.
A_KEY = "sk_" + "test_" + "abc123"

BAD: list[tuple[Callable[[Notebook], list[str]], str, list[dict[str, Any]]]] = [
    (executed_in_order, "never run", [TITLE, code(count=None)]),
    (executed_in_order, "run twice", [TITLE, code(count=2)]),
    (executed_in_order, "out of order", [TITLE, code(count=2), code(count=1)]),
    (no_errors, "an error", [TITLE, code("1 / 0", ERROR)]),
    (no_stderr, "a warning", [TITLE, code("warn()", stream("careful", "stderr"))]),
    (no_widgets, "a view", [TITLE, code("w", {**result(), "data": {WIDGET_VIEW: {}}})]),
    (headings, "no title", [markdown("## Second"), code()]),
    (headings, "two titles", [TITLE, markdown("# Another")]),
    (headings, "a title in HTML", [TITLE, markdown("<h1>Another</h1>")]),
    (headings, "an underlined title", [TITLE, markdown("Another\n=======")]),
    (headings, "a skipped level", [TITLE, markdown("### Third")]),
    (headings, "only a comment in code", [markdown("```\n# not a title\n```")]),
    (images, "no alt text", [TITLE, markdown("![](picture.svg)")]),
    (images, "no such file", [TITLE, markdown("![A picture](missing.svg)")]),
    (images, "from elsewhere", [TITLE, markdown("![A picture](https://example.com/a.png)")]),
    (images, "a tag without alt text", [TITLE, markdown('<img src="picture.svg">')]),
    (images, "a tag without a file", [TITLE, markdown('<img alt="A" src="missing.svg">')]),
    (images, "a drawing without alt text", [TITLE, code("draw()", PICTURE)]),
    (images, "alt text elsewhere", [TITLE, code("d", {**PICTURE, "metadata": {"alt": "Bars"}})]),
    (images, "a picture in HTML", [TITLE, code("d", result(text_html=["<img src='data:x'>"]))]),
    (links, "no such page", [TITLE, markdown("[Next](11_missing.ipynb)")]),
    (links, "out of the guide", [TITLE, markdown("[Home](../README.md)")]),
    (no_keys, "in a cell", [TITLE, code(f"key = '{A_KEY}'")]),
    (no_keys, "in prose", [markdown(f"# The key {A_KEY}")]),
    (no_keys, "in a stream", [TITLE, code("print(key)", stream(f"key={A_KEY}\n"))]),
    (no_keys, "in a table", [TITLE, code("t", result(text_html=[f"<td>{A_KEY}</td>"]))]),
    (no_keys, "escaped", [TITLE, code("t", result(text_html=[A_KEY.replace("_", "&#95;")]))]),
    (no_keys, "in JSON", [TITLE, code("t", {**result(), "data": {"application/json": [[A_KEY]]}})]),
    (no_keys, "a live one", [TITLE, code(A_KEY.replace("test", "live"))]),
    (no_keys, "a webhook secret", [TITLE, code(A_KEY.replace("sk_test", "whsec"))]),
    (short_cells, "long", [TITLE, code(LONG)]),
    (prose_before_code, "code first", [code(), TITLE]),
    (prose_before_code, "empty prose first", [markdown(""), code()]),
    (prose_before_code, "parameters first", [code(tags=["parameters"]), code(count=2), TITLE]),
    (no_machine, "a home", [TITLE, code("p", stream("/home/ana/shop/app.py"))]),
    (
        no_machine,
        "the root's home",
        [TITLE, code("p", result(text_plain="/".join(("'", "root", "x'"))))],
    ),
    (
        no_machine,
        "a work folder",
        [TITLE, code("p", result(text_html=["/".join(("<td>", "work", "a<", "td>"))]))],
    ),
    (no_machine, "Windows", [TITLE, code("p", result(text_plain="'C:\\\\Users\\\\Ana'"))]),
    (first_cell, "code", [code(), TITLE]),
    (first_cell, "no title", [markdown(OPENING.replace("# A", "## A"))]),
    (first_cell, "text at the title", [markdown(OPENING.replace("\n\n", "\n", 1))]),
    (first_cell, "no aim", [markdown(OPENING.replace("You will learn", "Learn"))]),
    (first_cell, "no story", [markdown(OPENING.replace("A story.\n\n", ""))]),
    (first_cell, "no needs", [markdown(OPENING.replace("**You need** lesson 01. ", ""))]),
    (first_cell, "no time", [markdown(OPENING.replace("10 minutes", "a while"))]),
    (ending, "something behind it", [*ENDING, code()]),
    (ending, "another heading", [markdown("## Summary\n\nYou took a token."), RECEIPT, WAY]),
    (ending, "nothing told", [markdown("## What you did"), RECEIPT, WAY]),
    (ending, "no receipt", [DONE, code("client.books"), WAY]),
    (ending, "a receipt in words", [DONE, markdown("receipt(it)"), WAY]),
    (ending, "no way on", [DONE, RECEIPT, markdown("That was all.")]),
    (ending, "no link", [DONE, RECEIPT, markdown("**Next:** two.")]),
    (ending, "nothing else", [DONE]),
    (small_cells, "five lines", [TITLE, *[code("\n".join(["pass"] * (MEDIAN_LINES + 1)))] * 2]),
    (exercises, "none", [TITLE]),
    (exercises, "two", [markdown(YOUR_TURN.replace("### 03.3 · Three", "Three"))]),
    (exercises, "another heading", [markdown(YOUR_TURN.replace("Your turn", "Exercises"))]),
    (recall, "none", [markdown(YOUR_TURN)]),
    (recall, "twice", [markdown(YOUR_TURN), markdown(RECALL), markdown(RECALL)]),
    (recall, "before the exercises", [markdown(RECALL), markdown(YOUR_TURN)]),
    (recall, "something between", [markdown(t) for t in (YOUR_TURN, "## A map", RECALL)]),
    (
        recall,
        "two questions",
        [markdown(YOUR_TURN), markdown(RECALL.replace("3. When?\n", "").replace("3. Now.\n", ""))],
    ),
    (recall, "two answers", [markdown(YOUR_TURN), markdown(RECALL.replace("3. Now.\n", ""))]),
    (recall, "open answers", [markdown(YOUR_TURN), markdown(RECALL.replace("details>", "p>"))]),
    (recall, "no end", [markdown(YOUR_TURN), markdown(RECALL.replace("</details>", ""))]),
    (glossary, "linked twice", [markdown(f"# A title\n\n{WORD} and {WORD}")]),
    (glossary, "linked late", [markdown(f"# A title\n\nA payin. Many {WORD}.")]),
    (glossary, "linked in a later cell", [markdown("A Payin."), markdown(WORD)]),
    (no_machine, "colours", [TITLE, code("p", stream("\x1b[31mred\x1b[0m"))]),
    (no_machine, "a progress bar", [TITLE, code("p", stream("10%\r20%\r"))]),
]


@pytest.mark.parametrize(
    ("rule", "cells"),
    [pytest.param(rule, cells, id=f"{rule.__name__}: {name}") for rule, name, cells in BAD],
)
def test_rule_catches_a_bad_notebook(
    rule: Callable[[Notebook], list[str]], cells: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "picture.svg").write_text("<svg/>")
    notebook = notebook_of(tmp_path, *cells)
    assert rule(notebook)
    assert A_KEY not in "".join(rule(notebook))


def test_saved_widget_state_is_caught(tmp_path: Path) -> None:
    assert no_widgets(notebook_of(tmp_path, TITLE, widgets={}))


def test_every_rule_has_its_bad_notebook() -> None:
    assert {rule for rule, _, _ in BAD} == {*RULES, *LESSON_RULES}


def test_good_notebook_keeps_every_rule(tmp_path: Path) -> None:
    (tmp_path / "picture.svg").write_text("<svg/>")
    (tmp_path / "next.ipynb").write_text("{}")
    notebook = notebook_of(
        tmp_path,
        TITLE,
        code(f"key = '{A_KEY[:8]}…'", count=1, tags=["parameters"]),
        markdown("## Second\n\n![A picture](picture.svg) [Next](next.ipynb#a) <https://x.example>"),
        markdown("### Third\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n`![](x)`\n\n```\n# code\n```"),
        code("draw()", {**PICTURE, "metadata": {"image/png": {"alt": "Bars"}}}, count=2),
        code("\n".join(["pass"] * MOST_LINES), stream("one\n\ttwo …\n"), count=3),
        markdown("## Again second"),
        code("a", result(text_html=["<img alt='Bars' src='x'>"], text_plain="1"), count=4),
    )
    assert [broken for rule in RULES for broken in rule(notebook)] == []


def test_good_lesson_keeps_its_frame(tmp_path: Path) -> None:
    used = f"## Payins\n\n| payins | 1 |\n\n`payins`, then {WORD}, then payins again"
    notebook = notebook_of(
        tmp_path,
        markdown(OPENING),
        code("pass"),
        markdown(used),
        code("pass"),
        code("\n".join(["pass"] * 9)),
        *map(markdown, (YOUR_TURN, RECALL, "## A map\n\nIt may stand here.")),
        *ENDING,
    )
    assert [broken for rule in LESSON_RULES for broken in rule(notebook)] == []
