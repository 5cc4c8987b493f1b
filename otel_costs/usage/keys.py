"""What every key of a usage is, in whatever dialect a provider writes it: a unit, a part, a total, or free.

A key that is not here, and is not zero, is money that is not accounted for: the call is `partial` and names it. So a
new key of a provider is a line here, with where it was read, and nothing else.

A path is written with dots. `{input}` and `{output}` stand for each name that the details of a prompt and of a
completion have.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Final, TypeAlias


class Kind(Enum):
    """What a key is that is no unit."""

    FREE = "free"  # a time, a rate, a count of what costs nothing
    COST = "cost"  # money already, or a group of such; what is taken as the cost of a call is read elsewhere
    TOTAL = "total"  # all tokens, or those of a list: it is checked against them
    INPUT_LIST = "input list"  # tokens of the input by modality, one object for each
    OUTPUT_LIST = "output list"
    CACHED_LIST = "cached list"  # of the input that was cached
    TOOL_LIST = "tool list"  # of the input that tools made: text costs what the input does, anything else does not
    WRITES = "writes"  # tokens written to a cache by how long they are kept, one object for each
    ROUNDS = "rounds"  # what the usage is the sum of, one object for each round of a model


@dataclass(frozen=True, slots=True)
class Part:
    """A number that is part of the quantity of `unit`, costs what that costs, and is counted in it."""

    unit: str


@dataclass(frozen=True, slots=True)
class Beside:
    """A number that costs nothing where the usage has `group` too, which says what is billed."""

    group: str


Meaning: TypeAlias = str | Part | Beside | Kind | Mapping[str, Any]
"""A unit's name, or what a key is that is none; a mapping is a group of keys."""

_DETAILS: Final[Mapping[str, tuple[str, ...]]] = {
    "{input}": ("prompt_tokens_details", "input_tokens_details", "input_token_details", "prompt_token_details"),
    "{output}": (
        *("completion_tokens_details", "output_tokens_details", "output_token_details"),
        "completion_token_details",
    ),
}

_MAX_KEY: Final = 128

INPUT: Final = frozenset(_DETAILS["{input}"])
"""The names of the details of a prompt. Gemini writes them as a list, one object for each modality."""

_FREE: Final = re.compile(
    r"(?:.*_)?(?:"
    r"(?:time|latency|elapsed|ttft|time_to_[a-z_]*?)(?:_(?:ms|us|ns))?"  # how long it took
    r"|(?:timestamp|created|.+_at)(?:_(?:ms|us|ns))?"  # when it was
    r"|per_(?:second|sec|s|minute|min)|tps|throughput|rate|ratio"
    r"|(?:costs?|prices?)(?:_in)?(?:_(?:usd|eur|ticks|usd_ticks))?"
    r"|ids?)"
)
_BILLED_TIME: Final = re.compile(
    r"(?:.*_)?(?:bill(?:ed|able|ing)?|compute|[cgt]pu|audio|video|speech|talk|call|session|connection|container|instance)"
    r"_(?:time|elapsed)(?:_(?:ms|us|ns))?"
)
"""Times that are no latency but a quantity, which may be billed."""
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@lru_cache(maxsize=512)
def is_free(key: str) -> bool:
    """Return whether a key names a time, a moment, a rate, a detail of a cost, or an id, whichever provider invents it.

    Groq's `queue_time`, SambaNova's `total_latency`, OpenRouter's `upstream_inference_cost`, Vercel's `market_cost`,
    DeepInfra's `estimated_cost`; with humps or underscores. Seconds and minutes are none, nor is `gpu_time`: those may
    be billed.
    """
    name = _HUMP.sub("_", key).lower() if len(key) <= _MAX_KEY else ""
    return _FREE.fullmatch(name) is not None and _BILLED_TIME.fullmatch(name) is None


