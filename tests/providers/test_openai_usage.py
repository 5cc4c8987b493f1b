"""What answers of OpenAI's endpoints say that they used."""

import copy
import io
import wave
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from otel_costs.providers.openai import usage as openai_usage
from otel_costs.providers.openai.reported_cost import reported_cost
from otel_costs.providers.openai.usage import ENDPOINTS, ModelUsage, priced_model, read_others, read_usage
from otel_costs.usage import Usage
from otel_costs.values.audio_length import Sound

TOKENS = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
CHAT = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
NO_TOOLS = {"image_gen": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}, "web_search": {"num_requests": 0}}


def used(endpoint: str, body: object, request: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return quantities that are known: none refused, none estimated."""
    found = read_usage(endpoint, body, request)
    assert found is not None
    assert (found.invalid, found.estimated) == ((), False)
    return dict(found.quantities)


def wav(length_s: float) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\0\0" * round(length_s * 16_000))
    return out.getvalue()


@pytest.mark.parametrize(
    ("endpoint", "usage"),
    [
        ("chat/completions", CHAT),
        ("completions", CHAT),
        ("responses", TOKENS),
        ("responses/compact", TOKENS),
        ("decisions", TOKENS),
        ("batches", TOKENS),
        ("threads/runs", CHAT),
        ("future/things", TOKENS),
        ("future/things", CHAT),
    ],
)
def test_tokens(endpoint: str, usage: dict[str, Any]) -> None:
    """Every endpoint that reports tokens is read, also one that we do not know."""
    assert used(endpoint, {"usage": usage}) == {"input_tokens": 100, "output_tokens": 20}


@pytest.mark.parametrize("endpoint", [*ENDPOINTS, "future/things"])
@pytest.mark.parametrize("body", [None, {}, {"usage": None}, {"status": "in_progress", "usage": None}, [], "", b""])
def test_no_usage_is_unknown(endpoint: str, body: object) -> None:
    """An answer without usage has none: not zeros."""
    assert read_usage(endpoint, body) is None
    assert read_others(endpoint, body) == ()


def test_groq_stream() -> None:
    """Groq's streams say the usage in a field of their own."""
    assert used("chat/completions", {"choices": [], "x_groq": {"id": "req", "usage": CHAT}}) == {
        "input_tokens": 100,
        "output_tokens": 20,
    }


def test_chat_that_searches() -> None:
    """A chat with web search searched once at least: an estimate, for the answer does not say how often."""
    found = read_usage("chat/completions", {"usage": CHAT}, {"web_search_options": {}})
    assert found == Usage.of({"input_tokens": 100, "output_tokens": 20, "web_searches": 1}, estimated=True)


def test_chat_that_counts_its_searches() -> None:
    """Where the provider counts the searches, its count is the count."""
    usage = {**CHAT, "num_search_queries": 4}
    assert used("chat/completions", {"usage": usage}, {"web_search_options": {}})["web_searches"] == 4


def test_responses_with_tools() -> None:
    """Searches are billed as reported; file searches by their number, containers by how many there are."""
    body = {
        "usage": TOKENS,
        "tool_usage": {**NO_TOOLS, "web_search": {"num_requests": 3}},
        "tools": [{"type": "code_interpreter", "container": {"type": "auto"}}],
        "output": [
            {"type": "web_search_call", "action": {"type": "search", "query": "x"}},
            {"type": "file_search_call", "queries": ["a", "b"]},
            {"type": "file_search_call", "queries": ["c"]},
            {"type": "code_interpreter_call", "container_id": "cntr_1"},
            {"type": "code_interpreter_call", "container_id": "cntr_1"},
            {"type": "code_interpreter_call", "container_id": "cntr_2"},
        ],
    }
    # A container may have been made by an earlier response.
    assert read_usage("responses", body) == Usage.of(
        {"input_tokens": 100, "output_tokens": 20, "web_searches": 3, "file_searches": 2, "containers": 2},
        estimated=True,
    )


def test_searches_that_are_not_reported_are_counted() -> None:
    """Without tool usage, what counts is the calls that search: opening a page is free."""
    output = [
        {"type": "web_search_call", "action": {"type": kind}}
        for kind in ("search", "open_page", "find_in_page", "search")
    ]
    assert used("responses", {"usage": TOKENS, "output": output})["web_searches"] == 2


def test_a_container_that_the_request_named_is_not_billed_again() -> None:
    """A container of the application's own was billed where it was made."""
    body = {
        "usage": TOKENS,
        "tools": [{"type": "code_interpreter", "container": "cntr_1"}],
        "output": [{"type": "code_interpreter_call", "container_id": "cntr_1"}],
    }
    assert used("responses", body) == {"input_tokens": 100, "output_tokens": 20}


def test_tools_that_were_not_used_are_left_out() -> None:
    """Zero counts of tools are no units."""
    assert used("responses", {"usage": TOKENS, "tool_usage": NO_TOOLS, "output": []}) == {
        "input_tokens": 100,
        "output_tokens": 20,
    }


def test_a_terminal_event_is_read_as_its_response() -> None:
    """The last event of a stream has the response, and its usage, in itself."""
    event = {"type": "response.completed", "response": {"usage": TOKENS, "tool_usage": NO_TOOLS}}
    assert used("responses", event) == {"input_tokens": 100, "output_tokens": 20}


IMAGE_TOOL = {
    "input_tokens": 50,
    "input_tokens_details": {"image_tokens": 20, "text_tokens": 30},
    "output_tokens": 1000,
    "total_tokens": 1050,
}
DRAWN = {
    "input_tokens": 50,
    "input_image_tokens": 20,
    "input_text_tokens": 30,
    "output_tokens": 1000,
    "output_image_tokens": 1000,
}


def test_image_tool() -> None:
    """What the image tool used is another model's usage, not the response's."""
    body: dict[str, Any] = {
        "usage": TOKENS,
        "tools": [{"type": "image_generation", "model": "gpt-image-2"}],
        "tool_usage": {**NO_TOOLS, "image_gen": IMAGE_TOOL},
    }
    assert used("responses", body) == {"input_tokens": 100, "output_tokens": 20}
    assert read_others("responses", body) == (ModelUsage("gpt-image-2", Usage.of(DRAWN)),)


@pytest.mark.parametrize("models", [("gpt-image-2", "gpt-image-1"), ("gpt-image-2", None)])
def test_image_tools_of_several_models(models: tuple[str | None, ...]) -> None:
    """Their usage is one: it goes to the first, which may not have drawn all of it."""
    tools = [{"type": "image_generation", "model": model} for model in models]
    (drawn,) = read_others("responses", {"usage": TOKENS, "tools": tools, "tool_usage": {"image_gen": IMAGE_TOOL}})
    assert (drawn.model, drawn.usage.estimated) == ("gpt-image-2", True)


def test_image_tool_without_a_model() -> None:
    """A tool whose model is not named has the documented default, as an estimate."""
    body = {"usage": TOKENS, "tools": [{"type": "image_generation"}], "tool_usage": {"image_gen": IMAGE_TOOL}}
    assert read_others("responses", body) == (
        ModelUsage(openai_usage.IMAGE_TOOL_MODEL, Usage.of(DRAWN, estimated=True)),
    )


def test_svg_author() -> None:
    """The model that writes an SVG has a usage of its own beside the one that draws."""
    svg = {"input_tokens": 5, "output_tokens": 70, "reasoning_tokens": 30, "total_tokens": 75, "model": "gpt-6-luna"}
    wrote = ModelUsage("gpt-6-luna", Usage.of({"input_tokens": 5, "output_tokens": 70, "output_reasoning_tokens": 30}))
    assert read_others("images/generations", {"svg_usage": svg}) == (wrote,)
    assert read_others("responses", {"output": [{"type": "image_generation_call", "svg_usage": svg}]}) == (wrote,)


@pytest.mark.parametrize("usage", [{"prompt_tokens": 8, "total_tokens": 8}, {"total_tokens": 8}])
def test_embeddings(usage: dict[str, Any]) -> None:
    """Embeddings have input alone; some providers say no more than the total."""
    assert used("embeddings", {"usage": usage}) == {"input_tokens": 8}


def test_speech_by_characters() -> None:
    """Speech without usage is billed by the characters of the request, each a Unicode code point."""
    request = {"model": "tts-1", "input": "Grüße 🎉"}
    assert used("audio/speech", b"\xff\xfb", request) == {"input_characters": 7}
    assert used("audio/speech", wav(2), {"model": "playai-tts", "input": "Hello"}) == {"input_characters": 5}


def test_speech_by_seconds() -> None:
    """Of OpenAI's models, the sound's length is known besides, if its format says it."""
    request = {"model": "gpt-4o-mini-tts", "input": "Hello", "response_format": "pcm"}
    expected = {"input_characters": 5, "audio_seconds": Decimal("1.5"), "output_audio_seconds": Decimal("1.5")}
    assert used("audio/speech", b"\0" * 72_000, request) == expected
    assert used("audio/speech", Sound(b"", 72_000), request) == expected
    assert used("audio/speech", wav(1.5), {**request, "response_format": "wav"}) == expected
    assert used("audio/speech", wav(1.5), {"model": "tts-1", "input": "Hello"}) == expected
    assert used("audio/speech", b"\xff\xfb", {**request, "response_format": "mp3"}) == {"input_characters": 5}


def test_speech_events() -> None:
    """The last event of streamed speech has tokens; all output is sound."""
    assert used("audio/speech", {"type": "speech.audio.done", "usage": TOKENS}, {"input": "Hello"}) == {
        "input_tokens": 100,
        "output_tokens": 20,
        "output_audio_tokens": 20,
    }


def test_transcription_by_tokens() -> None:
    """Audio and text of the input are kept apart."""
    usage = {**TOKENS, "type": "tokens", "input_token_details": {"audio_tokens": 90, "text_tokens": 10}}
    expected = {"input_tokens": 100, "output_tokens": 20, "input_audio_tokens": 90, "input_text_tokens": 10}
    assert used("audio/transcriptions", {"text": "Hello", "usage": usage}) == expected
    assert used("audio/transcriptions", {"type": "transcript.text.done", "text": "", "usage": usage}) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"text": "Hello", "usage": {"type": "duration", "seconds": 15}},
        {"text": "Hello", "usage": {"type": "duration", "seconds": 15}, "duration": 14.55},
        {"text": "Hello", "duration": 15.0},
        {"text": "Hello", "duration": "15"},
    ],
)
def test_transcription_by_duration(body: dict[str, Any]) -> None:
    """Seconds that are billed come before the sound's own length."""
    assert used("audio/transcriptions", body) == {"audio_seconds": 15, "input_audio_seconds": 15}
    assert used("audio/translations", body) == {"audio_seconds": 15, "input_audio_seconds": 15}


