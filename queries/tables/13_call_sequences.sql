-- One row per process and five minutes of arrival, after merges: the numbers of its calls that arrived then, to find
-- those that never did. A set of numbers and a highest one: what is delivered twice changes nothing.
-- Units: times in UTC.
-- Source: call_records, by call_sequences_mv, and otel_logs, by process_ends_mv.
create table if not exists call_sequences
(
    process_id FixedString(16) codec(ZSTD(1)), -- identity of the process, 16 bytes
    service LowCardinality(String), -- service.name of the program
    arrived DateTime('UTC') codec(ZSTD(1)), -- the five minutes
    seqs AggregateFunction(groupBitmap, UInt64) codec(ZSTD(1)), -- the numbers of the calls that arrived
    first_time SimpleAggregateFunction(min, DateTime64(3, 'UTC')) codec(ZSTD(1)), -- when the first of them ended
    last_time SimpleAggregateFunction(max, DateTime64(3, 'UTC')) codec(ZSTD(1)), -- when the last of them ended
    last_seq SimpleAggregateFunction(max, UInt64)
        codec(ZSTD(1)) -- the last number that was given, as a later process found it in what this one left; 0: not told
)
engine = AggregatingMergeTree
partition by toDate(arrived)
order by (process_id, service, arrived)
ttl arrived + interval /* raw_days */ 30 day
settings index_granularity = 1024,
    ttl_only_drop_parts = 1
