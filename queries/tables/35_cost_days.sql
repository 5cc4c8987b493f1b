-- One row per day (UTC), what its calls are grouped by, and time it was counted; the newest counts. A row has all
-- groups of its day, as arrays of the same length, as in cost_half_hours. Emptied, it fills itself again.
-- Units: money in US dollars, exact; tokens; audio in seconds.
-- Source: calls, by cost_days_mv.
create table if not exists cost_days
(
    dimensions LowCardinality(String), -- '', kind, model (with operation), scenario, user, or nobody (session)
    day Date32 codec(ZSTD(1)), -- day (UTC) on which the calls ended
    user_id Array(String) codec(ZSTD(1)), -- of each group: the user that the calls name
    session_id Array(String) codec(ZSTD(1)), -- of each group that names no user, by nobody: the session
    kind Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the kind of the session
    scenario Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the scenario
    provider Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: who was paid
    model Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the model that answered
    operation Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the operation
    session_count Array(UInt64), -- of each group: sessions that had calls
    sessions Array(Array(UInt64)) codec(ZSTD(1)), -- of each user: hashes of the sessions
    -- The measures of each group.
    call_count Array(UInt64),
    unpriced_calls Array(UInt64),
    error_count Array(UInt64),
    cost_usd Array(Decimal(38, 12)),
    list_usd Array(Decimal(38, 12)),
    text_input_usd Array(Decimal(38, 12)),
    text_output_usd Array(Decimal(38, 12)),
    audio_input_usd Array(Decimal(38, 12)),
    audio_output_usd Array(Decimal(38, 12)),
    speech_to_text_usd Array(Decimal(38, 12)),
    text_to_speech_usd Array(Decimal(38, 12)),
    other_usd Array(Decimal(38, 12)),
    text_input Array(Int64),
    text_output Array(Int64),
    audio_input Array(Int64),
    audio_output Array(Int64),
    cached_input Array(Int64),
    audio_seconds Array(Decimal(38, 9)),
    characters Array(Int64),
    shard LowCardinality(String) default /* shard */ '', -- of a cluster: the shard whose calls they are
    counted_at DateTime64(3, 'UTC') codec(Delta(8), ZSTD(1)) -- when the count began
)
engine = ReplacingMergeTree(counted_at)
order by (dimensions, day)
ttl toDateTime(if(
        dateDiff('day', day, counted_at) between -1 and /* ledger_days */ 400, toDateTime64(day, 3, 'UTC'), counted_at))
    + interval /* ledger_days */ 400 day
settings index_granularity = 16
