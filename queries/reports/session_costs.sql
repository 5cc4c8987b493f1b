-- One row per session, step, operation, model and cost line: what a session's money went to. Calls outside of any
-- session have an empty session_id.
-- Units: times in UTC; money in US dollars, exact.
-- Source: call_lines.
create or replace view session_costs as
select
    session_id,
    user_id,
    scenario,
    step,
    operation,
    provider,
    model,
    unit,
    kind,
    count() as call_count, -- calls that have such a line
    countIf(l.cost_usd is null) as unpriced_calls, -- calls among them that have no price
    if(sum(count(l.cost_usd)) over (partition by session_id) = 0, null, coalesce(sum(l.cost_usd), 0))
        as cost_usd, -- US dollars, exact: the sum of what has a price; null: nothing in the session has one
    min(end_time) as first_time -- when the first of the calls ended
from call_lines as l
group by session_id, user_id, scenario, step, operation, provider, model, unit, kind
