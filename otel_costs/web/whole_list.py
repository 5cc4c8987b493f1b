"""Lists as files: a CSV has the whole list, since a file does not show that it ends with a page of it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from otel_costs.store.rows import Row
from otel_costs.web.question import ParameterError, Question

MOST: Final = 200_000
"""Rows of one file."""


async def read(
    question: Question, name: str, most_of_page: int, page: Callable[[Question], Awaitable[Row]]
) -> tuple[Row, list[Row]]:
    """Return what `page` answers to a question, and the rows that it has under `name`.

    Where they are to be CSV, and neither a limit nor a cursor says which page, the rows are those of all pages, of
    `most_of_page` rows each. Raises ParameterError for more than MOST, and what `page` raises.
    """
    if not question.csv or question.is_paged:
        found = await page(question)
        return found, found[name]
    found = await page(replace(question, limit=most_of_page))
    rows = list(found[name])
    cursor = found.get("cursor")
    while cursor is not None:
        if len(rows) >= MOST:
            raise ParameterError(
                f"these are more than {MOST:,} {name}: ask for a shorter time, or use `otel-costs export {name}`"
            )
        more = await page(replace(question, limit=most_of_page, cursor=cursor))
        rows += more[name]
        cursor = more.get("cursor")
    return found, rows
