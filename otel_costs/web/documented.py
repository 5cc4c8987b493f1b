"""What the OpenAPI description has of an endpoint, from its parameters and the shape of its answer."""

from typing import Any, Final

from otel_costs.web import access_log
from otel_costs.web.access import RefusedError, Rights
from otel_costs.web.models import Error
from otel_costs.web.question import Asked, Question

_CSV: Final = {"schema": {"type": "string"}}

_ERRORS: Final = {
    400: "a parameter or a body that cannot be; the error says what can",
    401: "the token is missing",
    403: "the right is missing, or the page is of another origin",
    404: "there is no such thing",
    409: "another call has this idempotency key",
    413: "the body is too large",
    503: "the store does not answer, or has no room; ask again",
}


def documented(asked: Asked, shape: Any, *more: int) -> dict[str, Any]:
    """Return the options of an endpoint of FastAPI's whose answer has a `shape`.

    `more` are statuses that it has beside 200 and those of all.
    """
    found: dict[str, Any] = {"description": "the answer", "model": shape}
    if "format" in asked.names:
        found["content"] = {"text/csv": _CSV}
    return {
        "response_model": None,
        "responses": {200: found, **errors(400, 401, 403, *more, 503)},
        "openapi_extra": asked.openapi,
    }


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of errors."""
    return {status: {"description": _ERRORS[status], "model": Error} for status in statuses}


def readable(question: Question, rights: Rights) -> None:
    """Raise RefusedError when the question searches in what its asker may not read; log it when it searches."""
    if question.selection.q is None:
        return
    if not rights.content:
        raise RefusedError(403, "this request may not search in conversations (q): to read them is a right of its own")
    access_log.read(rights.who, access_log.SEARCH)