def test_transcription_as_text() -> None:
    """A text has no usage: the uploaded file says its length, else the last timestamp does; both are estimates."""
    listened = {"audio_seconds": Decimal("2.5"), "input_audio_seconds": Decimal("2.5")}
    subtitles = "1\n00:00:00,000 --> 00:00:02,500\nHello\n"
    request = {"model": "whisper-1", "file": ("a.wav", wav(2.5))}
    assert read_usage("audio/transcriptions", "Hello", request) == Usage.of(listened, estimated=True)
    assert read_usage("audio/transcriptions", subtitles, {}) == Usage.of(listened, estimated=True)
    assert read_usage("audio/transcriptions", "Hello", {"file": ("a.mp3", b"\xff\xfb\x90")}) is None


def test_images_by_tokens() -> None:
    """Images of token models are billed by tokens; without details, all output is image."""
    usage = {**TOKENS, "input_tokens_details": {"image_tokens": 60, "text_tokens": 40}}
    expected = {
        "input_tokens": 100,
        "output_tokens": 20,
        "input_image_tokens": 60,
        "input_text_tokens": 40,
        "output_image_tokens": 20,
    }
    assert used("images/generations", {"data": [{}], "usage": usage}) == expected
    assert used("images/edits", {"type": "image_edit.completed", "b64_json": "", "usage": usage}) == expected
    detailed = {**usage, "output_tokens_details": {"image_tokens": 15, "text_tokens": 5}}
    assert used("images/generations", {"data": [{}], "usage": detailed}) == {
        **expected,
        "output_image_tokens": 15,
        "output_text_tokens": 5,
    }


