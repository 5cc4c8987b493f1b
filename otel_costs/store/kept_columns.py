"""The columns that a row keeps when it is written again: all that are stored, but those that are worked out anew."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from otel_costs.store.rows import rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

ARRIVAL: Final = ("inserted_at",)
"""When a row arrived: one that is written again arrives again, and is counted again by that."""

OF_PRICE: Final = (
    "line_kinds", "itemized", "text_input_usd", "text_output_usd", "audio_input_usd", "audio_output_usd",
    "speech_to_text_usd", "text_to_speech_usd", "other_usd", "version",
)  # fmt: skip
"""Columns of calls that follow from a price or from the number of a revision."""


def kept_columns(client: "Client", table: str, but: Sequence[str] = ARRIVAL) -> list[str]:
    """Return the columns of a table that are stored, whatever their defaults, in its order. Raises StoreError."""
    found = rows(
        client,
        "select name from system.columns where database = currentDatabase() and table = {table:String}"
        " and default_kind in ('', 'DEFAULT') order by position",
        {"table": table},
    )
    return [row["name"] for row in found if row["name"] not in but]
