"""GET prices: the table in force, rate by rate, where it is from, and what it lacks."""

import asyncio
from dataclasses import asdict
from itertools import islice
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from otel_costs import pricing
from otel_costs.pricing import price_table
from otel_costs.pricing.price_table import PriceRow
from otel_costs.store import missing_prices
from otel_costs.store.rows import Row
from otel_costs.web import models
from otel_costs.web.answer import answer
from otel_costs.web.context import RightsOf, StoreOf
from otel_costs.web.documented import documented, readable
from otel_costs.web.question import FILTERS, FORM, PERIOD, Asked, Question

router: Final = APIRouter(tags=["prices"])

PRICES: Final = Asked(
    FORM,
    limit=(1000, 50_000),
    own=(
        ("provider", "prices of this provider"),
        ("model", "of models with this in their name; with a provider, also of the patterns that fit it"),
    ),
)


_MISSING: Final = Asked((*PERIOD, *FILTERS, *FORM))


@router.get("/prices", **documented(PRICES, models.Prices))
async def get_prices(question: Annotated[Question, Depends(PRICES)]) -> Response:
    """Return the prices in force: of several for a model the first is the one that calls have.

    `wins` says whether calls have a rate today, and `winner` which they have in its place; `more` is true where there
    are more than `limit`.
    """
    found = await asyncio.to_thread(prices, question)
    return answer(question, found, found["prices"])


@router.get("/prices/missing", **documented(_MISSING, models.MissingPrices))
async def get_missing_prices(
    request: Request, store: StoreOf, rights: RightsOf, question: Annotated[Question, Depends(_MISSING)]
) -> Response:
    """Return the models that have calls without a price, each with the entry of a price file that mends it.

    Its rates are to be filled in: a file with the question marks that stand for them is refused. Where `stanza` is
    null the prices in force have all that is needed, and `otel-costs reprice --unpriced` gives it to stored calls.
    """
    readable(question, rights)
    found = await store.ask(request, lambda client: missing_prices.missing_prices(client, question.selection))
    return answer(question, {"missing": found}, found)


def prices(question: Question) -> Row:
    """Return the prices in force that are asked for."""
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
