-- One row per trace in which another instrumentation left spans with usage: what spans_of_others is made of.
-- Parameters: since and until, of such a span (null: no bound).
-- Units: times and durations in nanoseconds. Empty text: the span does not say it.
-- Source: otel_traces: first the keys of the attributes alone, then the traces found.
create or replace view usage_traces as
with
    [
        'gen_ai.usage.input_tokens', 'gen_ai.usage.output_tokens', 'gen_ai.usage.prompt_tokens',
        'gen_ai.usage.completion_tokens', 'llm.usage.total_tokens', 'llm.token_count.prompt',
        'llm.token_count.completion', 'llm.token_count.total', 'ai.usage.promptTokens', 'ai.usage.completionTokens',
        'ai.usage.inputTokens', 'ai.usage.outputTokens', 'ai.usage.tokens', 'langfuse.observation.usage_details'
    ] as names,
    [
        'gen_ai.response.model', 'gen_ai.request.model', 'llm.model_name', 'ai.model.id',
        'langfuse.observation.model.name'
    ] as models,
    (t, days) -> (
            {since:Nullable(DateTime64(3, 'UTC'))} is null
            or t >= {since:Nullable(DateTime64(3, 'UTC'))} - toIntervalDay(days))
        and (
            {until:Nullable(DateTime64(3, 'UTC'))} is null
            or t < {until:Nullable(DateTime64(3, 'UTC'))} + toIntervalDay(days)) as within,
    carrying as (
        select TraceId
        from otel_traces
        where ScopeName != 'otel_costs'
            and hasAny(mapKeys(SpanAttributes), names)
            and within(Timestamp, 0)
    )
select
    t.TraceId as trace_id, -- the trace, 32 hex digits
    groupUniqArray((t.SpanId, t.ParentSpanId, toUnixTimestamp64Nano(t.Timestamp), t.Duration))
        as spans, -- all spans of the trace: id, parent, beginning, duration
    mapFromArrays(spans.1, spans.2) as parents, -- the parent of each span
    groupUniqArrayIf(
        (
            t.SpanId,
            t.ParentSpanId,
            t.Timestamp,
            t.Timestamp + toIntervalNanosecond(t.Duration),
            toString(t.ServiceName),
            t.ScopeName,
            toString(t.SpanName),
            coalesce(arrayFirstOrNull(m -> m != '', arrayMap(key -> t.SpanAttributes[key], models)), ''),
            t.SpanAttributes['gen_ai.response.id'],
            t.SpanAttributes['user.id']
        ),
        t.ScopeName != 'otel_costs' and hasAny(mapKeys(t.SpanAttributes), names)
    ) as with_usage -- spans of others with usage: as above, service, instrumentation, name, model, response id, user
from otel_traces as t
where within(t.Timestamp, 1)
    and t.TraceId global in (select TraceId from carrying)
group by trace_id
