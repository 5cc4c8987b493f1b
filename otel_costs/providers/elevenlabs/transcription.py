"""Transcription at ElevenLabs, and its options that cost more, or nothing (elevenlabs 2.78)."""

from typing import Final

from otel_costs.providers import kit
from otel_costs.providers.kit import speech_usage

_BILLED: Final = frozenset({
    "keyterms", "entity_detection", "entity_redaction", "entity_redaction_mode", "use_multi_channel",
    "multichannel_output_style", "detect_speaker_roles", "transcript_edit", "use_speaker_library",
})  # fmt: skip
"""Those that cost more, or may; how much is not known to us."""

_FREE: Final = frozenset({
    "model_id", "token", "enable_logging", "file", "language_code", "secondary_language_codes", "numbers_format",
    "tag_audio_events", "num_speakers", "timestamps_granularity", "diarize", "diarization_threshold",
    "additional_formats", "file_format", "cloud_storage_url", "source_url", "webhook", "webhook_id", "temperature",
    "seed", "webhook_metadata", "no_verbatim",
})  # fmt: skip
"""Those that are documented and cost nothing."""


def read(asked: kit.Asked, answer: kit.Answer) -> kit.Reading:
    """Return what a transcription says, of each of its channels."""
    seconds, known = answer.json.get("audio_duration_secs"), _BILLED | _FREE
    channels = kit.objects(answer.json, "transcripts") or [answer.json]
    more = kit.CostReason.FEATURE_NOT_PRICED if asked.any_of(_BILLED) else None
    return kit.Reading(
        None if seconds is None else speech_usage.of_audio(seconds),
        response_id=answer.json.get("transcription_id") or answer.headers.get("request-id"),
        outputs=[[draft for one in channels for draft in kit.heard(one.get("text"), seconds)]],
        reasons=(kit.CostReason.USAGE_NOT_REPORTED if seconds is None else more,),
        unknown=() if seconds is None else asked.unknown_options(known),
    )
