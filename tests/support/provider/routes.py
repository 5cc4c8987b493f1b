"""Which function answers which path."""

import re
from collections.abc import Callable
from dataclasses import replace

from . import chat, responses
from .exchange import Answer, RefusedError, Request, Store

Handler = Callable[[Request, Store], Answer]

_ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/chat/completions", chat.create),
    ("POST", "/responses", responses.create),
    ("POST", "/responses/compact", responses.compact),
    ("POST", "/responses/input_tokens", responses.count_tokens),
    ("GET", "/responses/{id}", responses.retrieve),
    ("DELETE", "/responses/{id}", responses.delete),
    ("POST", "/responses/{id}/cancel", responses.cancel),
    ("GET", "/responses/{id}/input_items", responses.input_items),
]

_COMPILED = [
    (method, re.compile("^" + re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path) + "/?$"), handler)
    for method, path, handler in _ROUTES
]


def answer(request: Request, store: Store) -> Answer:
    """Answer `request`, whose path has lost its prefix; raise RefusedError for what OpenAI would refuse."""
    for method, path, handler in _COMPILED:
        match = path.match(request.path)
        if match and method == request.method:
            return handler(replace(request, params=match.groupdict()), store)
    raise RefusedError(404, f"Invalid URL ({request.method} {request.path})", code="unknown_url")
