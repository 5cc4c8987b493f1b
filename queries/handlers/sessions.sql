-- GET /sessions: the newest sessions as JSON, and how many there are, as ClickHouse serves them itself. (`otel-costs
-- local` has its own, with more.)
-- Parameters: none is needed: param_user, param_scenario, param_tags (a JSON object), param_since and param_until
-- (sessions that began then), param_limit (50), and to go on behind a list, param_after_time and param_after_id, the
-- start and id of its last. A server takes ?user= for its own login.
-- Units: as in sessions; cost_usd is an exact string with at least six decimals, null where no call has a price.
-- `total` counts all that match, whatever the limit.
-- Source: newest_sessions, sessions.
create handler if not exists sessions url '/sessions' methods (GET) as
with
    newest as (
        select
            session_id,
            user_id,
            kind,
            scenario,
            tags,
            start_time,
            end_time,
            duration_seconds,
            message_count,
            call_count,
            if(s.cost_usd = 0, '0', replaceRegexpOne(toDecimalString(s.cost_usd, 12), '0{1,6}$', '')) as cost_usd,
            unpriced_calls,
            error_count
        from newest_sessions(
            user = {user:Nullable(String)},
            scenario = {scenario:Nullable(String)},
            tags = {tags:Nullable(String)},
            since = {since:Nullable(DateTime64(3, 'UTC'))},
            until = {until:Nullable(DateTime64(3, 'UTC'))},
            after_time = {after_time:Nullable(DateTime64(3, 'UTC'))},
            after_id = {after_id:Nullable(String)},
            up_to = coalesce({limit:Nullable(UInt64)}, 50)) as s
    )
select
    arraySort(
        session -> (-toUnixTimestamp64Milli(session.start_time), session.session_id),
        groupArray(tuple(*)::Tuple(
            session_id String,
            user_id String,
            kind String,
            scenario String,
            tags Map(String, String),
            start_time DateTime64(3, 'UTC'),
            end_time DateTime64(3, 'UTC'),
            duration_seconds Float64,
            message_count UInt64,
            call_count UInt64,
            cost_usd Nullable(String),
            unpriced_calls UInt64,
            error_count UInt64))) as sessions,
    (
        select count()
        from newest_sessions(
            user = {user:Nullable(String)},
            scenario = {scenario:Nullable(String)},
            tags = {tags:Nullable(String)},
            since = {since:Nullable(DateTime64(3, 'UTC'))},
            until = {until:Nullable(DateTime64(3, 'UTC'))},
            up_to = 1000000000)
    ) as total
from newest
settings date_time_output_format = 'iso',
    output_format_json_quote_64bit_integers = 0,
    http_response_headers = {'Content-Type': 'application/json; charset=UTF-8'}
format JSONEachRow
