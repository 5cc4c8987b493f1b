"""Google Cloud Text-to-Speech through its own clients, over gRPC and REST, against stand-ins on loopback."""

import base64
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import texttospeech_v1
from google.cloud.texttospeech_v1.services.text_to_speech.transports import TextToSpeechRestTransport

import otel_costs
from otel_costs import semconv as names
from otel_costs.messages import content
from otel_costs.providers.google_speech import synthesis
from tests.support.recorded import Recorded, instrumented
from tests.support.speech.google import SOUND, Google
from tests.support.speech.google_clients import Clients

CHARACTERS = names.usage_attribute("input_characters")
TEXT = "The password is swordfish."  # 26 characters
VOICE = "en-US-Chirp3-HD-Charon"


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=gcp.text_to_speech")
    with Google() as running:
        yield running


@pytest.fixture(params=["sync", "async"])
def clients(request: pytest.FixtureRequest, google: Google) -> Iterator[Clients]:
    driving = Clients(request.param, google)
    yield driving
    driving.close()


@pytest.fixture
def client(clients: Clients) -> Any:
    return clients.client("texttospeech_v1", "text_to_speech.TextToSpeech")


def speak(client: Any, voice: Any = VOICE, **said: Any) -> Any:
    chosen = {"language_code": "en-US", "name": voice} if isinstance(voice, str) else voice
    return client.synthesize_speech(
        request={"input": said or {"text": TEXT}, "voice": chosen, "audio_config": {"audio_encoding": "MP3"}}
    )


@pytest.mark.parametrize("package", ["texttospeech_v1", "texttospeech_v1beta1"])
def test_characters_by_the_kind_of_voice(recorded: Recorded, google: Google, clients: Clients, package: str) -> None:
    """The text's characters are billed at the price of the kind that stands in the voice's name."""
    answer = clients.run(speak(clients.client(package, "text_to_speech.TextToSpeech")))
    assert answer.audio_content == SOUND
    call = recorded.call
    assert (call[CHARACTERS], call[names.COST_USD], call[names.COST_STATUS]) == (26, "0.00078", "priced")
    assert (call[names.REQUEST_MODEL], call[names.PROVIDER_NAME]) == ("Chirp3-HD", "gcp.text_to_speech")
    assert call[names.OPERATION_NAME] == "text_to_speech"


@pytest.mark.parametrize(
    ("voice", "model", "cost"),
    [
        ("en-US-Standard-A", "Standard", "0.000104"),
        ("cmn-CN-Wavenet-B", "Wavenet", "0.000104"),
        ("en-GB-Neural2-C", "Neural2", "0.000416"),
        ("en-US-Polyglot-1", "Polyglot", "0.000416"),
        ("en-US-Studio-O", "Studio", "0.00416"),
        ("en-US-Journey-D", "Journey", None),
        ("en-US-Chirp-HD-F", "Chirp-HD", None),
        ({"language_code": "en-US", "voice_clone": {"voice_cloning_key": "k"}}, "Instant-Custom-Voice", "0.00156"),
        ({"language_code": "en-US", "custom_voice": {"model": "projects/p/models/m"}}, "Custom", None),
    ],
)
def test_kinds_of_voices(
    recorded: Recorded, google: Google, clients: Clients, client: Any, voice: Any, model: str, cost: str | None
) -> None:
    """Each has its price; what has none that we know is unpriced, and never zero."""
    clients.run(speak(client, voice))
    call = recorded.call
    assert (call[names.REQUEST_MODEL], call.get(names.COST_USD)) == (model, cost)
    doubtful = {"Studio": "estimated"}  # of which second sources disagree
    assert call[names.COST_STATUS] == ("unpriced" if cost is None else doubtful.get(model, "priced"))


