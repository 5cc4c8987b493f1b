-- One row per day (UTC), per model (with its provider and operation) or per scenario, as `by` says. Columns that it
-- is not by are null.
-- Parameters: by is 'day', 'model' or 'scenario'; calls count that ended in [since, until), to the millisecond.
-- Units: as in the measures.
-- Source: half_hour_costs.
create or replace view costs_between as
select
    if({by:String} = 'day', toDate32(toDateTime64(r.half_hour * 1800., 3, 'UTC')), null)
        as day, -- day (UTC) on which the calls ended
    if({by:String} = 'model', toString(r.provider), null) as provider,
    if({by:String} = 'model', toString(r.model), null) as model,
    if({by:String} = 'model', toString(r.operation), null) as operation,
    if({by:String} = 'scenario', toString(r.scenario), null) as scenario,
    $measures_added
from half_hour_costs(
    dimensions = if({by:String} = 'day', '', {by:String}),
    since = {since:Nullable(DateTime64(3, 'UTC'))},
    until = {until:Nullable(DateTime64(3, 'UTC'))}) as r
group by day, provider, model, operation, scenario
