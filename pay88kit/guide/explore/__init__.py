"""A console for questions of one's own: ask 88Pay something, and see both sides of it.

explore = Explorer()
explore.form("charge", method_code="PSE")    # what the form asks for, and its limits
explore.send("charge", method_code="PSE")    # both sides, and the same request to copy
explore.console()                            # the same as a form of widgets
"""

from pay88kit.guide.explore.exchange import Exchange
from pay88kit.guide.explore.explorer import Explorer
from pay88kit.guide.explore.form import OPERATIONS, Field, Form
from pay88kit.guide.explore.history import History

__all__ = ["OPERATIONS", "Exchange", "Explorer", "Field", "Form", "History"]
