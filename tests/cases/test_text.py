"""Cases 9 to 16, and 18 to 20: what is said and what things are called, whatever it consists of."""

import json
from decimal import Decimal
from typing import Any

import openai
import pytest

import otel_costs
from otel_costs import semconv as names
from otel_costs.stand_in import Fault, tokens
from otel_costs.values.sanitize import MAX_TEXT
from tests.cases.conftest import WORDS, Case
from tests.support.selection import long

TEN_MB = 10 * 1024 * 1024


def answering(message: dict[str, Any]) -> Fault:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": None, **message}}
    return Fault(fields={"choices": [choice]})


def calling(arguments: str) -> Fault:
    call = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": arguments}}
    return answering({"tool_calls": [call]})


def test_case_09_a_lone_surrogate_in_a_model_does_not_lose_the_batch(case: Case) -> None:
    """In the answer, and in a request that the SDK itself cannot send: the calls beside it are exported."""
    case.ask()
    assert case.ask(Fault(fields={"model": "gpt-\ud800"})).model == "gpt-\ud800"
    with pytest.raises(UnicodeEncodeError):
        case.ask(model="gpt-\udfff")
    case.ask()
    assert len(case.calls) == len(case.spans) == 4
    assert case.calls[2][names.ERROR_TYPE] == "UnicodeEncodeError"


def test_case_10_a_lone_surrogate_in_an_error_does_not_lose_the_batch(case: Case) -> None:
    """Nor in the text of an exception, which is the application's and is not recorded at all."""
    error = {"error": {"message": "xyzzy \ud800", "type": "bad\ud800", "code": "c\udfff", "param": None}}
    with pytest.raises(openai.BadRequestError, match="xyzzy"):
        case.ask(Fault(status=400, error=error))
    with pytest.raises(openai.BadRequestError):
        list(case.ask(Fault(status=400, error=error), stream=True))
    case.ask()
    assert [found.get(names.ERROR_TYPE) for found in case.calls] == ["BadRequestError", "BadRequestError", None]
    assert "xyzzy" not in str(case.calls) + str(case.spans)


def test_case_11_bytes_are_recorded_by_their_length(with_content: Case) -> None:
    """A file that is sent and a sound that comes back: how long they are, and none of their bytes."""
    sound = tokens.wav(0.5) + b"xyzzy" * 100
    with_content.client.audio.transcriptions.create(model="whisper-1", file=("a.wav", sound))
    with_content.client.audio.speech.create(model="tts-1", voice="alloy", input="hello")
    heard = [found for found in with_content.messages if found[names.MESSAGE_TYPE] == "audio"]
    assert [(found[names.MESSAGE_ROLE], found.get(names.MESSAGE_AUDIO_SECONDS)) for found in heard] == [
        ("user", "1"),
        ("assistant", None),
    ]
    written = str(with_content.messages) + str(with_content.spans) + str(with_content.calls)
    assert not [piece for piece in ("xyzzy", "RIFF", "\\x00") if piece in written]


@pytest.mark.parametrize("letter", ["🎈", long("x"), long("日")])
def test_case_12_a_prompt_of_10_mb_is_cut(letter: str, with_content: Case) -> None:
    """To 64 KB that UTF-8 can carry, with a flag and its true size; the provider gets all of it."""
    prompt = letter * (TEN_MB // len(letter.encode()))
    with_content.ask(messages=[{"role": "user", "content": prompt}])
    (found,) = [found for found in with_content.messages if found[names.MESSAGE_ROLE] == "user"]
    assert MAX_TEXT - 4 < len(found["body"].encode()) <= MAX_TEXT
    assert found[names.MESSAGE_TRUNCATED] is True
    assert found[names.MESSAGE_BYTES] == len(prompt.encode())
    assert json.loads(with_content.provider.requests[0].body)["messages"][0]["content"] == prompt
    assert all(len(str(span)) < 4 * MAX_TEXT for span in with_content.spans)


def test_case_13_tool_arguments_of_10_mb_are_cut(with_content: Case) -> None:
    """The same for what a model wants to call; the application gets all of it."""
    arguments = json.dumps({"text": "x" * TEN_MB})
    answer = with_content.ask(calling(arguments))
    called: Any = answer.choices[0].message.tool_calls
    assert called[0].function.arguments == arguments
    (found,) = [found for found in with_content.messages if found[names.MESSAGE_TYPE] == "function_call"]
    assert len(found[names.MESSAGE_ARGUMENTS]) <= MAX_TEXT
    assert (found[names.MESSAGE_TRUNCATED], found[names.MESSAGE_BYTES]) == (True, len(arguments))


def test_case_14_cycles_and_depths_do_not_recurse(with_content: Case) -> None:
    """In arguments, in tools, in tags: the application sees its own error or none, and every call is recorded."""
    deep: Any = {}
    for _ in range(400):
        deep = {"in": deep}
    cyclic: dict[str, Any] = {}
    cyclic["self"] = cyclic
    arguments = '{"in":' * 2000 + "1" + "}" * 2000
    answer = with_content.ask(calling(arguments), tools=[_tool(deep)])
    assert answer.choices[0].message.tool_calls
    with pytest.raises((ValueError, RecursionError)) as plain:
        json.dumps(cyclic)
    with pytest.raises((ValueError, RecursionError)) as raised:
        with_content.ask(tools=[_tool(cyclic)])
    assert type(raised.value) is type(plain.value) or isinstance(raised.value, RecursionError)
    with otel_costs.session("a", tag=cyclic):
        otel_costs.record("chat", provider="openai", model="gpt-4o", usage={}, cycle=cyclic, deep=deep)
    assert len(with_content.calls) == len(with_content.spans) == 3
    (own,) = [found for found in with_content.calls if "otel_costs.tag.cycle" in found]
    assert own["otel_costs.tag.cycle"].startswith('{"self": {"self": ')
    assert own["otel_costs.tag.deep"].startswith('{"in": {"in": ')
    assert arguments in [found.get(names.MESSAGE_ARGUMENTS) for found in with_content.messages]


def _tool(parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "look_up", "parameters": parameters}}


