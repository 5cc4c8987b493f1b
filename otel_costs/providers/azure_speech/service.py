"""Where a recognizer or a synthesizer talks to, as its properties say, and which of the service's models it asks."""

import sys
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from otel_costs import semconv as names
from otel_costs.calls.call import Call

PROVIDER: Final = "azure.speech"

STANDARD: Final = "standard"
CUSTOM: Final = "custom"
TRANSLATION: Final = "translation"
TRANSCRIPTION: Final = "conversation-transcription"

# Ids of the SDK's enum PropertyId, which older versions may lack: they are asked for by name.
_ENDPOINT: Final = "SpeechServiceConnection_Endpoint"
_HOST: Final = "SpeechServiceConnection_Host"
_REGION: Final = "SpeechServiceConnection_Region"
_DEPLOYMENT: Final = "SpeechServiceConnection_EndpointId"
_LANGUAGE: Final = "SpeechServiceConnection_RecoLanguage"
_MODEL: Final = "SpeechServiceConnection_RecoModelName"
_IDENTIFIES: Final = "SpeechServiceConnection_LanguageIdMode"
_CHANNELS: Final = "Speech_EnableMultiChannelProcessing"
_VOICE: Final = "SpeechServiceConnection_SynthVoice"

_ids: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class SpeechService:
    """The service that a recognizer or a synthesizer talks to."""

    address: str
    port: int
    deployment: str | None
    """Of a custom model or voice."""

    def call(self, operation: str, model: str) -> Call:
        """Start a call to here."""
        return Call(
            operation,
            PROVIDER,
            model,
            attributes={names.SERVER_ADDRESS: self.address, names.SERVER_PORT: self.port},
            endpoint=self.address,
            deployment=self.deployment,
        )


_REFUSED: Final = frozenset({"AuthenticationFailure", "BadRequest", "Forbidden", "TooManyRequests"})
"""Errors of a request that the service did not take."""


def is_refusal(error: str | None) -> bool:
    """Return whether the service did not take a request, as its `error` says."""
    return error in _REFUSED


def place_of(properties: Any, service: str) -> SpeechService:
    """Return where `properties` lead; `service` is `stt`, `tts` or `s2s`."""
    deployment = property_of(properties, _DEPLOYMENT) or None
    if given := property_of(properties, _ENDPOINT) or property_of(properties, _HOST):
        url = urlsplit(given)
        return SpeechService(url.hostname or "", url.port or (80 if url.scheme in ("ws", "http") else 443), deployment)
    region = property_of(properties, _REGION)
    return SpeechService(f"{region}.{service}.speech.microsoft.com" if region else "", 443, deployment)


def model_of(recognizer: Any, place: SpeechService) -> str:
    """Return the model that a recognizer asks, by the name that it is priced under."""
    kind = type(recognizer)
    inherited = {base.__name__ for base in kind.__mro__}
    if "TranslationRecognizer" in inherited:
        return TRANSLATION
    if inherited & {"ConversationTranscriber", "MeetingTranscriber"}:
        return TRANSCRIPTION
    return property_of(recognizer.properties, _MODEL) or (CUSTOM if place.deployment else STANDARD)


def identifies_languages(properties: Any) -> bool:
    """Return whether languages are identified all the time, which costs more."""
    return property_of(properties, _IDENTIFIES).lower() == "continuous"


def language_of(properties: Any) -> str | None:
    """Return the language that is listened for; None where it is identified."""
    return property_of(properties, _LANGUAGE) or None


def voice_of(properties: Any) -> str:
    """Return the voice that a synthesizer speaks with, empty where it is the language's own."""
    return property_of(properties, _VOICE)


def property_of(properties: Any, name: str) -> str:
    """Return a property, empty where it is not set or this version has none of that name."""
    if (found := _ids.get(name)) is None:
        # It is imported: its objects are here.
        found = _ids[name] = getattr(sys.modules["azure.cognitiveservices.speech.enums"].PropertyId, name, None)
    value = None if found is None else properties.get_property(found)
    return value if isinstance(value, str) else ""


def separates_channels(properties: Any) -> bool:
    """Return whether each channel of the sound is recognized for itself."""
    return property_of(properties, _CHANNELS).lower() == "true"
