-- One row per day (UTC) that is due and what its calls are grouped by: their costs, counted now. A day without calls
-- has rows without groups, so that an earlier count does not stay.
-- Units: as in the measures.
-- Source: due_days, named_calls.
create or replace view day_recount as
with
    due as (
        select
            day,
            partition
        from due_days
    ),
    groups as (
        select
            multiIf(
                grouping(user_id) = 0, if(user_id = '' and nobody_in != '', 'nobody', 'user'),
                grouping(model) = 0, 'model',
                grouping(scenario) = 0, 'scenario',
                grouping(kind) = 0, 'kind',
                '') as dimensions,
            toDate32(c.end_time) as day,
            user_id,
            if(c.user_id = '', c.session_id, '') as nobody_in,
            kind,
            scenario,
            provider,
            model,
            operation,
            uniqExactIf(c.session_id, c.session_id != '') as session_count,
            groupUniqArrayIf(sipHash64(c.session_id), c.session_id != '') as sessions,
            $measures
        from named_calls as c
        where toDate(c.end_time) in (select partition from due)
            and day in (select day from due)
        group by grouping sets (
            (day),
            (day, kind),
            (day, scenario),
            (day, provider, model, operation),
            (day, user_id, nobody_in)
        )
    )
select
    due.dimensions as dimensions,
    due.day as day,
    groupArrayIf(g.user_id, g.call_count > 0) as user_id,
    groupArrayIf(g.nobody_in, g.call_count > 0) as session_id,
    groupArrayIf(g.kind, g.call_count > 0) as kind,
    groupArrayIf(g.scenario, g.call_count > 0) as scenario,
    groupArrayIf(g.provider, g.call_count > 0) as provider,
    groupArrayIf(g.model, g.call_count > 0) as model,
    groupArrayIf(g.operation, g.call_count > 0) as operation,
    groupArrayIf(g.session_count, g.call_count > 0) as session_count,
    groupArrayIf(if(due.dimensions in ('user', 'nobody'), g.sessions, []), g.call_count > 0) as sessions,
    $measures_as_arrays
from (
    select
        day,
        arrayJoin(['', 'kind', 'scenario', 'model', 'user', 'nobody']) as dimensions
    from due
) as due
left join groups as g on g.day = due.day and g.dimensions = due.dimensions
group by due.dimensions, due.day
