"""The building blocks of a provider's module, for those of this package and of others: docs/adding-a-provider.md."""

from otel_costs.calls.reading import Job, Reading
from otel_costs.messages.drafts import Draft
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.kit.answer import Answer, read_usage
from otel_costs.providers.kit.request import Asked, Endpoint, asked_model, text_to_speak
from otel_costs.providers.kit.sdk_method import Answered, Method, MethodCall
from otel_costs.providers.kit.speech_socket import AgentCall, SynthesisCall, TranscriptionCall
from otel_costs.providers.kit.transcripts import heard, synthesized
from otel_costs.providers.kit.vendor import Vendor, fern, stainless
from otel_costs.transports.websocket.matching import Handshake, Observer
from otel_costs.usage import Usage
from otel_costs.usage.merging import merged
from otel_costs.values.json_objects import mapping, objects, parsed

__all__ = [
    "AgentCall",
    "Answer",
    "Answered",
    "Asked",
    "CostReason",
    "Draft",
    "Endpoint",
    "Handshake",
    "Job",
    "Method",
    "MethodCall",
    "Observer",
    "Reading",
    "SynthesisCall",
    "TranscriptionCall",
    "Usage",
    "Vendor",
    "asked_model",
    "fern",
    "heard",
    "mapping",
    "merged",
    "objects",
    "parsed",
    "read_usage",
    "stainless",
    "synthesized",
    "text_to_speak",
]
