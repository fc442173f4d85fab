"""What the reconciliation report shows: a sentence, and the figures side by side."""

from __future__ import annotations

from typing import Any

from pay88kit import money
from pay88kit.language import N_, _
from pay88kit.reports.daily import Table
from pay88kit.reports.words import Words

# What the books and 88Pay both count.
_FIGURES = (N_("payin"), N_("payout"), N_("settled"), N_("available"))


def verdict(reconciliation: Any) -> Words:
    """A reconciliation in one sentence."""
    gap = money.show(reconciliation.gap, reconciliation.currency)
    if reconciliation.ok is None:
        return Words(_("Nothing is compared: the books have no opening snapshot of this time."))
    if reconciliation.ok:
        return Words(_("The books and the balance agree; the gap is {gap}.", gap=gap))
    if reconciliation.explained:
        sentence = _(
            "The books and the balance differ by {gap}; every part of it has a name.", gap=gap
        )
    else:
        sentence = _("The books and the balance differ by {gap}; not all of it is known.", gap=gap)
    return Words(sentence)


def figures(reconciliation: Any) -> Table:
    """Figure by figure: what the books expect, what 88Pay says, and the gap."""
    frame = reconciliation.figures.reset_index()
    names = {name: _(name) for name in _FIGURES}
    return Table(
        _("Payin, payout, settled and available"),
        frame.assign(figure=frame["figure"].replace(names)),
    )
