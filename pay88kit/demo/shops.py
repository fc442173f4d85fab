"""Three invented shops: what they sell, on which days, and how it ends.

Every number here is invented so that a report has something to show. None is 88Pay's or a
statistic of a country. That wages are paid on the 15th and the last day of a month in Colombia and
Mexico, and on the fifth working day in Brazil, is assumed without a source, holidays are left out,
and so is every other cause of good and bad days than those of :func:`expected_sales`.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal


@dataclass(frozen=True)
class Way:
    """A method as customers use it.

    ``weight`` is its share, ``low`` and ``high`` bound its amounts in whole units of the currency.
    Of a hundred charges, so many are ``refused`` and ``abandoned``; the others are paid within
    ``minutes``, the fewest and the most.
    """

    code: str
    weight: int
    low: int
    high: int
    refused: int
    abandoned: int
    minutes: tuple[int, int]


@dataclass(frozen=True)
class Shop:
    """A merchant. ``week`` says how its sales differ from Monday to Sunday.

    Its amounts are multiples of ``unit``. ``foreign`` is a method of another country,
    which it asks for by mistake now and then. On the days (month and day) of ``deaf`` its endpoint
    is out of order: no notification of what was ordered then ever comes.
    """

    merchant_id: str
    country: str
    currency: str
    sales: float
    week: tuple[float, ...]
    unit: Decimal
    ways: tuple[Way, ...]
    foreign: str
    deaf: Collection[tuple[int, int]] = ()


@dataclass(frozen=True)
class Sale:
    """One order: when (minutes after midnight), how, for how much, and what becomes of it.

    ``fate`` is ``paid``, ``refused``, ``abandoned``, ``mistaken`` (it is refused at once) or
    ``lost`` (the answer does not arrive). ``notified`` is ``once``, ``late``, ``twice`` or
    ``never``; it is decided ``wait`` minutes after the order and told, if late, ``delay`` seconds
    after that.
    """

    minute: int
    way: Way
    amount: Decimal
    customer: int
    fate: str
    wait: int
    notified: str
    delay: int


SHOPS = (
    # The local sandbox's own merchant: what names none, a report for one, is about this shop.
    Shop(
        "MCH-COL-29ZTP4", "COL", "COP", 6.5, (0.9, 0.9, 0.95, 1.0, 1.2, 1.3, 0.75),
        Decimal(100),
        (
            Way("PSE", 40, 20_000, 900_000, 7, 9, (2, 40)),
            Way("CARDS", 30, 15_000, 1_500_000, 17, 5, (1, 6)),
            Way("NEQUI", 25, 8_000, 250_000, 4, 6, (1, 9)),
            Way("CASH", 5, 10_000, 200_000, 0, 28, (30, 3_600)),
        ),
        "OXXO",
    ),
    Shop(
        "MCH-MEX-88DEMO", "MEX", "MXN", 5.0, (0.95, 0.9, 0.9, 0.95, 1.1, 1.25, 0.95),
        Decimal("0.01"),
        (
            Way("SPEI", 35, 150, 6_000, 2, 8, (1, 90)),
            Way("CARDS", 40, 100, 12_000, 19, 6, (1, 6)),
            Way("OXXO", 25, 80, 2_500, 0, 24, (20, 4_000)),
        ),
        "PSE",
        ((1, 9),),
    ),
    # It sells to companies: little on weekends.
    Shop(
        "MCH-BRA-88DEMO", "BRA", "BRL", 4.0, (1.2, 1.2, 1.15, 1.1, 1.1, 0.6, 0.45),
        Decimal("0.01"),
        (
            Way("BANK_TRANSFER", 45, 60, 4_000, 3, 10, (20, 2_800)),
            Way("CARDS", 45, 40, 5_000, 14, 5, (1, 6)),
            Way("CASH", 10, 20, 900, 0, 25, (60, 3_900)),
        ),
        "NEQUI",
    ),
)  # fmt: skip


def paydays(country: str, day: date) -> bool:
    """Whether wages are paid on that day (assumed)."""
    if country == "BRA":
        working = [d for n in range(1, 10) if (d := day.replace(day=n)).weekday() < 5]
        return day == working[4]
    return day.day == 15 or (day + timedelta(1)).day == 1


def expected_sales(shop: Shop, day: date) -> float:
    """How many orders a day brings on average.

    More from payday until two days later, half as many again by the end of the year, and up to
    twice as many before Christmas.
    """
    sales = shop.sales * shop.week[day.weekday()] * (1 + 0.5 * day.timetuple().tm_yday / 365)
    if any(paydays(shop.country, day - timedelta(back)) for back in range(3)):
        sales *= 1.4
    if day.month == 12 and day.day <= 24:
        sales *= 1.2 + day.day / 30
    return sales


def sales_of(shop: Shop, day: date, dice: random.Random) -> list[Sale]:
    """The orders of a day, in their order."""
    count = round(dice.gauss(mean := expected_sales(shop, day), mean**0.5))
    sales = [_draw(shop, (day.month, day.day) in shop.deaf, dice) for _ in range(max(0, count))]
    return sorted(sales, key=lambda sale: sale.minute)


def _draw(shop: Shop, deaf: bool, dice: random.Random) -> Sale:
    (way,) = dice.choices(shop.ways, [way.weight for way in shop.ways])
    # Most are small, a few are large.
    cents = 100 * way.low + int(100 * (way.high - way.low) * dice.random() ** 3)
    chance = dice.randrange(1_000)
    if chance < 8:
        fate = "mistaken"
    elif chance < 10:
        fate = "lost"
    else:
        ends = [100 - way.refused - way.abandoned, way.refused, way.abandoned]
        (fate,) = dice.choices(("paid", "refused", "abandoned"), ends)
    (notified,) = dice.choices(("once", "late", "twice", "never"), (940, 30, 26, 4))
    return Sale(
        minute=int(dice.triangular(7 * 60, 23 * 60, 19 * 60)),
        way=way,
        amount=Decimal(cents) / 100 // shop.unit * shop.unit,
        customer=dice.randrange(1, 400),
        fate=fate,
        wait=dice.randint(*way.minutes),
        notified="never" if deaf else notified,
        delay=dice.randrange(1_800, 30_000),
    )
