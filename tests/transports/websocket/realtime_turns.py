"""The turns of a spoken conversation, and what they cost, worked out by hand."""

from decimal import Decimal

from otel_costs.stand_in.realtime_turn import Turn

MODEL = "gpt-realtime"
EAR = "gpt-4o-mini-transcribe"

TURNS = (
    Turn(
        heard="Where is my parcel?",
        calls=(("track_parcel", '{"parcel": "A-1001"}'),),
        transcribed="after",
        usage={
            "total_tokens": 140,
            "input_tokens": 120,
            "output_tokens": 20,
            "input_token_details": {
                "text_tokens": 40,
                "audio_tokens": 80,
                "image_tokens": 0,
                "cached_tokens": 0,
                "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": 20, "audio_tokens": 0},
        },
        transcription_usage={
            "type": "tokens",
            "total_tokens": 90,
            "input_tokens": 80,
            "output_tokens": 10,
            "input_token_details": {"text_tokens": 0, "audio_tokens": 80},
        },
    ),
    Turn(
        says="It is in Leeds.",
        usage={
            "total_tokens": 390,
            "input_tokens": 300,
            "output_tokens": 90,
            "input_token_details": {
                "text_tokens": 60,
                "audio_tokens": 240,
                "image_tokens": 0,
                "cached_tokens": 192,
                "cached_tokens_details": {"text_tokens": 40, "audio_tokens": 152, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": 20, "audio_tokens": 70},
        },
    ),
)

COSTS = {
    # A million of text 4 and 16, of audio 32 and 64, cached of either 0.40: 40 and 80 in, 20 of text out.
    "asks": Decimal("0.00304"),
    # A million of audio 1.25, of text out 5: 80 and 10.
    "hears": Decimal("0.00015"),
    # 20 + 40 cached of text, 88 + 152 cached of audio in; 20 of text and 70 of audio out.
    "says": Decimal("0.0077728"),
}
