"""A link that a notebook shows and that no saved output depends on.

The port, and the path of the Jupyter server's proxy, differ from run to run. So the link lives in
a widget; what is saved and compared is a sentence.
"""

from __future__ import annotations

import html
from typing import Any

from pay88kit.serving import browser_url


class BrowserLink:
    """A link to a page of this sandbox, for the browser that shows the notebook."""

    def __init__(self, label: str, port: int, path: str) -> None:
        self.label = label
        self.url = browser_url(port, path)

    def __repr__(self) -> str:
        return f"{self.label} (run this cell to get the link)"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": repr(self)}
        try:
            import ipywidgets
        except ImportError:
            return bundle | {"text/plain": f"{self.label}: {self.url}"}
        link = ipywidgets.HTML(
            # Inside a widget JupyterLab leaves links without colour and underline.
            f'<a href="{html.escape(self.url, quote=True)}" target="_blank" rel="noopener"'
            ' style="color:var(--jp-content-link-color,#0b57d0);text-decoration:underline">'
            f"{html.escape(self.label)}</a>"
        )
        return bundle | dict(link._repr_mimebundle_()) | {"text/plain": repr(self)}
