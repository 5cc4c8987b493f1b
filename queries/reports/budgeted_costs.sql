-- One row per budget's scope and name and per call that counts in it, or per half hour where the calls were counted and
-- no period begins within it: of the current periods, and of those before that something may be left of.
-- Units: money in US dollars, exact.
-- Source: owned_calls for users; for all, scenarios and services counted_half_hours, and named_calls
-- where that is stale or a period begins within a half hour; named_calls for models and tags.
create or replace view budgeted_costs as
with
    -- When the first period begins of the budgets that are read alike; null, which no time is behind: there are none.
    (select minOrNull(if(carries, period_before, period_start)) from budget_limits where scope = 'user') as since_user,
    (select minOrNull(if(carries, period_before, period_start)) from budget_limits where scope in ('model', 'tag'))
        as since_asked,
    (
        select toInt32(floor(toUnixTimestamp(minOrNull(if(carries, period_before, period_start))) / 1800))
        from budget_limits
        where scope in ('all', 'scenario', 'service')
    ) as first,
    -- Half hours that are read from the calls: that have changed since they were counted, and that a period cuts.
    (
        select groupUniqArray((half_hour, day))
        from (
            select
                half_hour,
                day
            from stale_half_hours(dimensions = 'scenario,service')
            where half_hour >= first
            union all
            select
                half_hour,
                day
            from call_arrivals
            where half_hour in (
                select toInt32(floor(toUnixTimestamp(edge) / 1800))
                from budget_limits
                array join [period_before, period_start, period_end] as edge
                where scope in ('all', 'scenario', 'service')
                    and toUnixTimestamp(edge) % 1800 != 0)
        )
    ) as live
select
    'user' as scope, -- as in budgets
    user_id as name, -- as in budgets
    end_time, -- when the call ended, or the half hour began
    coalesce(cost_usd, 0) as usd, -- US dollars, exact
    toUInt64(cost_usd is null) as unpriced -- calls that have no price
from owned_calls
where end_time >= since_user
    and user_id in (select name from budget_limits where scope = 'user')
union all
select
    which.1,
    which.2,
    toDateTime64(half_hour * 1800., 3, 'UTC'),
    cost_usd,
    unpriced_calls
from counted_half_hours
array join [('all', ''), ('scenario', toString(scenario)), ('service', toString(service))] as which
where dimensions = 'scenario,service'
    and half_hour >= first
    and half_hour not in (select arrayJoin(live).1)
    and which in (select (scope, name) from budget_limits)
union all
select
    which.1,
    which.2,
    end_time,
    coalesce(cost_usd, 0),
    toUInt64(cost_usd is null)
from named_calls
array join [('all', ''), ('scenario', toString(scenario)), ('service', toString(service))] as which
where toDate(end_time) in (select arrayJoin(live).2)
    and half_hour in (select arrayJoin(live).1)
    and which in (select (scope, name) from budget_limits)
union all
select
    which.1,
    which.2,
    end_time,
    coalesce(cost_usd, 0),
    toUInt64(cost_usd is null)
from named_calls
array join arrayConcat(
    arrayMap(
        asked -> ('model', asked),
        arrayDistinct([
            toString(model), toString(request_model),
            concat(provider, '/', model), concat(provider, '/', request_model)])),
    arrayMap((key, value) -> ('tag', concat(key, '=', value)), mapKeys(tags), mapValues(tags))) as which
where end_time >= since_asked
    and which in (select (scope, name) from budget_limits)
