-- One row per session: the newest that began in [since, until). It says what `select * from sessions order by
-- start_time desc limit` says, and reads less for it.
-- Parameters: user and scenario (null: any); tags, a JSON object of those that a session must have (null: any); since
-- and until (null: no bound); after_time and after_id, the start and id of the last session of the page before (null:
-- from the newest); up_to, how many.
-- Units: as in sessions.
-- Source: session_totals and session_recount, each cut to its newest before they meet.
create or replace view newest_sessions as
with
    (select groupArray(session_id) from changed_sessions) as changed,
    JSONExtract(coalesce({tags:Nullable(String)}, '{}'), 'Map(String, String)') as wanted,
    (t, id) -> ({since:Nullable(DateTime64(3, 'UTC'))} is null or t >= {since:Nullable(DateTime64(3, 'UTC'))})
        and ({until:Nullable(DateTime64(3, 'UTC'))} is null or t < {until:Nullable(DateTime64(3, 'UTC'))})
        and ({after_time:Nullable(DateTime64(3, 'UTC'))} is null or t < {after_time:Nullable(DateTime64(3, 'UTC'))}
            or t = {after_time:Nullable(DateTime64(3, 'UTC'))} and id > coalesce({after_id:Nullable(String)}, ''))
        as within
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
    error_count
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
        error_count
    from session_totals final
    where (empty(changed) or session_id not in (select arrayJoin(changed)))
        and call_count + message_count > 0
        and ({user:Nullable(String)} is null or user_id = {user:Nullable(String)})
        and ({scenario:Nullable(String)} is null or scenario = {scenario:Nullable(String)})
        and within(start_time, session_id)
        and ({tags:Nullable(String)} is null
            or arrayAll((name, value) -> tags[name] = value,
                mapKeys(wanted), mapValues(wanted)))
    order by start_time desc, session_id
    limit {up_to:UInt64}
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
        error_count
    from session_recount
    where call_count + message_count > 0
        and ({user:Nullable(String)} is null or user_id = {user:Nullable(String)})
        and ({scenario:Nullable(String)} is null or scenario = {scenario:Nullable(String)})
        and within(start_time, session_id)
        and ({tags:Nullable(String)} is null
            or arrayAll((name, value) -> tags[name] = value,
                mapKeys(wanted), mapValues(wanted)))
    order by start_time desc, session_id
    limit {up_to:UInt64}
) as s
order by start_time desc, session_id
limit {up_to:UInt64}
