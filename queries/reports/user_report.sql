-- One row per day (UTC), scenario, provider, model and operation of one user.
-- Parameters: user; calls count that ended in [since, until).
-- Units: as in the measures.
-- Source: owned_calls.
create or replace view user_report as
select
    toDate32(c.end_time) as day, -- day (UTC) on which the calls ended
    c.scenario as scenario,
    c.provider as provider,
    c.model as model,
    c.operation as operation,
    $measures
from owned_calls as c
where c.user_id = {user:String}
    and c.end_time >= {since:DateTime64(3, 'UTC')}
    and c.end_time < {until:DateTime64(3, 'UTC')}
group by day, scenario, provider, model, operation