def test_gemini_is_billed_by_tokens_that_nobody_names(
    recorded: Recorded, google: Google, clients: Clients, client: Any
) -> None:
    """Its characters are recorded, without a price, and the record says why."""
    clients.run(speak(client, {"language_code": "en-US", "name": "Kore", "model_name": "gemini-2.5-flash-tts"}))
    call = recorded.call
    assert (call[names.REQUEST_MODEL], call[CHARACTERS]) == ("gemini-2.5-flash-tts", 26)
    assert call[names.COST_STATUS] == "unpriced"
    assert "tokens_not_reported" in call[names.COST_REASON]


def test_a_voice_that_google_chooses(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """Which kind it is, no answer says."""
    clients.run(speak(client, {"language_code": "en-US"}))
    assert (recorded.call[names.COST_STATUS], recorded.call[CHARACTERS]) == ("unpriced", 26)
    assert "voice_not_named" in recorded.call[names.COST_REASON]


@pytest.mark.parametrize(
    ("said", "characters"),
    [
        ({"text": "a b\nc"}, 5),
        ({"text": "日本語"}, 3),
        ({"markup": "a [pause] b"}, 11),
        ({"ssml": '<speak>a <mark name="here"/>b</speak>'}, len("<speak>a b</speak>")),
        ({"ssml": '<speak>a <break time="1s"/>b</speak>'}, len('<speak>a <break time="1s"/>b</speak>')),
        ({"multi_speaker_markup": {"turns": [{"speaker": "R", "text": "ab"}, {"speaker": "S", "text": "c"}]}}, 3),
    ],
)
def test_characters_are_counted_by_googles_rule(
    recorded: Recorded, google: Google, clients: Clients, client: Any, said: Any, characters: int
) -> None:
    """Spaces, line breaks and markup count; `<mark>` does not."""
    clients.run(speak(client, **said))
    assert recorded.call[CHARACTERS] == characters


def asked(*texts: str) -> list[Any]:
    """Return a stream of texts."""
    request, voice = texttospeech_v1.StreamingSynthesizeRequest, {"name": VOICE, "language_code": "en-US"}
    return [request(streaming_config={"voice": voice}), *(request(input={"text": text}) for text in texts)]


def test_a_stream_of_texts(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """What was sent is added up."""
    answers = clients.read(clients.stream(client.streaming_synthesize, asked("Hello ", "swordfish")))
    assert [answer.audio_content for answer in answers] == [SOUND, SOUND]
    call = recorded.call
    assert (call[CHARACTERS], call[names.REQUEST_MODEL], call[names.COST_USD]) == (15, "Chirp3-HD", "0.00045")
    assert (call[names.COST_STATUS], call[names.RESPONSE_TIME_TO_FIRST_CHUNK] > 0) == ("priced", True)


def test_a_stream_that_is_left(recorded: Recorded, google: Google) -> None:
    """What was sent until then is recorded, once, and said to be an estimate."""
    clients = Clients("sync", google)
    client = clients.client("texttospeech_v1", "text_to_speech.TextToSpeech")
    stream = clients.stream(client.streaming_synthesize, asked("Hello ", "you"))
    clients.read(stream, 2)
    stream.cancel()
    stream.cancel()
    call = recorded.call
    assert (call[CHARACTERS], call[names.ERROR_TYPE]) == (9, "CancelledError")
    assert call[names.COST_STATUS] == "estimated"
    clients.close()


def test_long_audio(recorded: Recorded, google: Google, clients: Clients) -> None:
    """Its characters are known when it starts: an estimate until somebody finds it done, one call in all."""
    client = clients.client("texttospeech_v1", "text_to_speech_long_audio_synthesize.TextToSpeechLongAudioSynthesize")
    request = {"parent": "projects/p/locations/l", "input": {"text": TEXT}, "voice": {"name": "en-US-Standard-A"}}
    with otel_costs.session("s-1") as session:
        future = clients.run(client.synthesize_long_audio(request=request))
    clients.run(future.result(timeout=20))
    started, ended = recorded.calls
    assert started[names.CALL_ID] == ended[names.CALL_ID]
    assert (started[names.COST_USD], started[names.COST_STATUS]) == ("0.000104", "estimated")
    assert (ended[names.COST_USD], ended[names.COST_STATUS]) == ("0.000104", "priced")
    assert session.cost_usd == Decimal("0.000104")
    assert len(recorded.messages) == 1


def test_content_is_off_by_default(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """No word of what was spoken is anywhere."""
    with otel_costs.session("s"):
        clients.run(speak(client))
        clients.read(clients.stream(client.streaming_synthesize, asked("swordfish")))
    assert [message["body"] for message in recorded.messages] == [None, None]
    assert "swordfish" not in repr([recorded.calls, recorded.messages, [span.to_json() for span in recorded.spans]])


def test_content_where_it_is_wanted(google: Google, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text that was spoken is the message's content."""
    monkeypatch.setenv(names.ENV_CAPTURE_CONTENT, "EVENT_ONLY")
    kept = Recorded()
    with instrumented(kept):
        clients.run(speak(clients.client("texttospeech_v1", "text_to_speech.TextToSpeech")))
        (message,) = kept.messages
    content.configure(content.Capture.NO_CONTENT)
    assert (message["body"], message[names.MESSAGE_ROLE]) == (TEXT, "assistant")


def test_a_refused_request_costs_nothing(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """The SDK's own exception goes on, and the record is known to cost nothing."""
    google.errors = [grpc.StatusCode.RESOURCE_EXHAUSTED]
    with pytest.raises(exceptions.ResourceExhausted):
        clients.run(speak(client))
    assert (recorded.call[names.ERROR_TYPE], recorded.call[names.COST_USD]) == ("RESOURCE_EXHAUSTED", "0")


def test_a_spent_budget_stops_the_request(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """The next call raises before anything is sent."""
    with otel_costs.session("s-2", budget_usd="0.0001"):
        clients.run(speak(client))
        with pytest.raises(otel_costs.BudgetExceeded):
            clients.run(speak(client))
    assert len(google.requests) == 1


def test_a_bug_of_ours_leaves_the_call_intact(
    recorded: Recorded, google: Google, clients: Clients, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application gets its sound; the record says that nothing was read."""

    def bug(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(synthesis, "_read_input", bug)
    assert clients.run(speak(client)).audio_content == SOUND
    assert (recorded.call[names.COST_STATUS], recorded.call[names.COST_REASON]) == ("unpriced", "response_not_read")


def test_uninstrument_restores_the_originals() -> None:
    """The clients' methods are their own again, the same objects."""
    for client in (texttospeech_v1.TextToSpeechClient, texttospeech_v1.TextToSpeechAsyncClient):
        original = vars(client)["synthesize_speech"]
        with instrumented(Recorded()):
            assert vars(client)["synthesize_speech"] is not original
        assert vars(client)["synthesize_speech"] is original


def _anonymous() -> Any:
    return AnonymousCredentials()  # type: ignore[no-untyped-call, unused-ignore]


class _Rest(BaseHTTPRequestHandler):
    status = 200

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        said = {"audioContent": base64.b64encode(SOUND).decode()}
        if self.status != 200:
            said = {"error": {"code": self.status, "message": "no"}}  # type: ignore[dict-item]
        body = json.dumps(said).encode()
        self.send_response(self.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("status", [200, 429])
def test_over_rest(recorded: Recorded, google: Google, status: int) -> None:
    """The same over HTTP: the client's method is the same."""
    handler = type("Handler", (_Rest,), {"status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        transport = TextToSpeechRestTransport(
            host=f"127.0.0.1:{server.server_port}", url_scheme="http", credentials=_anonymous()
        )
        with texttospeech_v1.TextToSpeechClient(transport=transport) as client:
            if status == 200:
                assert speak(client).audio_content == SOUND
            else:
                with pytest.raises(exceptions.TooManyRequests):
                    speak(client)
        server.shutdown()
    call = recorded.call
    assert (call[names.PROVIDER_NAME], call[names.SERVER_ADDRESS]) == ("gcp.text_to_speech", "127.0.0.1")
    assert call[names.COST_USD] == ("0.00078" if status == 200 else "0")
