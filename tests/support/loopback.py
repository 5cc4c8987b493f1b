"""Clients that believe to talk to a provider's real host, and reach the stand-in.

`response.request.url` has the host that was asked for, as in production; only the connection goes to loopback.
"""

from typing import TYPE_CHECKING

try:
    import httpx2 as http  # openai 3
except ImportError:  # pragma: no cover
    import httpx as http  # type: ignore[import-not-found, no-redef, unused-ignore]  # openai 1 and 2

if TYPE_CHECKING:
    from otel_costs.stand_in import Provider


class _Sync(http.BaseTransport):
    def __init__(self, port: int) -> None:
        self._port, self._inner = port, http.HTTPTransport(verify=False)

    def handle_request(self, request: http.Request) -> http.Response:
        return self._inner.handle_request(_redirected(request, self._port))

    def close(self) -> None:
        self._inner.close()


class _Async(http.AsyncBaseTransport):
    def __init__(self, port: int) -> None:
        self._port, self._inner = port, http.AsyncHTTPTransport(verify=False)

    async def handle_async_request(self, request: http.Request) -> http.Response:
        return await self._inner.handle_async_request(_redirected(request, self._port))

    async def aclose(self) -> None:
        await self._inner.aclose()


def http_client(provider: "Provider") -> http.Client:
    """Return an `http_client` for a sync client of any host."""
    return http.Client(transport=_Sync(provider.port))


def async_http_client(provider: "Provider") -> http.AsyncClient:
    """Return an `http_client` for an async client of any host."""
    return http.AsyncClient(transport=_Async(provider.port))


def _redirected(request: http.Request, port: int) -> http.Request:
    url = request.url.copy_with(scheme="http", host="127.0.0.1", port=port)
    # The Host header stays: the stand-in answers in the dialect of that host.
    return http.Request(
        request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
    )
