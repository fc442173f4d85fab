"""The page to print: calls, headers, methods, statuses and limits, from the code's own tables.

``make docs`` writes ``notebooks/quick_reference.ipynb`` from it.
"""

from __future__ import annotations

from pay88kit import contract, limits
from pay88kit.client.exchange import PATHS
from pay88kit.config import BASE_URLS, KEY_PREFIXES
from pay88kit.errors import STATUS_ERRORS
from pay88kit.guide.markdown import table
from pay88kit.guide.methods import HEADER, method_rows
from pay88kit.policy import Policy

_INTRODUCTION = """# Quick reference

To print it: *File*, then *Print*. Where a table has the column *Source*, `documented` means that 88Pay's pages say so, and `assumed` that they do not and the kit had to choose. The tables without it are documented, but for what is Python or the client's own doing.

[Map](00_start_here.ipynb#The-map) · [Glossary](glossary.ipynb)"""  # noqa: E501


def cells() -> list[str]:
    """The page, as Markdown cells. The contract's points are chosen for a sheet of paper."""
    sections = {
        "Environments": _environments(),
        "Calls and limits": _calls(),
        "More about the limits": _points(
            "limits.headers", "limits.reset", "limits.429", "limits.shared", "limits.sliding"
        ),
        "Headers": _points("token.call", "token.headers", "balance.call", "webhook.bearer"),
        "Token": _points(
            "token.life", "token.cache", "token.own-session", "token.expired", "token.pairing"
        ),
        "Charge": _points(
            "charge.body", "charge.currency", "charge.notification-url", "charge.no-status",
            "charge.reference", "errors.no-idempotency",
        ),
        "Methods": _methods(),
        "Statuses of a transaction": _points(
            "status.words", "status.final", "balance.completed-only"
        ),
        "HTTP statuses, and what the client does": _failures(),
        "Webhook": _points(
            "webhook.post", "webhook.transaction_id", "webhook.transaction_status",
            "webhook.transaction_amount", "webhook.check", "webhook.status-unchecked",
            "webhook.answer", "webhook.duplicates", "webhook.spacing",
        ),
        "Balance": _points("balance.available", "balance.net-formula", "balance.thresholds"),
    }  # fmt: skip
    return [_INTRODUCTION, *(f"## {title}\n\n{body}" for title, body in sections.items())]


def _environments() -> str:
    return table(
        ("`PAY88_ENVIRONMENT`", "Address", "The key begins with"),
        [
            (f"`{name}`", "inside the kit" if name == "local" else url, f"`{KEY_PREFIXES[name]}`")
            for name, url in BASE_URLS.items()
        ],
    )


def _calls() -> str:
    return table(
        ("Call", "In Python", "A minute", "An hour", "Counted as"),
        [
            (
                f"`POST {path}{'?id=…' if name == 'balance' else ''}`",
                f"`client.{name}({'' if name in ('token', 'balance') else '…'})`",
                *(f"{most:,}" for most in limits.DOCUMENTED[limits.FAMILIES[name]]),
                limits.FAMILIES[name],
            )
            for name, path in PATHS.items()
        ],
    )


# 88Pay documents it, and shows a sample that says otherwise.
_BUT = {"balance.available": " (this does not fit 88Pay's own sample: lesson 06)"}


def _points(*ids: str) -> str:
    return table(
        ("Point", "Source"),
        [
            (
                point.statement + _BUT.get(point.id, ""),
                "documented" if point.documented else "assumed",
            )
            for point in map(contract.point, ids)
        ],
    )


def _methods() -> str:
    return table(
        (*HEADER, "The answer has"),
        [
            (
                f"`{code}`",
                *about,
                contract.point(f"charge.{code}").statement.partition(" with ")[2],
            )
            for code, *about in method_rows()
        ],
    )


def _failures() -> str:
    errors = {str(status): error.__name__ for status, error in STATUS_ERRORS.items()}

    def raised(happening: str) -> str:
        names = [f"`{name}`" for status, name in errors.items() if status in happening]
        return ", ".join(names) or "–"

    return table(
        ("What happened", "Error class of the status", "Token, balance", "Charge, cash, cashout"),
        [
            (row["what happened"], raised(row["what happened"]), row["read"], row["create"])
            for row in Policy().table()
        ],
    )
