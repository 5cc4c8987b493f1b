-- One row per session: the newest `up_to` that began in [since, until). Parameters: user and scenario (null: any), since, until
-- (null: no bound), up_to. Units: as in sessions. It says what `select * from sessions order by start_time desc limit` says, and reads less for it.
-- Source: session_totals and session_recount, each cut to its newest before they meet.
create or replace view newest_sessions $on_cluster as
with
    (select groupArray(session_id) from changed_sessions) as changed,
    t -> ({since:Nullable(DateTime64(3, 'UTC'))} is null or t >= {since:Nullable(DateTime64(3, 'UTC'))})
        and ({until:Nullable(DateTime64(3, 'UTC'))} is null or t < {until:Nullable(DateTime64(3, 'UTC'))}) as within
select
    session_id,
    user_id,
    scenario,
    tags,
    start_time,
    end_time,
    (toUnixTimestamp64Milli(end_time) - toUnixTimestamp64Milli(start_time)) / 1000 as duration_seconds,
    message_count,
    call_count,
    cost_usd,
    unpriced_calls
from
(
    select session_id, user_id, scenario, tags, start_time, end_time, message_count, call_count, cost_usd, unpriced_calls
    from session_totals final
    where session_id not in (select arrayJoin(changed)) and call_count + message_count > 0
        and ({user:Nullable(String)} is null or user_id = {user:Nullable(String)})
        and ({scenario:Nullable(String)} is null or scenario = {scenario:Nullable(String)}) and within(start_time)
    order by start_time desc, session_id
    limit {up_to:UInt64}
    union all
    select session_id, user_id, scenario, tags, start_time, end_time, message_count, call_count, cost_usd, unpriced_calls
    from session_recount
    where call_count + message_count > 0
        and ({user:Nullable(String)} is null or user_id = {user:Nullable(String)})
        and ({scenario:Nullable(String)} is null or scenario = {scenario:Nullable(String)}) and within(start_time)
    order by start_time desc, session_id
    limit {up_to:UInt64}
)
order by start_time desc, session_id
limit {up_to:UInt64}
