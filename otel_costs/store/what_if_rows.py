"""A comparison of what_if as the rows of one table: lines, what stays as it is, and what has no price."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel_costs.store.rows import Row

COLUMNS: Final = (
    "alternative", "part", "provider", "model", "operation", "unit", "quantity", "rate_usd", "per", "multiplier",
    "amount_usd", "recorded_usd", "call_count", "reason",
)  # fmt: skip

RECORDED: Final = "as recorded"


def what_if_rows(found: Mapping[str, Any]) -> Iterator[Row]:
    """Yield rows of COLUMNS. The amounts of one alternative add up to its cost; what has no price has none.

    `part` is `line`, `kept` (calls that stay as they are) or `not_priced`, whose `recorded_usd` are what they cost.
    """
    for line in found["recorded"]["lines"]:
        yield _row(RECORDED, "line", **line, recorded_usd=line["amount_usd"])
    for one in found["alternatives"]:
        label = one["label"]
        for line in one["lines"]:
            yield _row(label, "line", **line)
        if one["kept_calls"]:
            kept = one["kept_usd"]
            yield _row(label, "kept", amount_usd=kept, recorded_usd=kept, call_count=one["kept_calls"])
        for group in one["not_priced"]:
            yield _row(label, "not_priced", **{**group, "unit": ",".join(group["units"])})


def _row(label: str, part: str, **given: Any) -> Row:
    return {name: {"alternative": label, "part": part, **given}.get(name) for name in COLUMNS}
