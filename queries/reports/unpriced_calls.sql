-- One row per provider, model, operation and reason of calls that have no price (unpriced) or whose price misses
-- something (partial).
-- Units: times in UTC; tokens as reported; money in US dollars, exact.
-- Source: billed_calls.
create or replace view unpriced_calls as
select
    c.provider as provider,
    c.model as model,
    c.operation as operation,
    c.cost_status as cost_status,
    c.cost_reason as cost_reason,
    count() as call_count, -- how many calls they are
    sum(c.input_tokens) as input_tokens,
    sum(c.output_tokens) as output_tokens,
    coalesce(sum(c.cost_usd), 0) as cost_usd, -- US dollars, exact: of the parts that do have a price
    argMax(c.call_id, c.end_time) as last_call_id, -- identity of the last of them, 32 hex digits
    min(c.end_time) as first_time, -- when the first of them ended
    max(c.end_time) as last_time -- when the last of them ended
from billed_calls as c
where c.cost_status in ('unpriced', 'partial')
group by provider, model, operation, cost_status, cost_reason
