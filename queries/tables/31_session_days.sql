-- One row per session, user in it and day (UTC) of its calls and messages, after merges: where a session's calls are,
-- since when they are there, and which of its users was the first. Calls lie by day and user: without this, a
-- session's are looked for in every day. LZ4: every list of sessions looks for what is new.
-- Units: times in UTC.
-- Source: calls and messages, by session_days_calls_mv and session_days_messages_mv.
create table if not exists session_days
(
    session_id String, -- the session
    user_id String codec(ZSTD(1)), -- a user in it; empty where calls and messages name none
    day Date codec(ZSTD(1)), -- day (UTC) of calls or messages
    inserted_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) codec(LZ4), -- when the newest of them arrived
    first_time SimpleAggregateFunction(min, DateTime64(3, 'UTC')) default toDateTime64('2299-01-01 00:00:00', 3, 'UTC')
        codec(Delta(8), ZSTD(1)), -- when the first of them began; not known is in the far future
    index arrivals inserted_at type minmax granularity 1
)
engine = AggregatingMergeTree
order by (session_id, user_id, day)
ttl toDateTime(if(dateDiff('day', day, inserted_at) between -1 and /* ledger_days */ 400, day, inserted_at))
    + interval /* ledger_days */ 400 day
settings index_granularity = 512,
    min_compress_block_size = 8192,
    max_compress_block_size = 16384
