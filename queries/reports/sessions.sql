-- One row per session: who, when, how much. It begins with its first call or message and ends with its last, over
-- midnight and days.
-- Units: times in UTC; durations in seconds; money in US dollars, exact.
-- Source: session_totals, and session_recount for what has changed since: always right, in ten seconds after a record
-- came or in ten milliseconds.
create or replace view sessions as
with (select groupArray(session_id) from changed_sessions) as changed
select
    session_id,
    user_id,
    kind,
    scenario,
    tags,
    start_time,
    end_time,
    (toUnixTimestamp64Milli(end_time) - toUnixTimestamp64Milli(start_time)) / 1000
        as duration_seconds, -- seconds from start_time to end_time
    message_count,
    call_count,
    if(s.call_count > 0 and s.unpriced_calls = s.call_count, null, s.cost_usd)
        as cost_usd, -- US dollars, exact: the sum of the calls that have a price; null: no call has one
    unpriced_calls,
    error_count,
    services,
    providers,
    models,
    operations,
    steps
from (
    select
        session_id,
        user_id,
        kind,
        scenario,
        tags,
        start_time,
        end_time,
        message_count,
        call_count,
        cost_usd,
        unpriced_calls,
        error_count,
        services,
        providers,
        models,
        operations,
        steps
    from session_totals final
    where (empty(changed) or session_id not in (select arrayJoin(changed)))
    union all
    select
        session_id,
        user_id,
        kind,
        scenario,
        tags,
        start_time,
        end_time,
        message_count,
        call_count,
        cost_usd,
        unpriced_calls,
        error_count,
        services,
        providers,
        models,
        operations,
        steps
    from session_recount
) as s
where call_count + message_count > 0
