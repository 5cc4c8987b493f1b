"""Reasons of costs as people read them: what each means, and what to do."""

from collections.abc import Iterable, Iterator

from otel_costs.pricing.cost_reason import CostReason


def explained(recorded: Iterable[str]) -> Iterator[str]:
    """Yield a line for each of the reasons in `recorded`, texts in which commas separate them.

    A reason of another version, which is no member here, is left out, and so is the refused request: it costs nothing.
    """
    reasons = dict.fromkeys(reason for text in recorded for reason in text.split(","))
    for reason in CostReason:
        if reason in reasons and reason is not CostReason.REQUEST_REFUSED:
            yield f"{reason}: {reason.meaning} {reason.remedy}"
