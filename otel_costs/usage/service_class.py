"""The class of service that a usage names, among its labels: it changes the price, and is counted in no quantity.

Anthropic's `service_tier`; Vertex AI's `traffic_type` (`ON_DEMAND_PRIORITY`, `PROVISIONED_THROUGHPUT`), behind OpenAI's
protocol in `extra_properties.google` (cloud.google.com/vertex-ai/generative-ai/docs, UsageMetadata).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

STANDARD: Final = frozenset(
    {"", "auto", "default", "standard", "standard_only", "on_demand", "traffic_type_unspecified", "unspecified"}
)
"""Names of the class that the standard price is for."""

_KEY: Final = re.compile(r"(?:.*_)?(?:tier|traffic_?type|service_?class)", re.IGNORECASE)
_MAX_DEPTH: Final = 4


def service_class(usage: Mapping[Any, Any], depth: int = 0) -> str | None:
    """Return the class of service that a usage names at any place, in small letters; None where it is the standard."""
    for key, value in usage.items():
        if isinstance(value, Mapping) and depth < _MAX_DEPTH:
            if (found := service_class(value, depth + 1)) is not None:
                return found
        elif isinstance(value, str) and isinstance(key, str) and _KEY.fullmatch(key):
            named = value.strip().lower()
            if named not in STANDARD:
                return named.removeprefix("on_demand_")
    return None
