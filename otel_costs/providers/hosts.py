"""Who is behind a host: the provider whose prices count, and what its API is known to take.

A host that nobody knows, and loopback, has the provider that `OTEL_COSTS_PROVIDERS` gives it, never OpenAI's prices by
default: behind it may be a gateway, a local model, or another vendor.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from otel_costs import telemetry
from otel_costs.attributes import ENV_PROVIDERS, ENV_STREAM_USAGE

UNKNOWN: Final = "unknown"

# Host suffix -> provider, by the names of the GenAI conventions where they have one.
_SUFFIXES: Final = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.x.ai": "x_ai",
    "api.perplexity.ai": "perplexity",
    "api.mistral.ai": "mistral_ai",
    "openrouter.ai": "openrouter",
    "api.together.xyz": "together",
    "api.fireworks.ai": "fireworks",
    "api.cerebras.ai": "cerebras",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "api.anthropic.com": "anthropic",
    "api.cohere.com": "cohere",
}
_TAKES_STREAM_USAGE: Final = frozenset(
    {"openai", "azure.ai.openai", "deepseek", "groq", "x_ai", "openrouter", "together", "fireworks", "cerebras"}
)
_AZURE_STREAM_USAGE_SINCE: Final = "2024-09-01"


@dataclass(frozen=True, slots=True)
class Host:
    """The host of a client: its address, its port and its provider."""

    address: str
    port: int
    provider: str

    @property
    def has_deployments(self) -> bool:
        """Whether the model of a request is the name of a deployment."""
        return self.provider == "azure.ai.openai"


def of(client: Any) -> Host:
    """Return the host that a client of the SDK talks to."""
    url = client.base_url
    return _host(url.host, url.port or (80 if url.scheme == "http" else 443), os.environ.get(ENV_PROVIDERS, ""))


@lru_cache(maxsize=256)
def _host(address: str, port: int, configured: str) -> Host:
    provider = _configured(configured).get(address) or _configured(configured).get(f"{address}:{port}")
    provider = provider or next((name for suffix, name in _SUFFIXES.items() if _ends_with(address, suffix)), None)
    if provider is None:
        telemetry.complain_once(
            f"host:{address}",
            "Nobody knows which provider is behind the host %s, so its calls have no price: say so with %s=%s=openai",
            address,
            ENV_PROVIDERS,
            address,
        )
    return Host(address, port, provider or UNKNOWN)


def _ends_with(address: str, suffix: str) -> bool:
    # eu.api.openai.com is OpenAI, evilapi.openai.com.example is not.
    return address == suffix or address.endswith("." + suffix)


@lru_cache(maxsize=8)
def _configured(value: str) -> Mapping[str, str]:
    pairs = (item.partition("=") for item in value.split(",") if item.strip())
    return {host.strip().lower(): provider.strip() for host, _, provider in pairs if provider.strip()}


def takes_stream_usage(client: Any, host: Host) -> bool:
    """Whether a stream may be asked for its usage: the provider is known to take it, and nobody forbade it."""
    if os.environ.get(ENV_STREAM_USAGE, "on").strip().lower() == "off" or host.provider not in _TAKES_STREAM_USAGE:
        return False
    version = getattr(client, "_api_version", None)
    return not isinstance(version, str) or version >= _AZURE_STREAM_USAGE_SINCE
