"""The stand-in's WebSockets: which function serves which path. A path counts by its end: hosts put theirs in front."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from otel_costs.stand_in import live, realtime, responses_socket, websocket
from otel_costs.stand_in.exchange import RefusedError, Request

if TYPE_CHECKING:
    from otel_costs.stand_in.connection import Connection

PATHS: Mapping[str, Callable[["Connection", Request], None]] = {
    "/realtime/translations": realtime.serve,
    "/realtime": realtime.serve,
    "/responses": responses_socket.serve,
    "/live/sessions": live.serve,
    "/attach": live.serve,
    "/fork": live.serve,
}
"""End of a path, and the function that serves it until the client is gone. The first that fits counts."""

wanted = websocket.wanted


def serve(connection: "Connection", request: Request) -> None:
    """Speak with a client until it is gone; raise RefusedError before that."""
    if not request.headers.get("authorization") and not request.headers.get("api-key"):
        raise RefusedError(401, "You didn't provide an API key.", code="invalid_api_key")
    if find_spec("websockets") is None:
        raise RefusedError(501, "The stand-in speaks on WebSockets where the package websockets is installed.")
    for end, speak in PATHS.items():
        if request.path.rstrip("/").endswith(end):
            connection.close_connection = True
            speak(connection, request)
            return
    raise RefusedError(404, f"Invalid URL (GET {request.path})")
