"""OpenAI over HTTP, and whatever else is called through its SDK: patched at the transport.

Four methods of `openai._base_client` see every call of every resource, client and version: `request` of the sync and
the async client (what is asked, and errors), and `_process_response` (the HTTP response, before anybody reads it).
Routes, not resources: a resource that is added later is found by its URL.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

from otel_costs import shutdown, telemetry
from otel_costs.patching import Patches
from otel_costs.providers.openai_exchange import Exchange
from otel_costs.session import BudgetExceeded, current_scope

MODULE: Final = "openai._base_client"

_exchange: ContextVar[Exchange | None] = ContextVar("otel_costs_exchange", default=None)


def install(patches: Patches) -> None:
    """Patch the transport of the SDK; works with openai 1.30 to 3.x."""
    patches.wrap(MODULE, "SyncAPIClient.request", _request)
    patches.wrap(MODULE, "AsyncAPIClient.request", _request_async)
    for client in ("SyncAPIClient", "AsyncAPIClient"):
        patches.wrap(MODULE, f"{client}._process_response", _process_response)


def _request(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    exchange = _begin(instance, args, kwargs)
    if exchange is None:
        return wrapped(*args, **kwargs)
    token = exchange.enter(_exchange)
    try:
        result = wrapped(*exchange.args, **exchange.kwargs)
    except BaseException as error:
        exchange.failed(error)
        raise
    finally:
        exchange.leave(_exchange, token)
    exchange.returned()
    return result


async def _request_async(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    exchange = _begin(instance, args, kwargs)
    if exchange is None:
        return await wrapped(*args, **kwargs)
    token = exchange.enter(_exchange)
    try:
        result = await wrapped(*exchange.args, **exchange.kwargs)
    except BaseException as error:
        exchange.failed(error)
        raise
    finally:
        exchange.leave(_exchange, token)
    exchange.returned()
    return result


def _process_response(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Show the response to the exchange; the async method is called here too, and awaited by its caller."""
    exchange = _exchange.get()
    if exchange is not None and "response" in kwargs:
        exchange.received(kwargs["response"])
    return wrapped(*args, **kwargs)


def _begin(client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Exchange | None:
    """Start an exchange; raise `BudgetExceeded`, and nothing else, if the session has spent its budget."""
    try:
        if (scope := current_scope()) is not None and scope.session is not None:
            scope.session.check_budget()
        shutdown.adopt_once()
        return Exchange.begin(client, args, kwargs)
    except BudgetExceeded:
        raise
    except Exception as error:  # noqa: BLE001
        telemetry.complain_once("bug:start", "otel_costs could not start a call; it is not recorded", error=error)
        return None
