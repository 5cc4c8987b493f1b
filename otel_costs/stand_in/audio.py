"""Speech, transcriptions and translations."""

import base64
import math
from collections.abc import Iterator

from otel_costs.stand_in import tokens
from otel_costs.stand_in.exchange import Answer, Event, Json, RefusedError, Request, Store

_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
_PIECE = 4096  # bytes
_HEARD = "Good morning, I would like to know where my order A-1001 is."
_BY_DURATION = ("whisper", "gpt-transcribe")
_UNKNOWN_SIZE = b"\xff\xff\xff\xff"


def speech(request: Request, _: Store) -> Answer:
    """Answer ``POST /audio/speech``: sound as it is made, or events with the usage in the last one."""
    asked = request.json
    text, model = asked.get("input"), request.model
    if not isinstance(text, str) or not text:
        raise RefusedError(400, "Missing required parameter: 'input'.", param="input")
    kind = asked.get("response_format") or "mp3"
    length = tokens.spoken_seconds(text)
    data = tokens.sound(length, kind)
    if asked.get("stream_format") == "sse":
        if model.startswith("tts-"):
            raise RefusedError(400, f"The model '{model}' does not support stream_format 'sse'.", param="stream_format")
        return Answer(_speech_events(asked, data, length))
    if kind == "wav":
        # The sizes are not known when the header is sent: OpenAI's wav says so.
        data = data[:4] + _UNKNOWN_SIZE + data[8:40] + _UNKNOWN_SIZE + data[44:]
    pieces = (data[start : start + _PIECE] for start in range(0, len(data), _PIECE))
    return Answer(pieces, content_type=_TYPES[kind])


def _speech_events(asked: Json, data: bytes, length: float) -> Iterator[Event]:
    for start in range(0, len(data), _PIECE):
        piece = base64.b64encode(data[start : start + _PIECE]).decode()
        yield Event({"type": "speech.audio.delta", "audio": piece})
    entered = tokens.count(asked["input"] + (asked.get("instructions") or ""))
    made = round(length * tokens.OUTPUT_AUDIO_TOKENS_PER_SECOND)
    spent = {"input_tokens": entered, "output_tokens": made, "total_tokens": entered + made}
    yield Event({"type": "speech.audio.done", "usage": spent})


def speak(request: Request, _: Store) -> Answer:
    """Answer Deepgram's ``POST /speak``, which a spoken call asks beside OpenAI: the header says what it bills."""
    text = str(request.json.get("text") or "").strip()
    data = tokens.sound(tokens.spoken_seconds(text), "mp3")
    headers = {"dg-char-count": str(len(text)), "dg-model-name": request.args.get("model", "aura-asteria-en")}
    pieces = (data[start : start + _PIECE] for start in range(0, len(data), _PIECE))
    return Answer(pieces, content_type="audio/mpeg", headers=headers)


def transcribe(request: Request, _: Store) -> Answer:
    """Answer ``POST /audio/transcriptions``."""
    asked, length = request.json, _length(request)
    by_tokens = not request.model.startswith(_BY_DURATION)
    if asked.get("stream") and by_tokens:
        return Answer(_transcript_events(asked, length))
    kind = asked.get("response_format") or "json"
    spent = _tokens(asked, length) if by_tokens else {"type": "duration", "seconds": math.ceil(length)}
    if kind == "json":
        return Answer({"text": _HEARD, "usage": spent})
    if kind == "diarized_json":
        segment = {"id": "seg_0", "type": "transcript.text.segment", "start": 0.0, "end": length, "speaker": "A"}
        body = {"task": "transcribe", "duration": length, "text": _HEARD, "segments": [{**segment, "text": _HEARD}]}
        return Answer({**body, "usage": spent})
    return _written(asked, kind, length, {"usage": {"type": "duration", "seconds": math.ceil(length)}})


def translate(request: Request, _: Store) -> Answer:
    """Answer ``POST /audio/translations``, which says no usage."""
    length = _length(request)
    kind = request.json.get("response_format") or "json"
    return Answer({"text": _HEARD}) if kind == "json" else _written(request.json, kind, length, {})


def _length(request: Request) -> float:
    uploads = request.files.get("file")
    if not uploads:
        raise RefusedError(400, "Missing required parameter: 'file'.", param="file")
    if not request.model:
        raise RefusedError(400, "you must provide a model parameter")
    return tokens.heard_seconds(uploads[0].data)


def _tokens(asked: Json, length: float) -> Json:
    audio = math.ceil(length * tokens.INPUT_AUDIO_TOKENS_PER_SECOND)
    prompt, output = tokens.count(asked.get("prompt") or ""), tokens.count(_HEARD)
    return {
        "type": "tokens",
        "input_tokens": audio + prompt,
        "input_token_details": {"audio_tokens": audio, "text_tokens": prompt},
        "output_tokens": output,
        "total_tokens": audio + prompt + output,
    }


def _transcript_events(asked: Json, length: float) -> Iterator[Event]:
    for piece in tokens.pieces(_HEARD):
        yield Event({"type": "transcript.text.delta", "delta": piece})
    yield Event({"type": "transcript.text.done", "text": _HEARD, "usage": _tokens(asked, length)})
    yield Event("[DONE]")


def _written(asked: Json, kind: str, length: float, more: Json) -> Answer:
    """Return a transcript in the formats that all models share."""
    if kind == "verbose_json":
        body = {"task": "transcribe", "language": "english", "duration": length, "text": _HEARD, **more}
        return Answer({**body, **_details(asked, length)})
    if kind == "text":
        text = _HEARD + "\n"
    elif kind == "srt":
        text = f"1\n{_clock(0, ',')} --> {_clock(length, ',')}\n{_HEARD}\n\n"
    elif kind == "vtt":
        text = f"WEBVTT\n\n{_clock(0, '.')} --> {_clock(length, '.')}\n{_HEARD}\n\n"
    else:
        raise RefusedError(400, f"response_format '{kind}' is not supported.", param="response_format")
    return Answer(text.encode(), content_type="text/plain; charset=utf-8")


def _details(asked: Json, length: float) -> Json:
    segment = {"id": 0, "seek": 0, "start": 0.0, "end": length, "text": _HEARD, "tokens": [50364, 2205], **_LIKELY}
    wanted = asked.get("timestamp_granularities") or ["segment"]
    words = _HEARD.split()
    each = length / len(words)
    timed = [{"word": w, "start": round(i * each, 2), "end": round((i + 1) * each, 2)} for i, w in enumerate(words)]
    return ({"segments": [segment]} if "segment" in wanted else {}) | ({"words": timed} if "word" in wanted else {})


_LIKELY = {"temperature": 0.0, "avg_logprob": -0.2, "compression_ratio": 1.1, "no_speech_prob": 0.01}


def _clock(seconds: float, point: str) -> str:
    whole = round(seconds * 1000)
    minutes, milliseconds = divmod(whole, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"
