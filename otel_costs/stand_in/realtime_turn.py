"""What happens in a spoken conversation with the stand-in, turn by turn, as a test or a demo wants it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]

OMITTED: Json = {"omitted": True}
"""A usage that is not said at all."""

When = Literal["before", "after", "never"]


@dataclass(frozen=True)
class Turn:
    """One response, and what was heard of the user before it.

    `usage` and `transcription_usage` are sent as they are, computed where they are None, and left out where they are
    `OMITTED`. `interrupted_after` counts deltas of audio: then the response waits until the user speaks, or the client
    cancels it. `cut_after` counts events of the response: then the connection is dropped, or closed with `close_code`.
    """

    says: str | None = None
    calls: Sequence[tuple[str, str]] = ()
    """Names and arguments (JSON) of the functions that are called."""
    heard: str | None = None
    """The transcript of the user's audio before this response."""
    transcribed: When = "before"
    """When the transcript comes: before the reply's content, after its `response.done`, or never."""
    transcription_error: str | None = None
    """The code of the error with which the transcription fails."""
    status: str = "completed"
    reason: str | None = None
    interrupted_after: int | None = None
    usage: Json | None = None
    transcription_usage: Json | None = None
    frames: Sequence[str | bytes] = ()
    """Sent as they are behind `response.created`."""
    done_twice: bool = False
    cut_after: int | None = None
    close_code: int | None = None


SUPPORT_CALL = (
    Turn(
        heard="Hello, this is Mary Fletcher. I am calling about my parcel A-1001, which should have come on Monday, "
        "and has not arrived. Can you tell me where it is?",
        calls=(("track_parcel", '{"parcel": "A-1001"}'),),
        transcribed="after",
    ),
    Turn(
        says="Your parcel A-1001 is in the depot in Leeds. It was scanned this morning, it will leave on the evening "
        "van, and it should be with you tomorrow between nine and eleven.",
        interrupted_after=4,
    ),
    Turn(
        heard="Sorry, tomorrow is too late. Can I pick it up myself?",
        says="Of course. It will wait for you at the depot until eight tonight; bring your passport.",
        transcribed="after",
    ),
)
"""A call to a parcel service: a question, a function, an answer that is interrupted, and another."""

SCRIPTS: Mapping[str, Sequence[Turn]] = {"parcel service": SUPPORT_CALL}
"""Words of a session's instructions, and the turns that a session with them takes when no test has set any."""
