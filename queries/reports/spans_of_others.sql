-- One row per call of a model that another instrumentation left as a span with its usage, and that is none of ours:
-- it is in no sum. Of a framework's span and the client's below it the lower one counts. A span is ours where the
-- span of our call is it, is below or above it, or began in it beside it; where both have the provider's id of the
-- response; where our span was not kept, anywhere in its trace; and, in a trace of its own, where a call of ours of
-- its service and model began in it.
-- Parameters: since and until, of the span's beginning (null: no bound); user (null: any).
-- Units: times in UTC, nanoseconds.
-- Source: usage_traces, calls.
create or replace view spans_of_others as
with
    (parents, id) -> arrayDistinct(arrayFold(
        (ids, step) -> arrayPushBack(ids, parents[ids[-1]]), range(least(64, length(mapKeys(parents)))), [id])) as path,
    (t, days) -> ({since:Nullable(DateTime64(3, 'UTC'))} is null
            or t >= {since:Nullable(DateTime64(3, 'UTC'))} - toIntervalDay(days))
        and ({until:Nullable(DateTime64(3, 'UTC'))} is null
            or t < {until:Nullable(DateTime64(3, 'UTC'))} + toIntervalDay(days)) as within,
    traces as (select * from usage_traces(
        since = {since:Nullable(DateTime64(3, 'UTC'))}, until = {until:Nullable(DateTime64(3, 'UTC'))})),
    ours as (
        select
            service,
            [toString(model), toString(request_model)] as models,
            start_time,
            response_id,
            lower(hex(trace_id)) as trace,
            lower(hex(span_id)) as span
        from calls
        where within(end_time, 1)
    ),
    recorded as (
        select
            trace,
            groupUniqArray(span) as spans
        from ours
        where trace global in (select trace_id from traces)
        group by trace
    ),
    judged as (
        select
            t.trace_id as trace_id,
            r.spans as own,
            arrayDistinct(arrayFlatten(arrayMap(id -> path(t.parents, id), own))) as above_ours,
            arrayDistinct(arrayFlatten(arrayMap(id -> path(t.parents, t.parents[id]), t.with_usage.1))) as above_others,
            arrayMap(span -> (span.2, span.3), arrayFilter(span -> has(own, span.1), t.spans)) as places,
            arrayJoin(arrayFilter(span -> hasAll(t.spans.1, own) and not has(above_others, span.1)
                and not has(above_ours, span.1) and not hasAny(path(t.parents, span.1), own)
                and not arrayExists(place -> place.1 = span.2 and place.2
                    between toUnixTimestamp64Nano(span.3) and toUnixTimestamp64Nano(span.4), places),
                t.with_usage)) as span
        from traces as t
        left join recorded as r on r.trace = t.trace_id
    )
select
    s.trace_id as trace_id,
    s.span.1 as span_id, -- the span, 16 hex digits
    s.span.3 as start_time, -- when it began
    s.span.5 as service, -- service.name of the program that sent it
    s.span.6 as instrumentation, -- name of the instrumentation that made it
    s.span.7 as name, -- name of the span
    s.span.8 as model -- the model; empty where the span does not say it
from (
    select
        *,
        toDateTime64(span.3, 3, 'UTC') as begun,
        span.5 as service,
        span.8 as model
    from judged
) as s
asof left join (
    select
        service,
        arrayJoin(arrayDistinct(models)) as model,
        start_time
    from ours
    where trace global not in (select trace_id from traces)
) as c on c.service = s.service and c.model = s.model and c.start_time >= s.begun
where within(s.span.3, 0)
    and ({user:Nullable(String)} is null or s.span.10 = {user:Nullable(String)})
    and (s.span.9 = '' or s.span.9 global not in (select response_id from ours where response_id != ''))
    and not (s.span.2 = '' and toUnixTimestamp64Milli(c.start_time) > 0 and c.start_time <= s.span.4)
