"""Answers of real providers that people reported as wrongly priced elsewhere: by openai's own client, or by `price`.

Each stands for a kind. What is right, and where it was reported, stands in `data/found_cases.json`.
"""

import io
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import openai
import pytest

import otel_costs
from otel_costs import semconv as names
from otel_costs.stand_in import Fault, Provider
from tests.support.recorded import Recorded

CASES: Final = json.loads(Path(__file__).with_name("data").joinpath("found_cases.json").read_text())["cases"]
_STATUS: Final = re.compile(r"priced|partial|unpriced|estimated")
_HELLO: Final[Any] = [{"role": "user", "content": "Hello"}]
_SAID: Final = {
    "model": names.RESPONSE_MODEL,
    "input_tokens": names.usage_attribute("input_tokens"),
    "output_tokens": names.usage_attribute("output_tokens"),
    "reasoning": names.usage_attribute("output_reasoning_tokens"),
    "web_searches": names.usage_attribute("web_searches"),
}

Ask = Callable[[Any, Provider, Mapping[str, Any]], object]


def _answer(provider: Provider, body: object) -> None:
    provider.script(Fault(status=200, error=body))


def _chat(client: openai.OpenAI, provider: Provider, case: Mapping[str, Any]) -> None:
    message = {"role": "assistant", "content": "Hi"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_790_000_000, "choices": choices}
    _answer(provider, {**answer, "model": case["model"], "usage": case["usage"]})
    client.chat.completions.create(model=case["model"], messages=_HELLO)


def _streamed_chat(client: openai.OpenAI, provider: Provider, case: Mapping[str, Any]) -> None:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": case["model"]}
    said = {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}
    usages = [{"choices": [], "usage": usage} for usage in case.get("usages_in_order", ())]
    chunks = [json.dumps({**head, **chunk}) for chunk in case.get("chunks") or (said, *usages)]
    events = "".join(f"data: {data}\n\n" for data in (*chunks, "[DONE]"))
    headers = {"content-type": "text/event-stream"}
    provider.script(Fault(status=200, error=events.encode(), headers=headers))
    options = {"include_usage": True}
    list(client.chat.completions.create(model=case["model"], messages=_HELLO, stream=True, stream_options=options))  # type: ignore[call-overload]


def _responses(client: openai.OpenAI, provider: Provider, case: Mapping[str, Any]) -> None:
    asked = case.get("request", {})
    answer = {"id": "resp_1", "object": "response", "status": "completed", "created_at": 1_790_000_000, "output": []}
    found = {name: case[name] for name in ("model", "usage", "output") if name in case}
    _answer(provider, {**answer, **found, "background": asked.get("background", False)})
    client.responses.create(model=case["model"], input="Hello", **asked)


def _transcription(client: openai.OpenAI, provider: Provider, case: Mapping[str, Any]) -> None:
    _answer(provider, {"text": "Hello", "model": case["model"], "usage": case["usage"]})
    client.audio.transcriptions.create(model=case["model"], file=("a.wav", io.BytesIO(b"RIFF")))


def _realtime(_: openai.OpenAI, __: Provider, case: Mapping[str, Any]) -> None:
    with otel_costs.session("spoken") as session:
        otel_costs.observe_realtime_event(
            session, "server", case["event"], provider=case["provider"], model=case["model"]
        )


def _price(_: openai.OpenAI, __: Provider, case: Mapping[str, Any]) -> otel_costs.Cost:
    at = datetime.fromisoformat(case["at"]) if "at" in case else None
    return otel_costs.price(case["usage"], provider=case["provider"], model=case["model"], at=at)


SURFACES: Final[Mapping[str, Ask]] = {
    "chat": _chat,
    "chat, streamed": _streamed_chat,
    "responses": _responses,
    "transcription": _transcription,
    "realtime": _realtime,
    "price()": _price,
    "every one": _chat,
}


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_found_case(
    case: Mapping[str, Any], recorded: Recorded, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call, or the price, is what the case says is right: to the last digit, and as sure as it is."""
    monkeypatch.setenv(names.ENV_PROVIDERS, f"127.0.0.1={case['provider']}")
    right = case["right"]
    with openai.OpenAI(api_key="sk-sentinel-key", base_url=provider.base_url, max_retries=0) as client:
        price = SURFACES[case["surface"]](client, provider, case)
    if isinstance(price, otel_costs.Cost):
        assert price.total == Decimal(right["usd"])
        return
    call = recorded.call
    assert {name: call.get(attribute) for name, attribute in _SAID.items() if name in right} == {
        name: right[name] for name in _SAID if name in right
    }
    if "usd" in right:
        assert Decimal(call[names.COST_USD]) == Decimal(right["usd"])
    if statuses := _STATUS.findall(right["status"]):
        assert call[names.COST_STATUS] in statuses
    assert right.get("reason", "") in call.get(names.COST_REASON, "")
    assert list(call.get(names.COST_UNKNOWN, ())) == right.get(names.COST_UNKNOWN, [])


def test_all_sixteen_are_there() -> None:
    """No case is left out, and each has a surface that is driven."""
    assert len({case["id"] for case in CASES}) == 16
    assert {case["surface"] for case in CASES} <= set(SURFACES)
