"""Which pages may change something here: the sandbox's own. The one place that decides it.

:func:`is_foreign` asks whose page a request comes from. A browser says so in ``Sec-Fetch-Site``,
which no page can forge: ``same-origin`` is the sandbox's own page, ``none`` the person at the
address bar. Everything else is foreign, ``same-site`` too: another port of this machine is another
program.

Browsers leave that header out on plain HTTP to another machine, a JupyterHub without TLS for one.
Then ``Origin`` decides: its host must be the one that was asked, as ``Host`` or, where a proxy
changed that, as ``X-Forwarded-Host``. The second may be believed because a foreign page cannot
send it: a browser asks for leave first (CORS preflight), and the sandbox gives none.

Programs send neither header and pass. What only reads passes as well: without CORS headers a
foreign page never sees the answer.

All of that believes the browser, and a browser knows a site by its name alone. A stranger's name
that suddenly resolves to 127.0.0.1 (DNS rebinding) makes the stranger's page the sandbox's own in
its eyes. :func:`only_here` asks under which name the sandbox was reached, which no page can
choose: the kit's own servers listen on this machine only, so their control side answers to this
machine's names. Behind a Jupyter server's proxy the name is that of a hub that nobody here knows;
there a link proves itself by a secret in its path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from pay88kit.sandbox.reply import Ask, Reply, error

CONTROL = "/_sandbox"
_READS = ("GET", "HEAD", "OPTIONS")
_HOST = re.compile(r"(?:\[([0-9a-f:]+)\]|([^\s:/?#@\[\]]+))(?::\d*)?", re.IGNORECASE)


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


def only_here(
    handle: Callable[[Ask], Reply], *, prefix: str | None = None, key: str | None = None
) -> Callable[[Ask], Reply]:
    """``handle`` for a server on loopback, whose control side answers to this machine's names.

    88Pay's paths and the customers' pages answer to every name, as 88Pay's do.

    Args:
        handle: answers a request.
        prefix: the public address where a proxy stands before the server; its name is good too.
        key: a secret; a path that begins with ``/key/`` is good under any name.
    """
    names = {_name(urlsplit(prefix).netloc)} - {None} if prefix else set()

    def guarded(ask: Ask) -> Reply:
        if key and ask.path.startswith(f"/{key}/"):
            ask.path = ask.path.removeprefix(f"/{key}")
        elif ask.path.startswith(CONTROL) and not is_ours(ask, names):
            return error(
                403,
                "Host: the control side answers to localhost, 127.0.0.1 and [::1] only, so that no "
                "other site's page reaches it. Use one of them. Behind a proxy, start the sandbox "
                "with --public-prefix (in Python: public_prefix) and the proxy's address.",
            )
        return handle(ask)

    return guarded


def is_ours(ask: Ask, names: Collection[str | None] = ()) -> bool:
    """Whether ``ask`` was addressed to this machine, or to one of ``names``."""
    host = ask.headers.get("host")
    if host is None:
        # No browser leaves it out.
        return True
    name = _name(host)
    return name is not None and (name == "localhost" or _is_loopback(name) or name in names)


def _name(host: str) -> str | None:
    """The name or address in ``Host``, without port; None when it holds anything else."""
    found = _HOST.fullmatch(host.strip())
    return (found[1] or found[2]).lower() if found else None


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
