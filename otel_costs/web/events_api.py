"""GET events: new calls, sessions under way and today's total, as they happen."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import StreamingResponse

from otel_costs.web.documented import errors
from otel_costs.web.feed import Feed
from otel_costs.web.question import Asked, Question

router: Final = APIRouter(tags=["events"])

_EVENTS: Final = Asked()

_DOCUMENTED: Final[dict[str, Any]] = {
    "response_class": StreamingResponse,
    "responses": {
        200: {"description": "server-sent events", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **errors(400, 401, 403),
    },
}


@router.get("/events", **_DOCUMENTED)
async def get_events(request: Request, question: Annotated[Question, Depends(_EVENTS)]) -> StreamingResponse:  # noqa: ARG001
    """Stream what happens, as a browser's EventSource reads it.

    `calls` are new ones, `sessions` those that had a call in the last five minutes, `totals` what today costs (in the
    zone of OTEL_COSTS_TZ), and `trouble` that the store does not answer. A stream ends after half a minute; a client
    opens the next one with the id of the last event as `Last-Event-ID`, and gets what came meanwhile.
    """
    feed: Feed = request.app.state.feed
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
    stream = feed.stream(request.headers.get("last-event-id"))
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)
