"""A usage that says less than was used: zeros beside an answer, and one whole without the other."""

import json
from typing import Any

import pytest

import otel_costs
from otel_costs import hosts
from otel_costs import semconv as names
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.openai import answer, routes
from otel_costs.providers.openai.accumulators import ACCUMULATORS
from otel_costs.providers.openai.request import Request
from otel_costs.providers.openai.usage import read_others, read_usage
from otel_costs.stand_in import Fault, Provider
from otel_costs.transports.http.body import Answered
from otel_costs.usage import NOTHING
from tests.providers.conftest import HELLO, Driver
from tests.support.recorded import Recorded

ZEROS = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
CHAT_ZEROS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
TOKENS = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
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


@pytest.mark.parametrize(
    ("usage", "of_choices", "quantities", "unknown"),
    [
        (TOKENS, [{"search_units": 3}], {"input_tokens": 1000}, ("choices.search_units",)),
        (TOKENS, [TOKENS, TOKENS], {"input_tokens": 1000}, ()),
        (None, [TOKENS], {"input_tokens": 1000}, ()),
        (CHAT_ZEROS, [TOKENS], {"input_tokens": 1000}, ()),
        (None, [TOKENS, {"prompt_tokens": 7}], {"input_tokens": 1000}, ("choices.prompt_tokens",)),
        (TOKENS, [None, {}, CHAT_ZEROS], {"input_tokens": 1000}, ()),
    ],
)
def test_a_usage_in_a_choice(
    usage: Any, of_choices: list[Any], quantities: dict[str, int], unknown: tuple[str]
) -> None:
    """It is read as that of a stream is; what differs from what the body says is named."""
    found = read_usage("chat/completions", {"usage": usage, "choices": [{"usage": one} for one in of_choices]})
    assert found is not None
    assert quantities.items() <= found.quantities.items()
    assert found.unknown == unknown


@pytest.mark.parametrize("first", [1000, 1500])
def test_usages_of_several_images(first: int) -> None:
    """Whether the second has the first in it, nobody says."""
    adding = ACCUMULATORS["images/generations"]()
    for output in (first, 1500):
        usage = {"input_tokens": 10, "output_tokens": output, "total_tokens": 10 + output}
        event = {"type": "image_generation.completed", "b64_json": "AA==", "usage": usage}
        adding.add("image_generation.completed", json.dumps(event))
    found = read_usage("images/generations", adding.body())
    assert found is not None
    assert found.quantities["output_tokens"] == 1500
    assert "other_images.output_tokens" in found.unknown


@pytest.mark.parametrize(
    ("provider_name", "length", "seconds", "is_estimated"),
    [("openai", 2.1, 3, True), ("openai", "8.47", 9, True), ("openai", 15.0, 15, False), ("groq", 2.1, 2.1, False)],
)
def test_a_duration_alone(provider_name: str, length: object, seconds: float, is_estimated: bool) -> None:
    """Seconds that have begun are billed by OpenAI."""
    found = read_usage("audio/translations", {"text": "Hi", "duration": length}, None, provider_name)
    assert found is not None
    assert float(found.quantities["audio_seconds"]) == seconds
    assert found.estimated == is_estimated


def test_the_model_of_an_image_tool_that_the_request_names() -> None:
    """An answer need not repeat the tools."""
    body = {"tool_usage": {"image_gen": {"input_tokens": 10, "output_tokens": 1000}}, "usage": TOKENS}
    request = {"tools": [{"type": "image_generation", "model": "gpt-image-1"}]}
    (found,) = read_others("responses", body, request)
    assert (found.model, found.usage.estimated) == ("gpt-image-1", False)


@pytest.mark.parametrize(
    ("tool", "reasons"), [("code_interpreter", (CostReason.TOOL_USE_NOT_REPORTED,)), ("function", ())]
)
def test_tools_of_a_run(tool: str, reasons: tuple[CostReason, ...]) -> None:
    """A container costs something, and no run says whether there was one."""
    route = routes.find("get", "/threads/thread_1/runs/run_1")
    assert route is not None
    run = {"id": "run_1", "object": "thread.run", "status": "completed", "model": "gpt-4o", "tools": [{"type": tool}]}
    asked = Request.of(route, hosts.at("api.openai.com", 443), {})
    found = answer.read(asked, Answered({}, {**run, "usage": TOKENS}))
    assert found.usage is not None
    assert found.reasons == reasons


@pytest.mark.parametrize(
    ("label", "tier"),
    [
        ("ON_DEMAND", None),
        ("ON_DEMAND_PRIORITY", "priority"),
        ("ON_DEMAND_FLEX", "flex"),
        ("PROVISIONED_THROUGHPUT", "provisioned_throughput"),
        ("A_NEW_ONE", "a_new_one"),
    ],
)
@pytest.mark.parametrize("way", ["chat", "record"])
def test_a_class_of_service_in_a_usage(
    way: str, label: str, tier: str | None, driver: Driver, provider: Provider, recorded: Recorded,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It is the tier, whatever the provider calls it; one that has no price makes an estimate."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=gcp.vertex_ai")
    if way == "chat":
        usage: dict[str, Any] = {**TOKENS, "extra_properties": {"google": {"traffic_type": label}}}
        provider.script(Fault(usage=usage, fields={"model": "gemini-2.5-flash", "service_tier": None}))
        driver.run(driver.client.chat.completions.create(model="gemini-2.5-flash", messages=HELLO))
    else:
        usage = {"prompt_token_count": 1000, "candidates_token_count": 100, "traffic_type": label}
        otel_costs.record("chat", provider="gcp.vertex_ai", model="gemini-2.5-flash", usage=usage)
    call = recorded.call
    assert call.get(names.OPENAI_RESPONSE_SERVICE_TIER) == tier
    assert tier not in ("a_new_one", "provisioned_throughput") or call[names.COST_STATUS] == "estimated"


def test_more_units_than_a_record_holds(recorded: Recorded) -> None:
    """The record keeps whose call it is, and the tokens; the units that it has no place for are named."""
    units = {f"dream_{number}": number + 1 for number in range(200)}
    tags: Any = {f"tag_{number}": "x" for number in range(40)}
    with otel_costs.session("abc-123", user="mary"):
        otel_costs.record("chat", provider="openai", model="gpt-4o", usage={**TOKENS, **units}, **tags)
    call = recorded.call
    wanted = {names.SESSION_ID: "abc-123", names.USER_ID: "mary", "gen_ai.usage.input_tokens": 1000}
    assert wanted.items() <= call.items()
    assert call[names.CALL_ID]
    assert (call[names.COST_STATUS], call[names.COST_USD]) == ("partial", "0.0035")
