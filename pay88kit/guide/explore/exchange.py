"""One thing that was asked, both sides of it, and the same request to copy."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pay88kit.config import Secret, mask
from pay88kit.display import one_line
from pay88kit.errors import Pay88Error
from pay88kit.frames import to_frame
from pay88kit.guide.explore import ports, snippets
from pay88kit.guide.explore.ports import without_ports
from pay88kit.models.answers import Answer

if TYPE_CHECKING:
    import pandas as pd

LANGUAGES: Mapping[str, Callable[[snippets.Request], str]] = {
    "Python": snippets.python,
    "cURL": snippets.curl,
    "JavaScript": snippets.javascript,
}
_GRID = (
    "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(24em,100%),1fr));gap:.6em"
)  # fmt: skip
# One click selects all of it, where no script may copy.
_PRE = (
    "white-space:pre-wrap;overflow-wrap:anywhere;max-height:24em;overflow:auto;margin:.3em 0;"
    "padding:.4em;border:1px solid #767676;user-select:all"
)
_COPY = (
    "(async b=>{const c=b.closest('section').querySelector('pre');let ok=false;"
    "try{await navigator.clipboard.writeText(c.textContent);ok=true}"
    "catch{getSelection().selectAllChildren(c);ok=document.execCommand('copy')}"
    "b.textContent=ok?'Copied':'Selected: now copy'})(this)"
)


@dataclass(frozen=True)
class Call:
    """One HTTP call on the way: ``status`` is None where no answer came."""

    method: str
    target: str
    status: int | None

    def __str__(self) -> str:
        return f"{self.method} {one_line(self.target)} → {self.status or 'no answer'}"


class Exchange:
    """A request and its answer.

    ``request`` is None when nothing was sent. Either ``answer`` or ``error`` is there. ``calls``
    has each HTTP call that it took, a token's too. ``secrets`` are masked wherever they stand.
    """

    def __init__(
        self,
        number: int,
        at: datetime,
        operation: str,
        *,
        request: snippets.Request | None,
        sent: Any = None,
        answer: Answer | None = None,
        error: Pay88Error | None = None,
        calls: tuple[Call, ...] = (),
        secrets: frozenset[str] = frozenset(),
    ) -> None:
        self._secrets = secrets
        self.number = number
        self.at = at
        self.operation = self._hide(operation)
        self.request = request
        self.answer = answer
        self.error = error
        self.calls = tuple(replace(call, target=self._hide(call.target)) for call in calls)
        self._sent = sent

    # -- what came

    @property
    def status(self) -> int | None:
        """The HTTP status of the last call."""
        return self.calls[-1].status if self.calls else None

    @property
    def reference(self) -> str | None:
        """The transaction's reference, if there is one."""
        return getattr(self.answer, "reference", None)

    def to_frame(self) -> pd.DataFrame:
        """The answer as a table; empty after an error."""
        return to_frame([] if self.answer is None else self.answer)

    # -- to copy

    @property
    def python(self) -> str:
        """The request as a Python program, with a token of its own. Empty if nothing was sent."""
        return self._program("Python")

    @property
    def curl(self) -> str:
        """The same for a shell with curl."""
        return self._program("cURL")

    @property
    def javascript(self) -> str:
        """The same for Node."""
        return self._program("JavaScript")

    @property
    def json(self) -> str:
        """Both sides as JSON: what was sent as it left, and what came. Secrets are masked."""
        both: dict[str, Any] = {}
        if self.request is not None:
            both["request"] = {
                "method": self.request.method,
                "address": self.request.address + self.request.target,
                "headers": _headers(self.operation),
            } | ({} if self._sent is None else {"body": self._sent})
        if self.answer is not None:
            both["answer"] = {"status": self.status, "body": _masked(self.answer.raw)}
        elif self.error is not None:
            body = _masked(Answer.read(getattr(self.error, "body", {})).raw)
            both["answer"] = {"status": self.status} | ({"body": body} if body else {})
        return self._hide(snippets.pretty(both))

    def _program(self, language: str) -> str:
        return self._hide(LANGUAGES[language](self.request)) if self.request else ""

    def _hide(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _mask(secret))
        return text

    # -- shown

    @property
    def title(self) -> str:
        """What it was, on one line."""
        came = self.status or ("no answer" if self.calls else "nothing was sent")
        reference = f", {one_line(self.reference)[:40]}" if self.reference else ""
        return f"Exchange {self.number}: {one_line(self.operation)}, {came}{reference}"

    def message(self) -> str:
        """The kit's own words about the error; empty without one."""
        if self.error is None:
            return ""
        return self._hide(f"{type(self.error).__name__}\n{self.error}")

    def __repr__(self) -> str:
        lines = [self.title, *(f"  {call}" for call in self.calls)]
        lines += [f"  {one_line(line)}" for line in self.message().splitlines()]
        if self.request:
            lines += [self.json, "To copy: print(….python), .curl, .javascript or .json"]
        return without_ports("\n".join(lines))

    def html(self) -> str:
        """Both sides and the copies, for a page that is not saved."""
        parts = [self._head()]
        if self.request is not None:
            texts = {"JSON": self.json} | {name: self._program(name) for name in LANGUAGES}
            sections = "".join(_section(name, text) for name, text in texts.items())
            parts.append(f'<div style="{_GRID}">{sections}</div>')
        return "".join(parts)

    def _repr_html_(self) -> str:
        parts = [self._head()]
        if self.request is not None:
            parts.append(f'<pre style="{_PRE}">{html.escape(self.json)}</pre>')
            for name in LANGUAGES:
                code = html.escape(self._program(name))
                parts.append(
                    f'<details><summary style="cursor:pointer">{name}</summary>'
                    f'<pre style="{_PRE}">{code}</pre></details>'
                )
            parts.append(f"<small>{html.escape(ports.NOTE)}</small>")
        return without_ports("".join(parts))

    def _head(self) -> str:
        calls = "".join(f"<li>{html.escape(str(call))}</li>" for call in self.calls)
        head = f"<div><b>{html.escape(self.title)}</b><ol>{calls}</ol></div>"
        if self.error is not None:
            lines = "<br>".join(html.escape(one_line(s)) for s in self.message().splitlines())
            style = "border-left:4px solid #b91c1c;padding:.2em .8em;margin:.3em 0"
            head += f'<div role="alert" style="{style}">{lines}</div>'
        return head


def _section(name: str, text: str) -> str:
    return (
        f'<section aria-label="{name}"><b>{name}</b> '
        f'<button type="button" aria-label="Copy {name}" onclick="{html.escape(_COPY)}">Copy'
        f'</button><pre tabindex="0" style="{_PRE}">{html.escape(text)}</pre></section>'
    )


def _headers(operation: str) -> dict[str, str]:
    if operation == "token":
        return {"x-api-key": "...", "x-merchant-id": "..."}
    return {"Authorization": "Bearer ...", "x-session-id": "..."}


def _masked(value: Any) -> Any:
    """The same JSON, its secrets masked for good."""
    if isinstance(value, Secret):
        return _mask(value)
    if isinstance(value, Mapping):
        return {name: _masked(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return value


def _mask(secret: str) -> str:
    """In ASCII, which JSON writes as it is."""
    return mask(secret).replace("…", "...")
