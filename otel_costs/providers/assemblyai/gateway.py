"""AssemblyAI's gateway to language models, which speaks as OpenAI does."""

from collections.abc import Sequence
from typing import Final

from otel_costs.providers import kit
from otel_costs.providers.openai import accumulators
from otel_costs.providers.openai import messages as openai_messages
from otel_costs.providers.openai.usage import read_usage


def _chat(asked: kit.Asked, answer: kit.Answer) -> kit.Reading:
    streamed = isinstance(answer.body, str)
    body = (accumulators.accumulated("chat/completions", answer.body.encode()) if streamed else answer.body) or {}
    return kit.Reading(
        read_usage("chat/completions", body, asked.body, "assemblyai"),
        body.get("model"),
        body.get("request_id") or body.get("id"),
        outputs=openai_messages.read_response("chat", body),
    )


def _asked_in_chat(asked: kit.Asked) -> Sequence[kit.Draft]:
    return openai_messages.read_request("chat", asked.body)


CHAT: Final = kit.Endpoint("chat", "POST", "/v1/chat/completions$", _chat, inputs=_asked_in_chat, last_event="[DONE]")
