"""The provider behind a host, whose prices count, and what its API is known to take.

An unknown host, and loopback, has the provider that `OTEL_COSTS_PROVIDERS` gives it, never OpenAI's prices by
default: behind it may be a gateway, a local model, or another vendor.
"""

import os
import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from otel_costs.runtime import telemetry
from otel_costs.semconv import ENV_PROVIDERS, ENV_STREAM_USAGE, PROVIDER_UNKNOWN, SERVER_ADDRESS, SERVER_PORT

# Host, or the end of it, to provider: by the names of the GenAI conventions where they have one, else of genai-prices.
_HOSTS: Final = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "openai.azure.us": "azure.ai.openai",
    "openai.azure.cn": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.openai",
    "azure-api.net": "azure.ai.openai",
    "models.inference.ai.azure.com": "azure.ai.inference",
    "inference.ai.azure.com": "azure.ai.inference",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "api.anthropic.com": "anthropic",
    "api.cerebras.ai": "cerebras",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "api.deepseek.com": "deepseek",
    "api.fireworks.ai": "fireworks",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.moonshot.ai": "moonshotai",
    "api.moonshot.cn": "moonshotai",
    "api.novita.ai": "novita",
    "api.perplexity.ai": "perplexity",
    "api.together.ai": "together",
    "api.together.xyz": "together",
    "api.x.ai": "x_ai",
    "api.z.ai": "zai",
    "assemblyai.com": "assemblyai",
    "cartesia.ai": "cartesia",
    "deepgram.com": "deepgram",
    "elevenlabs.io": "elevenlabs",
    "oai.endpoints.kepler.ai.cloud.ovh.net": "ovhcloud",
    "open.bigmodel.cn": "zhipuai",
    "openrouter.ai": "openrouter",
}
_ADDED: Final[dict[str, str]] = {}
"""Those of vendors that other packages bring."""

_AWS: Final = r"[a-z0-9.-]*(amazonaws\.(com|com\.cn|eu)|api\.aws)$"
_GOOGLE: Final = r"([a-z0-9-]+\.rep\.)?googleapis\.com$"
# Not compiled here: most processes ask for none of them, and it would take a millisecond of each start.
_PATTERNS: Final = (
    (rf"(^|-)aiplatform\.{_GOOGLE}", "gcp.vertex_ai"),
    (r"^bedrock-(runtime|mantle)[.-].*\.(amazonaws\.(com|com\.cn|eu)|api\.aws)$", "aws.bedrock"),
    (rf"(^|\.)polly(-fips)?\.{_AWS}", "aws.polly"),
    (rf"(^|\.)transcribe(streaming)?(-fips)?\.{_AWS}", "aws.transcribe"),
    (rf"(^|-)speech\.{_GOOGLE}", "gcp.speech"),
    (rf"(^|-)texttospeech\.{_GOOGLE}", "gcp.text_to_speech"),
)
# How providers are called elsewhere.
_ALIASES: Final = {"azure": "azure.ai.openai", "xai": "x_ai", "x-ai": "x_ai", "mistral": "mistral_ai"}
_PROVIDER: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

# Those of which it is known, to the byte, what `stream_options.include_usage` adds to a stream, so that it can be taken
# out again. Others say the usage of every stream unasked (xAI, OpenRouter, Perplexity, DeepSeek, Groq, Moonshot, ...),
# put it into chunks that the application sees anyway (Gemini), or refuse fields that they do not know (Mistral).
_TAKES_STREAM_USAGE: Final = frozenset({"openai", "azure.ai.openai"})
_DEPLOYMENT: Final = re.compile(r"/deployments/([^/?]+)")
_AZURE_STREAM_USAGE_SINCE: Final = "2024-09-01"  # api-version


_MAX_BASES: Final = 256
_BASES: Final[dict[int, tuple[Any, str, "Host"]]] = {}
"""Hosts by the URL object of a client, which is kept with them: to take it apart costs a tenth of the whole call."""


@dataclass(frozen=True, slots=True)
class Host:
    """The host of a client: its address, its port and its provider, `unknown` when it is not known."""

    address: str
    port: int
    provider: str
    attributes: Mapping[str, Any] = field(init=False, compare=False)
    """The attributes of every call to this host."""
    has_deployments: bool = field(init=False, compare=False)
    """Whether the model of a request is the name of a deployment."""

    def __post_init__(self) -> None:
        # Asked for with each call, and never another: a host is one object for all of its calls.
        object.__setattr__(self, "attributes", {SERVER_ADDRESS: self.address, SERVER_PORT: self.port})
        object.__setattr__(self, "has_deployments", self.provider == "azure.ai.openai")


def of(client: Any, url: str = "") -> Host:
    """Return the host that a client of the SDK talks to: its own, or that of `url` if it is absolute."""
    configured = os.environ.get(ENV_PROVIDERS, "")
    if "://" in url:
        return _of(client, urlsplit(url), configured)
    base = client.base_url
    known = _BASES.get(id(base))
    if known is None or known[0] is not base or known[1] != configured:
        if len(_BASES) >= _MAX_BASES:
            _BASES.clear()
        known = _BASES[id(base)] = base, configured, _of(client, base, configured)
    return known[2]


