"""Usage, model and time to cost: exact, line by line, with the names of what could not be priced."""

from otel_costs.pricing.cost import ESTIMATED, PARTIAL, PRICED, UNPRICED, Cost, Line
from otel_costs.pricing.price_book import (
    PriceBook,
    current,
    load,
    price,
    reload,
    standard_rates,
    use,
    warm_up,
)
from otel_costs.pricing.price_entry import PriceFileError

__all__ = [
    "ESTIMATED",
    "PARTIAL",
    "PRICED",
    "UNPRICED",
    "Cost",
    "Line",
    "PriceBook",
    "PriceFileError",
    "current",
    "load",
    "price",
    "reload",
    "standard_rates",
    "use",
    "warm_up",
]