def test_images_by_number() -> None:
    """Other images are billed each, by model, quality and size."""
    request = {"model": "dall-e-3", "size": "1024x1792", "quality": "hd"}
    body = {"created": 1, "data": [{"url": "a"}, {"url": "b"}]}
    assert used("images/generations", body, request) == {"images": 2}
    assert priced_model("images/generations", body, request) == "dall-e-3/hd/1024x1792"
    assert priced_model("images/generations", body, {"model": "dall-e-3"}) == "dall-e-3/standard/1024x1024"
    assert priced_model("images/generations", {"usage": TOKENS}, {"model": "gpt-image-2"}) is None
    assert priced_model("images/generations", body, {}) is None


def test_videos() -> None:
    """A video is billed by its seconds once it is made, at the price of its size."""
    body = {"model": "sora-2-pro", "seconds": "8", "size": "1792x1024", "status": "queued"}
    assert read_usage("videos", body) is None
    assert read_usage("videos", {**body, "status": "failed"}) is None
    assert used("videos", {**body, "status": "completed"}) == {"video_seconds": 8}
    assert priced_model("videos", body, {}) == "sora-2-pro/1792x1024"


@pytest.mark.parametrize("endpoint", ["batches", "threads/runs"])
def test_jobs_are_billed_when_they_are_done(endpoint: str) -> None:
    """The usage of a running job still grows."""
    body = {"usage": TOKENS}
    assert read_usage(endpoint, {**body, "status": "in_progress"}) is None
    for status in ("completed", "expired", "cancelled", "failed"):
        assert used(endpoint, {**body, "status": status}) == {"input_tokens": 100, "output_tokens": 20}


def test_fine_tuning() -> None:
    """Trained tokens are their own unit."""
    assert used("fine_tuning/jobs", {"trained_tokens": 5768}) == {"training_tokens": 5768}
    assert read_usage("fine_tuning/jobs", {"trained_tokens": None}) is None


