"""Sessions of the Agents API: what their turns used, and what the session itself says that no turn here has told.

The usage of a session is the sum of what it used so far; that of a turn is its own, and names no model. Applications
look at either, or at both in any order, again and again. So each session is remembered: the model and the tier of its
agent, and how much of it was billed. A turn is billed once, under its id; what a session says beyond that, under its.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from otel_costs.calls import writer
from otel_costs.calls.jobs import Owner
from otel_costs.calls.reading import Job, Reading
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.openai import answer, hosted_tools
from otel_costs.providers.openai import jobs as openai_jobs
from otel_costs.providers.openai.parts import key, mapping
from otel_costs.providers.openai.request import Request
from otel_costs.runtime import telemetry
from otel_costs.sessions.scope import current_scope
from otel_costs.usage import Usage, reported
from otel_costs.values.recent import Recent

KEPT: Final = 1_000
"""Sessions that a process remembers."""

_SIZES: Final[Mapping[str, str]] = {"small": "1g", "medium": "4g", "large": "16g"}
"""Sizes of hosted environments (openai 3.57, types/beta/environment.py; https://apidog.com/blog/openai-agents-api/)."""

_NOTHING: Final = Usage({"input_tokens": 0, "output_tokens": 0})

_HOSTED: Final = "openai_hosted"
_ENVIRONMENTS: Final = frozenset({_HOSTED, "self_hosted", "none"})


@dataclass(slots=True)
class _Session:
    """What is known of one session, and how much of it was billed here."""

    owner: Owner
    model: str | None = None
    service_tier: str | None = None
    tools: list[Mapping[str, Any]] = field(default_factory=list)
    environment: Mapping[str, Any] = field(default_factory=dict)
    billed: Counter[str] = field(default_factory=Counter)
    beyond_turns: Counter[str] = field(default_factory=Counter)
    """Of what was billed, what the session said and no turn has told yet."""
    has_settled: bool = False
    """Whether the id of the session itself is taken, by a bill."""
    pending: Mapping[str, Any] | None = None
    """The session as it was when it was recorded without a cost; None if it was not, or is settled."""
    has_container: bool = False


_known: Recent[tuple[str, str], _Session] = Recent(KEPT)


def forget() -> None:
    """Forget every session."""
    global _known
    _known = Recent(KEPT)


@telemetry.never_raises("read a session of agents")
def read(request: Request, body: Mapping[str, Any]) -> None:
    """Bill what an answer tells of sessions and turns: one of them, a list of them, or the events of a stream."""
    found = body["data"] if isinstance(body.get("data"), list) else [body]
    things = [thing for thing in found if isinstance(thing, Mapping)]
    sessions = [thing for thing in things if _is_session(thing)]
    listed = isinstance(body.get("data"), list) and body.get("object") == "list"
    for session in sessions:
        if not listed or _session(request, key(session.get("id"))) is not None:
            _learn(request, session)
    turns = [thing for thing in things if not _is_session(thing)]
    # The oldest first: what the session has said already, it said of those.
    for turn in sorted(reversed(turns) if listed else turns, key=lambda turn: openai_jobs.times_of(turn)[0] or 0):
        _bill_turn(request, turn)
    for session in {session.get("id"): session for session in sessions}.values():  # the last snapshot of each
        if (known := _session(request, key(session.get("id")))) is not None:
            _bill_session(request, known, session)


def _is_session(thing: Mapping[str, Any]) -> bool:
    return thing.get("object") == "agent.session" or isinstance(thing.get("agent"), Mapping)


def _session(request: Request, session_id: str | None) -> _Session | None:
    return None if session_id is None else _known.get((request.host.provider, session_id))


def _learn(request: Request, session: Mapping[str, Any]) -> None:
    """Remember a session and its agent; the session of ours that saw it first gets its bills."""
    session_id, agent = key(session.get("id")), mapping(session.get("agent"))
    if session_id is None or not agent:
        return
    known = _known.setdefault((request.host.provider, session_id), _Session(Owner(current_scope(), request.identity)))
    known.model = key(agent.get("model")) or known.model
    known.service_tier = key(agent.get("service_tier")) or known.service_tier
    known.tools = hosted_tools.asked(agent)
    known.environment = mapping(session.get("environment"))


def _bill_turn(request: Request, turn: Mapping[str, Any]) -> None:
    turn_id = key(turn.get("id"))
    usage = _tokens(turn.get("usage"))
    if turn_id is None or usage is None or not openai_jobs.is_due(request.host.provider, turn):
        return
    known = _session(request, key(turn.get("session_id"))) or _Session(Owner(current_scope(), request.identity))
    reported_units = Counter(usage.quantities)
    due = reported_units - known.beyond_turns  # of a Counter: what is left of each unit, never less than nothing
    known.beyond_turns -= reported_units
    known.billed += due
    if due:
        _write(request, known, turn, turn_id, _reduced(usage, due))
    if known.pending is not None:
        _settle(request, known, known.pending, _NOTHING)  # the turns have its bill


def _bill_session(request: Request, known: _Session, session: Mapping[str, Any]) -> None:
    if session.get("status") == "in_progress":
        if request.body.get("input") and not known.has_settled:
            known.pending = session  # if it is not polled again, it is not lost silently
            _write(request, known, session, str(session["id"]), None)
        return
    usage = _tokens(session.get("usage"))
    usage = usage or Usage({})
    due = Counter(usage.quantities) - known.billed
    known.billed += due
    known.beyond_turns += due
    if due:
        _settle(request, known, session, _reduced(usage, due))


def _reduced(usage: Usage, due: Mapping[str, int]) -> Usage:
    """Return a usage with what is due of each of its units."""
    return Usage.of({unit: due[unit] for unit in usage.quantities}, invalid=usage.invalid, unknown=usage.unknown)


def _settle(request: Request, known: _Session, session: Mapping[str, Any], due: Usage) -> None:
    """Write what a session says beyond its turns: under its id, and later under what it has come to."""
    session_id = str(session["id"])
    job_id = f"{session_id}/{sum(known.billed.values())}" if known.has_settled else session_id
    known.has_settled, known.pending = True, None
    _write(request, known, session, job_id, due)


def _write(
    request: Request,
    known: _Session,
    thing: Mapping[str, Any],
    job_id: str,
    due: Usage | None,
) -> None:
    """Write the bill of a turn or a session; `due` None is a session whose usage is not known yet."""
    call = request.start()
    call.scope, call.identity = known.owner.scope, known.owner.identity
    found = Reading(
        model=known.model,
        service_tier=known.service_tier,
        response_id=key(thing.get("id")),
        error=answer.failure(thing),
        job=Job(job_id, due is not None, *openai_jobs.times_of(thing)),
    )
    if due is not None:
        items = hosted_tools.objects(thing.get("output"))
        is_untold = due is not _NOTHING and "output" not in thing and _may_search(known.tools)
        found = replace(
            found,
            usage=due + _tools(known, thing),
            unknown=(*hosted_tools.unknown(known.tools, items), *_unknown_environment(known)),
            reasons=(CostReason.TOOL_USE_NOT_REPORTED,) if is_untold else (),
        )
    writer.finish(call, found)


def _tools(known: _Session, thing: Mapping[str, Any]) -> Usage:
    """Return the searches that the items of a turn show, and the container of a session, once."""
    searched, estimated = hosted_tools.searches(hosted_tools.objects(thing.get("output")))
    quantities: dict[str, int] = {"web_searches": searched} if searched else {}
    if known.environment.get("type") == _HOSTED and not known.has_container:
        known.has_container = estimated = True
        unit = hosted_tools.SIZES.get(_SIZES.get(str(known.environment.get("container_size")), ""))
        quantities |= {"containers": 1} | ({unit: 1} if unit else {})
    return Usage.of(quantities, estimated=estimated)


def _unknown_environment(known: _Session) -> list[str]:
    kind, size = key(known.environment.get("type")), key(known.environment.get("container_size"))
    unknown_kind = [kind] if kind and kind not in _ENVIRONMENTS else []
    return unknown_kind + ([size] if kind == _HOSTED and size and size not in _SIZES else [])


def _may_search(tools: Iterable[Mapping[str, Any]]) -> bool:
    return any(hosted_tools.kind_of(tool) == "web_search" and tool.get("mode") != "disabled" for tool in tools)


def _tokens(usage: object) -> Usage | None:
    """Return the whole tokens that a usage says; None if it says none."""
    found = reported.read(usage, "openai") if usage is not None else None
    return found if found is not None and found.quantities else None
