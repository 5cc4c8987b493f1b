"""Objects in JSON that others wrote: bodies, events of streams, frames of sockets. What is none is None or empty."""

import json
from collections.abc import Mapping
from typing import Any


def parsed(text: str | bytes) -> dict[str, Any] | None:
    """Return the object that `text` is, None where it is no JSON or no object; never raises."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def mapping(found: object, name: str) -> Mapping[str, Any]:
    """Return the object at `name` of an object; an empty one where there is none."""
    value = found.get(name) if isinstance(found, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def objects(found: object, name: str) -> list[Mapping[str, Any]]:
    """Return the objects in the list at `name` of an object; what is none is left out."""
    value = found.get(name) if isinstance(found, Mapping) else None
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
