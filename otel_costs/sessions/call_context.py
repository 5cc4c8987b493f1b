"""The context in which a request is sent: the span of its call is the current one, and our baggage stays here."""

from typing import Final, Protocol

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_costs.runtime import telemetry
from otel_costs.sessions import baggage

_NONE: Final = Context()


class HasContext(Protocol):
    """A request with the context that it is to be sent in; None if it has no call."""

    @property
    def context(self) -> Context | None: ...


class CallContext:
    """Makes the context of a call the current one in a `with` block; never raises.

    It is undone by value: a coroutine may be closed in another context than it ran in, where a token is refused.
    """

    __slots__ = ("_inner", "_outer", "_request")

    def __init__(self, request: HasContext | None) -> None:
        """`request` None, or without a call, is sent in the current context, without our baggage."""
        self._request = request
        self._inner: Context | None = None
        self._outer: Context = _NONE

    def __enter__(self) -> None:
        try:
            self._outer = otel_context.get_current()
            wanted = None if self._request is None else self._request.context
            inner = wanted or baggage.withheld(self._outer)
            if inner is not self._outer:
                otel_context.attach(inner)
                self._inner = inner
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:enter", "otel_costs could not enter the context of a call", error=error)

    def __exit__(self, *_: object) -> None:
        try:
            if self._inner is not None and otel_context.get_current() is self._inner:
                otel_context.attach(self._outer)
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:leave", "otel_costs could not leave the context of a call", error=error)
