"""Write the guide as web pages to read, with nothing to run: ``make site``.

    python tests/tools/make_site.py

The pages in ``site/`` show the saved outputs. They load nothing from elsewhere and need no server;
the same notebooks give the same bytes. A link that leads nowhere is named, and nothing is written.
"""

from __future__ import annotations

import html
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import Any
from urllib.parse import unquote

import nbformat
from nbconvert.exporters import HTMLExporter
from pygments.formatters import HtmlFormatter

ROOT = Path(__file__).resolve().parents[2]
FIRST = "00_start_here.html"
STYLE = "style.css"
# Where a page names what a browser loads or goes to.
ADDRESSES = {"href", "src", "srcset", "poster"}
# Elements that run, load or send something; no page of the guide needs one.
FORBIDDEN = {"script", "iframe", "object", "embed", "form", "base"}
# What an image has that nobody described; the second is nbconvert's.
NO_WORDS = {"", "No description has been provided for this image"}
NOTEBOOK_LINK = re.compile(r'(\bhref="[^":?#]*)\.ipynb(?=["#])')

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · pay88kit</title>
<link rel="stylesheet" href="{up}style.css">
</head>
<body>
<header>
<p><a href="{up}index.html">pay88kit</a> · <strong>A copy to read.</strong> To run the guide and do
its exercises, type <code>make lab</code> in a clone of the project, or <code>pay88 lab</code> where
the kit is installed.</p>
</header>
<main>
{body}
</main>
<footer>
<h2 id="all-pages">All pages</h2>
<ul>
{pages}
</ul>
</footer>
</body>
</html>
"""
INDEX = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={FIRST}">
<title>pay88kit</title>
</head>
<body>
<p><a href="{FIRST}">The guide begins here</a></p>
</body>
</html>
"""
CSS = """:root { color-scheme: light dark; --line: light-dark(#c8cdd4, #454b54);
  color: light-dark(#1b1f24, #e3e6ea); background: light-dark(#fff, #14171b); }
body { font: 1rem/1.55 system-ui, sans-serif; max-width: 54rem; margin: 0 auto;
  padding: 0 1rem 2rem; overflow-wrap: anywhere; }
header, footer { font-size: .9rem; border: 0 solid var(--line); }
header { border-bottom-width: 1px; }
footer { border-top-width: 1px; margin-top: 3rem; }
footer ul { columns: 14rem; padding-left: 1.2rem; }
h1, h2, h3 { line-height: 1.25; margin: 2rem 0 .8rem; }
a { color: light-dark(#0b57d0, #a8c7fa); }
code { font: .92em ui-monospace, monospace; }
header code { white-space: nowrap; }
pre { font: .88rem/1.45 ui-monospace, monospace; margin: 0; }
.input_area, .text_cell_render pre { border: 1px solid var(--line); border-radius: 4px;
  margin: .8rem 0; padding: .6rem .8rem; overflow-x: auto; }
.output_subarea, .wide { margin: .8rem 0; overflow-x: auto; }
.output_area { padding-left: .8rem; }
/* In a scrolling box a long word need not be broken. */
.input_area, .output_subarea, .wide, pre { overflow-wrap: normal; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; min-width: 3rem; }
caption { text-align: left; padding: .3rem 0; }
.dataframe, .dataframe :is(th, td) { border: 0 solid var(--line); text-align: right; }
.dataframe :is(th, td) { border-bottom-width: 1px; }
/* Pictures are drawn for a white page. */
img { max-width: 100%; height: auto; background: #fff; }
@media print { header, footer { display: none; } body { max-width: none; } }
"""


# ---------------------------------------------------------------- the pages


def build(notebooks: Path) -> dict[str, bytes]:
    """Every file of the site by its name, made from a folder with the guide's notebooks."""
    files: dict[str, bytes] = {}
    bodies: dict[str, str] = {}
    for path in shipped(notebooks):
        name = path.relative_to(notebooks).as_posix()
        if path.suffix == ".ipynb":
            bodies[name.removesuffix(".ipynb") + ".html"] = body(path)
        else:
            files[name] = path.read_bytes()
    titles = {name: title(text, name) for name, text in bodies.items()}
    for name, text in bodies.items():
        files[name] = page(name, text, titles).encode()
    files["index.html"] = INDEX.encode()
    files[STYLE] = (CSS + colours()).encode()
    return files


def shipped(notebooks: Path) -> Iterator[Path]:
    """The guide's files in order, without what Jupyter and Python leave behind."""
    for path in sorted(notebooks.rglob("*")):
        parts = path.relative_to(notebooks).parts
        if path.is_file() and not any(part.startswith((".", "__")) for part in parts):
            yield path


