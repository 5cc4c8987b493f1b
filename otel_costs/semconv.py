"""Every name that otel_costs writes or reads, its unit beside it.

The names that begin with ``gen_ai.`` follow the GenAI semantic conventions, which left
``opentelemetry-semantic-conventions``: the constants of that package are deprecated and lack the newer names.
The names of the cost follow the open proposal semantic-conventions-genai#443.
"""

from functools import lru_cache
from typing import Final

SCOPE: Final = "otel_costs"
"""Instrumentation scope of every span, metric and record."""

# Event names. They stand in the attribute `event.name` too: some collectors leave the event name of a log record empty.
CALL_EVENT: Final = "otel_costs.call"
MESSAGE_EVENT: Final = "otel_costs.message"
SESSION_EVENT: Final = "otel_costs.session"
SESSION_START_EVENT: Final = "otel_costs.session_start"
PROCESS_EVENT: Final = "otel_costs.process"
EVENT_NAME: Final = "event.name"

# What was called.
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"  # seconds
CONVERSATION_ID: Final = "gen_ai.conversation.id"
REALTIME_SESSION_ID: Final = "gen_ai.realtime_session.id"
OUTPUT_TYPE: Final = "gen_ai.output.type"
REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
REQUEST_PREVIOUS_RESPONSE_ID: Final = "gen_ai.request.previous_response.id"
REQUEST_REASONING_LEVEL: Final = "gen_ai.request.reasoning.level"
EMBEDDINGS_DIMENSION_COUNT: Final = "gen_ai.embeddings.dimension.count"
SPEECH_VOICE: Final = "gen_ai.speech.voice"
SPEECH_INPUT_LANGUAGE: Final = "gen_ai.speech.input.language"
OPENAI_API_TYPE: Final = "openai.api.type"  # chat_completions | responses
OPENAI_REQUEST_SERVICE_TIER: Final = "openai.request.service_tier"
OPENAI_RESPONSE_SERVICE_TIER: Final = "openai.response.service_tier"
OPENAI_RESPONSE_SYSTEM_FINGERPRINT: Final = "openai.response.system_fingerprint"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"
REALTIME_STATUS: Final = "otel_costs.realtime.status"  # of a response: completed | cancelled | incomplete | failed
REALTIME_STATUS_REASON: Final = "otel_costs.realtime.status_reason"  # turn_detected | client_cancelled | ...
REALTIME_TIME_TO_FIRST_AUDIO: Final = "otel_costs.realtime.time_to_first_audio"  # seconds

# A function that the application runs for a model.
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_TYPE: Final = "gen_ai.tool.type"

# Content on spans; opt-in.
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"

# Whose call it is.
SESSION_ID: Final = "session.id"
USER_ID: Final = "user.id"
SESSION_KIND: Final = "otel_costs.session.kind"  # conversation | creation | a word of the application
SCENARIO: Final = "otel_costs.scenario"
STEP: Final = "otel_costs.step"
TAG_PREFIX: Final = "otel_costs.tag."

# The ledger record of a call.
CALL_ID: Final = "otel_costs.call.id"  # 32 hex digits
CALL_REVISION: Final = "otel_costs.call.revision"  # 0: a job that is not finished, 1: what it came to; absent elsewhere
CALL_SEQ: Final = "otel_costs.call.seq"  # 1, 2, 3, ... in a process
PROCESS_ID: Final = "otel_costs.process.id"  # 32 hex digits, random per process
PROCESS_LAST_SEQ: Final = "otel_costs.process.last_seq"  # of a process that is gone: the number of its last call
SERVICE_NAME: Final = "service.name"
DURATION_S: Final = "otel_costs.duration_s"  # seconds
START_TIME_UNIX_NANO: Final = "otel_costs.start_time_unix_nano"  # nanoseconds

