-- One row per session as it was counted last. Whether that lacks something, changed_sessions tells; sessions is right
-- in any case.
-- Units: as in sessions.
-- Source: session_totals.
create or replace view counted_sessions as
select
    session_id,
    user_id,
    kind,
    scenario,
    tags,
    start_time,
    end_time,
    (toUnixTimestamp64Milli(end_time) - toUnixTimestamp64Milli(start_time)) / 1000 as duration_seconds,
    message_count,
    call_count,
    if(t.call_count > 0 and t.unpriced_calls = t.call_count, null, t.cost_usd) as cost_usd,
    unpriced_calls,
    error_count,
    services,
    providers,
    models,
    operations,
    steps
from session_totals as t final
where t.call_count + t.message_count > 0
