"""The ASGI application: its endpoints, what goes before each of them, and how errors are answered."""

from asyncio import Lock
from collections.abc import Iterator, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response

from otel_costs.chargeback.rules import Allocation
from otel_costs.store import StoreError
from otel_costs.web import (
    alerts_api,
    budgets_api,
    calls_api,
    compare_api,
    contracts_api,
    costs_api,
    events_api,
    page_data,
    page_paths,
    pages,
    prices_api,
    reasons_api,
    reports_api,
    sessions_api,
    statements_api,
    tags_api,
    tracking_api,
    usage_api,
    what_if_api,
)
from otel_costs.web.access import Access, RefusedError
from otel_costs.web.answer import failed
from otel_costs.web.enforced_budgets import EnforcedBudgets
from otel_costs.web.entrance import Entrance
from otel_costs.web.feed import Feed
from otel_costs.web.page_settings import PageSettings, package_version
from otel_costs.web.pages import ASSETS, Pages
from otel_costs.web.question import ParameterError
from otel_costs.web.store import NoWriterError, Store, UnavailableError

PREFIX: Final = "/api/v1"

_ABOUT: Final = """\
What AI conversations cost, to the last digit. Money is in US dollars, as exact text; times are in UTC, days in the
zone that is asked for. A parameter that is not known is refused. docs/api.md has examples.
"""

_APIS: Final = (
    costs_api, sessions_api, calls_api, tags_api, reports_api, usage_api, what_if_api, compare_api, tracking_api,
    budgets_api, contracts_api, alerts_api, prices_api, reasons_api, statements_api, events_api,
)  # fmt: skip

_ACCESS_DENIED: Final = 497


def application(
    store: Store,
    access: Access,
    feed: Feed | None = None,
    settings: PageSettings | None = None,
    allocation: Allocation | None = None,
) -> Entrance:
    """Return the application over `store`, for requests that have `access`; `feed` None is one that looks at the store.

    `settings` of its pages: None are those of the environment. `allocation`: rules that say whose spend is. Raises
    ValueError where the settings cannot be.
    """
    made = FastAPI(
        title="otel_costs",
        version=package_version(),
        description=_ABOUT,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=_HANDLERS,
    )
    made.state.store = store
    made.state.page_settings = settings or PageSettings.of()
    made.state.allocation = allocation
    made.state.feed = feed = feed or Feed(store)
    made.state.enforced_budgets = EnforcedBudgets(store)
    # Calls with a key are looked for and stored by one request after the other.
    made.state.one_at_a_time = Lock()
    for api in _APIS:
        made.include_router(api.router, prefix=PREFIX)
    made.include_router(page_data.router)
    made.add_middleware(Pages)
    made.add_middleware(GZipMiddleware, minimum_size=1024)
    return Entrance(made, access, feed.close)


def serves(path: str) -> bool:
    """Return whether a path is one of the application's."""
    return path == PREFIX or path.startswith((f"{PREFIX}/", ASSETS)) or page_paths.find(path) is not None


async def _refused(_request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, RefusedError) else 403
    challenge = {"WWW-Authenticate": 'Basic realm="otel-costs"'} if status == 401 else None
    return failed(status, str(error), challenge)


async def _wrong(_request: Request, error: Exception) -> Response:
    return failed(400, str(error))


async def _malformed(request: Request, error: Exception) -> Response:
    """Answer which field is wrong, without its value."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    if request.method in ("POST", "PUT") and "json" not in request.headers.get("content-type", ""):
        return failed(400, "the body is to be JSON, with the header Content-Type: application/json")
    found = error.errors()
    # Of a body that may be one of two things: what it is not is of no use where it nearly is the other.
    inner = [one for one in found if one["type"] not in ("list_type", "model_attributes_type", "model_type")] or found
    messages = [f"{'.'.join(_field(one['loc']))}: {one['msg']}" for one in inner]
    return failed(400, "; ".join(dict.fromkeys(messages[:5])))


def _field(place: Sequence[object]) -> Iterator[str]:
    """Yield the parts of a field's name, without those that name one of two things."""
    return (str(part) for part in place if not str(part).endswith(("TrackedCall", "TrackedCall]")))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == 404:
        if pages.is_missing_page(request, PREFIX):
            return pages.document(request, 404)
        return failed(404, f"there is nothing at {request.url.path}; {PREFIX}/openapi.json says what there is")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "GET")
        return failed(405, f"{request.method} is not for this address: use {allowed}", error.headers)
    return failed(error.status_code, str(error.detail), error.headers)


async def _store_failed(_request: Request, error: Exception) -> Response:
    if getattr(error.__cause__, "code", None) == _ACCESS_DENIED:
        return failed(403, f"the user that this application asks the store as may not do that: {error}")
    return failed(503, str(error), {"Retry-After": "5"})


async def _broken(_request: Request, _error: Exception) -> Response:
    return failed(500, "the request failed for a reason of the server's own")


_HANDLERS: Final[dict[Any, Any]] = {
    RefusedError: _refused,
    NoWriterError: _refused,
    ParameterError: _wrong,
    RequestValidationError: _malformed,
    HTTPException: _http,
    StoreError: _store_failed,
    UnavailableError: _store_failed,
    Exception: _broken,
}
