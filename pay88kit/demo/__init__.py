"""Seeded data, so that a first look at a table or a report shows something.

Simulated data, not 88Pay: everything happens in a local sandbox, and nothing of it is written into
books that somebody else keeps.
"""

from pay88kit.demo.days import play_days
from pay88kit.demo.reading import client_for
from pay88kit.demo.shops import SHOPS, Shop
from pay88kit.demo.year import Made, Totals, make_year

__all__ = ["SHOPS", "Made", "Shop", "Totals", "client_for", "make_year", "play_days"]
