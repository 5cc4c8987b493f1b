"""The providers that are instrumented: one module each, one line each."""

from typing import Final, NamedTuple


class Provider(NamedTuple):
    """A module of ours, and what it waits for: it is imported with the first of that, and costs nothing until then."""

    module: str
    """Has a `VENDOR` or `install(patches)` for the modules below, `match(handshake)` for the sockets, or both."""
    patched: tuple[str, ...] = ()
    """Modules of others: the calls are patched when the first of them is imported, and it may be done again."""
    sockets: tuple[str, ...] = ()
    """Providers (`otel_costs.hosts`) whose WebSockets `match` is asked about, `*` for any host."""


PROVIDERS: Final = (
    Provider("otel_costs.providers.assemblyai", patched=("assemblyai.client",), sockets=("assemblyai",)),
    Provider("otel_costs.providers.aws_speech", patched=("botocore.client", "aiobotocore.client")),
    Provider("otel_costs.providers.aws_speech.transcribe_stream", patched=("amazon_transcribe.client",)),
    Provider("otel_costs.providers.azure_speech", patched=("azure.cognitiveservices.speech.speech",)),
    Provider("otel_costs.providers.cartesia", patched=("cartesia._base_client",), sockets=("cartesia",)),
    Provider("otel_costs.providers.deepgram", patched=("deepgram.core.http_client",), sockets=("deepgram",)),
    Provider("otel_costs.providers.elevenlabs", patched=("elevenlabs.core.http_client",), sockets=("elevenlabs",)),
    Provider(
        "otel_costs.providers.google_speech",
        patched=(
            "google.cloud.speech_v1",
            "google.cloud.speech_v1p1beta1",
            "google.cloud.speech_v2",
            "google.cloud.texttospeech_v1",
            "google.cloud.texttospeech_v1beta1",
        ),
    ),
    Provider("otel_costs.providers.openai", patched=("openai._base_client",)),
    Provider("otel_costs.providers.openai_live", sockets=("openai", "azure.ai.openai")),
    Provider("otel_costs.providers.openai_realtime", sockets=("openai", "azure.ai.openai", "*")),
    Provider("otel_costs.providers.openai.responses_socket", sockets=("openai", "azure.ai.openai", "x_ai")),
)
