-- One row per provider, model, operation and day (UTC).
-- Units: as in the measures.
-- Source: calls, the rows of billed_calls.
create or replace view model_costs as
select
    toDate32(c.end_time) as day, -- day (UTC) on which the calls ended
    c.provider as provider,
    c.model as model,
    c.operation as operation,
    uniqExactIf(c.session_id, c.session_id != '') as session_count, -- sessions that had such calls
    $measures
from calls as c final
where not c.superseded
group by day, provider, model, operation
