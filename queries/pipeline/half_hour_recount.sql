-- One row per half hour that is due and what its calls are grouped by: their costs, counted now. A half hour without
-- calls has rows without groups, so that an earlier count does not stay.
-- Units: as in the measures.
-- Source: due_half_hours, named_calls.
create or replace view half_hour_recount as
with
    due as (
        select
            half_hour,
            day
        from due_half_hours
    ),
    groups as (
        select
            arrayStringConcat(
                arrayFilter(
                    (name, is_absent) -> is_absent = 0,
                    ['kind', 'model', 'operation', 'scenario', 'service', 'step'],
                    [
                        grouping(kind), grouping(model), toUInt8(grouping(operation) = 1 or grouping(model) = 0),
                        grouping(scenario), grouping(service), grouping(step)
                    ]),
                ',') as dimensions,
            half_hour,
            kind,
            scenario,
            step,
            service,
            provider,
            model,
            operation,
            $measures
        from named_calls as c
        where toDate(c.end_time) in (select day from due)
            and half_hour in (select half_hour from due)
        group by grouping sets (
            (half_hour), (half_hour, kind), (half_hour, provider, model, operation), (half_hour, operation),
            (half_hour, scenario), (half_hour, service), (half_hour, step), (half_hour, kind, provider, model),
            (half_hour, kind, operation), (half_hour, kind, scenario), (half_hour, kind, service),
            (half_hour, kind, step), (half_hour, provider, model, scenario), (half_hour, provider, model, service),
            (half_hour, provider, model, step), (half_hour, operation, scenario), (half_hour, operation, service),
            (half_hour, operation, step), (half_hour, scenario, service), (half_hour, scenario, step),
            (half_hour, service, step)
        )
    )
select
    due.dimensions as dimensions,
    due.half_hour as half_hour,
    groupArrayIf(g.kind, g.call_count > 0) as kind,
    groupArrayIf(g.scenario, g.call_count > 0) as scenario,
    groupArrayIf(g.step, g.call_count > 0) as step,
    groupArrayIf(g.service, g.call_count > 0) as service,
    groupArrayIf(g.provider, g.call_count > 0) as provider,
    groupArrayIf(g.model, g.call_count > 0) as model,
    groupArrayIf(g.operation, g.call_count > 0) as operation,
    $measures_as_arrays
from (
    select
        half_hour,
        arrayJoin([
            '', 'kind', 'model', 'operation', 'scenario', 'service', 'step', 'kind,model', 'kind,operation',
            'kind,scenario', 'kind,service', 'kind,step', 'model,scenario', 'model,service', 'model,step',
            'operation,scenario', 'operation,service', 'operation,step', 'scenario,service', 'scenario,step',
            'service,step'
        ]) as dimensions
    from due
) as due
left join groups as g on g.half_hour = due.half_hour and g.dimensions = due.dimensions
group by due.dimensions, due.half_hour
