-- One row per provider, model, operation and reason of calls that have no price (unpriced) or whose price misses
-- something (partial).
-- Units: times in UTC; tokens as reported; money in US dollars, exact.
-- Source: counted_not_priced, and named_calls in half hours of which it lacks something.
create or replace view unpriced_calls as
with (select groupUniqArray((half_hour, day)) from stale_not_priced) as live
select
    provider,
    model,
    operation,
    cost_status,
    cost_reason,
    sum(g.call_count) as call_count, -- how many calls they are
    sum(g.input_tokens) as input_tokens,
    sum(g.output_tokens) as output_tokens,
    sum(g.cost_usd) as cost_usd, -- US dollars, exact: of the parts that do have a price
    lower(hex(argMax(g.last_call_id, (g.last_time, g.last_call_id))))
        as last_call_id, -- identity of the last of them, 32 hex digits
    min(g.first_time) as first_time, -- when the first of them ended
    max(g.last_time) as last_time -- when the last of them ended
from (
    select
        provider,
        model,
        operation,
        cost_status,
        cost_reason,
        call_count,
        input_tokens,
        output_tokens,
        cost_usd,
        last_call_id,
        first_time,
        last_time
    from counted_not_priced
    where half_hour not in (select arrayJoin(live).1)
    union all
    select
        provider,
        model,
        operation,
        cost_status,
        cost_reason,
        1 as call_count,
        input_tokens,
        output_tokens,
        coalesce(cost_usd, 0) as cost_usd,
        call_id as last_call_id,
        end_time as first_time,
        end_time as last_time
    from named_calls
    where toDate(end_time) in (select arrayJoin(live).2)
        and half_hour in (select arrayJoin(live).1)
        and cost_status != 'priced'
) as g
where cost_status in ('unpriced', 'partial')
group by provider, model, operation, cost_status, cost_reason
