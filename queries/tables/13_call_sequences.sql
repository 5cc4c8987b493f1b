-- One row per process and five minutes of arrival, after merges: the numbers of its calls that arrived then, to find those that never did.
-- last_seq is the last number that was given, as a later process found it in what this one left; 0 where that was not told.
-- Units: times in UTC. Source: call_records, by call_sequences_mv, and otel_logs, by process_ends_mv. A set of numbers and a highest one:
-- what is delivered twice changes nothing.
create table if not exists call_sequences
(
    process_id FixedString(16) codec(ZSTD(1)),
    service LowCardinality(String),
    arrived DateTime('UTC') codec(ZSTD(1)),
    seqs AggregateFunction(groupBitmap, UInt64) codec(ZSTD(1)),
    first_time SimpleAggregateFunction(min, DateTime64(3, 'UTC')) codec(ZSTD(1)),
    last_time SimpleAggregateFunction(max, DateTime64(3, 'UTC')) codec(ZSTD(1)),
    last_seq SimpleAggregateFunction(max, UInt64) codec(ZSTD(1))
)
engine = AggregatingMergeTree
partition by toDate(arrived)
order by (process_id, service, arrived)
ttl arrived + interval /* raw_days */ 30 day
settings index_granularity = 1024, ttl_only_drop_parts = 1
