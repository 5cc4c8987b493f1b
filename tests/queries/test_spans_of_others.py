"""spans_of_others: what other instrumentations saw, and we did not; each call once, and none of ours."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from otel_costs.store import others

from .ledger import NOON, Store, call

TRACE = "a" * 32
TOKENS = {"gen_ai.usage.input_tokens": "100", "gen_ai.request.model": "claude-sonnet-4-5"}


def insert(store: Store, *spans: Mapping[str, Any]) -> None:
    """Store spans as the collector writes them."""
    lines = "\n".join(json.dumps(span) for span in spans)
    store.client.command(
        f"insert into otel_traces settings input_format_import_nested_json = 1 format JSONEachRow {lines}"
    )


def span(
    number: int,
    parent: int | None = None,
    attributes: Mapping[str, str] | None = None,
    *,
    scope: str = "acme",
    trace: str = TRACE,
    at: datetime = NOON,
    lasted_s: float = 1,
) -> dict[str, Any]:
    return {
        "Timestamp": at.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "TraceId": trace,
        "SpanId": f"{number:016x}",
        "ParentSpanId": "" if parent is None else f"{parent:016x}",
        "SpanName": f"span {number}",
        "ServiceName": "shop",
        "ScopeName": scope,
        "SpanAttributes": {} if attributes is None else dict(attributes),
        "Duration": int(lasted_s * 1e9),
    }


def ours(number: int, parent: int | None = None, **options: Any) -> dict[str, Any]:
    return span(number, parent, TOKENS, scope="otel_costs", **options)


def record(number: int, trace: str = TRACE, at: datetime = NOON, **attributes: Any) -> dict[str, Any]:
    return {**call(at, **attributes), "TraceId": trace, "SpanId": f"{number:016x}"}


def found(store: Store, **bounds: Any) -> list[int]:
    return sorted(int(row["span_id"], 16) for row in others.spans(store.client, **bounds))


@pytest.mark.some(2)
@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.usage.input_tokens": "1"},
        {"gen_ai.usage.completion_tokens": "1"},
        {"llm.usage.total_tokens": "1"},
        {"llm.token_count.prompt": "1"},
        {"ai.usage.promptTokens": "1", "ai.model.id": "gpt-4o"},
        {"langfuse.observation.usage_details": '{"input": 1}'},
    ],
    ids=lambda attributes: next(iter(attributes)),
)
def test_usage_of_each_instrumentation(attributes: dict[str, str], store: Store) -> None:
    """Whatever the usage is called, a span that carries it is a call; one that does not is none."""
    insert(store, span(1), span(2, 1, attributes))
    assert found(store) == [2]


def test_a_framework_and_its_client_are_one_call(store: Store) -> None:
    """Spans below each other, with others in between, are the call of the lowest; two beside each other are two."""
    insert(store, span(1, None, TOKENS), span(2, 1), span(3, 2, TOKENS), span(4, 3), span(5, 2, TOKENS))
    assert found(store) == [3, 5]


@pytest.mark.some(1)
@pytest.mark.parametrize(
    "spans",
    [
        [span(1, None, TOKENS), ours(9, 1)],
        [span(1, None, TOKENS), span(2, 1), ours(9, 2)],
        [ours(9), span(1, 9, TOKENS)],
        [span(5), span(1, 5, TOKENS, at=NOON - timedelta(seconds=1), lasted_s=3), ours(9, 5)],
        [span(1, None, TOKENS)],
        [span(1, None, {**TOKENS, "gen_ai.response.id": "chatcmpl-1"}, trace="b" * 32), ours(9)],
        [span(1, None, {**TOKENS, "gen_ai.request.model": "gpt-4o"}, trace="b" * 32), ours(9)],
    ],
    ids=["above", "far above", "below", "beside", "ours was not kept", "of the same response", "in a trace of its own"],
)
def test_a_call_of_ours(spans: list[dict[str, Any]], store: Store) -> None:
    """A span of others about a call that we recorded is no other call, wherever it stands; without our record it is."""
    insert(store, *spans)
    assert found(store) == [1]
    store.insert(record(9, at=NOON + timedelta(seconds=1), lasted=0.9, gen_ai__response__id="chatcmpl-1"))
    assert found(store) == []


def test_a_trace_of_its_own(store: Store) -> None:
    """A span alone in its trace is a call of its own unless one of ours began in it, of its service and its model."""
    mini = {**TOKENS, "gen_ai.request.model": "gpt-4o-mini"}
    later = NOON + timedelta(seconds=5)
    spans = [span(1, None, mini, trace="b" * 32), span(2, None, TOKENS, trace="c" * 32, at=later)]
    insert(store, *spans, ours(9))
    store.insert(record(9, at=NOON + timedelta(seconds=1), lasted=0.9))
    assert found(store) == [1, 2]


def test_beside_a_call_of_ours(store: Store) -> None:
    """In one trace a call that we recorded does not hide one that we did not."""
    later = NOON + timedelta(seconds=2)
    insert(store, span(5), span(1, 5, TOKENS), ours(9, 1), span(2, 5, TOKENS, at=later))
    store.insert(record(9))
    assert found(store) == [2]


def test_ours_alone(store: Store) -> None:
    """A span of ours is never one of others, with its record or without."""
    insert(store, ours(1), ours(2, trace="b" * 32))
    store.insert(record(1))
    assert found(store) == []


@pytest.mark.long
def test_bounds_and_user(store: Store) -> None:
    """The range that is asked for, its end left out; of a user, what says so."""
    hour = timedelta(hours=1)
    insert(store, span(1, None, TOKENS), span(2, None, {**TOKENS, "user.id": "u7"}, trace="b" * 32, at=NOON + hour))
    assert found(store) == [1, 2]
    assert found(store, since=NOON + hour) == [2]
    assert found(store, since=NOON, until=NOON + hour) == [1]
    assert found(store, user="u7") == [2]
    assert found(store, user="u8") == []


def test_what_a_row_says(store: Store) -> None:
    """Which instrumentation of which service, when, and the model."""
    insert(store, span(1, None, TOKENS))
    (row,) = others.spans(store.client)
    assert row == {
        "trace_id": TRACE,
        "span_id": f"{1:016x}",
        "start_time": NOON,
        "service": "shop",
        "instrumentation": "acme",
        "name": "span 1",
        "model": "claude-sonnet-4-5",
    }
