-- One row per session, step, operation, model and cost line: what a session's money went to. Without a session: session_id is empty.
-- Units: cost_usd in US dollars, exact, the sum of what is known; unpriced_calls counts what is not. In a session in which nothing has a price it is null.
-- `kind` as in call_lines. Source: call_lines.
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
    count() as call_count,
    countIf(l.cost_usd is null) as unpriced_calls,
    if(sum(count(l.cost_usd)) over (partition by session_id) = 0, null, coalesce(sum(l.cost_usd), 0)) as cost_usd,
    min(end_time) as first_time
from call_lines as l
group by session_id, user_id, scenario, step, operation, provider, model, unit, kind