SOURCES: Final[Mapping[str, Mapping[str, Meaning]]] = {
    "openai 3.57, CompletionUsage": {
        "prompt_tokens": "input_tokens",
        "completion_tokens": "output_tokens",
        "total_tokens": Kind.TOTAL,
        "{input}.cached_tokens": "cache_read_tokens",
        "{input}.cache_write_tokens": "cache_write_tokens",
        "{input}.audio_tokens": "input_audio_tokens",
        "{input}.text_tokens": "input_text_tokens",
        "{input}.image_tokens": "input_image_tokens",
        "{output}.reasoning_tokens": "output_reasoning_tokens",
        "{output}.audio_tokens": "output_audio_tokens",
        "{output}.text_tokens": "output_text_tokens",
        "{output}.image_tokens": "output_image_tokens",
        "{output}.accepted_prediction_tokens": Part("output_tokens"),
        "{output}.rejected_prediction_tokens": Part("output_tokens"),
    },
    "openai 3.57, ResponseUsage, BatchUsage, Decision's and ImagesResponse's Usage": {
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "{input}.cache_write_tokens_details.ttl_30m_tokens": Part("cache_write_tokens"),
        "{input}.cache_write_tokens_details.ttl_12h_tokens": "cache_write_12h_tokens",
        "cache_write_tokens_details.ttl_30m_tokens": Part("cache_write_tokens"),  # behind gateways
        "cache_write_tokens_details.ttl_12h_tokens": "cache_write_12h_tokens",
    },
    "openai 3.57, RealtimeResponseUsage; the details of what is cached: recorded sessions of 2026": {
        "{input}.cached_tokens_details.text_tokens": "cache_text_read_tokens",
        "{input}.cached_tokens_details.audio_tokens": "cache_audio_read_tokens",
        "{input}.cached_tokens_details.image_tokens": "cache_image_read_tokens",
    },
    "openai 3.57, Transcription's Usage and live.SessionUsage": {
        "seconds": "audio_seconds",
        "active_seconds": Part("audio_seconds"),
        "paused_seconds": "paused_seconds",
    },
    "openai 3.57, Response's ToolUsage": {
        "tool_usage.web_search.num_requests": "web_searches",
        "cached_tokens_details.cached_text_tokens": "cache_text_read_tokens",
        "cached_tokens_details.cached_image_tokens": "cache_image_read_tokens",
    },
    "openai 3.57, SvgUsage, PerModelUsage and usages by model of graders": {
        "reasoning_tokens": "output_reasoning_tokens",
        "cached_tokens": "cache_read_tokens",  # Moonshot, StepFun and Together too
        "invocation_count": Kind.FREE,  # of requests: how many there were
    },
    "Groq, docs.groq.com/api-reference: queue_time and other times by their ending": {},
    "DeepSeek, api-docs.deepseek.com/api/create-chat-completion": {
        "prompt_cache_hit_tokens": "cache_read_tokens",
        "prompt_cache_miss_tokens": Part("input_tokens"),
    },
    # num_sources_used and num_server_side_tools_used are billed each, at prices of their own: not known here.
    "xAI, docs.x.ai/developers/cost-tracking and recorded answers": {
        "cached_prompt_text_tokens": "cache_read_tokens",
        "cost_in_usd_ticks": Kind.COST,
    },
    "Perplexity, docs.perplexity.ai/api-reference": {
        "citation_tokens": "output_citation_tokens",
        "num_search_queries": "web_searches",
    },
    "OpenRouter, openrouter.ai/docs/use-cases/usage-accounting": {
        "cost": Kind.COST,  # Perplexity's too, a group of them
        "cost_details": Kind.COST,
        "{input}.video_tokens": "input_video_tokens",
        "{output}.video_tokens": "output_video_tokens",
    },
    "LiteLLM, litellm.types.utils.Usage and PromptTokensDetailsWrapper; oh-my-pi#6876": {
        "{input}.cache_creation_tokens": "cache_write_tokens",
        "{input}.cache_creation_input_tokens": "cache_write_tokens",
        "{input}.cached_write_tokens": "cache_write_tokens",
        "{input}.cache_creation_token_details.ephemeral_5m_input_tokens": "cache_write_5m_tokens",
        "{input}.cache_creation_token_details.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
        "{input}.cache_read_input_tokens": "cache_read_tokens",
        "{input}.cache_read_tokens": "cache_read_tokens",
        "{input}.cache_creation.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
        "cache_creation_token_details.ephemeral_5m_input_tokens": "cache_write_5m_tokens",
        "cache_creation_token_details.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
        "{input}.web_search_requests": "web_searches",
        "{input}.character_count": Kind.FREE,  # how long the text is whose tokens are counted
        "cache_creation_tokens": "cache_write_tokens",
        "cached_write_tokens": "cache_write_tokens",
        "cache_write_tokens": "cache_write_tokens",
        "cache_read_tokens": "cache_read_tokens",
        "server_tool_use.tool_search_requests": Kind.FREE,
    },
    # code_execution_requests are billed by the time that a container runs, which is not said.
    "Anthropic, platform.claude.com/docs/en/api/messages; web fetches: .../agents-and-tools/tool-use/web-fetch-tool": {
        "cache_read_input_tokens": "cache_read_tokens",
        "cache_creation_input_tokens": "cache_write_tokens",
        "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m_tokens",
        "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
        "server_tool_use.web_search_requests": "web_searches",
        "server_tool_use.web_fetch_requests": Kind.FREE,
        "{output}.thinking_tokens": "output_reasoning_tokens",
        "iterations": Kind.ROUNDS,
    },
    "Alibaba, alibabacloud.com/help/en/model-studio/context-cache": {
        "{input}.cache_creation.ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    },
    "Mistral, docs.mistral.ai/api; genai-prices#591": {
        "num_cached_tokens": "cache_read_tokens",
        "prompt_audio_seconds": "input_audio_seconds",
        "audio_tokens": "input_audio_tokens",
        "pages_processed": "input_document_pages",  # OCRUsageInfo
        "doc_size_bytes": Kind.FREE,
    },
    "Writer, dev.writer.com/api-reference: completion_token_details": {},
    "Inception, docs.inceptionlabs.ai/api-reference; OpenAI's organization usage": {
        "cached_input_tokens": "cache_read_tokens",
    },
    "Voyage, docs.voyageai.com/reference/multimodal-embeddings-api": {
        "text_tokens": "input_text_tokens",
        "image_pixels": "input_pixels",
    },
    "Cohere, docs.cohere.com/reference/chat: of `tokens`, those that are billed are `billed_units`": {
        "billed_units.input_tokens": "input_tokens",
        "billed_units.output_tokens": "output_tokens",
        "billed_units.search_units": "rerank_searches",
        "tokens.input_tokens": Beside("billed_units"),
        "tokens.output_tokens": Beside("billed_units"),
    },
    "Amazon Bedrock, docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html": {
        "inputTokens": "input_tokens",
        "outputTokens": "output_tokens",
        "totalTokens": Kind.TOTAL,
        "cacheReadInputTokens": "cache_read_tokens",
        "cacheReadInputTokenCount": "cache_read_tokens",
        "cacheWriteInputTokens": "cache_write_tokens",
        "cacheWriteInputTokenCount": "cache_write_tokens",
        "cacheDetails": Kind.WRITES,
    },
    "Gemini, ai.google.dev/api/generate-content#UsageMetadata": {
        "prompt_token_count": "input_tokens",
        "candidates_token_count": "output_tokens",
        "response_token_count": "output_tokens",
        "thoughts_token_count": "output_reasoning_tokens",
        "cached_content_token_count": "cache_read_tokens",
        "tool_use_prompt_token_count": "input_tool_tokens",
        "total_token_count": Kind.TOTAL,
        "candidates_tokens_details": Kind.OUTPUT_LIST,
        "cache_tokens_details": Kind.CACHED_LIST,
        "response_tokens_details": Kind.OUTPUT_LIST,
        "tool_use_prompt_tokens_details": Kind.TOOL_LIST,
    },
    "Gemini, ai.google.dev/api/interactions-api: Usage": {
        "total_input_tokens": "input_tokens",
        "total_output_tokens": "output_tokens",
        "total_thought_tokens": "output_reasoning_tokens",
        "total_cached_tokens": "cache_read_tokens",
        "total_tool_use_tokens": "input_tool_tokens",
        "input_tokens_by_modality": Kind.INPUT_LIST,
        "output_tokens_by_modality": Kind.OUTPUT_LIST,
    },
    "SambaNova, docs.sambanova.ai: rates and moments of a request": {
        "completion_tokens_after_first_per_sec_first_ten": Kind.FREE,
        "completion_tokens_after_first_per_sec_graph": Kind.FREE,
        "time_to_first_token": Kind.FREE,
    },
}
"""The keys by where they were read."""


def _table() -> dict[str, Any]:
    root: dict[str, Any] = {}
    for keys in SOURCES.values():
        for path, meaning in keys.items():
            first, _, rest = path.partition(".")
            for name in _DETAILS.get(first, (first,)):
                _enter(root, [name, *filter(None, rest.split("."))], meaning)
    return root


def _enter(group: dict[str, Any], path: list[str], meaning: Meaning) -> None:
    for name in path[:-1]:
        group = group.setdefault(name, {})
    group[path[-1]] = meaning


KEYS: Final[Mapping[str, Any]] = _table()
"""Each key's meaning, groups nested."""
