"""A merchant's account at a glance: what 88Pay's balance says, and what the books say beside it.

board = dashboard(client)    # the widget, when it is a cell's last line
board.refresh()              # what its button does
board.open_items()           # one part of it, as text or as a table
"""

from pay88kit.guide.dashboard.board import Dashboard, dashboard
from pay88kit.guide.dashboard.items import OpenItems
from pay88kit.guide.dashboard.parts import Cards, Methods

__all__ = ["Cards", "Dashboard", "Methods", "OpenItems", "dashboard"]
