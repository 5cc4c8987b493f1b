-- One row per half hour (UTC), what its calls are grouped by, and time it was counted; the newest counts. A row has
-- all groups of its half hour, as arrays of the same length, so that a count takes the place of the one before as a
-- whole. Emptied, it fills itself again. LZ4: a report reads thousands of them, and is to be quick.
-- Units: money in US dollars, exact; tokens; audio in seconds.
-- Source: calls, by cost_half_hours_mv.
create table if not exists cost_half_hours
(
    dimensions LowCardinality(String), -- '', kind, model (with operation), ..., or two of them: 'kind,model'
    half_hour Int32 codec(Delta(4), ZSTD(1)), -- half hours since 1970 (UTC)
    kind Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the kind of the session
    scenario Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the scenario
    step Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the step
    service Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the program
    provider Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: who was paid
    model Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the model that answered
    operation Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the operation
    -- The measures of each group.
    call_count Array(UInt64) codec(LZ4),
    unpriced_calls Array(UInt64) codec(LZ4),
    error_count Array(UInt64) codec(LZ4),
    cost_usd Array(Decimal(38, 12)) codec(LZ4),
    list_usd Array(Decimal(38, 12)) codec(LZ4),
    text_input_usd Array(Decimal(38, 12)) codec(LZ4),
    text_output_usd Array(Decimal(38, 12)) codec(LZ4),
    audio_input_usd Array(Decimal(38, 12)) codec(LZ4),
    audio_output_usd Array(Decimal(38, 12)) codec(LZ4),
    speech_to_text_usd Array(Decimal(38, 12)) codec(LZ4),
    text_to_speech_usd Array(Decimal(38, 12)) codec(LZ4),
    other_usd Array(Decimal(38, 12)) codec(LZ4),
    text_input Array(Int64) codec(LZ4),
    text_output Array(Int64) codec(LZ4),
    audio_input Array(Int64) codec(LZ4),
    audio_output Array(Int64) codec(LZ4),
    cached_input Array(Int64) codec(LZ4),
    audio_seconds Array(Decimal(38, 9)) codec(LZ4),
    characters Array(Int64) codec(LZ4),
    shard LowCardinality(String) default /* shard */ '', -- of a cluster: the shard whose calls they are
    counted_at DateTime64(3, 'UTC') codec(Delta(8), ZSTD(1)) -- when the count began
)
engine = ReplacingMergeTree(counted_at)
order by (dimensions, half_hour)
ttl toDateTime(if(
        dateDiff('day', toDateTime64(half_hour * 1800., 3, 'UTC'), counted_at) between -1 and /* ledger_days */ 400,
        toDateTime64(half_hour * 1800., 3, 'UTC'),
        counted_at))
    + interval /* ledger_days */ 400 day
settings index_granularity = 64
