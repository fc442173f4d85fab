"""Which pages may change something here: the sandbox's own. The one place that decides it.

A browser names the page that a request comes from in ``Sec-Fetch-Site``, which no page can forge:
``same-origin`` is the sandbox's own page, ``none`` the person at the address bar. Everything else
is foreign, ``same-site`` too: another port of this machine is another program.

Browsers leave that header out on plain HTTP to another machine, a JupyterHub without TLS for one.
Then ``Origin`` decides: its host must be the one that was asked, as ``Host`` or, where a proxy
changed that, as ``X-Forwarded-Host``. The second may be believed because a foreign page cannot
send it: a browser asks for leave first (CORS preflight), and the sandbox gives none.

Programs send neither header and pass. What only reads passes as well: without CORS headers a
foreign page never sees the answer.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pay88kit.sandbox.reply import Ask

_READS = ("GET", "HEAD", "OPTIONS")


def is_foreign(ask: Ask) -> bool:
    """Whether ``ask`` would change something on behalf of another site's page."""
    if ask.method in _READS:
        return False
    site = ask.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = ask.headers.get("origin")
    if origin is None:
        return False
    try:
        host = urlsplit(origin).netloc.lower()
    except ValueError:
        return True
    # A proxy behind a proxy adds to the list; the browser's own host comes first.
    forwarded = ask.headers.get("x-forwarded-host", "").split(",")[0]
    asked = {ask.headers.get("host", "").strip().lower(), forwarded.strip().lower()} - {""}
    # "null" is the origin of a sandboxed frame or a file, and has no host.
    return not host or host not in asked