def test_evaluations() -> None:
    """An evaluation uses several models, each for itself, and is billed when it is done."""
    spent = [
        {**CHAT, "model_name": "gpt-4o", "cached_tokens": 64, "invocation_count": 3},
        {**CHAT, "model_name": "o3", "cached_tokens": 0, "invocation_count": 1},
    ]
    body = {"object": "eval.run", "status": "completed", "per_model_usage": spent}
    tokens = {"input_tokens": 100, "output_tokens": 20}
    expected = [
        ModelUsage("gpt-4o", Usage.of({**tokens, "cache_read_tokens": 64, "requests": 3})),
        ModelUsage("o3", Usage.of({**tokens, "cache_read_tokens": 0, "requests": 1})),
    ]
    assert read_usage("evals/runs", body) is None
    assert list(read_others("evals/runs", body)) == expected
    assert read_others("evals/runs", {**body, "status": "in_progress"}) == ()


def test_graders() -> None:
    """A grader's usage stands under the models that it asked."""
    body = {"reward": 1.0, "model_grader_token_usage_per_model": {"gpt-4o": CHAT}}
    graded = (ModelUsage("gpt-4o", Usage.of({"input_tokens": 100, "output_tokens": 20})),)
    assert read_others("fine_tuning/alpha/graders/run", body) == graded


@pytest.mark.parametrize("endpoint", [name for name in ENDPOINTS if name not in ("videos", "fine_tuning/jobs")])
def test_a_usage_that_is_no_object_is_named(endpoint: str) -> None:
    """A usage of another type is malformed, not absent."""
    found = read_usage(endpoint, {"usage": "many", "status": "completed"})
    if endpoint not in ("evals/runs", "fine_tuning/alpha/graders/run"):
        assert found == Usage({}, ("usage",))


# Everything that is read of any answer, in one.
EVERYTHING: dict[str, Any] = {
    "status": "completed",
    "usage": {**TOKENS, "seconds": 4, "input_tokens_details": {"cached_tokens": 4}, "output_tokens_details": {}},
    "x_groq": {"usage": CHAT},
    "tool_usage": {"image_gen": IMAGE_TOOL, "web_search": {"num_requests": 3}},
    "tools": [{"type": "image_generation", "model": "gpt-image-2"}, {"type": "code_interpreter", "container": "c"}],
    "output": [
        {"type": "web_search_call", "action": {"type": "search"}},
        {"type": "code_interpreter_call", "container_id": "d"},
        {"type": "image_generation_call", "svg_usage": {**TOKENS, "model": "m"}},
    ],
    "svg_usage": {**TOKENS, "model": "m"},
    "data": [{"url": "u"}],
    "model": "m",
    "quality": "hd",
    "size": "1x1",
    "seconds": "4",
    "duration": 4.0,
    "trained_tokens": 5,
    "per_model_usage": [{**CHAT, "model_name": "m"}],
    "model_grader_token_usage_per_model": {"m": CHAT},
}
JUNK: list[Any] = [
    None,
    True,
    -1,
    2**70,
    float("nan"),
    "",
    "\ud800",
    b"x",
    [],
    [None],
    {},
    {"type": []},
    [[]],
    [{"model": {}}],
]


def with_junk(value: Any, junk: object) -> Iterator[Any]:
    """Yield `value` with each of its parts replaced by `junk`, one at a time."""
    yield junk
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        for spoilt in with_junk(part, junk):
            changed = copy.copy(value)
            changed[key] = spoilt
            yield changed


@pytest.mark.parametrize("endpoint", [*ENDPOINTS, "future/things"])
@pytest.mark.parametrize("junk", JUNK, ids=ascii)
def test_nothing_raises(endpoint: str, junk: object) -> None:
    """Whatever stands anywhere in an answer, reading it raises nothing, and does not even need the guard around it."""
    reader = ENDPOINTS.get(endpoint, openai_usage._of_tokens)
    others = openai_usage._OTHERS.get(endpoint)
    for body in with_junk(EVERYTHING, junk):
        reader(body, body if isinstance(body, dict) else {}, "openai")
        if isinstance(body, dict) and others:
            tuple(others(body, {}))
        priced_model(endpoint, body, {})
        for provider in ("openai", "openrouter", "x_ai", "perplexity"):
            reported_cost(body, {}, provider)


def test_a_malformed_tool_does_not_lose_the_tokens() -> None:
    """What is wrong in one place of an answer costs that place alone."""
    body = {"usage": TOKENS, "output": True, "tools": 5, "tool_usage": {"web_search": {"num_requests": -1}}}
    assert read_usage("responses", body) == Usage({"input_tokens": 100, "output_tokens": 20}, ("web_searches",))
