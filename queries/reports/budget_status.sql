-- One row per budget: what was spent of it in its current period, a calendar one in its own time zone.
-- Units: money in US dollars, exact.
-- Source: budget_limits, budgeted_costs.
create or replace view budget_status as
with
    sums as (
        select
            w.scope as of_scope,
            w.name as of_name,
            w.period as of_period,
            sumIf(s.usd, end_time >= period_start and end_time < period_end) as usd,
            sumIf(s.usd, end_time >= period_before and end_time < period_start) as usd_before,
            sumIf(s.unpriced, end_time >= period_start and end_time < period_end) as unpriced
        from budgeted_costs as s
        inner join budget_limits as w on s.scope = w.scope and s.name = w.name
        group by of_scope, of_name, of_period
    )
select
    b.scope as scope,
    b.name as name,
    b.period as period, -- day, week or month: calendar, in the zone; a week begins on Monday
    b.period_start as period_start, -- when the period began
    b.period_end as period_end, -- when the next one begins
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
from budget_limits as b
left join sums as s on b.scope = s.of_scope and b.name = s.of_name and b.period = s.of_period
