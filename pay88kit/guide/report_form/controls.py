"""One control for each parameter of a report, made from its type.

What a control holds is the text that the command line would take, so that the report's own rules
judge it: ``yes`` and ``no``, ``2026-01-15`` or ``today``, an amount as it was typed.
"""

from __future__ import annotations

import html
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pay88kit.display import one_line
from pay88kit.errors import needs
from pay88kit.guide.report_form import choices
from pay88kit.guide.report_form.words import PARAMETERS
from pay88kit.language import _
from pay88kit.reports import Parameter

with needs("guide"):
    import ipywidgets
    from traitlets import TraitError

WIDE = {"width": "auto", "max_width": "42em"}
STYLE = {"description_width": "9.5em"}
HIDDEN, SEEN = "none", ""
_ANOTHER = "another"
# Widgets have lines as high as a button.
_LINES = "line-height:1.4;overflow-wrap:anywhere"
# The longest that a day begins before it does in UTC.
_FIRST_TO_BEGIN = timedelta(hours=14)


class Control:
    """A parameter with its label, its help, and what is wrong with it.

    ``text`` is what it holds, empty when nothing was given; ``box`` is the widget.
    """

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter
        name = parameter.name
        label = _(PARAMETERS[name]) if name in PARAMETERS else name
        told = _(parameter.help) if parameter.help else _("Type: {type}", type=parameter.type)
        if parameter.required:
            told = _("Required. {help}", help=told)
        self._widgets = self._made(label)
        for widget in self._widgets:
            widget.tooltip = told
        about = f"<code>{html.escape(name)}</code>: {html.escape(told)}"
        self._fault = ipywidgets.HTML()
        self.box = ipywidgets.VBox([*self._widgets, ipywidgets.HTML(small(about)), self._fault])
        #: What it holds before anybody has changed it.
        self.default = _text_of(parameter.value)
        self.text = self.default

    def _made(self, label: str) -> list[Any]:
        options = choices.of(self.parameter.name, self.parameter.type)
        kind = ipywidgets.Combobox if options else ipywidgets.Text
        more = {"options": options} if options else {}
        return [kind(description=label, layout=WIDE, style=STYLE, **more)]

    @property
    def text(self) -> str:
        return str(self._widgets[0].value).strip()

    @text.setter
    def text(self, text: str) -> None:
        self._widgets[0].value = text

    def mark(self, fault: str) -> None:
        """Say beside it what is wrong; an empty text: nothing."""
        self._fault.value = alert(fault) if fault else ""

    def close(self) -> None:
        """Take it away."""
        for widget in (*self.box.children, self.box):
            widget.close()


class _Choice(Control):
    def _made(self, label: str) -> list[Any]:
        options = self.parameter.choices
        if _text_of(self.parameter.value) not in options:
            options = ("", *options)
        return [
            ipywidgets.Dropdown(options=options, description=label, layout=WIDE, style=STYLE),
        ]


class _YesOrNo(Control):
    def _made(self, label: str) -> list[Any]:
        return [ipywidgets.Checkbox(description=label, indent=False, layout=WIDE)]

    @property
    def text(self) -> str:
        return "yes" if self._widgets[0].value else "no"

    @text.setter
    def text(self, text: str) -> None:
        self._widgets[0].value = {"yes": True, "no": False}[text]


class _Date(Control):
    """A day of the calendar, or one that is counted from today."""

    def _made(self, label: str) -> list[Any]:
        options = [(_("Today"), "today"), (_("Yesterday"), "yesterday")]
        if not _text_of(self.parameter.value):
            options.insert(0, ("–", ""))
        options.append((_("Another day"), _ANOTHER))
        when = ipywidgets.Dropdown(options=options, description=label, layout=WIDE, style=STYLE)
        day = ipywidgets.DatePicker(
            description=_("{label}: date", label=label), layout=dict(WIDE), style=STYLE,
            # No day that has not begun anywhere; in the report's zone the report checks it.
            min=date(1970, 1, 1), max=(datetime.now(UTC) + _FIRST_TO_BEGIN).date(),
        )  # fmt: skip

        def follow(change: Any) -> None:
            day.layout.display = SEEN if when.value == _ANOTHER else HIDDEN

        when.observe(follow, "value")
        follow(None)
        return [when, day]

    @property
    def text(self) -> str:
        when, day = self._widgets
        if when.value != _ANOTHER:
            return str(when.value)
        return day.value.isoformat() if day.value else ""

    @text.setter
    def text(self, text: str) -> None:
        when, day = self._widgets
        if text in (value for _label, value in when.options):
            when.value = text
        else:
            day.value = date.fromisoformat(text) if text else None
            when.value = _ANOTHER


_KINDS: dict[str, type[Control]] = {"choice": _Choice, "yes or no": _YesOrNo, "date": _Date}


def control(parameter: Parameter, typed: str | None = None) -> Control:
    """The control of a parameter; ``typed`` is what was given to one of the same name before."""
    made = _KINDS.get(parameter.type, Control)(parameter)
    if typed is not None:
        try:
            made.text = typed
        except (KeyError, ValueError, TraitError):
            # Of another type in the report before: it does not fit this one.
            made.text = made.default
    return made


def small(page: str) -> str:
    """A remark, in HTML."""
    return f'<div style="{_LINES}"><small>{page}</small></div>'


def alert(words: str) -> str:
    """A fault as HTML; the words may be a stranger's."""
    lines = "<br>".join(html.escape(one_line(line)) for line in words.splitlines())
    return f'<div role="alert" style="{_LINES}">⚠ {lines}</div>'


def _text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
