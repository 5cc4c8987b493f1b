"""Vendors whose SDKs speak over httpx or httpx2: patched where every request of every resource and version passes.

`send` of their clients sees each attempt, whole or streamed. A request that is never sent is not recorded: a generator
that is not iterated costs nothing. Requests to other hosts pass. The SDK's own `request`, which retries, is patched
around it, so that the attempts of one request are one call.
"""

import asyncio
import re
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache, partial
from inspect import iscoroutinefunction
from typing import Any, Final
from urllib.parse import urlsplit

from otel_costs import hosts
from otel_costs.calls.admission import admit
from otel_costs.calls.call import CallContext
from otel_costs.calls.estimate import Kind
from otel_costs.calls.request_size import of_request
from otel_costs.hosts import Host
from otel_costs.providers.kit.exchange import VendorCall, is_refused
from otel_costs.providers.kit.vendor import Vendor
from otel_costs.runtime import decision_log, shutdown, signal_handlers, telemetry
from otel_costs.runtime.patching import Patches
from otel_costs.sessions.reservations import BudgetExceeded, Reservation
from otel_costs.sessions.scope import has_budget

LIBRARIES: Final = ("httpx", "httpx2")

_Args = tuple[Any, ...]
_Options = Mapping[str, Any]
_Found = tuple[Vendor, Host]

_vendors: Final[dict[str, Vendor]] = {}
_paths: Final[dict[str, re.Pattern[str]]] = {}
"""By method, what is billed by any vendor."""

_OPENAI: Final = "openai/python"  # in `user-agent`: OpenAI's own client, whose calls are recorded as such, at any host


def install(patches: Patches, vendor: Vendor) -> None:
    """Record what is asked of `vendor` over HTTP, by whichever library that is or will be imported."""
    _vendors[vendor.name] = vendor
    for method in {endpoint.method for endpoint in vendor.endpoints}:
        found = [one.path for known in _vendors.values() for one in known.endpoints if one.method == method]
        _paths[method] = re.compile("|".join(f"(?:{path})" for path in found))
    _behind.cache_clear()
    for library in LIBRARIES:
        patches.on_import(library, partial(_install, library), __name__)
    for client in vendor.clients:
        module, _, method = client.partition(":")
        patches.on_import(module, partial(_install_client, vendor, module, method), f"{__name__}:{client}")


def _install(library: str, patches: Patches) -> None:
    patches.wrap(library, "Client.send", _send)
    patches.wrap(library, "AsyncClient.send", _send_async)


def _install_client(vendor: Vendor, module: str, method: str, patches: Patches) -> None:
    patches.wrap(module, method, partial(_request_async if "async" in method.lower() else _request, vendor))


class _Attempts:
    """The attempts of one request of an SDK, of which the last one counts.

    They are all the same request, and made where the first was: a hook of the application may send others meanwhile.
    """

    __slots__ = ("_asked", "_place", "call", "error", "latest", "outer", "reservation", "vendor")

    def __init__(self, vendor: Vendor, reservation: Reservation | None) -> None:
        self.vendor = vendor
        self.reservation = reservation  # which no call has taken yet
        self.call: VendorCall | None = None  # which no attempt has finished yet
        self.latest: VendorCall | None = None  # of the attempt that is or was under way
        self.error: BaseException | str = ""
        self.outer: _Attempts | None = None
        self._asked: tuple[str, str, str] | None = None
        self._place = _place()

    def is_here(self) -> bool:
        """Return whether they are made in this thread and task; a task is begun with the context of its parent."""
        return self._place == _place()

    def include(self, vendor: Vendor, request: Any) -> bool:
        """Return whether a request is one of the attempts; the first one to the vendor says which request that is."""
        if vendor is not self.vendor or not self.is_here():
            return False
        asked = request.method, request.url.host, request.url.path
        if self._asked is None:
            self._asked = asked
        return self._asked == asked

    def __enter__(self) -> None:
        self.outer = _attempts.get()
        _attempts.set(self)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if _attempts.get() is self:  # not with a token: a coroutine may be closed in another context
            _attempts.set(self.outer)
        if self.call is not None:
            self.call.failed(error or self.error, status=int(self.error) if isinstance(self.error, str) else None)
        if self.reservation is not None:
            self.reservation.release()

    def take(self) -> Reservation | None:
        """Return what is reserved, once."""
        found, self.reservation = self.reservation, None
        return found


_attempts: ContextVar[_Attempts | None] = ContextVar("otel_costs_attempts", default=None)


def _place() -> tuple[int, "asyncio.Task[Any] | None"]:
    try:
        return threading.get_ident(), asyncio.current_task()
    except RuntimeError:  # no loop runs
        return threading.get_ident(), None


def _is_tried_again(vendor: Vendor) -> bool:
    """Return whether a method of the vendor's SDK calls itself to try again."""
    attempts = _attempts.get()
    return attempts is not None and attempts.vendor is vendor and attempts.is_here()


def _attempts_of(call: VendorCall) -> _Attempts | None:
    """Return the attempts of which `call` is the latest, if it is one of several."""
    attempts = _attempts.get()
    return attempts if attempts is not None and attempts.latest is call else None


def _request(vendor: Vendor, wrapped: Any, instance: Any, args: _Args, kwargs: _Options) -> Any:
    if iscoroutinefunction(wrapped):
        return _request_async(vendor, wrapped, instance, args, kwargs)
    if _is_tried_again(vendor):
        return wrapped(*args, **kwargs)
    with _Attempts(vendor, _admitted(vendor, args, kwargs)):
        return wrapped(*args, **kwargs)


