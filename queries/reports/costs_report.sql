-- One row per `part` of a report of [since, until) ('total', 'days', 'models', 'scenarios', 'users') and what that is by, counted in one go, so that all
-- parts add up to the same. Of the users the `up_to` that cost most; the row behind them has no user (null), and how many `others` it sums up.
-- Parameters: since, until, up_to. Columns that a part is not by are null.
-- Units: money in US dollars, exact, the sum of what is known; unpriced_calls counts what is not; tokens disjoint, audio in seconds.
-- Source: owned_calls.
create or replace view costs_report as
with
    parts as
    (
        select
            multiIf(grouping(day) = 0, 'days', grouping(provider) = 0, 'models', grouping(scenario) = 0, 'scenarios', grouping(user_id) = 0, 'users', 'total') as part,
            toDate32(c.end_time) as day,
            provider,
            model,
            operation,
            scenario,
            user_id,
            $measures
        from owned_calls as c
        where c.end_time >= {since:DateTime64(3, 'UTC')} and c.end_time < {until:DateTime64(3, 'UTC')}
        group by grouping sets ((day), (provider, model, operation), (scenario), (user_id), ())
    ),
    ranked as
    (
        select *, part = 'users' and row_number() over (partition by part order by cost_usd desc, user_id) > {up_to:UInt64} as cut
        from parts
    )
select
    part,
    if(part = 'days', r.day, null) as day,
    if(part = 'models', toString(r.provider), null) as provider,
    if(part = 'models', toString(r.model), null) as model,
    if(part = 'models', toString(r.operation), null) as operation,
    if(part = 'scenarios', toString(r.scenario), null) as scenario,
    if(part = 'users' and not r.cut, r.user_id, null) as user_id,
    countIf(r.cut) as others,
    $measures_added
from ranked as r
group by part, day, provider, model, operation, scenario, user_id
