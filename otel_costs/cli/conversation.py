"""A session as people read it: what was said, and beneath it the calls that it took, with their cost line by line."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from otel_costs.cli import formatting, time_zone
from otel_costs.cli.cost_lines import label
from otel_costs.cli.output import inert, name, text
from otel_costs.cli.reasons import explained
from otel_costs.cli.transcript import Transcript
from otel_costs.store.recorded_lines import RecordedLine, recorded_lines
from otel_costs.store.reports import BREAKDOWN

Row = Mapping[str, Any]

SHOWN: Final = 280
"""Characters of a message that are shown, unless all are asked for."""
SHOWN_OF_SYSTEM: Final = 80
"""Characters of a system message that are: it is the same in every session."""

_ROLE_STYLES: Final = {"user": "bold cyan", "assistant": "bold green", "function": "bold yellow", "system": "bold"}
_STATUS_SIGNS: Final = {"partial": "≥ ", "estimated": "≈ "}
_STATES: Final = {
    "deleted": "deleted: its retention is over",
    "sealed": "sealed: OTEL_COSTS_CONTENT_KEY has not its key",
    "altered": "sealed, and altered since or moved from elsewhere: it does not open",
}
"""Why a message has no content, where it is not for that none was recorded."""

_CACHED_KINDS: Final = {
    "cache_read_tokens": "text_input",
    "cache_text_read_tokens": "text_input",
    "cache_audio_read_tokens": "audio_input",
}
"""The kind that a line for reading from a cache counts in."""


def conversation(
    session: Row, calls: Sequence[Row], call_ids: Sequence[str] = (), *, full: bool = False
) -> RenderableType:
    """Return a session, in the shape of its report, and its calls as one column in time; `full` cuts no message.

    `call_ids` are those of the calls of its messages, in their order, empty where they are not known: a call stands
    behind its last message, and a call without one behind the messages until its end.
    """
    rows: list[tuple[str, Text, Text, str]] = []
    messages = session["messages"]
    behind = _behind(messages, calls, call_ids)
    for place, message in enumerate((None, *messages)):
        if message is not None:
            rows.append((formatting.clock(message["timestamp"]), *_message_cells(message, full=full), ""))
        rows += [row for call in behind[place] for row in _call_rows(call)]
    reasons = [text(line, "dim") for line in explained(call["cost_reason"] for call in calls)]
    return Group(heading(session), Text(), Transcript(rows), Text(), totals(session, calls), *reasons)


def _behind(messages: Sequence[Row], calls: Sequence[Row], call_ids: Sequence[str]) -> list[list[Row]]:
    """Return the calls in front of all messages, and those behind each of them, in the order of their ends."""
    # Where a message came between two questions to the store, times are all that can be relied on.
    known = len(call_ids) == len(messages)
    last = {call_id: place for place, call_id in enumerate(call_ids, 1) if call_id} if known else {}
    times = [message["timestamp"] for message in messages]
    behind: list[list[Row]] = [[] for _ in range(len(messages) + 1)]
    for call in sorted(calls, key=itemgetter("end_time")):
        behind[last.get(call["call_id"], bisect_right(times, call["end_time"]))].append(call)
    return behind


def heading(session: Row) -> Text:
    """Return cost, user and time of a session, in a line or two."""
    found = Text.assemble(("Session ", "bold"), name(session["session_id"], "bold"))
    parts = [f"user {session['user_id']}" if session["user_id"] else "", session["scenario"]]
    parts += [f"{key} {value}" for key, value in sorted(session["tags"].items())]
    parts += [
        f"{formatting.day(session['start_time'])} {time_zone.name()}",
        formatting.duration(session["duration_seconds"]),
    ]
    parts += [formatting.many(session["message_count"], "message"), formatting.many(session["call_count"], "call")]
    found.append(" · ", "dim").append(formatting.total(session["cost_usd"], session["unpriced_calls"]), "bold")
    for part in filter(None, parts):
        found.append(" · ", "dim").append_text(text(part))
    return found


def totals(session: Row, calls: Sequence[Row]) -> RenderableType:
    """Return what the money went to, what was read from a cache apart, and what was used for it."""
    cost = session["cost"]
    table = Table.grid(padding=(0, 3))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    cached = _cached(calls)
    for kind in BREAKDOWN:
        amount, from_cache = cost["cost_breakdown"][kind], cached.get(kind, Decimal())
        if amount is not None and amount != from_cache:
            table.add_row(kind.replace("_", " "), formatting.exact(amount - from_cache))
        if from_cache:
            table.add_row(f"cached {kind.removesuffix('_input')}", formatting.exact(from_cache))
    table.add_row(Text("total", "bold"), Text(formatting.total(cost["cost_usd"], session["unpriced_calls"]), "bold"))
    return Group(table, text(f"used: {', '.join(_used(cost)) or 'nothing'}", "dim"))


def _cached(calls: Iterable[Row]) -> Mapping[str, Decimal]:
    """Return what each kind of cost_breakdown has in it for reading from a cache."""
    found: dict[str, Decimal] = {}
    for call in calls:
        for unit, usd in call["cost_lines"].items():
            if call["itemized"] and usd and (kind := _CACHED_KINDS.get(unit)):
                found[kind] = found.get(kind, Decimal()) + usd
    return found


def _used(cost: Row) -> Iterator[str]:
    for kind, count in cost["tokens"].items():
        if count:
            yield formatting.many(count, f"{kind.replace('_', ' ')} token")
    if cost["audio_seconds"]:
        yield f"{formatting.quantity(cost['audio_seconds'])} s of audio"
    if cost["characters"]:
        yield formatting.many(cost["characters"], "character")


def _message_cells(message: Row, *, full: bool) -> tuple[Text, Text]:
    role = message["role"]
    return name(role, _ROLE_STYLES.get(role, "bold")), _content(message, full=full)


def _content(message: Row, *, full: bool) -> Text:
    content, metadata = message["content"], message["metadata"]
    function = metadata.get("function_name", "")
    if function and message["role"] != "function":
        arguments = metadata.get("arguments", "") or _STATES.get(metadata.get("content_state", ""), "")
        return text(_cut(f"{function}({arguments})", SHOWN, full=full), "yellow")
    found = Text.assemble((inert(function), "yellow"), " → ") if function else Text()
    found.append(_sound(message), "dim")
    if content:
        limit = SHOWN_OF_SYSTEM if message["role"] == "system" else SHOWN
        found.append_text(text(_cut(content, limit, full=full)))
        return found.append(_truncated(metadata), "dim")
    kind = "" if message["type"] in ("text", "function_call", "audio") else f"{message['type']}, "
    why = _STATES.get(metadata.get("content_state", ""), "not recorded")
    return found.append(f"({kind}content {why})", "dim")


def _sound(message: Row) -> str:
    """Return the note of a spoken or interrupted message: "[interrupted after 0.6 s] "; empty for others."""
    interrupted = message["metadata"].get("interrupted")
    if message["type"] != "audio":
        return "[interrupted] " if interrupted else ""
    seconds = float(message["metadata"].get("audio_seconds") or 0)
    length = f"{seconds:.1f} s" if seconds < 59.5 else formatting.duration(seconds)
    words = ("interrupted after" if seconds else "interrupted") if interrupted else "audio"
    return f"[{words} {length}] " if seconds else f"[{words}] "


def _truncated(metadata: Mapping[str, str]) -> str:
    """Return the note of a message that was too long to be kept whole, with its length."""
    if not metadata.get("truncated") or metadata.get("interrupted"):
        return ""
    return f" [cut when it was recorded: it had {int(metadata.get('bytes') or 0):,} bytes]"


def _cut(content: str, limit: int, *, full: bool) -> str:
    if full or len(content) <= limit:
        return content
    return f"{content[:limit].rstrip()} … ({len(content):,} characters, --full shows all)"


def _call_rows(call: Row) -> Iterator[tuple[str, Text, Text, str]]:
    yield "", Text(), _call_heading(call), _call_cost(call)
    lines = list(recorded_lines(call))
    widths = [max((len(cell) for cell in column), default=0) for column in zip(*map(_line_cells, lines), strict=True)]
    for line in lines:
        unit, quantity, rate, usd = _line_cells(line)
        formula = f"{quantity:>{widths[1]}} × {rate:<{widths[2]}} = " if quantity else " " * (widths[1] + widths[2] + 6)
        yield "", Text(), Text(f"  {unit:<{widths[0]}}  {formula if any(widths[1:3]) else ''}{usd}", "dim"), ""


def _call_heading(call: Row) -> Text:
    parts = [call["step"] and f"step {call['step']}", formatting.duration(call["duration_s"])]
    parts.append(call["error_type"] and f"failed: {call['error_type']}")
    if call["cost_status"] != "priced":
        unknown = f" ({', '.join(call['cost_unknown'])})" if call["cost_unknown"] else ""
        parts.append(f"{call['cost_status']}: {call['cost_reason']}".rstrip(": ") + unknown)
    parts.append("cost as reported by the provider" if call["cost_source"] == "provider" else "")
    found = Text.assemble(("└ ", "dim"), text(f"{call['operation']} {call['model']}", "magenta"))
    for part in filter(None, parts):
        found.append(" · ", "dim").append_text(text(part, "dim"))
    return found


def _call_cost(call: Row) -> str:
    sign = _STATUS_SIGNS.get(call["cost_status"], "") if call["cost_usd"] is not None else ""
    return sign + formatting.exact(call["cost_usd"])


def _line_cells(line: RecordedLine) -> tuple[str, str, str, str]:
    if line.of is None:
        return label(line.unit), "", "", formatting.exact(line.usd)
    rate = formatting.rate(line.of.rate * line.of.multiplier, line.of.per)
    return label(line.unit), formatting.quantity(line.of.quantity), rate, formatting.exact(line.usd)
