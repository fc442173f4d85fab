"""The form of widgets, and its twin as text.

Built of widgets whose labels belong to their fields and whose order is the order of the Tab key.
An amount is text until :func:`pay88kit.money.exact` has read it.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.display import grid_html, one_line
from pay88kit.errors import InvalidRequest, Pay88Error, Problem, needs
from pay88kit.guide.explore import form as forms
from pay88kit.guide.explore.exchange import Exchange
from pay88kit.guide.explore.form import Field, Form

if TYPE_CHECKING:
    from pay88kit.guide.explore.explorer import Explorer

with needs("guide"):
    import ipywidgets

METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE")
RAW = "raw: anything"
# A change of one of these decides what the others may be.
_DECIDE = ("method_code", "country", "currency")
_WIDE = {"width": "100%", "max_width": "42em"}
_STYLE = {"description_width": "9.5em"}


class Console:
    """Pick an operation, fill its form, send, and look.

    ``operation``, ``inputs`` (by field), ``check``, ``send`` and the others are ipywidgets, and
    may be used from code too. Nothing is sent before the button is pressed.
    """

    def __init__(self, explore: Explorer) -> None:
        self._explore = explore
        self._filling = False
        self._made: dict[str, Any] = {}
        self._defaults: dict[str, str] = {}
        self.inputs: dict[str, Any] = {}
        self.operation = ipywidgets.Dropdown(
            options=[*forms.OPERATIONS, RAW], value="charge", description="Operation",
            layout=_WIDE, style=_STYLE,
        )  # fmt: skip
        self.check = ipywidgets.Checkbox(
            value=True, description="Let the kit check it first", indent=False
        )
        self.send = _button("Send", self._send, "primary")
        self.method = ipywidgets.Dropdown(
            options=METHODS, description="HTTP method", layout=_WIDE, style=_STYLE
        )
        self.path = _text("path", "/api/balance")
        self.params = _text("query", f"id={explore.client.config.merchant_id}")
        self.body = ipywidgets.Textarea(
            description="JSON body", rows=6, layout=_WIDE, style=_STYLE,
            placeholder="Empty: no body",
        )  # fmt: skip
        self.past = ipywidgets.Dropdown(
            options=[("–", None)], description="Look again at", layout=_WIDE, style=_STYLE
        )
        self.fields = ipywidgets.VBox()
        self.result = ipywidgets.HTML("<p>Nothing was sent yet.</p>")
        self.table = ipywidgets.HTML()
        self.clock = ipywidgets.HTML()
        self.story = ipywidgets.HTML()
        self._about = _note("")
        self.operation.observe(self._choose, "value")
        self.past.observe(self._look_again, "value")
        #: The widget; a notebook shows it when this console is a cell's last line.
        self.box = ipywidgets.VBox(
            [
                self.operation, self.fields, self.check, self.send, self.result, self.table,
                self._customer(), self.clock, *self._webhooks(), self.past, self.story,
            ]
        )  # fmt: skip
        self._choose(None)
        self._say("")

    # -- the form

    def _choose(self, change: Any) -> None:
        self.inputs, self._made, self._defaults = {}, {}, {}
        if self.operation.value == RAW:
            note = _note("Sends anything with a token. Nothing is checked, nothing is recorded.")
            self.fields.children = [note, self.method, self.path, self.params, self.body]
            self.check.disabled = True
            return
        self.check.disabled = self.operation.value in ("token", "balance")
        self._fill(self._explore.form(self.operation.value))

    def _decided(self, change: Any) -> None:
        """A field that others depend on was changed: they follow, but for what was typed."""
        if self._filling:
            return
        given: dict[str, Any] = {}
        for name in _DECIDE:
            given[name] = self.inputs[name].value
            fitting = self._explore.form(self.operation.value, **given)[name]
            if fitting.choices and given[name] not in fitting.choices:
                del given[name]
        self._fill(self._explore.form(self.operation.value, **given))

    def _fill(self, form: Form) -> None:
        self._filling = True
        try:
            for field in form:
                self._place(field)
        finally:
            self._filling = False
        self._about.value = _small(forms.NOTES[form.operation])
        # The same widgets where they are: a new one would take the keyboard's focus away.
        children = [self._about]
        for field in form:
            children += [self.inputs[field.name], self._made[field.name]]
        self.fields.children = children

    def _place(self, field: Field) -> None:
        value = "" if field.value is None else _written(field.value)
        widget = self.inputs.get(field.name)
        if widget is None:
            if field.choices:
                widget = ipywidgets.Dropdown(
                    options=field.choices, description=_label(field.name), layout=_WIDE,
                    style=_STYLE,
                )  # fmt: skip
            else:
                widget = _text(field.name, value)
            if field.name in _DECIDE:
                widget.observe(self._decided, "value")
            self.inputs[field.name] = widget
            self._made[field.name] = _note("")
        typed = widget.value not in ("", self._defaults.get(field.name, value))
        if field.choices:
            # Not without need: it would go back to the first choice in between.
            if tuple(widget.options) != tuple(field.choices):
                widget.options = field.choices
            widget.value = value
        elif field.fixed or not typed:
            widget.value = value
        self._defaults[field.name] = value
        widget.disabled = field.fixed
        widget.tooltip = field.help
        self._made[field.name].value = _small(field.help)

    # -- what it does

    def _send(self, button: Any) -> None:
        try:
            if self.operation.value == RAW:
                exchange = self._raw()
            else:
                exchange = self._explore.send(
                    self.operation.value, check=self.check.value, **self._values()
                )
        except Pay88Error as error:
            self.result.value = _alert(error)
            return
        told = [(each.title, each) for each in self._explore.history]
        self.past.options = [("–", None), *reversed(told)]
        self.story.value = self._explore.history._repr_html_()
        self._show(exchange)

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, widget in self.inputs.items():
            value = widget.value if widget.value.strip() else None
            if name == "amount" and value is not None and not self.check.value:
                value = _number_or_text(value)
            group, _, inner = name.rpartition(".")
            (values.setdefault(group, {}) if group else values)[inner] = value
        return values

    def _raw(self) -> Exchange:
        params = dict(part.partition("=")[::2] for part in self.params.value.split("&") if part)
        json = None
        if self.body.value.strip():
            try:
                json = money.loads(self.body.value)
            except ValueError:
                cure = 'Write JSON such as {"amount": 50000.50}, or leave it empty.'
                raise InvalidRequest(Problem("JSON body", "is not JSON.", cure)) from None
        path = self.path.value.strip()
        return self._explore.raw(self.method.value, path, json=json, params=params or None)

    def _show(self, exchange: Exchange) -> None:
        self.result.value = exchange.html()
        self.table.value = ""
        if exchange.answer is not None:
            record = exchange.to_frame().iloc[0].to_dict()
            rows = [(str(name), str(value)) for name, value in record.items()]
            self.table.value = grid_html("Table (to_frame)", ("Column", "Value"), rows)
        self._say("")

    def _look_again(self, change: Any) -> None:
        if change["new"] is not None:
            self._show(change["new"])

    # -- the customer, the clock, the webhook

    def _customer(self) -> Any:
        """Buttons for what only the local sandbox lets you play."""
        if self._explore.sandbox is None:
            told = "The customer pays on 88Pay's page; the webhook brings what became of it."
            self.buttons: Mapping[str, Any] = {}
            return _note(told)
        plays = {"Pay it": "complete", "Decline it": "reject", "Let it expire": "expire"}
        self.buttons = {name: _button(name, self._play(what)) for name, what in plays.items()}
        self.buttons["60 s later"] = _button("60 s later", self._later)
        row = ipywidgets.Box(
            list(self.buttons.values()), layout={"flex_flow": "row wrap", "width": "100%"}
        )
        return ipywidgets.VBox([_note("Play the customer of the last transaction:"), row])

    def _play(self, what: str) -> Callable[[Any], None]:
        return lambda button: self._say(self._explore.play(what))

    def _later(self, button: Any) -> None:
        if self._explore.sandbox is not None:
            self._explore.sandbox.clock.advance(60)
        self._say("")

    def _say(self, words: str) -> None:
        now = f"{self._explore.client.config.clock.now():%Y-%m-%d %H:%M:%S} UTC"
        told = f"{one_line(words)} The clock says {now}.".strip()
        self.clock.value = f'<p role="status">{html.escape(told)}</p>'

    def _webhooks(self) -> list[Any]:
        if self._explore.inbox is None:
            return [_note("No inbox: Explorer(public_url=…) names the address that leads here.")]
        # So many columns need their width; on a phone they are scrolled.
        live = self._explore.inbox.widget().box
        wide = ipywidgets.VBox([live], layout={"width": "100%", "overflow": "auto"})
        return [_note("What the webhook brought:"), wide]

    # -- shown

    def __str__(self) -> str:
        return (
            "Console: pick an operation, fill its form, send.\n"
            'Without widgets: explore.form("charge"), explore.send("charge", …), '
            'explore.raw("POST", "/api/balance", …), explore.history, explore.inbox.frame()'
        )

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, Any]:
        return dict(self.box._repr_mimebundle_()) | {"text/plain": str(self)}


def _text(name: str, value: str) -> Any:
    return ipywidgets.Text(value=value, description=_label(name), layout=_WIDE, style=_STYLE)


def _button(name: str, work: Callable[[Any], None], style: str = "") -> Any:
    button = ipywidgets.Button(description=name, button_style=style, layout={"width": "auto"})
    button.on_click(work)
    return button


def _label(name: str) -> str:
    """Of a field in a group its own name: the group's would not fit."""
    return name.rpartition(".")[2]


def _note(words: str) -> Any:
    return ipywidgets.HTML(_small(words), layout={"max_width": "100%"})


def _small(words: str) -> str:
    return f"<small>{html.escape(words)}</small>"


def _alert(error: Pay88Error) -> str:
    lines = "<br>".join(html.escape(one_line(line)) for line in str(error).splitlines())
    return f'<div role="alert"><b>{type(error).__name__}</b><br>{lines}</div>'


def _written(value: Any) -> str:
    return str(value)


def _number_or_text(text: str) -> Any:
    """An amount as the number that it is; what is none goes out as it was typed."""
    try:
        return money.exact(text.strip())
    except InvalidRequest:
        return text
