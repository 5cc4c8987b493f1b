"""A usage that says less than was used: zeros beside an answer, and one whole without the other."""

from typing import Any

import pytest

from otel_costs import semconv as names
from otel_costs.providers.openai.usage import read_others, read_usage
from otel_costs.stand_in import Fault, Provider
from otel_costs.usage import NOTHING
from tests.providers.conftest import HELLO, Driver
from tests.support.recorded import Recorded

ZEROS = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
CHAT_ZEROS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
CHOICES = [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("chat/completions", {"choices": CHOICES, "usage": CHAT_ZEROS}),
        (
            "chat/completions",
            {"choices": CHOICES, "usage": {**CHAT_ZEROS, "prompt_tokens_details": {"x": 0}}},
        ),
        ("completions", {"choices": [{"text": "Hi"}], "usage": CHAT_ZEROS}),
        ("responses", {"status": "completed", "output": [], "usage": ZEROS}),
        ("responses", {"status": "incomplete", "output": [], "usage": ZEROS}),
        ("responses", {"status": "cancelled", "output": [{"type": "message"}], "usage": ZEROS}),
        ("responses/compact", {"output": [{}], "usage": ZEROS}),
        ("decisions", {"answers": [{}], "usage": ZEROS}),
        ("embeddings", {"data": [{}], "usage": {"prompt_tokens": 0, "total_tokens": 0}}),
        ("audio/speech", {"type": "speech.audio.done", "usage": ZEROS}),
        ("audio/transcriptions", {"text": "Hi", "usage": ZEROS}),
        ("audio/transcriptions", {"text": "Hi", "usage": {"type": "duration", "seconds": 0}}),
        ("audio/translations", {"text": "Hi", "duration": 0.0}),
        ("batches", {"status": "completed", "usage": ZEROS}),
        ("batches", {"status": "expired", "request_counts": {"total": 9, "completed": 5}, "usage": ZEROS}),
        ("threads/runs", {"status": "completed", "usage": CHAT_ZEROS}),
        ("videos", {"status": "completed", "seconds": "0"}),
        ("fine_tuning/jobs", {"status": "succeeded", "trained_tokens": 0}),
    ],
)
def test_zeros_beside_an_answer_are_no_usage(endpoint: str, body: dict[str, Any]) -> None:
    """No prompt has no tokens, and no sound no length: gateways write zeros where they know nothing."""
    assert read_usage(endpoint, body) is None


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("responses", {"status": "cancelled", "output": [], "usage": ZEROS}),
        ("responses", {"status": "failed", "error": {"code": "server_error"}, "usage": ZEROS}),
        ("chat/completions", {"choices": [], "error": {"code": 502}, "usage": CHAT_ZEROS}),
        ("batches", {"status": "failed", "request_counts": {"total": 9, "completed": 0}, "usage": ZEROS}),
        ("threads/runs", {"status": "expired", "usage": CHAT_ZEROS}),
        ("fine_tuning/jobs", {"status": "failed", "trained_tokens": 0}),
        ("moderations", {"results": [{}], "usage": CHAT_ZEROS}),
        ("future/things", {"usage": ZEROS}),
    ],
)
def test_zeros_of_what_failed_are_true(endpoint: str, body: dict[str, Any]) -> None:
    """Before its first word, that is; and of what is not known to take a prompt, they may be."""
    found = read_usage(endpoint, body)
    assert found is not None
    assert set(found.quantities.values()) == {0}
    assert found.unknown == ()


def test_images_without_a_usage_are_counted() -> None:
    """As they are where there is no usage."""
    found = read_usage("images/generations", {"data": [{}, {}], "usage": ZEROS})
    assert found is not None
    assert found.quantities == {"images": 2}


def test_tools_beside_zeros_are_counted() -> None:
    """As they are where there is no usage: the tokens are missing."""
    body = {"status": "completed", "output": [{"type": "file_search_call"}], "usage": ZEROS}
    found = read_usage("responses", body)
    assert found is not None
    assert found.quantities == {"file_searches": 1}


def test_other_models_that_were_asked() -> None:
    """Zeros of a model that was asked are no usage; of one that was not, they are true."""
    asked = {"model_name": "o3", "invocation_count": 5, **CHAT_ZEROS}
    body = {"status": "completed", "per_model_usage": [asked, {**asked, "invocation_count": 0}]}
    first, second = read_others("evals/runs", body)
    assert first.usage == NOTHING
    assert set(second.usage.quantities.values()) == {0}
    graded = {"model_grader_token_usage_per_model": {"gpt-4o": CHAT_ZEROS}}
    assert [one.usage for one in read_others("fine_tuning/alpha/graders/run", graded)] == [NOTHING]


