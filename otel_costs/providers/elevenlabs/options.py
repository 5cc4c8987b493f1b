"""The options of a transcription that cost more, or nothing (elevenlabs 2.78)."""

from typing import Final

BILLED: Final = frozenset({
    "keyterms", "entity_detection", "entity_redaction", "entity_redaction_mode", "use_multi_channel",
    "multichannel_output_style", "detect_speaker_roles", "transcript_edit", "use_speaker_library",
})  # fmt: skip
"""Those that cost more, or may; how much is not known to us."""

FREE: Final = frozenset({
    "model_id", "token", "enable_logging", "file", "language_code", "secondary_language_codes", "numbers_format",
    "tag_audio_events", "num_speakers", "timestamps_granularity", "diarize", "diarization_threshold",
    "additional_formats", "file_format", "cloud_storage_url", "source_url", "webhook", "webhook_id", "temperature",
    "seed", "webhook_metadata", "no_verbatim",
})  # fmt: skip
"""Those that are documented and cost nothing."""
