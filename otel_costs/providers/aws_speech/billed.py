"""What Amazon Transcribe bills of a sound."""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from otel_costs.pricing.cost_reason import CostReason
from otel_costs.usage import Usage


def audio_usage(heard: Decimal) -> Usage:
    """Return what is billed of `heard` seconds: each second that was begun; what was heard stands beside it.

    The least of 15 seconds that is billed of a request stands in the price file. Channels are not billed apart.
    """
    whole = int(heard.to_integral_value(ROUND_CEILING))
    return Usage.of({"audio_seconds": whole, "input_audio_seconds": heard}, estimated=True)


def add_on(options: Mapping[str, Any], *names: str) -> CostReason | None:
    """Return the reason why the price is not all of it where one of the options `names` is asked for."""
    return CostReason.ADD_ON_NOT_PRICED if any(options.get(name) for name in names) else None
