"""Content: nothing of it anywhere unless it is switched on, and then all of it where it belongs."""

import base64
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.messages import content, redaction
from otel_costs.stand_in import Fault, Provider, tokens
from tests.providers.conftest import Driver, usd
from tests.support.recorded import Recorded

SENTINEL = "xyzzy-sentinel"
WORDS = f"{SENTINEL} question"
ANSWER = f"{SENTINEL} answer"
PNG = base64.b64encode(SENTINEL.encode() * 20).decode()
SOUND = base64.b64encode(tokens.wav(0.5) + SENTINEL.encode()).decode()

ANSWERED = Fault(
    times=4,
    fields={
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {
                    "role": "assistant",
                    "content": ANSWER,
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "get_order", "arguments": json.dumps({"note": SENTINEL})},
                        }
                    ],
                },
            }
        ]
    },
)
CHAT: Any = {
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": f"{SENTINEL} system"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": WORDS},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                {"type": "input_audio", "input_audio": {"data": SOUND, "format": "wav"}},
            ],
        },
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": "call_0",
                    "type": "function",
                    "function": {"name": "f", "arguments": json.dumps({"a": SENTINEL})},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_0", "content": f"{SENTINEL} result"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "f", "description": SENTINEL, "parameters": {"type": "object"}}}
    ],
    "metadata": {"note": SENTINEL},
    "stop": [SENTINEL],
}


def chat(driver: Driver) -> None:
    driver.run(driver.client.chat.completions.create(**CHAT))


def chat_stream(driver: Driver) -> None:
    driver.read(driver.run(driver.client.chat.completions.create(**CHAT, stream=True)))


def chat_left(driver: Driver) -> None:
    stream = driver.run(driver.client.chat.completions.create(**CHAT, stream=True))
    driver.take(stream, 2)
    driver.run(stream.close())


def responses(driver: Driver) -> None:
    driver.run(driver.client.responses.create(model="gpt-4o", input=WORDS, instructions=SENTINEL))


def responses_stream(driver: Driver) -> None:
    driver.read(driver.run(driver.client.responses.create(model="gpt-4o", input=WORDS, stream=True)))


def completions(driver: Driver) -> None:
    driver.run(driver.client.completions.create(model="gpt-3.5-turbo-instruct", prompt=WORDS))


def embeddings(driver: Driver) -> None:
    driver.run(driver.client.embeddings.create(model="text-embedding-3-small", input=[WORDS]))


def speech(driver: Driver) -> None:
    driver.run(driver.client.audio.speech.create(model="tts-1", voice="alloy", input=WORDS))


def transcription(driver: Driver) -> None:
    create = driver.client.audio.transcriptions.create
    driver.run(create(model="whisper-1", file=("a.wav", tokens.wav(1)), prompt=WORDS))


def images(driver: Driver) -> None:
    driver.run(driver.client.images.generate(model="gpt-image-1", prompt=WORDS))


def moderation(driver: Driver) -> None:
    driver.run(driver.client.moderations.create(model="omni-moderation-latest", input=WORDS))


def unknown(driver: Driver) -> None:
    driver.run(driver.client.post("/future/things", cast_to=object, body={"model": "gpt-4o", "words": WORDS}))


def refused(driver: Driver) -> None:
    with pytest.raises(Exception, match=SENTINEL):
        driver.run(driver.client.chat.completions.create(**CHAT, extra_headers={"x-refuse": "yes"}))


ALL = [
    chat, chat_stream, chat_left, responses, responses_stream, completions, embeddings, speech, transcription, images,
    moderation, unknown, refused,
]  # fmt: skip


