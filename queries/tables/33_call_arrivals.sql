-- One row per half hour (UTC) in which calls ended, after merges: when the newest of their records arrived. It tells
-- what cost_half_hours and those like it have to count again, and is kept: a half hour that is not in it has no calls.
-- Units: times in UTC.
-- Source: calls, by call_arrivals_mv.
create table if not exists call_arrivals
(
    half_hour Int32 codec(Delta(4), ZSTD(1)), -- half hours since 1970 (UTC)
    shard LowCardinality(String) default /* shard */ '', -- of a cluster: the shard whose calls they are
    day Date codec(Delta(2), ZSTD(1)), -- the partition of calls that it is in
    row_count SimpleAggregateFunction(sum, UInt64) codec(T64, ZSTD(1)), -- rows that arrived, copies included
    inserted_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) codec(Delta(8), ZSTD(1)), -- when the newest arrived
    first_inserted_at SimpleAggregateFunction(min, DateTime64(3, 'UTC'))
        default toDateTime64('2299-01-01 00:00:00', 3, 'UTC')
        codec(Delta(8), ZSTD(1)) -- when the first arrived; not known is in the far future
)
engine = AggregatingMergeTree
order by (half_hour, shard, day)
