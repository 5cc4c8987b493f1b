"""Requests to providers, however they are sent and whether or not they are billed: they do not carry our baggage.

What is billed is known by its call, which has a context without it; a list of voices, a handshake or a request by hand
is known by its host alone. The libraries are hooked only where ids are in baggage at all (`OTEL_COSTS_BAGGAGE`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from otel_costs import hosts
from otel_costs.calls.call import CallContext
from otel_costs.runtime import telemetry
from otel_costs.runtime.patching import Patches, Wrapper
from otel_costs.sessions import baggage

_Args = tuple[Any, ...]
_Options = dict[str, Any]
_Address = Callable[[Any, _Args, _Options], str]


def install(patches: Patches) -> None:
    """Hook what is or will be imported; before all other patches of a library, so that those still see the baggage."""
    if baggage.mode == "none":
        return
    for library in _HOOKS:
        patches.on_import(library, partial(_install, library), __name__)


def _install(library: str, patches: Patches) -> None:
    if baggage.mode != "none":  # an import may be much later
        for method, wrapper in _HOOKS[library]:
            patches.wrap(library, method, wrapper, may_be_missing=True)


def _around(address: _Address) -> Wrapper:
    def send(wrapped: Any, instance: Any, args: _Args, kwargs: _Options) -> Any:
        if not _is_to_provider(address, instance, args, kwargs):
            return wrapped(*args, **kwargs)
        with CallContext(None):
            return wrapped(*args, **kwargs)

    return send


def _around_async(address: _Address) -> Wrapper:
    def send(wrapped: Any, instance: Any, args: _Args, kwargs: _Options) -> Any:
        to_provider = _is_to_provider(address, instance, args, kwargs)
        return _sending(wrapped, args, kwargs) if to_provider else wrapped(*args, **kwargs)

    return send


async def _sending(wrapped: Any, args: _Args, kwargs: _Options) -> Any:
    with CallContext(None):
        return await wrapped(*args, **kwargs)


@telemetry.never_raises("see whom a request is to")
def _is_to_provider(address: _Address, instance: Any, args: _Args, kwargs: _Options) -> bool:
    return hosts.provider_of(*hosts.address_of(address(instance, args, kwargs))) is not None


def _of_request(_: Any, args: _Args, kwargs: _Options) -> str:
    return str((args[0] if args else kwargs["request"]).url)


def _of_url(_: Any, args: _Args, kwargs: _Options) -> str:
    return str(args[1] if len(args) > 1 else kwargs["url"])


def _of_aiohttp(session: Any, args: _Args, kwargs: _Options) -> str:
    url = str(args[1] if len(args) > 1 else kwargs["str_or_url"])
    return url if "://" in url else str(getattr(session, "_base_url", None) or url)


def _of_pool(pool: Any, _: _Args, __: _Options) -> str:
    return f"{pool.scheme}://{pool.host}:{pool.port or (80 if pool.scheme == 'http' else 443)}"


def _of_opener(_: Any, args: _Args, kwargs: _Options) -> str:
    asked = args[0] if args else kwargs["fullurl"]
    return str(getattr(asked, "full_url", asked))


def _of_aws(client: Any, _: _Args, __: _Options) -> str:
    return str(client.meta.endpoint_url)


_HTTPX: Final = (("Client.send", _around(_of_request)), ("AsyncClient.send", _around_async(_of_request)))

_HOOKS: Final[dict[str, tuple[tuple[str, Wrapper], ...]]] = {
    "httpx": _HTTPX,
    "httpx2": _HTTPX,
    "aiohttp.client": (("ClientSession._request", _around_async(_of_aiohttp)),),  # handshakes of WebSockets, too
    "requests.sessions": (("Session.request", _around(_of_url)), ("Session.send", _around(_of_request))),
    "urllib3.poolmanager": (("PoolManager.urlopen", _around(_of_url)),),
    "urllib3.connectionpool": (("HTTPConnectionPool.urlopen", _around(_of_pool)),),
    "urllib.request": (("OpenerDirector.open", _around(_of_opener)),),
    "botocore.client": (("BaseClient._make_api_call", _around(_of_aws)),),
    "aiobotocore.client": (("AioBaseClient._make_api_call", _around_async(_of_aws)),),
}
"""Modules, and their methods that every request passes before an instrumentation writes its headers."""
