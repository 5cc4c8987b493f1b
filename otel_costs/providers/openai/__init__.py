"""OpenAI over HTTP, and every other provider that its SDK is used with: patched at the transport.

Methods of `openai._base_client` see every call of every resource, client and version: `request` of the sync and the
async client (what is asked, and errors), and `_process_response` (the HTTP response, before it is read).
Routes, not resources: a resource that is added later is found by its URL.

`request` can be passed by: another instrumentation, or the application, may hold the SDK's own function from before it
was patched, in a wrapper on a subclass or on a client. What that function calls first of the client can not, so there a
request is noticed that has not come by our wrapper, and recorded; what its client has for `request` is wrapped for the
next.
"""

from contextvars import ContextVar
from functools import partial
from typing import Any, Final

from otel_costs.calls.call import CallContext
from otel_costs.providers import unseen_sessions
from otel_costs.providers.openai import agent_sessions
from otel_costs.providers.openai import jobs as openai_jobs
from otel_costs.providers.openai.exchange import Exchange
from otel_costs.providers.openai.routes import UNKNOWN, find, may_be_billed
from otel_costs.runtime import decision_log, shutdown, signal_handlers, telemetry
from otel_costs.runtime.patching import Patches
from otel_costs.sessions.session import BudgetExceeded

MODULE: Final = "openai._base_client"

_exchange: ContextVar[Exchange | None] = ContextVar("otel_costs_exchange", default=None)
"""The exchange of the request that is being sent here; None if that is not recorded: a request that is made from within
another's hooks must not be taken for the other."""

_by_options: dict[int, Exchange | None] = {}
"""The requests that have come by our wrapper of `request`, while it runs, by the identity of the options that it passes
on: a copy, which no other request has. A wrapper of ours further in leaves such a request alone, unless it has had its
response and is sent once more."""


def install(patches: Patches) -> None:
    """Patch the transport of the SDK; works with openai 1.30 to 3.x."""
    openai_jobs.forget()
    agent_sessions.forget()
    unseen_sessions.forget()
    patches.wrap(MODULE, "SyncAPIClient.request", _request)
    patches.wrap(MODULE, "AsyncAPIClient.request", _request_async)
    for client in ("SyncAPIClient", "AsyncAPIClient"):
        patches.wrap(MODULE, f"{client}._process_response", _process_response)
    patches.wrap(MODULE, "BaseClient._maybe_override_cast_to", partial(_notice, patches))


def _options_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the options among the arguments of the SDK's `request`; None if they are not there."""
    return kwargs["options"] if "options" in kwargs else args[1] if len(args) > 1 else None


def _request(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    options = _options_of(args, kwargs)
    further_out = _by_options.get(id(options))
    if further_out is not None and not further_out.is_answered:
        return wrapped(*args, **kwargs)
    exchange = _begin(instance, args, kwargs, options)
    if exchange is not None:
        args, kwargs, options = exchange.args, exchange.kwargs, exchange.options
    _by_options[id(options)] = exchange
    try:
        with CallContext(None if exchange is None else exchange.call, _exchange, exchange):
            result = wrapped(*args, **kwargs)
    except BaseException as error:
        if exchange is not None:
            exchange.failed(error)
        raise
    finally:
        _by_options.pop(id(options), None)
    if exchange is not None and not exchange.is_answered:
        exchange.not_received()
    return result


async def _request_async(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    options = _options_of(args, kwargs)
    further_out = _by_options.get(id(options))
    if further_out is not None and not further_out.is_answered:
        return await wrapped(*args, **kwargs)
    exchange = _begin(instance, args, kwargs, options)
    if exchange is not None:
        args, kwargs, options = exchange.args, exchange.kwargs, exchange.options
    _by_options[id(options)] = exchange
    try:
        with CallContext(None if exchange is None else exchange.call, _exchange, exchange):
            result = await wrapped(*args, **kwargs)
    except BaseException as error:
        if exchange is not None:
            exchange.failed(error)
        raise
    finally:
        _by_options.pop(id(options), None)
    if exchange is not None and not exchange.is_answered:
        exchange.not_received()
    return result


def _process_response(wrapped: Any, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Show the response to the exchange; the async method is called here too, and awaited by its caller."""
    exchange = _exchange.get()
    if exchange is not None and "response" in kwargs:
        exchange.received(kwargs["response"])
        if exchange.passed_by:
            _exchange.set(None)  # nothing else does
    return wrapped(*args, **kwargs)


def _notice(patches: Patches, wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Begin the exchange of a request that did not come by our wrapper of `request`, from what that calls first."""
    options = _options_of(args, kwargs)
    try:
        exchange = _by_options[id(options)]
    except KeyError:
        exchange = _begin(instance, args, kwargs, options, passed_by=True)
        _cover(patches, instance)
    if _exchange.get() is not exchange:
        # Another thread or task than that of our wrapper, or what an earlier request left here.
        _exchange.set(exchange)
    return wrapped(*args, **kwargs)


@telemetry.never_raises("patch what passes it by")
def _cover(patches: Patches, client: Any) -> None:
    """Patch what a request that passed by needs now, and the `request` that its client has, for the next."""
    patches.wrap(MODULE, "BaseClient._build_request", _build_request)
    patches.wrap(MODULE, "BaseClient._make_status_error_from_response", _make_status_error)
    is_async = any(base.__name__ == "AsyncAPIClient" for base in type(client).__mro__)
    patches.wrap_found(client, "request", _request_async if is_async else _request)


def _build_request(wrapped: Any, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Ask for the usage of a stream that passed by our wrapper of `request`: these are the options that are sent."""
    exchange = _exchange.get()
    if exchange is not None and exchange.passed_by and args:
        args = (exchange.asking(args[0]), *args[1:])
    return wrapped(*args, **kwargs)


def _make_status_error(wrapped: Any, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Note the end of a request that passed by our wrapper of `request`."""
    error = wrapped(*args, **kwargs)
    exchange = _exchange.get()
    if exchange is not None and exchange.passed_by:
        exchange.failed(error)
    return error


def _begin(
    client: Any, args: tuple[Any, ...], kwargs: dict[str, Any], options: Any, *, passed_by: bool = False
) -> Exchange | None:
    """Start an exchange, None if it is not billed; raise `BudgetExceeded`, and nothing else, if a budget is spent."""
    try:
        if not shutdown.has_adopted_once:
            shutdown.adopt_once()
        route = find(options.method, options.url)
        if route is None and not may_be_billed(options.method, options.url):
            decision_log.not_billed_route(options.method, options.url)
            return None
        return Exchange(client, args, kwargs, options, route or UNKNOWN, passed_by=passed_by)
    except BudgetExceeded:
        raise
    except Exception as error:
        if signal_handlers.raised(error):
            raise
        telemetry.warn_once("bug:start", "otel_costs could not start a call; it is not recorded", error=error)
        return None
