"""Which of OpenAI's URLs are billed, and how."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Route:
    """One kind of billable call, named by its path without ids."""

    name: str
    operation: str
    messages: str = ""
    """The name of the reader of its messages; empty where it has none."""
    job: bool = False
    """Whether it starts something whose cost is known later, when a poll of it finds that it has ended."""
    polls: bool = False
    """Whether it only polls what an earlier request started."""
    begins: bool = False
    """Whether it starts something although its answer is read as that of a poll: a spent budget stops it."""
    free: bool = False
    """Whether it costs nothing, unless the answer says what it used."""
    unseen: bool = False
    """Whether it starts a session whose events do not pass this process."""
    output_type: str | None = None
    api_type: str | None = None


UNKNOWN: Final = Route("unknown", "unknown")
"""A route that we do not know, whose answer said what it used."""

_RESPONSES: Final = Route("responses", "chat", "responses", api_type="responses")
_RUN: Final = Route("threads/runs", "invoke_agent", job=True)
_TURN: Final = Route("agents/turns", "invoke_agent", job=True, polls=True)
_VIDEO: Final = Route("videos", "video_generation", "videos", job=True, output_type="video")
_BATCH: Final = Route("batches", "batch", job=True)
_TUNING: Final = Route("fine_tuning/jobs", "fine_tuning", job=True)
_EVAL: Final = Route("evals/runs", "evaluation", job=True)

_CALL: Final = Route("realtime/calls", "realtime_inference", job=True, unseen=True)
_LIVE: Final = Route("live/sessions", "realtime_inference", job=True, unseen=True)

_POSTS: Final = {
    f"/{route.name}": route
    for route in (
        Route("chat/completions", "chat", "chat", api_type="chat_completions"),
        Route("completions", "text_completion", "completions"),
        _RESPONSES,
        Route("responses/compact", "chat", api_type="responses"),
        Route("decisions", "decision", "decisions"),
        Route("embeddings", "embeddings"),
        Route("audio/speech", "text_to_speech", "speech", output_type="speech"),
        Route("audio/transcriptions", "speech_to_text", "transcription", output_type="text"),
        Route("audio/translations", "speech_to_text", "translation", output_type="text"),
        Route("images/generations", "image_generation", "images", output_type="image"),
        Route("images/edits", "image_generation", "images", output_type="image"),
        Route("images/variations", "image_generation", "images", output_type="image"),
        Route("moderations", "moderation", free=True),
        Route("containers", "create_container"),
        Route("fine_tuning/alpha/graders/run", "evaluation"),
        _CALL,
        _LIVE,
        _VIDEO,
        _BATCH,
        _TUNING,
        _RUN,
    )
}


def _poll(route: Route) -> Route:
    return replace(route, polls=True, job=True)


# Compiled when they are first asked for: it would take milliseconds of each start.
_PATTERNS: Final = (
    ("get", r"/responses/[^/]+", _poll(_RESPONSES)),
    ("post", r"/responses/[^/]+/cancel", _poll(_RESPONSES)),
    ("post", r"/threads/[^/]+/runs", _RUN),
    ("get", r"/threads/[^/]+/runs(/[^/]+)?", _poll(_RUN)),
    ("post", r"/threads/[^/]+/runs/[^/]+(/(cancel|submit_tool_outputs))?", _poll(_RUN)),
    ("get", r"/batches(/[^/]+)?", _poll(_BATCH)),
    ("post", r"/batches/[^/]+/cancel", _poll(_BATCH)),
    ("get", r"/fine_tuning/jobs(/[^/]+)?", _poll(_TUNING)),
    ("post", r"/fine_tuning/jobs/[^/]+/(cancel|pause|resume)", _poll(_TUNING)),
    ("post", r"/evals/[^/]+/runs", _EVAL),
    ("get", r"/evals/[^/]+/runs(/[^/]+)?", _poll(_EVAL)),
    ("post", r"/evals/[^/]+/runs/[^/]+(/cancel)?", _poll(_EVAL)),
    ("post", r"/realtime/calls/[^/]+/accept", _CALL),
    ("post", r"/live/sessions/[^/]+/(accept|fork)", _LIVE),
    ("post", r"/videos/([^/]+/remix|edits|extensions)", _VIDEO),
    ("get", r"/videos(/[^/]+)?", _poll(_VIDEO)),
    # The usage of an agent's session grows with each turn; that of a turn is its own.
    ("get", r"/agents/sessions(/[^/]+)?", _TURN),
    ("get", r"/agents/sessions/[^/]+(/subagents/[^/]+)?/turns(/[^/]+)?", _TURN),
    ("get", r"/agents/sessions/[^/]+/events", _TURN),
    ("post", r"/agents/sessions", replace(_TURN, begins=True)),
    ("post", r"/agents/sessions/[^/]+(/events)?", _TURN),
)

# What is asked for often and never billed is not worth a look at the answer. Nor is a stored completion, which brings
# the usage along that it was billed for when it was made.
_FREE: Final = re.compile(
    r"/(models|files|uploads|assistants|vector_stores|containers|conversations|realtime|live|agents|responses/input_tokens"
    r"|chat/completions/[^/]+)(/|$)"
)
_VERSION: Final = re.compile(r"^.*?/v\d+(?=/)")
_DEPLOYMENT: Final = re.compile(r"^.*?/deployments/[^/]+(?=/)")


@lru_cache(maxsize=512)
def find(method: str, url: str) -> Route | None:
    """Return the route of a request, or None if it is none that we know. `url` may be relative or absolute."""
    method, path = method.lower(), _path(url)
    if method == "post" and (found := _POSTS.get(path)) is not None:
        return found
    for known, pattern, route in _PATTERNS:
        if known == method and re.fullmatch(pattern, path):
            return route
    return None


def may_be_billed(method: str, url: str) -> bool:
    """Whether an unknown request is worth a look for a `usage` in its answer."""
    return method.lower() == "post" and _FREE.match(_path(url)) is None


def _path(url: str) -> str:
    path = url.partition("?")[0]
    if "://" in path:
        path = "/" + path.split("://", 1)[1].partition("/")[2]
    if not path.startswith("/"):
        path = "/" + path
    for prefix in (_VERSION, _DEPLOYMENT):
        path = prefix.sub("", path, count=1)
    return path.rstrip("/")
