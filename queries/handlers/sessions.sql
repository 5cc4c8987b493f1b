-- GET /sessions?user=&limit=: the newest sessions as JSON, and how many there are. Served by ClickHouse itself, and by `otel-costs local`.
-- A ClickHouse server takes ?user= for its own login: there it is ?param_user=. Units: as in sessions; cost_usd is an exact string with at least six
-- decimals. `total` counts all that match, whatever the limit (50). Source: newest_sessions, sessions.
create handler if not exists sessions $on_cluster url '/sessions' methods (GET) as
with newest as
    (
        select
            session_id,
            user_id,
            scenario,
            tags,
            start_time,
            end_time,
            duration_seconds,
            message_count,
            call_count,
            if(s.cost_usd = 0, '0', replaceRegexpOne(toDecimalString(s.cost_usd, 12), '0{1,6}$$', '')) as cost_usd,
            unpriced_calls
        from $database.newest_sessions(user = {user:Nullable(String)}, up_to = coalesce({limit:Nullable(UInt64)}, 50)) as s
    )
select
    arraySort(session -> (-toUnixTimestamp64Milli(session.start_time), session.session_id), groupArray(tuple(*)::Tuple(
        session_id String, user_id String, scenario String, tags Map(String, String), start_time DateTime64(3, 'UTC'),
        end_time DateTime64(3, 'UTC'), duration_seconds Float64, message_count UInt64, call_count UInt64, cost_usd String,
        unpriced_calls UInt64))) as sessions,
    (
        select count()
        from $database.sessions
        where {user:Nullable(String)} is null or user_id = {user:Nullable(String)}
    ) as total
from newest
settings date_time_output_format = 'iso', output_format_json_quote_64bit_integers = 0,
    http_response_headers = {'Content-Type': 'application/json; charset=UTF-8'}
format JSONEachRow
