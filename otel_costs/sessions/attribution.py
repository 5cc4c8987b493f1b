"""Who a call belongs to."""

from collections.abc import Mapping
from typing import Any

from otel_costs import semconv as names
from otel_costs.privacy import pseudonyms
from otel_costs.sessions import baggage
from otel_costs.sessions.scope import current_scope
from otel_costs.values import sanitize


def attribution(user: str | None = None, session_id: str | None = None) -> Mapping[str, Any]:
    """Return the attributes of the session and the user that a call made here belongs to.

    An open session decides; then baggage, where it is believed; then `user` and `session_id`, which the request names.
    """
    scope = current_scope()
    found = scope.attributes if scope else {}
    if not found and user is None and session_id is None and baggage.mode not in baggage.BELIEVED:
        return found
    if names.USER_ID in found or (user is None and names.SESSION_ID in found):
        return found
    outside_session, outside_user = baggage.received()
    chosen = {
        names.SESSION_ID: found.get(names.SESSION_ID) or outside_session or session_id,
        names.USER_ID: pseudonyms.recorded(sanitize.identifier(outside_user or user or "")),
    }
    return {**found, **{name: sanitize.identifier(value) for name, value in chosen.items() if value}}