@pytest.mark.parametrize("endpoint", ["chat/completions", "completions", "responses", "threads/runs", "batches"])
@pytest.mark.parametrize(
    ("usage", "missing"),
    [
        ({"prompt_tokens": 10}, ("output_tokens",)),
        ({"prompt_tokens": 10, "completion_tokens": None}, ("output_tokens",)),
        ({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 5}}, ("output_tokens",)),
        ({"completion_tokens": 10}, ("input_tokens",)),
        ({"completion_tokens": 10, "total_tokens": 10}, ("input_tokens",)),
        ({"prompt_tokens": 0, "completion_tokens": 10, "total_tokens": 10}, ("input_tokens",)),
        ({"prompt_tokens": 10, "total_tokens": 10}, ()),
        ({"prompt_tokens": 10, "completion_tokens": 0}, ()),
        ({"inputTokens": 10, "outputTokens": 5}, ()),
    ],
)
def test_half_a_usage_is_not_all(endpoint: str, usage: dict[str, Any], missing: tuple[str, ...]) -> None:
    """Who answers with words has read a prompt; only a total that is what is said proves that nothing is missing."""
    found = read_usage(endpoint, {"status": "completed", "usage": usage})
    assert found is not None
    assert found.unknown == missing


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("embeddings", {"data": [{}], "usage": {"prompt_tokens": 10, "total_tokens": 10}}),
        ("embeddings", {"data": [{}], "usage": {"prompt_tokens": 10}}),
        ("batches", {"status": "completed", "endpoint": "/v1/embeddings", "usage": {"input_tokens": 10}}),
        ("images/generations", {"data": [{}], "usage": {"output_tokens": 10, "total_tokens": 10}}),
    ],
)
def test_what_has_one_whole_alone(endpoint: str, body: dict[str, Any]) -> None:
    """An embedding has no output."""
    found = read_usage(endpoint, body)
    assert found is not None
    assert found.unknown == ()


@pytest.mark.parametrize(
    ("model", "searches"),
    [
        ("gpt-4o-search-preview", True),
        ("gpt-4o-search-preview-2025-03-11", True),
        ("gpt-4o-mini-search-preview", True),
        ("gpt-5-search-api", True),
        ("gpt-5-search-api-2025-10-14", True),
        ("openai/gpt-4o-search-preview", True),
        ("gpt-4o", False),
        ("text-search-ada-doc-001", False),
        ("my-search-preview", False),
    ],
)
def test_a_search_model_always_searches(model: str, searches: bool) -> None:
    """Whether it is the one that was asked or the one that answered, with options or without."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    for body, request in (
        ({"model": model}, {"model": "deployment"}),
        ({}, {"model": model}),
        ({"model": model}, {"model": model, "web_search_options": None}),
    ):
        found = read_usage("chat/completions", {**body, "usage": usage}, request)
        assert found is not None
        assert found.quantities.get("web_searches") == (1 if searches else None)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("usage", "status", "usd", "reason"),
    [
        (
            {"prompt_tokens": 1000, "completion_tokens": 100},
            "estimated",
            "0.0285",
            "usage_estimated",
        ),
        (CHAT_ZEROS, "partial", None, "no_usage"),
    ],
)
def test_what_a_search_costs(
    stream: bool, usage: Any, status: str, usd: str | None, reason: str, driver: Driver, provider: Provider,
    recorded: Recorded,
) -> None:  # fmt: skip
    """The fee is in the cost, also where the tokens are not known."""
    provider.script(Fault(usage=usage, fields={"model": "gpt-4o-search-preview-2025-03-11"}))
    chat = driver.client.chat.completions
    found = driver.run(chat.create(model="gpt-4o-search-preview", messages=HELLO, stream=stream))
    if stream:
        driver.read(found)
    call = recorded.call
    if stream and usd is None:  # what was said is counted
        status, reason = "estimated", "usage_not_reported"
    assert (call[names.COST_STATUS], call[names.COST_REASON].split(",")[0]) == (status, reason)
    assert usd is None or call[names.COST_USD] == usd
    assert call[names.COST_LINE_PREFIX + "web_searches"] == "0.025"


@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_of_zeros_is_one_without_a_usage(
    stream: bool, driver: Driver, provider: Provider, recorded: Recorded
) -> None:
    """Unknown, or where it streams, an estimate."""
    provider.script(Fault(usage=CHAT_ZEROS))
    found = driver.run(driver.client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=stream))
    if stream:
        driver.read(found)
    call = recorded.call
    wanted = ("estimated", "usage_not_reported") if stream else ("unpriced", "usage_unknown")
    assert (call[names.COST_STATUS], call[names.COST_REASON].split(",")[0]) == wanted
    assert call.get(names.COST_USD) != "0"
