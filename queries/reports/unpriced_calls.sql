-- One row per provider, model, operation and reason of calls that have no price (unpriced) or whose price misses something (partial).
-- Units: times in UTC; tokens as reported; cost_usd in US dollars, of the parts that do have a price.
-- Source: billed_calls.
create or replace view unpriced_calls as
select
    c.provider as provider,
    c.model as model,
    c.operation as operation,
    c.cost_status as cost_status,
    c.cost_reason as cost_reason,
    count() as call_count,
    sum(c.input_tokens) as input_tokens,
    sum(c.output_tokens) as output_tokens,
    coalesce(sum(c.cost_usd), 0) as cost_usd,
    argMax(c.call_id, c.end_time) as last_call_id,
    min(c.end_time) as first_time,
    max(c.end_time) as last_time
from billed_calls as c
where c.cost_status in ('unpriced', 'partial')
group by provider, model, operation, cost_status, cost_reason
