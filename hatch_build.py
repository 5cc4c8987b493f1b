"""Stores the built-in prices when the package is built, so that no process has to read YAML or import genai-prices."""

import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class StoredPrices(BuildHookInterface):  # type: ignore[type-arg]
    """Makes otel_costs/_files/prices.book; in a checkout, too, where it holds until a price file changes."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's
        """Make the book before the files are gathered."""
        sys.path.insert(0, self.root)
        from otel_costs.pricing import builtin_prices, stored_book  # noqa: PLC0415

        stored_book.write(builtin_prices.BUILT, builtin_prices.make())
