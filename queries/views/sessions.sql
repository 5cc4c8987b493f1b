-- One row per session: who, when, how much. It begins with its first call or message and ends with its last, over midnight and days.
-- Units: times in UTC; duration in seconds; cost_usd in US dollars, exact, the sum of what is known; unpriced_calls counts what is not.
-- Source: billed_calls, session_messages.
create or replace view sessions $on_cluster as
select
    session_id,
    argMinIf(e.user_id, e.start_time, e.user_id != '') as user_id,
    argMinIf(e.scenario, e.start_time, e.scenario != '') as scenario,
    maxMap(e.tags) as tags,
    min(e.start_time) as start_time,
    max(e.end_time) as end_time,
    dateDiff('millisecond', start_time, end_time) / 1000 as duration_seconds,
    sum(messages) as message_count,
    sum(calls) as call_count,
    sum(cost) as cost_usd,
    sum(unpriced) as unpriced_calls
from
(
    select session_id, user_id, scenario, tags, start_time, end_time, 0 as messages, 1 as calls,
        coalesce(cost_usd, 0) as cost, cost_usd is null as unpriced
    from billed_calls
    where session_id != ''
    union all
    select session_id, user_id, scenario, cast(map(), 'Map(LowCardinality(String), String)') as tags, timestamp, timestamp, 1, 0, 0, 0
    from session_messages
    where session_id != ''
) as e
group by session_id
