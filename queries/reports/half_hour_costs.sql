-- One row per half hour (UTC) and group of calls that ended in [since, until): what the reports of a zone add up. A
-- group may have several rows. Dimensions that the rows are not by are empty where they were counted before, and
-- named where they were counted now: leave them out.
-- Parameters: dimensions, as in cost_half_hours: none or one of kind, model, operation, scenario, service, step, or two
-- of them in that order, 'kind,model'; by model there is the operation too; since and until (null: no bound), to the
-- millisecond.
-- Units: as in the measures.
-- Source: counted_half_hours, and named_calls where that is stale or a half hour is cut.
create or replace view half_hour_costs as
with
    coalesce(toUnixTimestamp64Milli({since:Nullable(DateTime64(3, 'UTC'))}), -1000000000000000) as since_ms,
    coalesce(toUnixTimestamp64Milli({until:Nullable(DateTime64(3, 'UTC'))}), 1000000000000000) as until_ms,
    since_ms / 1800000 as first,
    until_ms / 1800000 as last,
    (
        select groupUniqArray((half_hour, day))
        from stale_half_hours(dimensions = {dimensions:String})
        where half_hour >= floor(first)
            and half_hour < last
    ) as stale,
    (
        select arrayConcat(stale, groupUniqArray((half_hour, day)))
        from call_arrivals
        where half_hour in (floor(first), floor(last))
            and not (half_hour >= first and half_hour + 1 <= last)
    ) as live
select
    half_hour, -- half hours since 1970 (UTC)
    kind,
    scenario,
    step,
    service,
    provider,
    model,
    operation,
    $measure_names
from counted_half_hours
where dimensions = {dimensions:String}
    and half_hour >= first
    and half_hour + 1 <= last
    and half_hour not in (select arrayJoin(live).1)
union all
select
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
where toDate(c.end_time) in (select arrayJoin(live).2)
    and half_hour in (select arrayJoin(live).1)
    and toUnixTimestamp64Milli(c.end_time) >= since_ms
    and toUnixTimestamp64Milli(c.end_time) < until_ms
group by
    half_hour,
    kind,
    scenario,
    step,
    service,
    provider,
    model,
    operation
