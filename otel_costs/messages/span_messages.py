"""A call's messages as JSON on its span, as the GenAI conventions name them, where that is switched on."""

import json
from collections.abc import Sequence
from typing import Any, Final

from otel_costs import semconv as names
from otel_costs.messages import content, tool_definitions
from otel_costs.messages.drafts import CONTEXT, Draft
from otel_costs.values import sanitize

MAX_CONTENT: Final = 262_144  # characters of all messages of a span

_FINISH_REASONS: Final = {"tool_calls": "tool_call", "function_call": "tool_call"}


def span_attributes(
    inputs: Sequence[Draft], outputs: Sequence[Sequence[Draft]], tools: object = None
) -> dict[str, str]:
    """Return the messages and the definitions of tools as JSON.

    Together the messages hold at most 256 K characters: the oldest inputs are left out first.
    """
    writer = _Writer()
    answers = [message for drafts in outputs for message in writer.messages(drafts)]
    input_messages = writer.messages([draft for draft in inputs if not draft.instructions])
    instructions = [part for draft in inputs if draft.instructions for part in writer.parts(draft)]
    found = {
        names.SYSTEM_INSTRUCTIONS: instructions,
        names.INPUT_MESSAGES: input_messages,
        names.OUTPUT_MESSAGES: answers,
    }
    attributes = {name: json.dumps(value, ensure_ascii=False) for name, value in found.items() if value}
    if defined_tools := tool_definitions.for_span(tools):
        defined = content.of(Draft("system", "text", sanitize.to_json(defined_tools))).body
        if defined is not None:
            attributes[names.TOOL_DEFINITIONS] = defined
    return attributes


def stop_sequences(given: object) -> list[str] | None:
    """Return the texts at which a model is asked to stop, as far as they may be shown: they are words of a prompt."""
    texts = [given] if isinstance(given, str) else given if isinstance(given, list | tuple) else ()
    kept = [content.of(Draft("system", "text", text)).body for text in texts[:16] if isinstance(text, str)]
    return [text for text in kept if text is not None] or None


class _Writer:
    """Writes messages for as long as there is room."""

    def __init__(self) -> None:
        self._room = MAX_CONTENT

    def messages(self, drafts: Sequence[Draft]) -> list[dict[str, Any]]:
        """Return `[{role, parts}]`, made from the newest to the oldest."""
        messages: list[dict[str, Any]] = []
        parts: list[dict[str, Any]] = []
        for draft in reversed(drafts):
            if draft.type != CONTEXT:
                parts = self.parts(draft) + parts
            if parts and not draft.part:
                message = {"role": "tool" if draft.role == "function" else draft.role, "parts": parts}
                if reason := draft.finish_reason:
                    message["finish_reason"] = _FINISH_REASONS.get(reason, sanitize.identifier(reason))
                messages.append(message)
                parts = []
        return messages[::-1]

    def parts(self, draft: Draft) -> list[dict[str, Any]]:
        """Return `draft` as parts: none when there is no room, or no content is left of it."""
        if self._room <= 0:
            return []
        kept = content.of(draft)
        self._room -= len(kept.body or "") + len(kept.arguments or "") + 64
        key = {"id": sanitize.identifier(draft.key)} if draft.key else {}
        if draft.type == "function_call":
            return [
                {
                    "type": "tool_call",
                    **key,
                    "name": sanitize.identifier(draft.function_name),
                    "arguments": kept.arguments,
                }
            ]
        if draft.type == "function_result":
            return [{"type": "tool_call_response", **key, "response": kept.body}]
        if kept.body is None:
            return []
        if draft.media_type is not None:
            return [{"type": "blob", "mime_type": kept.media_type, "modality": draft.type, "content": kept.body}]
        return [{"type": "text", "content": kept.body}]
