"""The console: what happens in the sandbox, in a browser, with buttons for what customers and
time do.

The page is a few files. Its data comes from the control side by addresses relative to the page,
so it works on a port, behind a Jupyter server's proxy and on a hub alike.
"""

from __future__ import annotations

from importlib.resources import files

from pay88kit.sandbox.reply import Ask, Reply, asset, error, page

HOME = "/_sandbox/"
ASSETS = {HOME + name: name for name in ("console.js", "console.css", "copy.js")}


def serves(path: str) -> bool:
    """Whether ``path`` belongs to the console; everything else under it is the control side's."""
    return path in (HOME, HOME.rstrip("/"), *ASSETS)


def answer(ask: Ask) -> Reply:
    """The page, its script or its style."""
    if ask.path in ASSETS:
        return asset(ask, ASSETS[ask.path])
    if ask.method not in ("GET", "HEAD"):
        return error(405, "method: use GET.", {"Allow": "GET"})
    if ask.path != HOME:
        # Relative, as everything on the page is.
        return Reply(307, b"", {"Location": HOME.strip("/") + "/"})
    text = files(__package__).joinpath("static", "console.html").read_text("utf-8")
    return page(text, style="'self'", script=True)
