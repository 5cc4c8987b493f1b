-- One row per part of a report and what that part is by: all are counted in one go, so that they add up to the same.
-- Columns that a part is not by are null.
-- Parameters: calls count that ended in [since, until); up_to is how many users have a row of their own, those that
-- cost most: the others have one together.
-- Units: as in the measures.
-- Source: owned_calls.
create or replace view costs_report as
with
    parts as (
        select
            multiIf(
                grouping(day) = 0, 'days',
                grouping(provider) = 0, 'models',
                grouping(scenario) = 0, 'scenarios',
                grouping(user_id) = 0, 'users',
                'total') as part,
            toDate32(c.end_time) as day,
            provider,
            model,
            operation,
            scenario,
            user_id,
            $measures
        from owned_calls as c
        where c.end_time >= {since:DateTime64(3, 'UTC')}
            and c.end_time < {until:DateTime64(3, 'UTC')}
        group by grouping sets ((day), (provider, model, operation), (scenario), (user_id), ())
    ),
    ranked as (
        select
            *,
            part = 'users'
                and row_number() over (partition by part order by cost_usd desc, user_id) > {up_to:UInt64} as cut
        from parts
    )
select
    part, -- total, days, models, scenarios or users
    if(part = 'days', r.day, null) as day, -- day (UTC) on which the calls ended
    if(part = 'models', toString(r.provider), null) as provider,
    if(part = 'models', toString(r.model), null) as model,
    if(part = 'models', toString(r.operation), null) as operation,
    if(part = 'scenarios', toString(r.scenario), null) as scenario,
    if(part = 'users' and not r.cut, r.user_id, null) as user_id, -- the user; empty: nobody's; null: the other users
    countIf(r.cut) as others, -- how many users the row adds up that have none of their own; 0 in all other rows
    $measures_added
from ranked as r
group by part, day, provider, model, operation, scenario, user_id
