-- One row per session and time it was counted; the newest counts. The view sessions reads it, and counts itself what has changed since.
-- Units: times in UTC; cost_usd in US dollars, exact.
-- Source: calls and messages, every ten seconds, by session_totals_mv. Emptied, it fills itself again. LZ4: lists read all of it.
create table if not exists session_totals
(
    session_id String,
    user_id String,
    scenario LowCardinality(String),
    tags Map(LowCardinality(String), LowCardinality(String)),
    message_count UInt64 codec(T64, LZ4),
    call_count UInt64 codec(T64, LZ4),
    unpriced_calls UInt64 codec(T64, LZ4),
    cost_usd Decimal(38, 12),
    start_time DateTime64(3, 'UTC'),
    end_time DateTime64(3, 'UTC'),
    counted_at DateTime64(3, 'UTC')
)
engine = ReplacingMergeTree(counted_at)
order by session_id
ttl toDateTime(if(dateDiff('day', end_time, counted_at) between -1 and /* ledger_days */ 400, end_time, counted_at)) + interval /* ledger_days */ 400 day
settings index_granularity = 512, min_compress_block_size = 8192, max_compress_block_size = 16384
