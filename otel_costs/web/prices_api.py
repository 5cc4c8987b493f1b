"""GET prices: the table in force, rate by rate, and where it is from."""

import asyncio
from dataclasses import asdict
from itertools import islice
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from otel_costs import pricing
from otel_costs.pricing import price_table
from otel_costs.pricing.price_table import PriceRow
from otel_costs.store.rows import Row
from otel_costs.web import models
from otel_costs.web.answer import answer
from otel_costs.web.documented import documented
from otel_costs.web.question import FORM, Asked, Question

router: Final = APIRouter(tags=["prices"])

_PRICES: Final = Asked(
    FORM,
    limit=(1000, 50_000),
    own=(
        ("provider", "prices of this provider"),
        ("model", "of models with this in their name; with a provider, also of the patterns that fit it"),
    ),
)


@router.get("/prices", **documented(_PRICES, models.Prices))
async def get_prices(question: Annotated[Question, Depends(_PRICES)]) -> Response:
    """Return the prices in force: of several for a model the first is the one that calls have.

    `wins` says whether calls have a rate today, and `winner` which they have in its place; `more` is true where there
    are more than `limit`.
    """
    found = await asyncio.to_thread(_prices, question)
    return answer(question, found, found["prices"])


def _prices(question: Question) -> Row:
    book = pricing.current()
    asked = price_table.rows(book, question.texts.get("provider") or None, question.texts.get("model") or None)
    listed = [_row(row) for row in islice(asked, question.limit + 1)]
    return {
        "version": book.version,
        "sources": [asdict(source) for source in price_table.sources(book)],
        "prices": listed[: question.limit],
        "more": len(listed) > question.limit,
    }


def _row(row: PriceRow) -> Row:
    found = asdict(row)
    rate_usd = found.pop("usd")
    return {**found, "rate_usd": rate_usd, "multiplier": f"{row.multiplier:f}"}
