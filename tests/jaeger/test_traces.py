"""A spoken call in Jaeger: one tree with its connection, turns, transcriptions and functions, and costs on them."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import pytest

from otel_costs.cli import demo_env, package_files
from otel_costs.local import Stack
from otel_costs.web.page_settings import PageSettings
from tests.jaeger.conftest import Jaeger
from tests.local.support import send

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]  # the first time, Jaeger is built

CALL: Final = package_files.path("examples", "examples") / "support_assistant" / "voice_call.py"


@pytest.fixture(scope="module")
def spans(jaeger: Jaeger, emptied_stack: Stack) -> list[dict[str, Any]]:
    """Hold the call of the demo, and return the spans of the trace that its connection is in, as Jaeger tells them."""
    with demo_env.answering(stand_in=True) as provider:
        ran = demo_env.run(
            CALL,
            {
                **provider.environment,
                "OTEL_SERVICE_NAME": "voice-call",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{jaeger.otlp_url}/v1/traces",
                "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{emptied_stack.otlp_http_url}/v1/logs",
                "OTEL_METRICS_EXPORTER": "none",
            },
        )
    assert ran.returncode == 0, ran.errors
    (found,) = (
        trace["spans"]
        for trace in jaeger.traces("voice-call")
        if any(span["operationName"] == "realtime gpt-realtime" for span in trace["spans"])
    )
    return sorted(found, key=lambda span: span["startTime"])


def tags(span: Mapping[str, Any]) -> dict[str, Any]:
    return {tag["key"]: tag["value"] for tag in span["tags"]}


def test_the_call_is_one_tree(spans: list[dict[str, Any]]) -> None:
    """The connection holds its turns, what was written down, and the function, each within it and in its order."""
    connection, *children = spans
    assert connection["operationName"] == "realtime gpt-realtime"
    assert {span["references"][0]["spanID"] for span in children} == {connection["spanID"]}
    assert sorted(span["operationName"] for span in children) == [
        "execute_tool track_parcel",
        *["realtime_inference gpt-realtime"] * 3,
        *["speech_to_text gpt-4o-mini-transcribe"] * 2,
    ]
    end = connection["startTime"] + connection["duration"]
    assert all(span["startTime"] + span["duration"] <= end for span in children)


def test_costs_are_on_the_spans(spans: list[dict[str, Any]]) -> None:
    """Each turn and each transcription has its price and its tokens by kind; what costs nothing itself has none."""
    priced = [span for span in spans if "otel_costs.cost.usd" in tags(span)]
    assert {span["operationName"].split()[0] for span in priced} == {"realtime_inference", "speech_to_text"}
    assert len(priced) == 5
    # The figures of the demo's session, without the message in the end.
    assert sum(Decimal(tags(span)["otel_costs.cost.usd"]) for span in priced) == Decimal("0.0182299")
    for span in priced:
        assert tags(span)["gen_ai.usage.cost.amount"] == float(tags(span)["otel_costs.cost.usd"])
    assert any(tags(span).get("gen_ai.usage.audio.cache_read.input_tokens") == 64 for span in priced)


def test_a_trace_says_whose_it_is_and_how_it_went(spans: list[dict[str, Any]]) -> None:
    """The session and the user to search for, and why a turn ended early."""
    assert {tags(span)["session.id"] for span in spans} == {"parcel-call-12"}
    assert {tags(span)["user.id"] for span in spans} == {"mary"}
    turns = [tags(span) for span in spans if span["operationName"].startswith("realtime_inference")]
    assert ["turn_detected" in turn["gen_ai.response.finish_reasons"] for turn in turns] == [False, True, False]
    assert not [tag for span in spans for tag in tags(span) if "messages" in tag or "arguments" in tag]


def test_the_link_of_a_page_leads_to_its_trace(
    spans: list[dict[str, Any]], jaeger: Jaeger, emptied_stack: Stack
) -> None:
    """Jaeger has the trace that the page of each call of the session links to, and in it the span of that call."""
    link = PageSettings.of(jaeger.query_url).trace_url
    assert link is not None
    assert link.startswith(jaeger.query_url)
    found = json.loads(send(f"{emptied_stack.http_url}/api/v1/calls?session=parcel-call-12").text)["calls"]
    assert len(found) > 3
    for call in found:
        shown = link.replace("{trace_id}", call["trace_id"])
        # The build has no pages; what they show of a trace they ask for below /api, by the same id.
        trace = json.loads(send(shown.replace("/trace/", "/api/traces/")).text)["data"][0]
        (span,) = [span for span in trace["spans"] if span["spanID"] == call["span_id"]]
        assert Decimal(tags(span)["otel_costs.cost.usd"]) == Decimal(call["cost_usd"])
