"""Jobs: what a request starts and a later poll finds finished, such as background responses, batches and runs."""

from collections.abc import Mapping
from typing import Any, Final

from otel_costs.calls.jobs import KEPT, is_first_poll
from otel_costs.calls.reading import Job
from otel_costs.providers.openai.routes import Route
from otel_costs.usage.merging import has_usage
from otel_costs.values.recent import Recent

FAILED: Final = frozenset({"failed", "cancelled", "canceled", "expired"})
"""Statuses of what may have used nothing."""

ENDED: Final = FAILED | {"completed", "succeeded", "incomplete"}
"""Statuses that will not change any more."""

_UNDER_WAY: Final = frozenset(
    {
        *("queued", "pending", "validating", "validating_files", "in_progress", "running", "processing", "paused"),
        *("requires_action", "finalizing", "cancelling", "canceling", "pausing", "resuming", "idle", "generating"),
    }
)
"""Statuses of a job that goes on (openai 3.57)."""

_END_TIMES: Final = ("completed_at", "finished_at", "failed_at", "cancelled_at", "expired_at")

_windows: Recent[tuple[str, str], str] = Recent(KEPT)


def forget() -> None:
    """Forget in which window each job was to end."""
    global _windows
    _windows = Recent(KEPT)


def keep_window(provider: str, response_id: str, window: str) -> None:
    """Remember the window that a response in the background was asked to end in: no answer repeats it."""
    _windows[provider, response_id] = window


def window_of(provider: str, response_id: str) -> str | None:
    """Return the window that a response was asked to end in; None if this process did not ask, or long ago."""
    return _windows.get((provider, response_id))


def is_due(provider: str, job: Mapping[str, Any]) -> bool:
    """Return whether this poll is the first that finds that the job has ended; lists show old ones again and again."""
    return has_ended(job) and is_first_poll(provider, str(job.get("id")))


def has_ended(job: Mapping[str, Any]) -> bool:
    """Return whether what a job used will not change any more; it grows until then."""
    return is_over(job.get("status"), job.get("usage"))


def is_over(status: object, usage: object) -> bool:
    """Return whether a job of this status has ended; of a status that is not known, whether it says what it used."""
    if not isinstance(status, str):
        return usage is not None
    return status in ENDED or (status not in _UNDER_WAY and has_usage(usage))


def identified(route: Route, body: object) -> tuple[bool, Job | None]:
    """Return whether an answer is billed now, and the job that it is of; None if it is of none."""
    if not isinstance(body, Mapping):
        return not route.polls, None
    background = body.get("background") is True
    if route.name == "responses" and not background:
        # It was billed when it was created; this may be only another poll of it.
        return not route.polls, None
    if not (route.job or background) or not isinstance(body.get("id"), str):
        return True, None
    ended = has_ended(body)
    if route.polls and not ended:
        return False, None  # the process that started it has written that it is pending
    return True, Job(body["id"], ended, *times_of(body))


def times_of(job: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Return when a job was created and when it ended, in seconds since 1970; None where it does not say so."""
    return _seconds(job, "created_at"), _ended_s(job)


def _seconds(job: Mapping[str, Any], key: str) -> int | None:
    found = job.get(key)
    return int(found) if isinstance(found, int | float) and not isinstance(found, bool) and found > 0 else None


def _ended_s(job: Mapping[str, Any]) -> int | None:
    return next((found for key in _END_TIMES if (found := _seconds(job, key)) is not None), None)
