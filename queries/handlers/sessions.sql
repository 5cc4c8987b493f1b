-- GET /sessions?user_id=&limit=&offset=: the newest sessions as JSON, and how many there are. Served by ClickHouse, and by `otel-costs local`.
-- Units: as in sessions; cost_usd is an exact string with at least six decimals. `total` counts all that match, whatever the limit (50).
-- `user` means the same, but a ClickHouse server takes ?user= for its own login before it comes here. Source: sessions.
create handler if not exists sessions url '/sessions' methods (GET) as
with
    coalesce({user_id:Nullable(String)}, {user:Nullable(String)}) as wanted,
    newest as
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
        from $database.sessions as s
        where wanted is null or user_id = wanted
        order by start_time desc, session_id
        limit coalesce({limit:Nullable(UInt64)}, 50) offset coalesce({offset:Nullable(UInt64)}, 0)
    )
select
    arraySort(session -> (-toUnixTimestamp64Milli(session.start_time), session.session_id), groupArray(tuple(*)::Tuple(
        session_id String, user_id String, scenario String, tags Map(String, String), start_time DateTime64(3, 'UTC'),
        end_time DateTime64(3, 'UTC'), duration_seconds Float64, message_count UInt64, call_count UInt64, cost_usd String,
        unpriced_calls UInt64))) as sessions,
    (select count() from $database.sessions where wanted is null or user_id = wanted) as total
from newest
settings date_time_output_format = 'iso', output_format_json_quote_64bit_integers = 0,
    http_response_headers = {'Content-Type': 'application/json; charset=UTF-8'}
format JSONEachRow
