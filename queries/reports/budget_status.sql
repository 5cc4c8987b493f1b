-- One row per budget: what was spent of it in its current period, a calendar one in its own time zone.
-- Units: money in US dollars, exact.
-- Source: budgets; owned_calls for users, calls (the rows of billed_calls) for all else.
create or replace view budget_status as
with
    -- The moment at which a day begins in a zone: a zone that is no constant, only formatDateTime takes.
    (at, tz) -> dateDiff('second', at, toDateTime(formatDateTime(at, '%F %T', tz), 'UTC')) as ahead,
    (day, tz) -> toDateTime(day, 'UTC')
        - ahead(toDateTime(day, 'UTC') - ahead(toDateTime(day, 'UTC'), tz), tz) as begins,
    dated as (
        select
            *,
            toDate(formatDateTime(now('UTC'), '%F', zone)) as today,
            multiIf(period = 'day', today, period = 'week', toStartOfWeek(today, 1), toStartOfMonth(today))
                as starts_on,
            if(period = 'day', 1, 7) as days
        from budgets final
        where not deleted
    ),
    wanted as (
        select
            toString(scope) as of_scope,
            name as of_name,
            toString(period) as of_period,
            limit_usd,
            soft,
            rollover,
            zone,
            since,
            begins(starts_on, zone) as start,
            begins(if(period = 'month', addMonths(starts_on, 1), starts_on + days), zone) as stop,
            begins(if(period = 'month', addMonths(starts_on, -1), starts_on - days), zone) as before,
            rollover and since < start as carries
        from dated
    ),
    spent as (
        select
            'user' as scope,
            user_id as name,
            end_time,
            cost_usd
        from owned_calls
        where end_time >= (select min(if(carries, before, start)) from wanted where of_scope = 'user')
            and user_id in (select of_name from wanted where of_scope = 'user')
        union all
        select
            which.1,
            which.2,
            end_time,
            cost_usd
        from calls final
        array join arrayConcat(
            [('all', ''), ('scenario', toString(scenario)), ('service', toString(service))],
            arrayMap(
                asked -> ('model', asked),
                arrayDistinct([
                    toString(model), toString(request_model),
                    concat(provider, '/', model), concat(provider, '/', request_model)])),
            arrayMap((key, value) -> ('tag', concat(key, '=', value)), mapKeys(tags), mapValues(tags))) as which
        where end_time >= (select min(if(carries, before, start)) from wanted where of_scope != 'user')
            and which in (select (of_scope, of_name) from wanted where of_scope != 'user')
            and not superseded
    ),
    sums as (
        select
            of_scope,
            of_name,
            of_period,
            coalesce(sumIf(cost_usd, end_time >= start), 0) as usd,
            coalesce(sumIf(cost_usd, end_time >= before and end_time < start), 0) as usd_before,
            countIf(end_time >= start and cost_usd is null) as unpriced
        from spent as s
        inner join wanted as w on s.scope = w.of_scope and s.name = w.of_name
        group by of_scope, of_name, of_period
    )
select
    b.of_scope as scope,
    b.of_name as name,
    b.of_period as period, -- day, week or month: calendar, in the zone; a week begins on Monday
    b.start as period_start, -- when the period began
    b.stop as period_end, -- when the next one begins
    b.zone as zone, -- time zone that its days begin in
    b.limit_usd as limit_usd,
    if(b.carries, greatest(b.limit_usd - s.usd_before, toDecimal128('0', 12)), toDecimal128('0', 12))
        as carried_usd, -- US dollars that were left of the period before, of a budget with rollover
    s.usd as spent_usd, -- US dollars, exact: what was spent in the period so far
    limit_usd + carried_usd - spent_usd as remaining_usd, -- US dollars that are left; below 0 where the budget is over
    if(spent_usd = 0, 0, toFloat64(spent_usd) / toFloat64(limit_usd + carried_usd))
        as used, -- spent_usd as a fraction of limit_usd and carried_usd; 1: all of it
    multiIf(
        remaining_usd < 0, 'over',
        spent_usd > 0 and spent_usd >= (limit_usd + carried_usd) * toDecimal128('0.8', 1), 'warning',
        'ok') as state, -- ok, warning (80 % and more) or over (more than all of it)
    s.unpriced as unpriced_calls, -- calls of the period that have no price: they are not in spent_usd
    b.soft as soft, -- whether calls past it are warned of and sent
    b.rollover as rollover, -- whether what was left of the period before is added
    b.since as since -- when it was set for the first time
from wanted as b
left join sums as s on b.of_scope = s.of_scope and b.of_name = s.of_name and b.of_period = s.of_period
