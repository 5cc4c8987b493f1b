-- One row per budget: what was spent of it in its current period (calendar, UTC).
-- Units: money in US dollars, exact.
-- Source: budgets; owned_calls for users, calls (the rows of billed_calls) for all else.
create or replace view budget_status as
with
    wanted as (
        select
            scope,
            name,
            period,
            limit_usd
        from budgets final
        where not deleted
    ),
    toStartOfDay(now('UTC')) as today,
    toDateTime(toStartOfWeek(now('UTC'), 1), 'UTC') as this_week,
    toDateTime(toStartOfMonth(now('UTC')), 'UTC') as this_month,
    spent as (
        select
            'user' as scope,
            user_id as name,
            end_time,
            cost_usd
        from owned_calls
        where end_time >= least(this_week, this_month)
            and user_id in (select name from wanted where scope = 'user')
        union all
        select
            'scenario',
            scenario,
            end_time,
            cost_usd
        from calls final
        where end_time >= least(this_week, this_month)
            and scenario in (select name from wanted where scope = 'scenario')
            and not superseded
        union all
        select
            'all',
            '',
            end_time,
            cost_usd
        from calls final
        where end_time >= least(this_week, this_month)
            and (select count() from wanted where scope = 'all') > 0
            and not superseded
    ),
    sums as (
        select
            scope,
            name,
            period,
            coalesce(sumIf(s.cost_usd, s.end_time >= since), 0) as usd,
            countIf(s.end_time >= since and s.cost_usd is null) as unpriced
        from spent as s
        array join ['day', 'week', 'month'] as period, [today, this_week, this_month] as since
        group by scope, name, period
    )
select
    toString(b.scope) as scope,
    b.name as name,
    toString(b.period) as period, -- day, week or month: calendar, UTC; a week begins on Monday
    multiIf(b.period = 'day', today, b.period = 'week', this_week, this_month) as period_start, -- when the period began
    b.limit_usd as limit_usd,
    s.usd as spent_usd, -- US dollars, exact: what was spent in the period so far
    b.limit_usd - s.usd as remaining_usd, -- US dollars that are left; below 0 where the budget is over
    if(b.limit_usd = 0, if(s.usd > 0, inf, 0), toFloat64(s.usd) / toFloat64(b.limit_usd))
        as used, -- spent_usd as a fraction of limit_usd; 1: all of it
    multiIf(s.usd > b.limit_usd, 'over', s.usd > 0 and s.usd >= b.limit_usd * toDecimal128('0.8', 1), 'warning', 'ok')
        as state, -- ok, warning (80 % and more) or over (more than all of it)
    s.unpriced as unpriced_calls -- calls of the period that have no price: they are not in spent_usd
from wanted as b
left join sums as s on toString(b.scope) = s.scope and b.name = s.name and toString(b.period) = s.period