def everything(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> str:
    """Return all that we wrote, as text."""
    spans = [span.to_json() for span in recorded.spans]
    logs = [
        repr((data.log_record.attributes, data.log_record.body)) for data in recorded.log_exporter.get_finished_logs()
    ]
    said = [record.getMessage() + str(record.exc_info) for record in caplog.records if record.name == "otel_costs"]
    return "\n".join([*spans, *logs, str(recorded.metrics()), *said])


@pytest.mark.parametrize("ask", ALL)
def test_off(
    ask: Callable[[Driver], None],
    driver: Driver,
    provider: Provider,
    recorded: Recorded,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With content off nothing that was said, sent, heard or drawn is anywhere: spans, records, metrics, our logs."""
    caplog.set_level(logging.DEBUG)
    error = {"error": {"message": f"no {SENTINEL}", "type": "invalid_request_error", "code": None, "param": None}}
    provider.script(Fault(status=400, error=error) if ask is refused else ANSWERED)
    ask(driver)
    written = everything(recorded, caplog)
    assert recorded.spans
    assert SENTINEL not in written
    assert PNG[:40] not in written
    assert SOUND[:40] not in written
    assert "sk-sentinel-key" not in written
    assert "Bearer" not in written


@pytest.mark.parametrize("ask", [chat, chat_stream, responses, responses_stream, completions, images])
def test_cost_is_the_same(
    ask: Callable[[Driver], None], driver: Driver, provider: Provider, recorded: Recorded
) -> None:
    """The cost does not depend on whether content is recorded."""
    ask(driver)
    content.configure(content.Capture.SPAN_AND_EVENT)
    ask(driver)
    first, second = recorded.calls
    same = [name for name in first if "usage" in name or "cost." in name]
    assert [first[name] for name in same] == [second[name] for name in same]
    assert recorded.messages


CREDENTIAL = "xyzzy-credential"
TOOLS: Any = [
    {
        "type": "mcp",
        "server_label": "crm",
        "server_url": f"https://user:{CREDENTIAL}@crm.example/sse?api_key={CREDENTIAL}",
        "authorization": CREDENTIAL,
        "headers": {"Authorization": f"Bearer {CREDENTIAL}"},
    },
    {
        "type": "shell",
        "environment": {
            "type": "container_auto",
            "network_policy": {
                "type": "allowlist",
                "allowed_domains": ["crm.example"],
                "domain_secrets": [{"domain": "crm.example", "name": "KEY", "value": CREDENTIAL}],
            },
        },
    },
    {
        "type": "function",
        "name": "lookup",
        "strict": False,
        "parameters": {"type": "object", "properties": {"key": {"type": "string", "default": CREDENTIAL}}},
    },
    {"type": "tool_of_tomorrow", "api_key": CREDENTIAL},
]
HISTORY: Any = [
    {"type": "local_shell_call", "id": "a", "call_id": "a", "status": "completed",
     "action": {"type": "exec", "command": ["ls"], "env": {"KEY": CREDENTIAL}}},
    {"type": "message", "role": "user", "content": [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "detail": "auto", "image_url": f"https://u:{CREDENTIAL}@img.example/a.png?sig={CREDENTIAL}"},
        {"type": "input_file", "file_url": f"s3://bucket/a.pdf?X-Amz-Signature={CREDENTIAL}"},
        {"type": "input_video", "video_url": f"https://v.example/a.mp4#{CREDENTIAL}"},
    ]},
]  # fmt: skip


@pytest.mark.parametrize("capture", content.Capture)
def test_no_credential_is_recorded(capture: content.Capture, driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    """Of tools that the provider runs, of addresses, of a shell's environment: with content on as well as off."""
    caplog.set_level(logging.DEBUG)
    kept = on(capture)
    try:
        asked: Any = {"model": "gpt-4o", "input": HISTORY, "tools": TOOLS}
        driver.run(driver.client.responses.create(**asked))
        driver.read(driver.run(driver.client.responses.create(**asked, stream=True)))
        written = everything(kept, caplog)
        assert CREDENTIAL not in written
        assert ("crm.example/sse" in written) is content.on_spans()
        assert ("What is this?" in written) is (capture is not content.Capture.NO_CONTENT)
    finally:
        CostsInstrumentor().uninstrument()
        content.configure(content.Capture.NO_CONTENT)


def on(capture: content.Capture) -> Recorded:
    """Instrument with content going to `capture`."""
    kept = Recorded()
    CostsInstrumentor().instrument(**kept.providers)
    content.configure(capture)
    return kept


@pytest.mark.parametrize(
    "capture", [content.Capture.EVENT_ONLY, content.Capture.SPAN_ONLY, content.Capture.SPAN_AND_EVENT]
)
@pytest.mark.parametrize("streamed", [False, True])
def test_on(capture: content.Capture, streamed: bool, driver: Driver, provider: Provider) -> None:
    """Switched on, the conversation is where it was asked for: on spans, in message records, or both."""
    kept = on(capture)
    try:
        if streamed:
            (found,) = [driver.read(driver.run(driver.client.chat.completions.create(**CHAT, stream=True)))]
            answer = "".join(chunk.choices[0].delta.content or "" for chunk in found)
        else:
            provider.script(ANSWERED)
            answer = driver.run(driver.client.chat.completions.create(**CHAT)).choices[0].message.content
        events = {message["body"] for message in kept.messages if message["body"]}
        (span,) = kept.spans
        shown = json.dumps(dict(span.attributes or {}), default=str)
        if capture is not content.Capture.SPAN_ONLY:
            assert {f"{SENTINEL} system", WORDS, f"{SENTINEL} result", answer} <= events
        else:
            assert not events
        assert (WORDS in shown) is (capture is not content.Capture.EVENT_ONLY)
        assert (answer in shown) is (capture is not content.Capture.EVENT_ONLY)
        assert PNG[:40] not in shown + str(events)
        assert SOUND[:40] not in shown + str(events)
    finally:
        CostsInstrumentor().uninstrument()


def test_tool_calls_of_a_stream(driver: Driver) -> None:
    """The arguments of a streamed tool call are put together."""
    kept = on(content.Capture.EVENT_ONLY)
    try:
        asked: Any = {
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": "Where is my order A-1001?"}],
            "tools": [{"type": "function", "function": {"name": "get_order", "parameters": {"type": "object"}}}],
        }
        chunks = driver.read(driver.run(driver.client.chat.completions.create(**asked, stream=True)))
        pieces = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
        arguments = "".join(piece.function.arguments for piece in pieces if piece.function)
        (call,) = [message for message in kept.messages if message[names.MESSAGE_TYPE] == "function_call"]
        assert call[names.MESSAGE_FUNCTION_NAME] == "get_order"
        assert call[names.MESSAGE_ARGUMENTS] == arguments != ""
    finally:
        CostsInstrumentor().uninstrument()


@pytest.mark.parametrize("streamed", [False, True])
def test_transcript_of_a_spoken_answer(streamed: bool, driver: Driver) -> None:
    """Of a spoken answer, streamed or not, the transcript is the text, and the sound is nowhere."""
    kept = on(content.Capture.SPAN_AND_EVENT)
    try:
        asked: Any = {
            "model": "gpt-4o-audio-preview",
            "messages": [{"role": "user", "content": "Hello"}],
            "modalities": ["text", "audio"],
            "audio": {"voice": "alloy", "format": "pcm16"},
        }
        found = driver.run(driver.client.chat.completions.create(**asked, stream=streamed))
        if streamed:
            deltas = [chunk.model_dump()["choices"][0]["delta"].get("audio") or {} for chunk in driver.read(found)]
            transcript = "".join(delta.get("transcript") or "" for delta in deltas)
            sound = "".join(delta.get("data") or "" for delta in deltas)
        else:
            transcript = found.choices[0].message.audio.transcript
            sound = found.choices[0].message.audio.data
        (answer,) = [message for message in kept.messages if message[names.MESSAGE_ROLE] == "assistant"]
        assert (answer["body"], answer[names.MESSAGE_TYPE]) == (transcript, "audio")
        (span,) = kept.spans
        assert sound[:100] not in str(dict(span.attributes or {}))
        assert transcript in str(dict(span.attributes or {}))
    finally:
        CostsInstrumentor().uninstrument()


@pytest.mark.parametrize("streamed", [False, True])
def test_transcript(streamed: bool, driver: Driver) -> None:
    """A transcript, streamed or not, is what the user said."""
    kept = on(content.Capture.EVENT_ONLY)
    try:
        create = driver.client.audio.transcriptions.create
        file = ("a.wav", tokens.wav(15.0))
        found = driver.run(create(model="gpt-4o-transcribe", file=file, stream=streamed))
        text = driver.read(found)[-1].text if streamed else found.text
        (message,) = kept.messages
        assert (message["body"], message[names.MESSAGE_ROLE]) == (text, "user")
    finally:
        CostsInstrumentor().uninstrument()


def test_partial_answer(driver: Driver, provider: Provider) -> None:
    """Of a stream that is left, what was said until then is recorded."""
    kept = on(content.Capture.EVENT_ONLY)
    try:
        stream = driver.run(driver.client.chat.completions.create(**CHAT, stream=True))
        chunks = driver.take(stream, 4)
        driver.run(stream.close())
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        bodies = [message["body"] or "" for message in kept.messages]
        assert said
        assert any(body.startswith(said) for body in bodies)
    finally:
        CostsInstrumentor().uninstrument()


def test_requests_are_read_before_they_change(driver: Driver) -> None:
    """A history that the application goes on writing into is recorded as it was sent."""
    kept = on(content.Capture.EVENT_ONLY)
    try:
        messages: Any = [{"role": "user", "content": [{"type": "text", "text": "first"}]}]
        driver.run(driver.client.chat.completions.create(model="gpt-4o", messages=messages))
        messages[0]["content"][0]["text"] = "changed"
        messages.append({"role": "user", "content": "later"})
        assert kept.messages[0]["body"] == "first"
        assert not {"changed", "later"} & {message["body"] for message in kept.messages}
    finally:
        CostsInstrumentor().uninstrument()


def test_sequences_to_stop_at_are_content(driver: Driver) -> None:
    """They stand on the span where content does: a list, also of one."""
    kept = on(content.Capture.SPAN_ONLY)
    try:
        for stop in ("User:", ["User:", "END"]):
            driver.run(driver.client.chat.completions.create(**{**CHAT, "stop": stop}))
        one, two = (span.attributes for span in kept.spans)
        assert one is not None
        assert two is not None
        assert one[names.REQUEST_STOP_SEQUENCES] == ("User:",)
        assert two[names.REQUEST_STOP_SEQUENCES] == ("User:", "END")
    finally:
        CostsInstrumentor().uninstrument()


@pytest.mark.parametrize("redact", [lambda text, draft: text.replace(SENTINEL, "***"), lambda text, draft: 1 / 0])
def test_redaction(redact: Any, driver: Driver, provider: Provider) -> None:
    """A hook sees every text first; one that raises drops the text, and never the cost."""
    kept = Recorded()
    CostsInstrumentor().instrument(**kept.providers, redact=redact)
    content.configure(content.Capture.SPAN_AND_EVENT)
    try:
        provider.script(ANSWERED)
        driver.run(driver.client.chat.completions.create(**CHAT))
        written = [span.to_json() for span in kept.spans] + [str(message) for message in kept.messages]
        assert SENTINEL not in str(written)
        assert usd(kept.call) > 0
    finally:
        CostsInstrumentor().uninstrument()
        redaction.use(None)


@pytest.mark.parametrize("stream", [False, True])
def test_outside_of_a_session_messages_are_counted_alone(
    driver: Driver, provider: Provider, recorded: Recorded, stream: bool
) -> None:
    """With content off, a call that belongs to no session says how many messages it had; within one they are kept."""
    provider.script(Fault(times=2, fields={} if stream else ANSWERED.fields))
    answered = 1 if stream else 2  # a text, and the call of a function
    asked = 2 + 2 + 1 + 1  # the user's message has a text, an image and a sound; the assistant's is a call
    for metadata in ({}, {"session_id": "s"}):
        answer = driver.run(driver.client.chat.completions.create(**{**CHAT, "metadata": metadata}, stream=stream))
        if stream:
            driver.read(answer)
    first, second = recorded.calls
    assert first[names.MESSAGE_COUNT] == second[names.MESSAGE_COUNT] == asked + answered
    assert {message.get(names.SESSION_ID) for message in recorded.messages} == {"s"}
    assert len(recorded.messages) == second[names.MESSAGE_COUNT]