# What it used. The keys are the units of the price files and of `Usage`, and the columns of the table `calls`.
USAGE_PREFIX: Final = "otel_costs.usage."
USAGE_INVALID: Final = "otel_costs.usage.invalid"  # units whose quantity was refused or clamped
USAGE_TOKENS: Final = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_write.input_tokens",
    "input_text_tokens": "gen_ai.usage.text.input_tokens",
    "input_audio_tokens": "gen_ai.usage.audio.input_tokens",
    "input_image_tokens": "gen_ai.usage.image.input_tokens",
    "output_text_tokens": "gen_ai.usage.text.output_tokens",
    "output_audio_tokens": "gen_ai.usage.audio.output_tokens",
    "output_image_tokens": "gen_ai.usage.image.output_tokens",
    "cache_text_read_tokens": "gen_ai.usage.text.cache_read.input_tokens",
    "cache_audio_read_tokens": "gen_ai.usage.audio.cache_read.input_tokens",
    "cache_image_read_tokens": "gen_ai.usage.image.cache_read.input_tokens",
    "output_reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}


@lru_cache(1024)
def usage_attribute(unit: str) -> str:
    """Return the attribute that carries `unit`, a key of `Usage`: the convention's where there is one."""
    return USAGE_TOKENS.get(unit) or USAGE_PREFIX + unit


PROVIDER_UNKNOWN: Final = "unknown"  # the value of gen_ai.provider.name where no provider is known for the host

# What it cost.
COST_AMOUNT: Final = "gen_ai.usage.cost.amount"  # double, for display; absent when unpriced
COST_CURRENCY: Final = "gen_ai.usage.cost.currency"  # ISO 4217
COST_SOURCE: Final = "gen_ai.usage.cost.source"  # provider | local
COST_STATUS: Final = "otel_costs.cost.status"  # priced | partial | unpriced | estimated
COST_REASON: Final = "otel_costs.cost.reason"
COST_UNKNOWN: Final = "otel_costs.cost.unknown"  # keys of the usage and options of the request without a meaning for us
COST_USD: Final = "otel_costs.cost.usd"  # exact decimal string; absent when unpriced
COST_COMPUTED_USD: Final = (
    "otel_costs.cost.computed_usd"  # exact decimal string, beside a cost that the provider reported
)
COST_LIST_USD: Final = "otel_costs.cost.list_usd"  # exact decimal string, at list prices; absent where it is the cost
COST_CONTRACTED_USD: Final = (
    "otel_costs.cost.contracted_usd"  # exact decimal string, without reservations; absent where it is the list cost
)
CONTRACT_AMOUNT: Final = "otel_costs.contract.amount"  # the cost in the contract's currency, an exact decimal string
CONTRACT_CURRENCY: Final = "otel_costs.contract.currency"  # ISO 4217
CONTRACT_ID: Final = "otel_costs.contract.id"
CONTRACT_RESERVATION: Final = "otel_costs.contract.reservation"  # what was reserved, where the call used it
COST_LINE_PREFIX: Final = "otel_costs.cost.line."  # + unit: exact decimal string
PRICE_MODEL: Final = "otel_costs.price.model"  # what the price is listed under, where it is more than the model's name
PRICE_DEPLOYMENT: Final = "otel_costs.price.deployment"
PRICE_PROCESSING: Final = "otel_costs.price.processing"  # batch | ...; absent for what was asked and answered at once
PRICE_ID: Final = "otel_costs.price.id"
PRICE_BOOK: Final = "otel_costs.price.book"

