-- One row per budget and its current period, a calendar one in its own time zone. What was spent of it, budget_status
-- tells, which takes longer.
-- Units: limits in US dollars.
-- Source: budgets.
create or replace view budget_limits as
with
    -- The moment at which a day begins in a zone: a zone that is no constant, only formatDateTime takes.
    (at, tz) -> dateDiff('second', at, toDateTime(formatDateTime(at, '%F %T', tz), 'UTC')) as ahead,
    (day, tz) -> toDateTime(day, 'UTC')
        - ahead(toDateTime(day, 'UTC') - ahead(toDateTime(day, 'UTC'), tz), tz) as begins
select
    toString(b.scope) as scope, -- what is limited: a user, a scenario, all, ...
    name, -- the user, scenario, ...; empty for all
    toString(b.period) as period, -- day, week or month: calendar, in the zone; a week begins on Monday
    begins(b.starts_on, zone) as period_start, -- when the period began
    begins(if(period = 'month', addMonths(b.starts_on, 1), b.starts_on + b.days), zone)
        as period_end, -- when the next one begins
    begins(if(period = 'month', addMonths(b.starts_on, -1), b.starts_on - b.days), zone)
        as period_before, -- when the one before began
    zone, -- time zone that its days begin in
    limit_usd, -- US dollars that may be spent in a period
    soft, -- whether calls past it are warned of and sent
    rollover, -- whether what was left of the period before is added
    rollover and since < period_start as carries, -- whether there was one that something may be left of
    since, -- when it was set for the first time
    changed_at -- when it was set as it is now
from (
    select
        *,
        toDate(formatDateTime(now('UTC'), '%F', zone)) as today,
        multiIf(period = 'day', today, period = 'week', toStartOfWeek(today, 1), toStartOfMonth(today))
            as starts_on,
        if(period = 'day', 1, 7) as days
    from budgets final
    where not deleted
) as b
