-- One row per half hour (UTC) and time it was counted; the newest counts. A row has its calls that are not simply
-- priced in groups, by all that cost_half_hours is by and by why, as arrays of the same length, as in cost_half_hours.
-- Emptied, it fills itself again.
-- Units: money in US dollars, exact; tokens as reported; times in UTC.
-- Source: calls, by not_priced_half_hours_mv.
create table if not exists not_priced_half_hours
(
    half_hour Int32 codec(Delta(4), ZSTD(1)), -- half hours since 1970 (UTC)
    kind Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the kind of the session
    scenario Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the scenario
    step Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the step
    service Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the program
    provider Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: who was paid
    model Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the model that answered
    operation Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: the operation
    cost_status Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: unpriced, partial or estimated
    cost_reason Array(LowCardinality(String)) codec(ZSTD(1)), -- of each group: why its calls are not priced
    -- The measures of each group.
    call_count Array(UInt64) codec(ZSTD(1)),
    input_tokens Array(Nullable(Int64)) codec(ZSTD(1)),
    output_tokens Array(Nullable(Int64)) codec(ZSTD(1)),
    cost_usd Array(Decimal(38, 12)) codec(ZSTD(1)),
    first_time Array(DateTime64(3, 'UTC')) codec(ZSTD(1)), -- when the first of its calls ended
    last_time Array(DateTime64(3, 'UTC')) codec(ZSTD(1)), -- when the last of its calls ended
    last_call_id Array(FixedString(16)) codec(ZSTD(1)), -- identity of the last of its calls, 16 bytes
    shard LowCardinality(String) default /* shard */ '', -- of a cluster: the shard whose calls they are
    counted_at DateTime64(3, 'UTC') codec(Delta(8), ZSTD(1)) -- when the count began
)
engine = ReplacingMergeTree(counted_at)
order by half_hour
ttl toDateTime(if(
        dateDiff('day', toDateTime64(half_hour * 1800., 3, 'UTC'), counted_at) between -1 and /* ledger_days */ 400,
        toDateTime64(half_hour * 1800., 3, 'UTC'),
        counted_at))
    + interval /* ledger_days */ 400 day
settings index_granularity = 64
