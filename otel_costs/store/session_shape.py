"""A session as it is told in JSON, by the API and the commands: with its words, or with the frame of them alone."""

import json
from contextlib import suppress

from otel_costs.store.rows import Row


def shaped(session: Row) -> Row:
    """Return a session with what its cost is of beside it, and the arguments of functions as objects where they are."""
    messages = [{**message, "metadata": _read(message["metadata"])} for message in session["messages"]]
    return {**_costed(session), "messages": messages}


def without_content(frame: Row) -> Row:
    """Return the frame of a session, which says in `content_withheld` that the words are not in it."""
    return {**_costed(frame), "content_withheld": True}


def _costed(session: Row) -> Row:
    about = {name: session[name] for name in ("session_id", "start_time", "duration_seconds")}
    return {**session, "cost": {**about, **session["cost"]}}


def _read(metadata: Row) -> Row:
    if arguments := metadata.get("arguments"):
        with suppress(ValueError, RecursionError):
            if isinstance(read := json.loads(arguments), dict):
                return {**metadata, "arguments": read}
    return metadata
