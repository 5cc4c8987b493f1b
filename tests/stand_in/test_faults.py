"""What goes wrong on demand, and what is recorded."""

import json
import subprocess
import sys
import threading
from typing import Any

import openai
import pytest

from otel_costs.stand_in import REMOVED, Fault, Provider

from .asked import HELLO, WAV
from .conftest import Caller


def test_a_retried_call_is_answered(call: Caller) -> None:
    """A scripted 429 strikes once; the client's retry is answered."""
    call.provider.script(Fault(status=429, headers={"retry-after-ms": "1", "x-should-retry": "true"}))
    call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO))
    assert [request.headers["x-stainless-retry-count"] for request in call.provider.requests] == ["0", "1"]


def test_a_fault_from_a_header(call: Caller) -> None:
    """A request may ask for its fault itself, for its first attempts."""
    fault = json.dumps({"status": 500, "headers": {"retry-after-ms": "1"}, "times": 2})
    call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, extra_headers={"x-stand-in-fault": fault}))
    assert len(call.provider.requests) == 3


def test_refusals(call: Caller) -> None:
    """What OpenAI refuses is refused in its words."""
    with pytest.raises(openai.BadRequestError) as refused:
        call(lambda c: c.chat.completions.create(model="gpt-4o", messages=[]))
    assert refused.value.param == "messages"
    with pytest.raises(openai.NotFoundError):
        call(lambda c: c.get("/nowhere", cast_to=object))
    with pytest.raises(openai.AuthenticationError):
        call(
            lambda c: c.chat.completions.create(
                model="m", messages=HELLO, extra_headers={"Authorization": openai.Omit()}
            )
        )


@pytest.mark.parametrize("cut", [-1, 0, 10])
def test_cut_connections(call: Caller, cut: int) -> None:
    """A connection is cut before the answer or within it."""
    call.provider.script(Fault(cut=cut))
    with pytest.raises(openai.APIConnectionError):
        call(lambda c: c.with_options(max_retries=0).chat.completions.create(model="gpt-4o", messages=HELLO))


def test_cut_streams(call: Caller) -> None:
    """A stream is cut between two events, or within one."""
    for fault in (Fault(cut_events=3), Fault(cut=700)):
        call.provider.script(fault)
        with pytest.raises(openai.APIConnectionError):
            call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))


def test_error_in_a_stream(call: Caller) -> None:
    """A stream may end with an error."""
    call.provider.script(Fault(error_event=2))
    with pytest.raises(openai.APIError, match="The server had an error"):
        call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))


@pytest.mark.parametrize(
    "fault", [Fault(piece=1), Fault(piece=7), Fault(piece=100_000), Fault(gzip=True), Fault(gzip=True, piece=5)]
)
def test_odd_chunks(call: Caller, fault: Fault) -> None:
    """However the bytes are cut, joined or compressed, they are the same answer."""
    plain = call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))
    call.provider.script(fault, fault)
    odd = call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))
    assert [chunk.choices for chunk in odd] == [chunk.choices for chunk in plain]
    call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO))


@pytest.mark.parametrize(
    "usage", [None, {"prompt_tokens": -1}, {"prompt_tokens": "9"}, {"prompt_tokens": 2**70}, "many"]
)
def test_spoilt_usage(provider: Provider, usage: object) -> None:
    """Usage is written as a test wants it, also into the last chunk of a stream and into a response's last event."""
    provider.script(Fault(usage=usage, times=3))
    with openai.OpenAI(base_url=provider.base_url, api_key="k") as client:
        raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO)
        assert json.loads(raw.content)["usage"] == usage
        options: Any = {"stream": True, "stream_options": {"include_usage": True}}
        with client.chat.completions.with_streaming_response.create(
            model="gpt-4o", messages=HELLO, **options
        ) as stream:
            events = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: {")]
        assert events[-1]["usage"] == usage
        assert all(event["usage"] is None for event in events[:-1])
        with client.responses.with_streaming_response.create(model="gpt-4o", input="Hello", stream=True) as stream:
            events = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: {")]
        assert events[-1]["response"]["usage"] == usage


def test_spoilt_fields(provider: Provider) -> None:
    """Fields are changed, added and removed; a lone surrogate comes as an escape."""
    provider.script(Fault(fields={"model": "gpt-\ud800", "id": REMOVED, "novel": {"a": 1}}))
    with openai.OpenAI(base_url=provider.base_url, api_key="k") as client:
        raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO)
    body = json.loads(raw.content)
    assert body["model"] == "gpt-\ud800"
    assert b"\\ud800" in raw.content
    assert "id" not in body
    assert body["novel"] == {"a": 1}


def test_a_gate_holds_a_stream(provider: Provider, client: openai.OpenAI) -> None:
    """What is behind the gate is not sent before it is opened."""
    gate = threading.Event()
    provider.script(Fault(gate=gate, gate_events=2))
    stream = client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    first = [next(stream), next(stream)]
    assert first[1].choices[0].delta.content == "Hello!"
    gate.set()
    assert [chunk.choices[0].finish_reason for chunk in stream][-1] == "stop"


def test_unknown_endpoint(client: openai.OpenAI) -> None:
    """An endpoint of the future says its usage, and fields that nobody knows."""
    answer: Any = client.post("/future/things", body={"model": "gpt-9", "wish": "peace"}, cast_to=object)
    assert answer["usage"]["output_tokens"] == 7
    assert answer["usage"]["dream_tokens"] == 3


def test_requests_are_recorded(provider: Provider, client: openai.OpenAI) -> None:
    """Every request is kept as it came, and forgotten on demand."""
    client.chat.completions.create(model="gpt-4o", messages=HELLO, user="u-1")
    client.audio.transcriptions.create(model="whisper-1", file=("a.wav", WAV), language="en")
    chat, audio = provider.requests
    assert (chat.method, chat.path, chat.json["user"]) == ("POST", "/v1/chat/completions", "u-1")
    assert chat.headers["authorization"] == "Bearer sk-test"
    assert (audio.json, audio.files["file"][0].data) == ({"model": "whisper-1", "language": "en"}, WAV)
    provider.reset()
    assert provider.requests == []


def test_it_runs_alone() -> None:
    """Started by its name it says its address, and stops on SIGTERM."""
    command = [sys.executable, "-m", "otel_costs.stand_in"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        with openai.OpenAI(base_url=base_url, api_key="k") as client:
            assert client.chat.completions.create(model="gpt-4o", messages=HELLO).object == "chat.completion"
        process.terminate()
        assert process.wait(10) == 0
