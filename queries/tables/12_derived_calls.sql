-- One row per job of a provider and owner (user and session) that has looked at it, after merges: it tells whose a
-- job is.
-- Units: times in UTC.
-- Source: call_records, by derived_calls_mv: calls whose id is derived from the provider's, so that several may have
-- it.
create table if not exists derived_calls
(
    end_time DateTime64(3, 'UTC') codec(Delta(8), ZSTD(1)), -- when the job ended
    call_id FixedString(16) codec(ZSTD(1)), -- identity of the job's call, 16 bytes
    user_id String codec(ZSTD(1)), -- the user that a record of it names
    session_id String codec(ZSTD(1)), -- the session in which it was looked at
    version SimpleAggregateFunction(max, UInt64) codec(ZSTD(1)), -- of the owner's best copy, as in calls
    inserted_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) codec(Delta(8), ZSTD(1)), -- of the newest copy
    index arrivals inserted_at type minmax granularity 1
)
engine = AggregatingMergeTree
partition by toDate(end_time)
order by (end_time, call_id, user_id, session_id)
ttl toDateTime(if(dateDiff('day', end_time, inserted_at) between -1 and /* ledger_days */ 400, end_time, inserted_at))
    + interval /* ledger_days */ 400 day
settings index_granularity = 1024,
    ttl_only_drop_parts = 1
