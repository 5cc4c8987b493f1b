"""The log of reads of content: a line of JSON each, of the logger `otel_costs.access`, without the content.

    {"at": "2026-11-28T16:30:00.123Z", "who": "token of costs, conversations", "read": "session", "session": "abc-123"}

`read` is `session`, or `search` for a list of what has certain words in it, which are not told.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

LOGGER: Final = logging.getLogger("otel_costs.access")

SESSION: Final = "session"
SEARCH: Final = "search"


def read(who: str, what: str, session_id: str | None = None) -> None:
    """Log that a user read a session, or searched in content. At INFO: the program decides where it goes."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    entry = {"at": at, "who": who, "read": what} | ({} if session_id is None else {"session": session_id})
    LOGGER.info("%s", json.dumps(entry))  # in ASCII: an id must not be able to forge a line


def show() -> None:
    """Write the lines to standard error, in a process whose logging is not set up otherwise."""
    LOGGER.addHandler(logging.StreamHandler(sys.stderr))
    LOGGER.setLevel(logging.INFO)