def _of(client: Any, base: Any, configured: str) -> Host:
    port = base.port or (80 if base.scheme == "http" else 443)
    address = base.hostname if isinstance(base, SplitResult) else base.host
    return _host(address or "", port, _speaks_azure(client.__class__), configured)


def at(address: str, port: int) -> Host:
    """Return the host of a request that is made without the SDK."""
    return _host(address, port, False, os.environ.get(ENV_PROVIDERS, ""))


@lru_cache(maxsize=64)
def address_of(target: str) -> tuple[str, int]:
    """Return host and port of `host:port`, as gRPC has it, or of a URL."""
    parts = urlsplit(target if "://" in target else f"https://{target}")
    return parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)


def add(provider: str, names: Iterable[str]) -> None:
    """Have `provider` found behind hosts that end in one of `names`, unless they are known as those of another."""
    _ADDED.update((name.lower(), provider) for name in names)
    _host.cache_clear()


def forget() -> None:
    """Forget the hosts that were added."""
    _ADDED.clear()
    _host.cache_clear()


def provider_of(address: str, port: int) -> str | None:
    """Return the provider behind a host; None if it is unknown, which is no reason to warn: it may be anything."""
    return _provider(address.lower().rstrip("."), port, os.environ.get(ENV_PROVIDERS, ""))


def deployment_of(client: Any, url: str = "") -> str | None:
    """Return the deployment that the address of a request names, as Azure's do; None if it names none."""
    found = _DEPLOYMENT.search(url) or _DEPLOYMENT.search(client.base_url.path)
    return unquote(found[1]) if found else None


def takes_stream_usage(client: Any, host: Host) -> bool:
    """Return whether a stream may be asked for its usage: the provider is known to take it, and it is not forbidden.

    `OTEL_COSTS_STREAM_USAGE=on` asks hosts of every provider, `off` none.
    """
    wanted = os.environ.get(ENV_STREAM_USAGE, "").strip().lower()
    if wanted in ("on", "off"):
        return wanted == "on"
    if host.provider not in _TAKES_STREAM_USAGE:
        return False
    version = getattr(client, "_api_version", None)
    return not isinstance(version, str) or version >= _AZURE_STREAM_USAGE_SINCE


@lru_cache(maxsize=256)
def _host(address: str, port: int, azure: bool, configured: str) -> Host:
    """Look a host up: what is configured comes first, then what is known, then how the client speaks."""
    address = address.lower().rstrip(".")
    provider = _provider(address, port, configured)
    if provider is None and azure and not _is_loopback(address):
        provider = "azure.ai.openai"  # a domain of one's own, in front of Azure
    if provider is None:
        telemetry.warn_once(
            f"host:{address}",
            "The provider at the host %s is not known, so its calls have no price. Name it: %s=%s=openai if it serves "
            "OpenAI's models at OpenAI's prices.",
            address[:253],
            ENV_PROVIDERS,
            address[:253],
        )
    return Host(address, port, provider or PROVIDER_UNKNOWN)


def _provider(address: str, port: int, configured: str) -> str | None:
    given = _configured(configured)
    return given.get(f"{address}:{port}") or given.get(address) or _ended(address, given) or _known(address)


def _known(address: str) -> str | None:
    found = _ended(address, _HOSTS) or next((name for pattern, name in _PATTERNS if re.search(pattern, address)), None)
    return found or _ended(address, _ADDED)


def _ended(address: str, providers: Mapping[str, str]) -> str | None:
    """Return the provider of the longest end of `address` that is listed, whole labels only.

    `eu.api.openai.com` is OpenAI's, `evil-api.openai.com.example` is not.
    """
    while address:
        if (provider := providers.get(address)) is not None:
            return provider
        address = address.partition(".")[2]
    return None


@lru_cache(maxsize=8)
def _configured(value: str) -> Mapping[str, str]:
    """Parse `host=provider,host:port=provider`; `*.acme.com` and `acme.com` stand for every host that ends so."""
    providers: dict[str, str] = {}
    for number, entry in enumerate(filter(str.strip, value.split(",")), 1):
        host, _, name = entry.strip().lower().rpartition("=")
        host = host.strip().removeprefix("*.").strip("[]")
        name = name.strip()
        # The entry itself is not logged: it may be a URL with a password.
        if not host or "/" in host or not _PROVIDER.fullmatch(name):
            telemetry.warn_once(
                f"providers:{number}", "Entry %d of %s is ignored: write host=provider, without a scheme or a path",
                number, ENV_PROVIDERS,
            )  # fmt: skip
            continue
        providers[host] = _ALIASES.get(name, name)
    return providers


@lru_cache(maxsize=64)
def _speaks_azure(client: Hashable) -> bool:
    # By name: openai need not be imported for it, and older versions have the same class.
    return any(base.__name__ == "BaseAzureClient" for base in getattr(client, "__mro__", ()))


def _is_loopback(address: str) -> bool:
    return address == "localhost" or address.startswith("127.") or address in ("::1", "0.0.0.0")  # noqa: S104
