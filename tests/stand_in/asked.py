"""What several tests of the stand-in ask for."""

from typing import Any

import pydantic

from otel_costs.stand_in import tokens

ORDER_TOOL: Any = {
    "name": "lookup_order",
    "description": "Look an order up.",
    "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
}
REFUND_TOOL: Any = {
    "name": "refund_order",
    "parameters": {
        "type": "object",
        "properties": {"order_id": {"type": "string"}, "reason": {"type": "string"}, "full": {"type": "boolean"}},
    },
}
HELLO: Any = [{"role": "user", "content": "Hello"}]
WAV = tokens.wav(2.5)


class Sentiment(pydantic.BaseModel):
    """A form for structured output."""

    mood: str
    score: int
    words: list[str]


def counted(usage: Any) -> tuple[int, int, int]:
    """Return the counts of a usage in chat."""
    return usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
