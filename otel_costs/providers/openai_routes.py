"""Which of OpenAI's URLs are billed, and how."""

import re
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One kind of billable call, named by its path without ids."""

    name: str
    operation: str
    said: str = ""
    """What the readers of messages call it; empty where nothing is said."""
    job: bool = False
    """Whether it starts something whose cost is known later, when a look at it finds that it has ended."""
    look: bool = False
    """Whether it only looks at what an earlier request started."""
    output_type: str | None = None
    api_type: str | None = None


_RESPONSES: Final = Endpoint("responses", "chat", "responses", api_type="responses")
_RUN: Final = Endpoint("threads/runs", "invoke_agent", job=True)
_VIDEO: Final = Endpoint("videos", "video_generation", "videos", job=True, output_type="video")
_BATCH: Final = Endpoint("batches", "batch", job=True)
_TUNING: Final = Endpoint("fine_tuning/jobs", "fine_tuning", job=True)
_EVAL: Final = Endpoint("evals/runs", "evaluation", job=True)

_POSTS: Final = {
    f"/{endpoint.name}": endpoint
    for endpoint in (
        Endpoint("chat/completions", "chat", "chat", api_type="chat_completions"),
        Endpoint("completions", "text_completion", "completions"),
        _RESPONSES,
        Endpoint("responses/compact", "chat", api_type="responses"),
        Endpoint("decisions", "decision", "decisions"),
        Endpoint("embeddings", "embeddings"),
        Endpoint("audio/speech", "text_to_speech", "speech", output_type="speech"),
        Endpoint("audio/transcriptions", "speech_to_text", "transcription", output_type="text"),
        Endpoint("audio/translations", "speech_to_text", "translation", output_type="text"),
        Endpoint("images/generations", "image_generation", "images", output_type="image"),
        Endpoint("images/edits", "image_generation", "images", output_type="image"),
        Endpoint("images/variations", "image_generation", "images", output_type="image"),
        Endpoint("moderations", "moderation"),
        Endpoint("fine_tuning/alpha/graders/run", "evaluation"),
        _VIDEO,
        _BATCH,
        _TUNING,
        _RUN,
    )
}
_LOOK: Final = {endpoint.name: replace(endpoint, look=True, job=True) for endpoint in (_RESPONSES, _RUN, _VIDEO, _BATCH, _TUNING, _EVAL)}

_PATTERNS: Final = tuple(
    (method, re.compile(pattern + "$"), endpoint)
    for method, pattern, endpoint in (
        ("get", r"/responses/[^/]+", _LOOK["responses"]),
        ("post", r"/responses/[^/]+/cancel", _LOOK["responses"]),
        ("post", r"/threads/[^/]+/runs", _RUN),
        ("get", r"/threads/[^/]+/runs(/[^/]+)?", _LOOK["threads/runs"]),
        ("post", r"/threads/[^/]+/runs/[^/]+/(cancel|submit_tool_outputs)", _LOOK["threads/runs"]),
        ("get", r"/batches(/[^/]+)?", _LOOK["batches"]),
        ("post", r"/batches/[^/]+/cancel", _LOOK["batches"]),
        ("get", r"/fine_tuning/jobs(/[^/]+)?", _LOOK["fine_tuning/jobs"]),
        ("post", r"/fine_tuning/jobs/[^/]+/(cancel|pause|resume)", _LOOK["fine_tuning/jobs"]),
        ("post", r"/evals/[^/]+/runs", _EVAL),
        ("get", r"/evals/[^/]+/runs(/[^/]+)?", _LOOK["evals/runs"]),
        ("post", r"/evals/[^/]+/runs/[^/]+", _LOOK["evals/runs"]),
        ("post", r"/videos/([^/]+/remix|edits|extensions)", _VIDEO),
        ("get", r"/videos(/[^/]+)?", _LOOK["videos"]),
    )
)

# What is asked for often and never billed: not worth a look at the answer.
_FREE: Final = re.compile(
    r"/(models|files|uploads|assistants|vector_stores|containers|conversations|realtime|responses/input_tokens)(/|$)"
)
_VERSION: Final = re.compile(r"^.*?/v\d+(?=/)")


def find(method: str, url: str) -> Endpoint | None:
    """Return the endpoint of a request, or None if it is none that we know. `url` may be relative or absolute."""
    method, path = method.lower(), _path(url)
    if method == "post" and (found := _POSTS.get(path)) is not None:
        return found
    for known, pattern, endpoint in _PATTERNS:
        if known == method and pattern.match(path):
            return endpoint
    return None


def _path(url: str) -> str:
    path = url.partition("?")[0]
    if "://" in path:
        path = "/" + path.split("://", 1)[1].partition("/")[2]
    if "/v" in path:
        path = _VERSION.sub("", path, count=1)
    return "/" + path.strip("/")


def may_be_billed(method: str, url: str) -> bool:
    """Whether an unknown request is worth a look for a `usage` in its answer."""
    return method.lower() == "post" and _FREE.search(url) is None