async def _request_async(vendor: Vendor, wrapped: Any, _: Any, args: _Args, kwargs: _Options) -> Any:
    if _is_tried_again(vendor):
        return await wrapped(*args, **kwargs)
    with _Attempts(vendor, _admitted(vendor, args, kwargs)):
        return await wrapped(*args, **kwargs)


def _admitted(vendor: Vendor, args: _Args, kwargs: _Options) -> Reservation | None:
    """Return what is reserved; raise `BudgetExceeded`, and nothing else.

    Raised from `send`, an SDK may take it for a broken connection.
    """
    if not has_budget():
        return None
    try:
        endpoint = vendor.endpoint(*route(args, kwargs))
        if endpoint is not None and not endpoint.is_poll:
            body = _body(args, kwargs)
            model = body.get("model") or body.get("model_id") or endpoint.default_model
            kind = Kind(endpoint.operation, vendor.name, model if isinstance(model, str) else None)
            return admit(kind, partial(of_request, endpoint.operation, body))
    except BudgetExceeded:
        raise
    except Exception as error:  # noqa: BLE001
        telemetry.warn_once("bug:route", "otel_costs could not read a route", error=error)
    return None


def _body(args: _Args, kwargs: _Options) -> Mapping[str, Any]:
    """Return the JSON that a method of an SDK is asked to send, where the usual generators keep it."""
    for found in (kwargs.get("json"), *(getattr(one, "json_data", None) for one in (*kwargs.values(), *args))):
        if isinstance(found, Mapping):
            return found
    return {}


def route(args: _Args, kwargs: _Options) -> tuple[str, str]:
    """Return the method and the path that a method of an SDK is called for, as the usual generators write them.

    Fern gives them by name; Stainless has them in its options, and Speakeasy in a request, of the same two names.
    """
    if "method" in kwargs:
        return str(kwargs["method"]).upper(), urlsplit(str(kwargs["path"] if "path" in kwargs else args[0])).path
    given = [one for one in (*kwargs.values(), *args) if not isinstance(one, type)]  # a class to cast to has both, too
    asked = next(one for one in given if hasattr(one, "method") and hasattr(one, "url"))
    return str(asked.method).upper(), urlsplit(str(asked.url)).path


def _send(wrapped: Any, _: Any, args: _Args, kwargs: _Options) -> Any:
    call = _begin(args, kwargs)
    if call is None:
        return wrapped(*args, **kwargs)
    with CallContext(call.call):
        try:
            response = wrapped(*args, **kwargs)
        except BaseException as error:
            _failed(call, error)
            raise
    _received(call, response)
    return response


async def _send_async(wrapped: Any, _: Any, args: _Args, kwargs: _Options) -> Any:
    call = _begin(args, kwargs)
    if call is None:
        return await wrapped(*args, **kwargs)
    with CallContext(call.call):
        try:
            response = await wrapped(*args, **kwargs)
        except BaseException as error:
            _failed(call, error)
            raise
    _received(call, response)
    return response


def _begin(args: _Args, kwargs: _Options) -> VendorCall | None:
    """Start the call of a request, or go on with it; raise `BudgetExceeded`, and nothing else."""
    try:
        request = args[0] if args else kwargs["request"]
        url = request.url
        found = _behind(url.host, url.port, url.scheme)
        if found is None:
            found = _by_agent(request)
        if not found:
            return None
        vendor, host = found
        endpoint = vendor.endpoint(request.method, url.path)
        if endpoint is None:
            decision_log.not_billed_route(request.method, url.path)
            return None
        if _OPENAI in request.headers.get("user-agent", "").lower():
            return None
        attempts = _attempts.get()
        if attempts is not None and not attempts.include(vendor, request):
            attempts = None
        if attempts is not None and attempts.call is not None:
            return attempts.call
        shutdown.adopt_once()
        call = VendorCall.begin(endpoint, host, request, None if attempts is None else attempts.take())
        if attempts is not None:
            attempts.latest = call
    except BudgetExceeded:
        raise
    except Exception as error:
        if signal_handlers.raised(error):
            raise
        telemetry.warn_once("bug:start", "otel_costs could not start a call; it is not recorded", error=error)
        return None
    return call


@lru_cache(maxsize=1024)
def _behind(host: str, port: int | None, scheme: str) -> _Found | tuple[()] | None:
    """Return the vendor and host of a request: empty for a provider without a vendor, None for an unknown host.

    This runs for every request of the process, most of which go elsewhere: so the result is kept as it was configured
    when the host was first seen.
    """
    number = port or (80 if scheme == "http" else 443)
    provider = hosts.provider_of(host, number)
    if provider is None:
        return None
    vendor = _vendors.get(provider)
    return () if vendor is None else (vendor, hosts.at(host, number))


def _by_agent(request: Any) -> _Found | None:
    """Return the vendor and host of a billed request to an unknown host, by its `user-agent`; None for any other."""
    paths, url = _paths.get(request.method), request.url
    if paths is None or not paths.search(url.path):
        return None
    agent = request.headers.get("user-agent", "").lower()
    vendor = next((vendor for vendor in _vendors.values() if vendor.agent and vendor.agent in agent), None)
    return None if vendor is None else (vendor, hosts.at(url.host, url.port or (80 if url.scheme == "http" else 443)))


@telemetry.never_raises("note an answer")
def _received(call: VendorCall, response: Any) -> None:
    refused = is_refused(response)
    if (attempts := _attempts_of(call)) is not None:
        attempts.call, attempts.error = (call, str(response.status_code)) if refused else (None, "")
    elif refused:
        call.failed(str(response.status_code), status=response.status_code)
    if not refused:
        call.received(response)


@telemetry.never_raises("note a failure")
def _failed(call: VendorCall, error: BaseException) -> None:
    if (attempts := _attempts_of(call)) is not None:
        attempts.call, attempts.error = call, error
    else:
        call.failed(error)
