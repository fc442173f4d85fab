"""The form: what to ask for, how far it is, and where the results are."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pay88kit import places, reports
from pay88kit.config import without_secrets
from pay88kit.display import one_line
from pay88kit.errors import Pay88Error, needs
from pay88kit.guide.markdown import table
from pay88kit.guide.report_form.controls import (
    HIDDEN,
    SEEN,
    STYLE,
    WIDE,
    Control,
    alert,
    control,
    small,
)
from pay88kit.guide.report_form.shelf import Shelf
from pay88kit.guide.report_form.words import REPORTS
from pay88kit.language import LANGUAGES, _, speak, translated
from pay88kit.reports import files
from pay88kit.reports.engine import watching
from pay88kit.reports.index import NAME as INDEX

with needs("guide"):
    import ipywidgets

_LANGUAGE = "language"
_OUT = "reports-out"
# Inside a widget JupyterLab leaves links without colour and underline.
_LINK = "color:var(--jp-content-link-color,#0b57d0);text-decoration:underline"
_BAR = "width:100%;max-width:42em"


class ReportForm:
    """Pick a report, fill its form, run it, and open what came of it.

    ``report``, ``language``, ``run_button`` and ``stop_button`` are ipywidgets, ``controls`` (by
    parameter) hold them; they may be used from code too. Nothing begins before the button.

    Args:
        out: the folder for the files, as of :func:`pay88kit.reports.run`; by default
            ``reports-out`` beside the notebook.
        language: of the form and of the reports, ``en`` or ``es``.
    """

    def __init__(self, out: Path | str | None = None, *, language: str = "en") -> None:
        speak(language)
        self._out = Path(out or _beside()).absolute()
        self._typed: dict[str, str] = {}
        self._shelf: Shelf | None = None
        self._filling = False
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._engine = watching.engine(self._reached)
        self.controls: dict[str, Control] = {}
        self.language = ipywidgets.Dropdown(
            options=[(name, code) for code, name in LANGUAGES.items()], value=language,
            layout=WIDE, style=STYLE,
        )  # fmt: skip
        self.report = ipywidgets.Dropdown(options=reports.names(), layout=WIDE, style=STYLE)
        self.run_button = ipywidgets.Button(button_style="primary", layout={"width": "auto"})
        self.stop_button = ipywidgets.Button(layout={"width": "auto", "display": HIDDEN})
        self._purpose, self.status = ipywidgets.HTML(), ipywidgets.HTML()
        self._fields, self._index = ipywidgets.VBox(), ipywidgets.HTML()
        #: What came of each run, the newest first.
        self.results = ipywidgets.VBox()
        #: The widget; a notebook shows it when this form is a cell's last line.
        self.box = ipywidgets.VBox(
            [
                self.language, self.report, self._purpose, self._fields,
                ipywidgets.Box([self.run_button, self.stop_button], layout={"flex_flow": "wrap"}),
                self.status, self.results, self._index,
            ]
        )  # fmt: skip
        self.language.observe(self._translate, "value")
        self.report.observe(self._choose, "value")
        self.run_button.on_click(self._run)
        self.stop_button.on_click(self._stop)
        self._translate(None)

    # -- the form

    def _(self, text: str, /, **values: Any) -> str:
        """The sentence in the form's language, in whatever thread, and beside other forms."""
        return translated(text, self.language.value, **values)

    def _speak(self) -> None:
        """What the kit itself says, in an error for one, is in the form's language too."""
        # Each time: another form in this kernel may be in another language.
        speak(self.language.value)

    def _translate(self, change: Any) -> None:
        self._speak()
        self.language.description = _("Language")
        self.report.description = _("Report")
        self.run_button.description = _("Run the report")
        self.stop_button.description = _("Stop")
        chosen = self.report.value
        self._filling = True
        self.report.options = [(self._title(name), name) for name in reports.names()]
        self.report.value = chosen
        self._filling = False
        self._show_index()
        self._choose(None)

    def _title(self, name: str) -> str:
        return _(REPORTS[name][0]) if name in REPORTS else name

    def _choose(self, change: Any) -> None:
        if self._filling:
            return
        self._speak()
        self._remember()
        if not self.running:
            self.status.value = ""
        name = self.report.value
        purpose = _(REPORTS[name][1]) if name in REPORTS else ""
        self._purpose.value = small(html.escape(purpose))
        before = self.controls.values()
        self.controls = {
            parameter.name: control(parameter, self._typed.get(parameter.name))
            for parameter in reports.parameters(name)
            if parameter.name != _LANGUAGE
        }
        self._fields.children = [each.box for each in self.controls.values()]
        for old in before:
            old.close()

    def _remember(self) -> None:
        """Keep what was typed, for the next report that has a parameter of this name."""
        for name, each in self.controls.items():
            if each.text != each.default:
                self._typed[name] = each.text
            else:
                self._typed.pop(name, None)

    def values(self) -> dict[str, str]:
        """What the report is to be given: what was changed, its days, and the language."""
        declared = {
            parameter.name: parameter for parameter in reports.parameters(self.report.value)
        }
        given = {
            name: each.text
            for name, each in self.controls.items()
            # What a report is about is in the names of its files: its days always.
            if each.text != each.default or (declared[name].type == "date" and each.text)
        }
        return given | ({_LANGUAGE: self.language.value} if _LANGUAGE in declared else {})

    # -- a run

    @property
    def running(self) -> bool:
        """Whether a report is being made."""
        return self._thread is not None and self._thread.is_alive()

    def wait(self, timeout: float | None = None) -> None:
        """Return when the report that is being made has ended."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self, button: Any) -> None:
        if self.run_button.disabled:
            return
        self._speak()
        for each in self.controls.values():
            each.mark("")
        try:
            job = reports.prepare(self.report.value, self.values(), self._out)
        except Pay88Error as error:
            self._refuse(without_secrets(str(error)))
            return
        self._stopped = False
        self._busy(True)
        self._progress(self._("The report begins …"), 0, 1)
        self._thread = threading.Thread(
            target=self._carry_out, args=[job], name="pay88-report", daemon=True
        )
        self._thread.start()

    def _refuse(self, faults: str) -> None:
        """Each fault beside the field that it names, the others above them."""
        others = []
        for fault in faults.splitlines():
            name = fault.partition(":")[0]
            if name in self.controls:
                self.controls[name].mark(fault)
            else:
                others.append(fault)
        begun = _("Nothing was begun. Please correct what is marked with ⚠.")
        self.status.value = _status(begun) + (alert("\n".join(others)) if others else "")

    def _carry_out(self, job: reports.Job) -> None:
        try:
            shown = self._outcome(job)
            # The newest on top, below it what was there.
            self.results.children = (ipywidgets.HTML(shown), *self.results.children)
            self._show_index()
        finally:
            self.status.value = _status(self._("It has ended; the result is below."))
            self._busy(False)

    def _outcome(self, job: reports.Job) -> str:
        """Make the report; returns what came of it."""
        try:
            return self._done(job, reports.carry_out(job, engine=self._engine))
        except _Stopped:
            files.release(job.notebook)
            return _part(_about(job), self._("It was stopped; nothing of it was kept."))
        except reports.ReportFailed as failed:
            return self._failed(job, failed)
        except Exception as error:
            return _part(_about(job), without_secrets(f"{type(error).__name__}: {error}"))

    def _reached(self, done: int, cells: int) -> None:
        if self._stopped:
            raise _Stopped
        self._progress(self._("Step {done} of {cells}", done=done, cells=cells), done, cells)

    def _stop(self, button: Any) -> None:
        self._stopped = True
        self.stop_button.disabled = True

    def _busy(self, busy: bool) -> None:
        self.run_button.disabled = busy
        self.stop_button.disabled = not busy
        self.stop_button.layout.display = SEEN if busy else HIDDEN

    def _progress(self, words: str, done: int, cells: int) -> None:
        name = html.escape(self._("Progress"))
        bar = (
            f'<progress aria-label="{name}" value="{done}" max="{cells}" style="{_BAR}"></progress>'
        )
        self.status.value = _status(words) + bar

    # -- what came of it

    def _done(self, job: reports.Job, result: reports.Result) -> str:
        seconds = f"{result.seconds:.1f}"
        about = self._("{report}: done in {seconds} s", report=_about(job), seconds=seconds)
        links = [
            (self._("The report as a page"), result.html),
            *((table.name, table) for table in result.tables),
            (self._("The executed notebook"), result.notebook),
        ]
        return _part(about, result.summary, links=self._links(links))

    def _failed(self, job: reports.Job, failed: reports.ReportFailed) -> str:
        about = self._("{report}: could not be finished", report=_about(job))
        cure = self._(
            "Where the reason names a setting or a connection, mend that and run the report again. "
            "Otherwise send the error page to those who look after the integration."
        )
        there = [
            (self._("The error page"), failed.html),
            (self._("The notebook up to the error"), failed.notebook),
        ]
        links = self._links((label, file) for label, file in there if file.exists())
        return _part(about, failed.words, cure, links=links)

    def _links(self, named: Iterable[tuple[str, Path]]) -> str:
        items = "".join(f"<li>{self._link(label, file)}</li>" for label, file in named)
        return f"<ul>{items}</ul>" if items else ""

    def _link(self, label: str, file: Path) -> str:
        if self._shelf is None:
            self._shelf = Shelf(self._out)
        url = html.escape(self._shelf.url(file))
        # A page is read in a window of its own; anything else is a file to keep.
        how = 'target="_blank" rel="noopener"' if file.suffix == ".html" else "download"
        return f'<a href="{url}" {how} style="{_LINK}">{_text(label)}</a>'

    def _show_index(self) -> None:
        index = self._out / INDEX
        if not self.results.children or not index.exists():
            return
        told = self._(
            "The files are in the folder {folder} and stay there. These links lead to them as long "
            "as this notebook runs.",
            folder=self._out.name,
        )
        link = self._link(self._("All runs in this folder"), index)
        self._index.value = f"<p>{link}</p>{small(_text(told))}"

    def close(self) -> None:
        """Stop serving the files; those that are there stay."""
        if self._shelf is not None:
            self._shelf.close()
            self._shelf = None

    # -- where there are no widgets

    def __repr__(self) -> str:
        return f"ReportForm: a form for {', '.join(reports.names())}. Run this cell to see it."

    def _markdown(self) -> str:
        header = ("", *LANGUAGES.values())
        rows = [
            (
                f"`{name}`",
                *(f"**{translated(title, c)}.** {translated(told, c)}" for c in LANGUAGES),
            )
            for name, (title, told) in REPORTS.items()
        ]
        return f"{self!r}\n\n{table(header, rows)}"

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, Any]:
        told = {"text/plain": repr(self), "text/markdown": self._markdown()}
        return dict(self.box._repr_mimebundle_()) | told


def _beside() -> Path:
    """Beside the notebook; in a checkout, whose notebooks are shipped, where `make report` does."""
    root = places.checkout()
    if root is not None and Path.cwd().is_relative_to(places.notebooks()):
        return root / _OUT
    return Path(_OUT)


class _Stopped(Exception):
    """Whoever runs the report wants no more of it."""


def _about(job: reports.Job) -> str:
    return without_secrets(str(job))


def _text(words: str) -> str:
    return html.escape(one_line(words))


def _status(words: str) -> str:
    return f'<p role="status" style="margin:0">{html.escape(words)}</p>'


def _part(title: str, *paragraphs: str, links: str = "") -> str:
    """A result; all of its words may be a stranger's."""
    shown = "".join(f"<p>{_text(words)}</p>" for words in paragraphs if words)
    style = "overflow-wrap:anywhere;line-height:1.5"
    return f'<section style="{style}"><b>{_text(title)}</b>{shown}{links}</section>'
