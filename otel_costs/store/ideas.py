"""Ways in which calls might have cost less: each says of a call how it would have been made, or nothing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from otel_costs.sessions.session import CONVERSATION
from otel_costs.store import stored_call
from otel_costs.store.alternative import ANSWERING, Alternative
from otel_costs.store.smaller_model import smaller
from otel_costs.usage import Usage

Row = Mapping[str, Any]

SHORT: Final = 200
"""Tokens of an answer that is short."""

KEPT_CALLS: Final = 10
"""Calls of a session whose words a cut history still has."""

CACHED_FROM: Final = 1024
CACHED_BY: Final = 128
CACHED_FOR: Final = timedelta(minutes=10)
"""What a prompt needs to be cached, as OpenAI's documentation has it: 1,024 tokens, whole steps of 128, and another
call within ten minutes. https://platform.openai.com/docs/guides/prompt-caching"""

COLUMNS: Final = (
    ", lagInFrame(c.input_tokens, 1) over calls_before as previous_input"
    ", lagInFrame(toNullable(c.end_time), 1) over calls_before as previous_end"
    f", lagInFrame(c.input_tokens, {KEPT_CALLS}) over calls_before as kept_since"
    ", first_value(c.input_tokens) over calls_before as first_input"
)
WINDOW: Final = (
    " window calls_before as (partition by c.session_id, c.step, c.provider, c.model, c.operation"
    " order by c.start_time, c.call_id rows between unbounded preceding and unbounded following)"
)
"""What the calls of the same session, step and model that came before say of a call."""

_AS_IT_WAS: Final = Alternative()


@dataclass(frozen=True, slots=True)
class Otherwise:
    """How a call would have been made. `to` names it; `made` False: it would not have been."""

    to: str
    alternative: Alternative = _AS_IT_WAS
    used: Usage | None = None
    made: bool = True


@dataclass(frozen=True, slots=True)
class Idea:
    """A way to pay less: `how` its figure is found, and its `limits`, each a sentence or two.

    `of` yields how a call would have been made; of several the first that has a price counts.
    """

    name: str
    title: str
    how: str
    limits: str
    of: Callable[[Row], Iterator[Otherwise]]


def _cached(row: Row) -> Iterator[Otherwise]:
    """A prompt begins as that of the call before it, and is read from the cache as far."""
    used = stored_call.usage(row)
    sent, before = used.quantities.get("input_tokens"), row["previous_input"]
    if not row["session_id"] or not sent or not before or not _is_text(used):
        return
    if not timedelta() <= row["start_time"] - row["previous_end"] <= CACHED_FOR:
        return
    hit = min(int(sent), before) // CACHED_BY * CACHED_BY
    if hit >= CACHED_FROM and hit > row["cached_input"]:
        yield Otherwise("cached", used=_with_cache(used, int(sent), hit))


def _smaller(row: Row) -> Iterator[Otherwise]:
    """A short answer is given by the next smaller model."""
    answered = row["output_tokens"]
    if answered and answered <= SHORT and row["operation"] in ANSWERING and row["operation"] != "batch":
        for name in smaller(row["model"]):
            yield Otherwise(name, Alternative(model=name))


def _batched(row: Row) -> Iterator[Otherwise]:
    """A call whose answer was not read as it came is made in a batch."""
    waits = row["time_to_first_chunk_s"] is None and not row["price_processing"]
    if waits and row["operation"] in ("chat", "text_completion", "generate_content", "embeddings"):
        yield Otherwise("batch", Alternative(processing="batch"))


def _written(row: Row) -> Iterator[Otherwise]:
    """What was said is written: as many tokens of text, and nothing is transcribed or read aloud."""
    if row["operation"] in ("speech_to_text", "text_to_speech"):
        if row["kind"] == CONVERSATION:
            yield Otherwise("no call", made=False)
        return
    used = stored_call.usage(row)
    sound = {unit for unit in used.quantities if "audio" in unit}
    if row["operation"] in ANSWERING and any(used.quantities[unit] for unit in sound if unit.endswith("_tokens")):
        text = {unit: quantity for unit, quantity in used.quantities.items() if unit not in sound}
        yield Otherwise("text", used=Usage(text, used.invalid, used.estimated, used.unknown))


def _cut(row: Row) -> Iterator[Otherwise]:
    """The prompt has its first part and what the last calls added, and nothing in between."""
    used = stored_call.usage(row)
    sent, first, since = row["input_tokens"], row["first_input"], row["kept_since"]
    if not row["session_id"] or not sent or not first or not since or not _is_text(used) or not first < since <= sent:
        return
    left = sent - (since - first)
    # What follows a cut is not read from the cache any more: the cache has the prompt's beginning.
    hit = min(row["cached_input"], first) // CACHED_BY * CACHED_BY
    yield Otherwise(f"{KEPT_CALLS} calls", used=_with_cache(used, left, hit))


def _is_text(used: Usage) -> bool:
    return not any(
        quantity and any(kind in unit for kind in ("audio", "image", "video"))
        for unit, quantity in used.quantities.items()
        if unit.startswith(("input_", "cache_"))
    )


def _with_cache(used: Usage, sent: int, hit: int) -> Usage:
    """Return a usage of text with another prompt, `hit` tokens of which are read from a cache."""
    found = {unit: quantity for unit, quantity in used.quantities.items() if not unit.startswith("cache_")}
    found |= {"input_tokens": sent, "cache_read_tokens": hit}
    for unit, quantity in used.quantities.items():
        if unit.startswith("cache_write"):
            found[unit] = min(quantity, sent - hit)
    if "input_text_tokens" in found:
        found["input_text_tokens"] = sent
    return Usage(found, used.invalid, used.estimated, used.unknown)


IDEAS: Final = (
    Idea(
        "cache",
        "Read repeated prompts from the cache",
        "Of each call that came within ten minutes after another one of its session, step and model, as much of the"
        " prompt as the call before it had (whole steps of 128 tokens, 1,024 at least) costs what cached input costs.",
        "It holds where prompts begin alike: what changes with each call has to stand at the end. Text alone is"
        " counted, and what a provider asks for writing into its cache is what it was.",
        _cached,
    ),
    Idea(
        "smaller_model",
        "Let a smaller model give the short answers",
        f"Calls with an answer of {SHORT} tokens at most cost what the same tokens cost with the next smaller model of"
        " the family.",
        "Whether the smaller model's answers are good enough no figure says, and it may answer with more or fewer"
        " tokens: try it on some of them.",
        _smaller,
    ),
    Idea(
        "batch",
        "Send in batches what nobody waits for",
        "Calls whose answers were not streamed cost what they cost in a batch.",
        "A batch answers within a day: only what can wait so long can be sent so. --kind, --step and --service show the"
        " figure for a part.",
        _batched,
    ),
    Idea(
        "text",
        "Write instead of speaking",
        "Tokens of sound cost what as many tokens of text cost with the same model, and conversations have no calls"
        " that transcribe or read aloud.",
        "Words are fewer tokens as text than as sound, so the saving is at least that. It is another product: people"
        " read and type.",
        _written,
    ),
    Idea(
        "history",
        "Cut the history of long conversations",
        "A prompt is that of the first call of its session, step and model, and what was added in the last"
        f" {KEPT_CALLS} calls. It has the first part alone from the cache.",
        "What was said in between is forgotten: put a summary in its place, which costs some tokens. Text alone is"
        " counted, where each prompt has the whole history.",
        _cut,
    ),
)
