"""Usage objects as providers write them: OpenAI's three shapes, and the others' dialects of them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a call used. Totals are inclusive of their parts."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    input_audio: int = 0
    output_audio: int = 0
    input_image: int = 0
    audio_model: bool = False


def cached_tokens(prompt: int, sent_before: int) -> int:
    """Return what a prompt cache holds of a prompt whose first `sent_before` tokens an earlier turn has sent.

    It works for prompts of 1,024 tokens and more, in steps of 128.
    """
    return sent_before // 128 * 128 if prompt >= 1024 and sent_before >= 1024 else 0


def of_chat(spent: Spent) -> Json:
    """Return a CompletionUsage."""
    prompt: Json = {"cached_tokens": spent.cached, "audio_tokens": spent.input_audio}
    completion: Json = {
        "reasoning_tokens": spent.reasoning,
        "audio_tokens": spent.output_audio,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    }
    if spent.audio_model:
        prompt["text_tokens"] = spent.input - spent.input_audio - spent.input_image
        prompt["image_tokens"] = spent.input_image
        completion["text_tokens"] = spent.output - spent.output_audio
    return {
        "prompt_tokens": spent.input,
        "completion_tokens": spent.output,
        "total_tokens": spent.input + spent.output,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": completion,
    }


def of_response(spent: Spent) -> Json:
    """Return a ResponseUsage; decisions, batches and evaluations have the same shape."""
    return {
        "input_tokens": spent.input,
        "input_tokens_details": {"cached_tokens": spent.cached, "cache_write_tokens": 0},
        "output_tokens": spent.output,
        "output_tokens_details": {"reasoning_tokens": spent.reasoning},
        "total_tokens": spent.input + spent.output,
    }


@dataclass(frozen=True, slots=True)
class StreamedUsage:
    """Where a stream of chat has its usage: that depends on the provider, and on the request."""

    flavour: str
    asked: Json
    usage: Json

    @property
    def wanted(self) -> bool:
        """Whether the request asks for usage."""
        return bool((self.asked.get("stream_options") or {}).get("include_usage"))

    @property
    def has_own_chunk(self) -> bool:
        """Whether a chunk without choices has the usage at the end: on request, or with some providers always."""
        return self.flavour in ("openrouter", "xai") or (self.wanted and self.flavour not in ("mistral", "perplexity"))

    def on_chunk(self, number: int, *, last: bool) -> Json:
        """Return the usage fields of the chunk with this number; `last` is one that ends a choice."""
        if self.flavour == "perplexity":  # on every chunk, growing
            growing = {**self.usage, "completion_tokens": number, "total_tokens": self.usage["prompt_tokens"] + number}
            return {"usage": self.usage if last else growing}
        if self.flavour == "mistral":
            return {"usage": self.usage} if last else {}
        if self.flavour == "groq" and last:
            return {"x_groq": {"id": "req_1", "usage": self.usage}}
        # OpenAI: null on every chunk when it was asked for, else no word of it.
        return {"usage": None} if self.wanted else {}


def in_dialect(flavour: str, usage: Json) -> Json:
    """Return a CompletionUsage as another provider would have written it."""
    dialect = _DIALECTS.get(flavour)
    return dialect(usage) if dialect else usage


def list_cost(usage: Json) -> Decimal:
    """Return what providers that report a cost charge here: 1 dollar per million tokens in, 4 out."""
    return (Decimal(usage["prompt_tokens"]) + 4 * Decimal(usage["completion_tokens"])) / 1_000_000


def _deepseek(usage: Json) -> Json:
    hit = usage["prompt_tokens_details"]["cached_tokens"]
    return {
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "total_tokens": usage["total_tokens"],
        "prompt_tokens_details": {"cached_tokens": hit},
        "completion_tokens_details": {
            "reasoning_tokens": usage["completion_tokens_details"]["reasoning_tokens"],
        },
        "prompt_cache_hit_tokens": hit,
        "prompt_cache_miss_tokens": usage["prompt_tokens"] - hit,
    }


def _openrouter(usage: Json) -> Json:
    cost = float(list_cost(usage))
    return {
        **usage,
        "cost": cost,
        "is_byok": False,
        "cost_details": {"upstream_inference_cost": None},
    }


def _xai(usage: Json) -> Json:
    # xAI counts the reasoning beside the completion, not in it.
    thought = usage["completion_tokens_details"]["reasoning_tokens"]
    return {
        **usage,
        "completion_tokens": usage["completion_tokens"] - thought,
        "num_sources_used": 0,
        "cost_in_usd_ticks": int(list_cost(usage) * 10_000_000_000),
    }


def _perplexity(usage: Json) -> Json:
    inputs = Decimal(usage["prompt_tokens"]) / 1_000_000
    outputs = 4 * Decimal(usage["completion_tokens"]) / 1_000_000
    fee = Decimal("0.005")
    return {
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "total_tokens": usage["total_tokens"],
        "search_context_size": "low",
        "cost": {
            "input_tokens_cost": float(inputs),
            "output_tokens_cost": float(outputs),
            "request_cost": float(fee),
            "total_cost": float(inputs + outputs + fee),
        },
    }


_DIALECTS = {"deepseek": _deepseek, "openrouter": _openrouter, "xai": _xai, "perplexity": _perplexity}
