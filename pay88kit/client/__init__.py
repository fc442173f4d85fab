"""The client of 88Pay: ``Pay88``, and ``AsyncPay88`` for asyncio. One path for both."""

from pay88kit.client.api import AsyncPay88, Pay88

__all__ = ["AsyncPay88", "Pay88"]
