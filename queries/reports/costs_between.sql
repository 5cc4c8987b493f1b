-- One row per day (UTC), per model (with its provider and operation) or per scenario, as `by` says. Columns that it
-- is not by are null.
-- Parameters: by is 'day', 'model' or 'scenario'; calls count that ended in [since, until), to the millisecond.
-- Units: as in the measures.
-- Source: calls, the rows of billed_calls.
create or replace view costs_between as
select
    if({by:String} = 'day', toDate32(c.end_time), null) as day, -- day (UTC) on which the calls ended
    if({by:String} = 'model', toString(c.provider), null) as provider,
    if({by:String} = 'model', toString(c.model), null) as model,
    if({by:String} = 'model', toString(c.operation), null) as operation,
    if({by:String} = 'scenario', toString(c.scenario), null) as scenario,
    $measures
from calls as c final
where not c.superseded
    and c.end_time >= {since:DateTime64(3, 'UTC')}
    and c.end_time < {until:DateTime64(3, 'UTC')}
group by day, provider, model, operation, scenario
