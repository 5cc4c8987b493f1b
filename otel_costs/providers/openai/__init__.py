"""OpenAI over HTTP, and whatever else is called through its SDK: patched at the transport.

Four methods of `openai._base_client` see every call of every resource, client and version: `request` of the sync and
the async client (what is asked, and errors), and `_process_response` (the HTTP response, before anybody reads it).
Routes, not resources: a resource that is added later is found by its URL.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_costs import baggage, shutdown, telemetry
from otel_costs.patching import Patches
from otel_costs.providers import unseen_sessions
from otel_costs.providers.openai import agent_sessions
from otel_costs.providers.openai import jobs as openai_jobs
from otel_costs.providers.openai.exchange import Exchange
from otel_costs.session import BudgetExceeded

MODULE: Final = "openai._base_client"

_exchange: ContextVar[Exchange | None] = ContextVar("otel_costs_exchange", default=None)


def install(patches: Patches) -> None:
    """Patch the transport of the SDK; works with openai 1.30 to 3.x."""
    openai_jobs.forget()
    agent_sessions.forget()
    unseen_sessions.forget()
    patches.wrap(MODULE, "SyncAPIClient.request", _request)
    patches.wrap(MODULE, "AsyncAPIClient.request", _request_async)
    for client in ("SyncAPIClient", "AsyncAPIClient"):
        patches.wrap(MODULE, f"{client}._process_response", _process_response)


def _request(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    exchange = _begin(instance, args, kwargs)
    with _Sending(exchange):
        if exchange is None:
            return wrapped(*args, **kwargs)
        try:
            result = wrapped(*exchange.args, **exchange.kwargs)
        except BaseException as error:
            exchange.failed(error)
            raise
    exchange.returned()
    return result


async def _request_async(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    exchange = _begin(instance, args, kwargs)
    with _Sending(exchange):
        if exchange is None:
            return await wrapped(*args, **kwargs)
        try:
            result = await wrapped(*exchange.args, **exchange.kwargs)
        except BaseException as error:
            exchange.failed(error)
            raise
    exchange.returned()
    return result


def _process_response(wrapped: Any, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Show the response to the exchange; the async method is called here too, and awaited by its caller."""
    exchange = _exchange.get()
    if exchange is not None and "response" in kwargs:
        exchange.received(kwargs["response"])
    return wrapped(*args, **kwargs)


def _begin(client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Exchange | None:
    """Start an exchange; raise `BudgetExceeded`, and nothing else, if the session has spent its budget."""
    try:
        shutdown.adopt_once()
        return Exchange.begin(client, args, kwargs)
    except BudgetExceeded:
        raise
    except Exception as error:  # noqa: BLE001
        telemetry.complain_once("bug:start", "otel_costs could not start a call; it is not recorded", error=error)
        return None


class _Sending:
    """While a request is sent, its exchange is that of the task, and its span the current one.

    None too: a request that is not recorded, made from within another's hooks, must not be taken for the other, and
    takes no baggage of ours along either. It is
    undone by value and not by token: a coroutine may be closed in another context than it ran in, where a token is
    refused, and somebody else's values stand.
    """

    __slots__ = ("_context", "_exchange", "_outer", "_outer_context")

    def __init__(self, exchange: Exchange | None) -> None:
        self._exchange = exchange
        self._context: Context | None = None

    @telemetry.shielded("enter the context of a call")
    def _enter(self) -> None:
        self._outer = _exchange.get()
        _exchange.set(self._exchange)
        context = None if self._exchange is None else self._exchange.context
        outer = otel_context.get_current()
        context = context or baggage.withheld(outer)
        if context is not outer:
            self._outer_context, self._context = outer, context
            otel_context.attach(context)

    @telemetry.shielded("leave the context of a call")
    def _leave(self) -> None:
        if _exchange.get() is self._exchange:
            _exchange.set(self._outer)
        if self._context is not None and otel_context.get_current() is self._context:
            otel_context.attach(self._outer_context)

    def __enter__(self) -> None:
        self._enter()

    def __exit__(self, *_: object) -> None:
        self._leave()