# The record of a message.
MESSAGE_COUNT: Final = "otel_costs.message_count"  # of a call: what was asked, its history too, and answered
MESSAGE_ID: Final = "otel_costs.message.id"
MESSAGE_INDEX: Final = "otel_costs.message.index"
MESSAGE_ROLE: Final = "otel_costs.message.role"  # system | user | assistant | function
MESSAGE_TYPE: Final = "otel_costs.message.type"  # text | audio | function_call | function_result | image | file
MESSAGE_FUNCTION_NAME: Final = "otel_costs.message.function_name"
MESSAGE_ARGUMENTS: Final = "otel_costs.message.arguments"  # content: only when content is switched on
MESSAGE_AUDIO_SECONDS: Final = "otel_costs.message.audio_seconds"  # seconds
MESSAGE_BYTES: Final = "otel_costs.message.bytes"  # bytes of the content before it was cut
MESSAGE_SHA256: Final = "otel_costs.message.sha256"  # hex, of the content before it was cut
MESSAGE_TRUNCATED: Final = "otel_costs.message.truncated"  # the content was cut, or was not all heard
MESSAGE_INTERRUPTED: Final = "otel_costs.message.interrupted"  # why it was broken off; absent where it was not

# The record of a session that has ended.
SESSION_CALLS: Final = "otel_costs.session.calls"
SESSION_UNPRICED_CALLS: Final = "otel_costs.session.unpriced_calls"

# Metrics.
OPERATION_DURATION: Final = "gen_ai.client.inference.duration"  # seconds
OPERATION_TIME_TO_FIRST_CHUNK: Final = "gen_ai.client.inference.time_to_first_chunk"  # seconds
OPERATION_TIME_PER_OUTPUT_CHUNK: Final = "gen_ai.client.inference.time_per_output_chunk"  # seconds
USAGE_INPUT_TOKENS: Final = "gen_ai.client.inference.usage.input_tokens"  # {token}
USAGE_OUTPUT_TOKENS: Final = "gen_ai.client.inference.usage.output_tokens"  # {token}
TOKEN_MODALITY: Final = "gen_ai.token.modality"  # noqa: S105
OPERATION_COST: Final = "gen_ai.client.operation.cost"  # in the currency of the price

# Environment.
ENV_CAPTURE_CONTENT: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
ENV_LOG: Final = "OTEL_COSTS_LOG"
ENV_PRICES: Final = "OTEL_COSTS_PRICES"
ENV_PRICES_UPDATE: Final = "OTEL_COSTS_PRICES_UPDATE"
ENV_PROVIDERS: Final = "OTEL_COSTS_PROVIDERS"
ENV_DSN: Final = "OTEL_COSTS_DSN"
ENV_STREAM_USAGE: Final = "OTEL_COSTS_STREAM_USAGE"
ENV_SPOOL: Final = "OTEL_COSTS_SPOOL"
ENV_BAGGAGE: Final = "OTEL_COSTS_BAGGAGE"
ENV_REDACT: Final = "OTEL_COSTS_REDACT"
ENV_USER_HASH: Final = "OTEL_COSTS_USER_HASH"
ENV_CONTENT_KEY: Final = "OTEL_COSTS_CONTENT_KEY"
ENV_BUDGETS: Final = "OTEL_COSTS_BUDGETS"
ENV_BUDGETS_TOKEN: Final = "OTEL_COSTS_BUDGETS_TOKEN"  # noqa: S105
ENV_BUDGETS_FAIL: Final = "OTEL_COSTS_BUDGETS_FAIL"
ENV_ALERTS: Final = "OTEL_COSTS_ALERTS"
ENV_ALLOCATION: Final = "OTEL_COSTS_ALLOCATION"
ENV_TOKEN: Final = "OTEL_COSTS_TOKEN"  # noqa: S105
ENV_TZ: Final = "OTEL_COSTS_TZ"
ENV_JAEGER_URL: Final = "OTEL_COSTS_JAEGER_URL"
ENV_WRITER_DSN: Final = "OTEL_COSTS_WRITER_DSN"
ENV_WEB_TOKEN: Final = "OTEL_COSTS_WEB_TOKEN"  # noqa: S105
ENV_WEB_CONVERSATIONS_TOKEN: Final = "OTEL_COSTS_WEB_CONVERSATIONS_TOKEN"  # noqa: S105
ENV_WEB_WRITING_TOKEN: Final = "OTEL_COSTS_WEB_WRITING_TOKEN"  # noqa: S105
