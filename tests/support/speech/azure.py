"""A stand-in for the Azure Speech service, which the vendor's real native library talks to over a real WebSocket.

`SpeechConfig(endpoint=running.endpoint, subscription="...")` is all that an application changes. It hears the phrases
that it is told to, when it has got as much audio as they take, or at the audio's end; it says a second of silence for
every ten characters.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from .azure_protocol import TICKS_PER_SECOND, Message, audio, event, read, ticks

BYTES_PER_SECOND = 32_000
"""16 kHz, 16 bits, one channel: what the library sends unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """What is heard, from `offset_s` on, for `duration_s`."""

    text: str
    offset_s: float = 0.1
    duration_s: float = 1.2
    status: str = "Success"
    speaker: str | None = None
    translations: Mapping[str, str] = field(default_factory=dict)
    channel: int | None = None

    @property
    def end_s(self) -> float:
        return self.offset_s + self.duration_s

    def is_heard(self, seconds: float, *, ended: bool) -> bool:
        """Return whether so many seconds of audio have the phrase; what the end of the audio cuts is heard so far."""
        return self.end_s <= seconds or (ended and self.offset_s < seconds)

    def body(self) -> dict[str, Any]:
        """Return the phrase as `speech.phrase` and `translation.phrase` have it."""
        found: dict[str, Any] = {"RecognitionStatus": self.status, "DisplayText": self.text, "Text": self.text}
        found |= {"Offset": ticks(self.offset_s), "Duration": ticks(self.duration_s)}
        if self.speaker is not None:
            found["SpeakerId"] = self.speaker
        if self.channel is not None:
            found["Channel"] = self.channel
        if self.translations:
            said = [{"Language": language, "Text": text} for language, text in self.translations.items()]
            found["Translation"] = {"TranslationStatus": "Success", "Translations": said}
        return found


@dataclass(slots=True)
class _Turn:
    request_id: str
    interactive: bool
    translates: bool
    phrases: list[Phrase]
    received: int = 0
    started: bool = False
    over: bool = False


