"""Google Cloud Speech-to-Text: the seconds that an answer says are billed, at the price of its API."""

from decimal import Decimal
from typing import Any, Final

from otel_costs import semconv as names
from otel_costs.calls.reading import Reading
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.google_speech.fields import enum, field, seconds, text
from otel_costs.providers.google_speech.task import Task
from otel_costs.providers.kit import transcripts
from otel_costs.usage import Usage
from otel_costs.usage.numbers import EXACT

_WIDTHS: Final = {"LINEAR16": 2, "MULAW": 1, "ALAW": 1}  # bytes of a sample


class Recognition(Task):
    """One recognition. The two APIs name the same things differently, and have prices of their own."""

    operation = "speech_to_text"

    def __init__(self, api: str) -> None:
        super().__init__()
        self._api = api
        self._bytes = 0
        self._billed: Decimal | None = None
        self._end = Decimal(0)
        self._phrases: list[str] = []

    @property
    def _config(self) -> Any:
        return field(self.request, "streaming_config", "config") or field(self.request, "config")

    def model(self) -> str | None:
        return text(self._config, "model")

    def asked(self, request: Any) -> None:
        if field(request, "streaming_config"):
            self.request = request
        else:
            self._bytes += len(field(request, "audio_content") or field(request, "audio") or b"")

    def answered(self, answer: Any) -> None:
        # The last part says it of all; where several do, it grows.
        billed = seconds(answer, "total_billed_time") or seconds(answer, "total_billed_duration")
        billed = billed or seconds(answer, "metadata", "total_billed_duration")
        if billed is not None:
            self._billed = max(billed, self._billed or billed)
        for result in self._results(answer):
            end = seconds(result, "result_end_time") or seconds(result, "result_end_offset") or Decimal(0)
            self._end = max(self._end, end)
            # Interim results of a stream say `is_final`, others have no such field.
            if getattr(result, "is_final", True) and (heard := field(result, "alternatives")):
                self._phrases.append(heard[0].transcript)

    def _results(self, answer: Any) -> list[Any]:
        found = getattr(answer, "results", None) or ()
        if not hasattr(found, "values"):
            return list(found)
        # Of a batch: one result for each file, in the answer or in a bucket.
        files = [field(file, "inline_result", "transcript") or field(file, "transcript") for file in found.values()]
        return [result for file in files for result in field(file, "results") or ()]

    def reading(self) -> Reading:
        model = self.model()
        language = text(self._config, "language_code") or next(iter(field(self._config, "language_codes") or ()), None)
        return Reading(
            self._usage(),
            request_model=model,
            # Medical models have prices of their own, which we do not know.
            price_model=None if model and model.startswith("medical") else f"{self._api}/{model or 'default'}",
            processing="batch" if enum(self.request, "processing_strategy") == "DYNAMIC_BATCHING" else None,
            reasons=(CostReason.BILLED_TIME_NOT_REPORTED if self._billed is None else None,),
            inputs=[transcripts.alone()],
            outputs=[transcripts.heard(" ".join(map(str.strip, self._phrases)), self._end or None)],
            attributes={names.SPEECH_INPUT_LANGUAGE: language},
        )

    def _usage(self) -> Usage | None:
        if self._billed is not None:
            return Usage.of({"audio_seconds": self._billed})
        estimate = self._sent_seconds() or self._end
        return Usage.of({"audio_seconds": estimate}, estimated=True) if estimate else None

    def _sent_seconds(self) -> Decimal | None:
        """Return how long the sound is that was sent; None if its format does not say, or it was a file elsewhere."""
        config = field(self._config, "explicit_decoding_config") or self._config
        rate, width = field(config, "sample_rate_hertz"), _WIDTHS.get(enum(config, "encoding"))
        content = field(self.request, "audio", "content") or field(self.request, "content") or b""
        size = self._bytes or len(content)
        if not rate or not width or not size:
            return None
        return EXACT.divide(Decimal(size), width * rate * (field(config, "audio_channel_count") or 1))
