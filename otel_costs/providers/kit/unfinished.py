"""Answers that were left, cut off or cancelled: what is known of them, and what can be guessed, with the reason."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from otel_costs.calls.reading import Reading
from otel_costs.messages.drafts import Draft, guessed_tokens
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.usage import Usage

_IN_TOKENS: Final = frozenset({"chat", "text_completion", "generate_content"})


def unfinished(read: Reading, operation: str, inputs: Sequence[Draft], *, failed: bool) -> Reading:
    """Return what was read of an answer that did not come to its end; of text, its tokens are guessed.

    `failed` says that an error ended it; else the application left it.
    """
    usage = read.usage
    if operation in _IN_TOKENS:
        usage = _at_least(usage, read.inputs or inputs, read.outputs)
    reason = CostReason.STREAM_FAILED if failed or read.error else CostReason.STREAM_CLOSED_EARLY
    return replace(read, usage=usage, reasons=(*read.reasons, reason))


def _at_least(known: Usage | None, inputs: Iterable[Draft], outputs: Iterable[Sequence[Draft]]) -> Usage:
    """Return what is `known` to be used, and no less than was said.

    Input tokens are those that were reported, if any were; output tokens those of the text where it has more of them.
    """
    found = dict(known.quantities) if known else {}
    found.setdefault("input_tokens", guessed_tokens(inputs))
    found["output_tokens"] = max(sum(map(guessed_tokens, outputs)), found.get("output_tokens", 0))
    guessed = Usage.of(found, estimated=True)
    return guessed if known is None else replace(guessed, invalid=known.invalid, unknown=known.unknown)