def test_case_15_base64_is_replaced_by_what_it_is(with_content: Case) -> None:
    """An image in a prompt and a spoken answer: type, size and hash instead of megabytes."""
    image = "iVBORw0KGgo" + "A" * 40_000
    asked = [
        {"type": "text", "text": WORDS},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
    ]
    answer = with_content.ask(
        messages=[{"role": "user", "content": asked}],
        model="gpt-4o-audio-preview",
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "wav"},
    )
    spoken = answer.choices[0].message.audio
    assert spoken
    written = str(with_content.messages) + str(with_content.spans) + str(with_content.calls)
    assert image[:200] not in written
    assert spoken.data[:200] not in written
    assert spoken.transcript in written
    (found,) = [found for found in with_content.messages if found[names.MESSAGE_TYPE] == "image"]
    assert "image/png" in found["body"]
    assert len(found[names.MESSAGE_SHA256]) == 64


def test_case_16_objects_are_written_as_text(with_content: Case) -> None:
    """The SDK's own objects in a history are read; sets, Decimals and objects of the application do no harm."""
    with otel_costs.session("a"):
        first = with_content.ask()
        answer = first.choices[0].message
        history = [{"role": "user", "content": WORDS}, answer, {"role": "user", "content": "and now?"}]
        with_content.ask(messages=history)
    with pytest.raises(TypeError):
        with_content.ask(messages=[{"role": "user", "content": object()}])
    odd: dict[str, Any] = {"a_set": {1}, "a_decimal": Decimal("1.50"), "an_object": object(), "a_type": int}
    otel_costs.record("chat", provider="openai", model="gpt-4o", usage={}, **odd)
    assert "1.50" in [found.get("otel_costs.tag.a_decimal") for found in with_content.calls]
    said = [found["body"] for found in with_content.messages if found[names.MESSAGE_ROLE] in ("user", "assistant")]
    assert said.count(WORDS) == 1
    assert said.count(answer.content) == 2  # the stand-in says it again


@pytest.mark.parametrize(
    "session_id", ['"it\'s"', "a\nb", "a\x00b", "back\\slash", "日本語", " ", "'); drop table calls;"]
)
def test_case_18_an_odd_session_id_comes_back_exactly(session_id: str, case: Case) -> None:
    """Quotes, a newline, NUL: the bytes that are exported have it as it was given."""
    with otel_costs.session(session_id, user=session_id):
        case.ask()
    assert case.call[names.SESSION_ID] == case.call[names.USER_ID] == session_id


def test_case_19_a_long_session_id_is_cut_and_stays_unique(case: Case) -> None:
    """4 KB: its head and a hash, so that two that differ at their ends are two."""
    for end in "ab":
        with otel_costs.session("x" * 4096 + end):
            case.ask()
    first, second = (found[names.SESSION_ID] for found in case.calls)
    assert first != second
    assert len(first) == len(second) == 256
    assert first.startswith("x" * 200)


def test_case_20_html_is_content_and_nothing_more(with_content: Case) -> None:
    """What a model writes is kept letter by letter in the content, and is nowhere else; who shows it escapes it."""
    html = "<script>alert('xyzzy')</script><img src=x onerror=alert(1)>"
    with_content.ask(answering({"content": html}))
    assert [found["body"] for found in with_content.messages if found[names.MESSAGE_ROLE] == "assistant"] == [html]
    assert "script" not in str(with_content.calls)