class AzureSpeech:
    """The service on loopback. Set `phrases` and the faults before the client speaks."""

    def __init__(self) -> None:
        self.phrases: list[Phrase] = [Phrase("Hello there.")]
        self.refuses: HTTPStatus | None = None
        self.closes_after_s: float | None = None
        """Close the socket when so many seconds of audio were received."""
        self.closes_synthesis = False
        self.is_mute = False
        """Never answer."""
        self.said: list[str] = []
        """Every ssml and text piece that was to be spoken."""
        self.audio_bytes = 0
        self.messages: list[Message] = []
        self.errors: list[BaseException] = []
        self.connections = 0
        self._server = serve(self._talk, "127.0.0.1", 0, process_request=self._admit, close_timeout=0.5)
        self.port: int = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def endpoint(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()

    def _admit(self, _: ServerConnection, request: Request) -> Response | None:
        self.connections += 1
        if self.refuses is None:
            return None
        return Response(self.refuses.value, self.refuses.phrase, request.headers.__class__(), b"")

    def _talk(self, socket: ServerConnection) -> None:
        try:
            assert socket.request is not None
            side = _Speaking(self, socket) if "/tts/" in socket.request.path else _Hearing(self, socket)
            for frame in socket:
                message = read(frame)
                if message.path != "audio":
                    self.messages.append(message)
                side.take(message)
        except ConnectionClosed:
            pass
        except BaseException as error:
            self.errors.append(error)
            raise


class _Speaking:
    """A connection that synthesizes: turn.start, response, audio in pieces, turn.end."""

    def __init__(self, service: AzureSpeech, socket: ServerConnection) -> None:
        self._service, self._socket = service, socket
        self._pieces: list[str] = []

    def take(self, message: Message) -> None:
        if message.path == "ssml":
            self._say(message.request_id, str(message.body))
        elif message.path == "text.piece":
            self._pieces.append(str(message.body))
        elif message.path == "text.end":
            self._say(message.request_id, "".join(self._pieces))
            self._pieces.clear()

    def _say(self, request_id: str, text: str) -> None:
        service, send = self._service, self._socket.send
        service.said.append(text)
        if service.is_mute:
            return
        send(event("turn.start", request_id, {"context": {"serviceTag": "stand-in"}}))
        inline = {"type": "inline", "streamId": request_id}
        send(event("response", request_id, {"context": {"serviceTag": "stand-in"}, "audio": inline}))
        for _ in range(2):
            send(audio(request_id, request_id, bytes(BYTES_PER_SECOND // 2)))
            if service.closes_synthesis:
                self._socket.close(1011, "stand-in fault")
                return
        send(event("turn.end", request_id, {}))


def _begin_s(context: Mapping[str, Any]) -> float:
    """Return where in the sound a turn begins that goes on where an earlier one ended."""
    streams = context.get("continuation", {}).get("audio", {}).get("streams", {})
    return int(streams.get("1", {}).get("offset", 0)) / TICKS_PER_SECOND


class _Hearing:
    """A connection that recognizes: turn.start, one speech.phrase after the other, turn.end."""

    def __init__(self, service: AzureSpeech, socket: ServerConnection) -> None:
        self._service, self._socket = service, socket
        self._turn: _Turn | None = None
        self._rate = BYTES_PER_SECOND

    def take(self, message: Message) -> None:
        if message.path == "speech.context":
            self._begin(message)
        elif message.path == "audio":
            if isinstance(message.body, bytes) and message.body[:4] == b"RIFF":
                self._rate = int.from_bytes(message.body[28:32], "little")
            elif self._turn is not None:
                self._hear(self._turn, message.body)

    def _begin(self, message: Message) -> None:
        context = message.json
        mode = str(context.get("phraseDetection", {}).get("mode", "")).lower()
        begin_s = _begin_s(context)
        # The client adds where it began to what it is told.
        phrases = [
            replace(phrase, offset_s=phrase.offset_s - begin_s)
            for phrase in self._service.phrases
            if phrase.offset_s >= begin_s
        ]
        self._turn = _Turn(message.request_id, mode == "interactive", "translation" in context, phrases)

    def _hear(self, turn: _Turn, sound: str | bytes) -> None:
        turn.received += len(sound)
        self._service.audio_bytes += len(sound)
        heard_s = turn.received / self._rate
        if self._service.closes_after_s is not None and heard_s >= self._service.closes_after_s:
            self._socket.close(1011, "stand-in fault")
        elif not turn.over and not self._service.is_mute:
            self._answer(turn, heard_s, ended=not sound)

    def _answer(self, turn: _Turn, heard_s: float, *, ended: bool) -> None:
        self._start(turn)
        while turn.phrases and turn.phrases[0].is_heard(heard_s, ended=ended):
            phrase = turn.phrases.pop(0)
            phrase = replace(phrase, duration_s=min(phrase.duration_s, heard_s - phrase.offset_s))
            self._send(turn, "speech.startDetected", {"Offset": ticks(phrase.offset_s)})
            self._phrase(turn, phrase)
            if turn.interactive:
                self._end(turn)
                return
        if ended:
            silent = "InitialSilenceTimeout" if turn.interactive else "EndOfDictation"
            self._phrase(turn, Phrase("", heard_s, 0, status=silent))
            self._end(turn)

    def _phrase(self, turn: _Turn, phrase: Phrase) -> None:
        body = phrase.body()
        if turn.translates:
            self._send(turn, "translation.phrase", {"SpeechPhrase": body, **body})
        else:
            self._send(turn, "speech.phrase", body)

    def _start(self, turn: _Turn) -> None:
        if not turn.started:
            turn.started = True
            self._send(turn, "turn.start", {"context": {"serviceTag": "stand-in"}})

    def _end(self, turn: _Turn) -> None:
        turn.over = True
        self._send(turn, "turn.end", {})

    def _send(self, turn: _Turn, path: str, body: Mapping[str, Any]) -> None:
        self._socket.send(event(path, turn.request_id, body))
