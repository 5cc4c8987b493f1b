"""Bodies whose numbers stay what they are: an amount of money in JSON never becomes a float on its way.

They are bounded in depth, so that what reads them may follow them down.
"""

import json
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, Final

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

MAX_DEPTH: Final = 32
"""Objects and lists in one another; the usage of no provider has ten."""


class ExactRoute(APIRoute):
    """A route whose body has numbers with a fraction as Decimal."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handler = super().get_route_handler()

        async def exact(request: Request) -> Response:
            return await handler(_ExactRequest(request.scope, request.receive))

        return exact


class _ExactRequest(Request):
    async def json(self) -> Any:
        try:
            found = json.loads(await self.body(), parse_float=Decimal, object_pairs_hook=_once)
        except RecursionError:
            raise _too_deep() from None
        if not _is_bounded(found):
            raise _too_deep()
        return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of which each key is there once: of two, one would be left out without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise HTTPException(400, f"{twice[:100]!r} is given twice in an object of the body")
    return found


def _is_bounded(value: Any) -> bool:
    """Return whether objects and lists are in one another at most `MAX_DEPTH` times."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return True
    return False


def _too_deep() -> HTTPException:
    return HTTPException(400, f"the body is nested deeper than {MAX_DEPTH} levels")


def plain_numbers(value: Any) -> Any:
    """Return a value of such a body with floats in the place of its decimals, as what it is given to knows them."""
    if isinstance(value, dict):
        return {key: plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_numbers(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value
