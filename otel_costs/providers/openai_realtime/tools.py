"""The functions that the application runs for a connection: a span each, from the call of the model to the result."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from otel_costs import semconv as names
from otel_costs.providers.openai.parts import key
from otel_costs.providers.openai_realtime.owner import Owner
from otel_costs.runtime import telemetry
from otel_costs.values import sanitize

WAITING: Final = 64
"""Functions whose result is awaited; the oldest is given up."""

UNANSWERED: Final = "unanswered"
"""The kind of error of a function whose result the application did not send."""


class Tools:
    """The functions of one connection that were called and not answered yet. Their spans hold no arguments."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._running: OrderedDict[str, Span] = OrderedDict()

    def called(self, item: Mapping[str, Any]) -> None:
        """Begin a span for an item of a response that is a function's call: the application runs it from now on."""
        call_id, name = key(item.get("call_id")), key(item.get("name"))
        if item.get("type") != "function_call" or call_id is None or name is None or call_id in self._running:
            return
        while len(self._running) >= WAITING:
            _fail(self._running.popitem(last=False)[1])
        self._running[call_id] = telemetry.current().tracer.start_span(
            f"execute_tool {sanitize.identifier(name)}",
            self._owner.context,
            kind=SpanKind.INTERNAL,
            attributes={
                **self._owner.identity,
                names.OPERATION_NAME: "execute_tool",
                names.TOOL_NAME: sanitize.identifier(name),
                names.TOOL_CALL_ID: sanitize.identifier(call_id),
                names.TOOL_TYPE: "function",
            },
        )

    def answered(self, item: Mapping[str, Any]) -> None:
        """End the span of the function whose result is the item that the application sends."""
        span = self._running.pop(key(item.get("call_id")) or "", None)
        if span is not None:
            span.end()

    def end(self) -> None:
        """Give up what was not answered: the connection has ended."""
        while self._running:
            _fail(self._running.popitem()[1])


def _fail(span: Span) -> None:
    span.set_attribute(names.ERROR_TYPE, UNANSWERED)
    span.set_status(Status(StatusCode.ERROR, UNANSWERED))
    span.end()
