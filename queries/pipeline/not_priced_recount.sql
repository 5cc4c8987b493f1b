-- One row per half hour that is due: its calls that are not simply priced, in groups, counted now. A half hour without
-- such calls has a row without groups, so that an earlier count does not stay.
-- Units: as in not_priced_half_hours.
-- Source: due_not_priced, named_calls.
create or replace view not_priced_recount as
with
    due as (
        select
            half_hour,
            day
        from due_not_priced
    ),
    groups as (
        select
            half_hour,
            kind,
            scenario,
            step,
            service,
            provider,
            model,
            operation,
            cost_status,
            cost_reason,
            count() as call_count,
            sum(c.input_tokens) as input_tokens,
            sum(c.output_tokens) as output_tokens,
            coalesce(sum(c.cost_usd), 0) as cost_usd,
            min(c.end_time) as first_time,
            max(c.end_time) as last_time,
            argMax(c.call_id, (c.end_time, c.call_id)) as last_call_id
        from named_calls as c
        where toDate(c.end_time) in (select day from due)
            and half_hour in (select half_hour from due)
            and cost_status != 'priced'
        group by half_hour, kind, scenario, step, service, provider, model, operation, cost_status, cost_reason
    )
-- In tuples, for null is left out of an array of values.
select
    due.half_hour as half_hour,
    groupArrayIf(g.kind, g.call_count > 0) as kind,
    groupArrayIf(g.scenario, g.call_count > 0) as scenario,
    groupArrayIf(g.step, g.call_count > 0) as step,
    groupArrayIf(g.service, g.call_count > 0) as service,
    groupArrayIf(g.provider, g.call_count > 0) as provider,
    groupArrayIf(g.model, g.call_count > 0) as model,
    groupArrayIf(g.operation, g.call_count > 0) as operation,
    groupArrayIf(g.cost_status, g.call_count > 0) as cost_status,
    groupArrayIf(g.cost_reason, g.call_count > 0) as cost_reason,
    groupArrayIf(g.call_count, g.call_count > 0) as call_count,
    arrayMap(tokens -> tokens.1, groupArrayIf(tuple(g.input_tokens), g.call_count > 0)) as input_tokens,
    arrayMap(tokens -> tokens.1, groupArrayIf(tuple(g.output_tokens), g.call_count > 0)) as output_tokens,
    groupArrayIf(g.cost_usd, g.call_count > 0) as cost_usd,
    groupArrayIf(g.first_time, g.call_count > 0) as first_time,
    groupArrayIf(g.last_time, g.call_count > 0) as last_time,
    groupArrayIf(g.last_call_id, g.call_count > 0) as last_call_id
from due
left join groups as g on g.half_hour = due.half_hour
group by due.half_hour
