"""A translation session: the service says nothing of what it used, so the sound that is sent to it is counted.

It is one call for the whole connection, billed by the second of sound, silence too; an estimate: no event reports it.
"""

from decimal import Decimal
from functools import partial

from otel_costs.calls.advance import Advance
from otel_costs.calls.call import Call
from otel_costs.calls.message_log import is_new_message
from otel_costs.calls.reading import Reading
from otel_costs.calls.writer import finish
from otel_costs.messages import Draft, Message
from otel_costs.providers.openai.parts import mapping
from otel_costs.providers.openai_realtime import frames, usage
from otel_costs.providers.openai_realtime.configuration import PCM_BYTES_PER_SECOND, Configuration
from otel_costs.providers.openai_realtime.owner import Owner
from otel_costs.providers.openai_realtime.sound import PassingAudio
from otel_costs.runtime import background, telemetry
from otel_costs.usage.numbers import EXACT
from otel_costs.values import sanitize
from otel_costs.values.json_objects import parsed


class Translation:
    """Follows one translation session."""

    def __init__(self, owner: Owner, configuration: Configuration) -> None:
        self._owner, self._configuration = owner, configuration
        self._call: Call | None = None
        self._model: str | None = None
        self._entered, self._output = PassingAudio(), PassingAudio()
        self._advance = Advance()
        self._next_renewal_bytes = 0
        self._words = {"session.input_transcript.delta": "", "session.output_transcript.delta": ""}

    def sent(self, frame: str | bytes) -> None:
        """Read an event that the application sends. Raises BudgetExceeded for sound that nothing is left for."""
        if isinstance(frame, bytes):
            frame = frame.decode("utf-8", "replace")
        self._owner.adopt()
        if frames.kind(frame) in frames.SOUND_SENT and (sound := frames.sound(frame)):
            self._enter(sound.data)
            return
        event = parsed(frame) or {}
        if event.get("type") in frames.SOUND_SENT and isinstance(data := event.get("audio"), str):
            self._enter(data)
        elif event.get("type") == "session.update":
            self._configuration.requested(mapping(event.get("session")))

    def _enter(self, data: str) -> None:
        """Note sound that is sent, which is what is billed; it is let on for some seconds at a time."""
        if not self._entered.size:
            self._advance.begin(self._owner.payer())
        elif self._entered.size >= self._next_renewal_bytes:
            seconds = self._entered.seconds(PCM_BYTES_PER_SECOND) or Decimal(0)
            self._advance.renew(self._owner.payer(), {"audio_seconds": seconds})
            if (refusal := self._advance.refusal) is not None:
                raise refusal
        self._next_renewal_bytes = int(EXACT.multiply(self._advance.until_s, PCM_BYTES_PER_SECOND))
        self._entered.add(data)

    def received(self, frame: str | bytes) -> None:
        """Read an event that the service sends."""
        if isinstance(frame, bytes):
            frame = frame.decode("utf-8", "replace")
        if frames.kind(frame) in frames.SOUND_RECEIVED and (sound := frames.sound(frame)):
            self._hear(sound.data)
            return
        event = parsed(frame) or {}
        kind, delta = event.get("type"), event.get("delta")
        if kind in ("session.created", "session.updated"):
            self._configuration.reported(mapping(event.get("session")))
            self._begin()
        elif kind in frames.SOUND_RECEIVED and isinstance(delta, str):
            self._hear(delta)
        elif isinstance(kind, str) and isinstance(delta, str):
            self._read(kind, delta)

    def _read(self, kind: str, words: str) -> None:
        # One character more than a message may have, so that it is seen to be cut.
        if kind in self._words and len(self._words[kind]) <= sanitize.MAX_TEXT:
            self._words[kind] += words

    def closed(self, error: str | None) -> None:
        """Write the call: its cost is known at the end alone."""
        try:
            call = self._begin()
            call.stop()
            call.reservation = self._advance.reservation
            background.put(partial(self._finish, call, error))
        finally:
            self._owner.end(error)

    def _begin(self) -> Call:
        if self._call is None:
            self._model = self._configuration.model or self._owner.model
            self._call = self._owner.call("realtime_inference", self._owner.model or self._model)
            self._owner.identify(self._call, "", shared=False)
        return self._call

    def _hear(self, data: str) -> None:
        self._begin().first_chunk()
        self._begin().chunks += 1
        self._output.add(data)

    @telemetry.never_raises("finish a translation")
    def _finish(self, call: Call, error: str | None) -> None:
        seconds = self._entered.seconds(PCM_BYTES_PER_SECOND) or 0
        question, translation = self._drafts()
        for index, draft in enumerate((question, translation)):
            self._write_message(draft, index, call)
        found = Reading(
            usage=usage.of_sound_sent(seconds, self._output.seconds(PCM_BYTES_PER_SECOND)),
            model=self._model,
            inputs=[question],
            outputs=[[translation]],
            unknown=self._owner.unknown_tools,
        )
        finish(call, found, error)
        if (transcriber := self._configuration.transcriber) is not None and seconds:
            transcription = self._owner.call("speech_to_text", transcriber, start_ns=call.start_ns)
            finish(transcription, Reading(usage=usage.of_sound_sent(seconds), model=transcriber))

    def _drafts(self) -> tuple[Draft, Draft]:
        input_words, output_words = self._words.values()
        return (
            Draft("user", "audio", input_words or None, audio_seconds=self._entered.seconds(PCM_BYTES_PER_SECOND),
                  recording=self._entered.recording()),
            Draft("assistant", "audio", output_words or None, audio_seconds=self._output.seconds(PCM_BYTES_PER_SECOND),
                  recording=self._output.recording()),
        )  # fmt: skip

    def _write_message(self, draft: Draft, index: int, call: Call) -> None:
        if draft.recording is None and draft.content is None:
            return
        message_id = f"{call.call_id}/{index}"
        if is_new_message(self._owner.session_id, message_id):
            self._owner.conversation.write_message(Message(message_id, index, draft), call.start_ns, call.call_id)