def body(path: Path) -> str:
    """A notebook's cells as HTML, with links to pages in the place of links to notebooks."""
    text, _ = exporter().from_notebook_node(nbformat.read(path, as_version=4))
    # nbconvert's switch that leaves these signs out leaves out the headings' ids too.
    text = re.sub(r'<a class="anchor-link".*?</a>', "", text)
    text = NOTEBOOK_LINK.sub(r"\1.html", text)
    # On a narrow screen a table scrolls and the prose beside it does not.
    text = re.sub(r"<table\b", r'<div class="wide">\g<0>', text)
    return text.replace("</table>", "</table></div>")


@cache
def exporter() -> Any:
    """One for all pages: each would compile its templates anew."""
    return HTMLExporter(
        template_name="basic",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )


def title(text: str, name: str) -> str:
    """A page's first heading as plain text."""
    found = re.search(r"<h1\b[^>]*>(.*?)</h1>", text, re.DOTALL)
    if found is None:
        raise SystemExit(f"{name} has no heading to be its title: begin the notebook with one.")
    return html.unescape(re.sub(r"<[^>]+>", "", found[1])).strip()


def page(name: str, text: str, titles: Mapping[str, str]) -> str:
    """One whole page; ``titles`` are those of all pages by name."""
    links = (
        f'<li><a href="{relpath(other, dirname(name) or ".")}">{html.escape(label)}</a></li>'
        for other, label in titles.items()
    )
    return PAGE.format(
        title=html.escape(titles[name]),
        up="../" * name.count("/"),
        body=text,
        pages="\n".join(links),
    )


def colours() -> str:
    """The colours of code, for a light and for a dark screen."""
    light, dark = (
        "\n".join(
            rule
            for rule in HtmlFormatter(style=style, nobackground=True)
            .get_style_defs(".highlight")
            .splitlines()
            if rule.startswith(".highlight .")
        )
        for style in ("default", "github-dark")
    )
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


# ---------------------------------------------------------------- the links


class Reader(HTMLParser):
    """What a page links to, what can be linked to in it, and what it may not have."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.addresses: list[str] = []
        self.loaded: list[str] = []
        self.faults: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        # nbconvert writes the id of "Café" as "Caf%C3%A9"; browsers find it under both.
        self.ids |= {unquote(given[name]) for name in ("id", "name") if given.get(name)}
        for name in ADDRESSES & given.keys():
            (self.addresses if tag == "a" else self.loaded).append(given[name])
        if tag in FORBIDDEN:
            self.faults.append(f"<{tag}> has no place in a page to read")
        if tag == "img" and given.get("alt", "").strip() in NO_WORDS:
            self.faults.append(f"the image {given.get('src', '')[:60]} has no alt text")


def faults(files: Mapping[str, bytes]) -> list[str]:
    """What is wrong in a site's pages, each with the page's name.

    A link or an anchor that leads nowhere, an image without alt text, and whatever a browser
    would load from elsewhere or run.
    """
    pages = {
        name: Reader(content.decode()) for name, content in files.items() if name.endswith(".html")
    }
    found = []
    for name, page in pages.items():
        found += [f"{name}: {fault}" for fault in page.faults]
        for address in page.loaded:
            if not address.startswith("data:") and place(name, address) not in files:
                found.append(f"{name}: it loads {address[:80]}, which is not a file of the site")
        for address in page.addresses:
            if re.match(r"(https?|mailto):", address):
                continue
            where, anchor = place(name, address), unquote(address.partition("#")[2])
            if where not in files:
                found.append(f"{name}: the link {address} leads to no file of the site")
            elif anchor and (where not in pages or anchor not in pages[where].ids):
                found.append(f"{name}: the link {address} leads to no place in {where}")
    return found


def place(page: str, address: str) -> str:
    """The name of the file that a relative address on a page leads to."""
    path = unquote(address.partition("#")[0])
    return normpath(join(dirname(page), path)) if path else page


# ---------------------------------------------------------------- the command


def write(notebooks: Path, site: Path) -> list[str]:
    """Make ``site`` anew from the notebooks, unless something is wrong; returns what is."""
    files = build(notebooks)
    found = faults(files)
    if not found:
        shutil.rmtree(site, ignore_errors=True)
        for name, content in files.items():
            path = site / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return found


def main() -> int:
    """Write ``site/``."""
    found = write(ROOT / "notebooks", ROOT / "site")
    for fault in found:
        print(fault, file=sys.stderr)
    if not found:
        print("site/index.html")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
