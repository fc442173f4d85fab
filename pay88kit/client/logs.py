"""Keeps credentials out of the log lines that httpx and httpcore write.

httpx logs the whole address of every request at INFO, and that of a balance has the merchant id in
it. httpcore logs the headers of every answer at DEBUG, and a server may put anything there. Both
happen outside the kit, so a filter on their loggers rewrites the line: what is sent stays as it is.
"""

from __future__ import annotations

import logging
import re

# httpcore's loggers that show headers. A filter works for its own logger only, not for those below.
_LOGGERS = ("httpx", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.connection")

# The merchant id: what stands in the query of a balance, or anywhere in its documented form.
_MERCHANT = re.compile(r"(/balance\?(?:[^\s\"#]*&)?id=)[^&\s\"#']+|MCH-[\w%.~-]+", re.IGNORECASE)
_HEADER = re.compile(
    r"(\(b'(?:x-session-id|x-api-key|x-merchant-id|authorization|proxy-authorization|set-cookie)',"
    r" b)('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")",
    re.IGNORECASE,
)


class Masked(logging.Filter):
    """Lets every record through, its credentials replaced by ``…``."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record where it has something to hide."""
        try:
            told = record.getMessage()
        except Exception:
            return True  # logging reports a broken record itself
        masked = _HEADER.sub(r"\1'…'", _MERCHANT.sub(lambda found: f"{found[1] or ''}…", told))
        if masked != told:
            record.msg, record.args = masked, ()
        return True


def mask_http_logs() -> None:
    """Put the filter on the loggers of httpx and httpcore, once per process.

    It changes their lines for the whole process, and only those with 88Pay's credentials in them.
    """
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(present, Masked) for present in logger.filters):
            logger.addFilter(Masked())
