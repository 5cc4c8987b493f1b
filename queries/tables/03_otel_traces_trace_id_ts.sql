-- One row per trace and inserted block: when the trace began and ended, to find a trace without reading every day.
-- Units: times in seconds.
-- Source: otel_traces, by otel_traces_trace_id_ts_mv. Grafana and the exporter know it by this name.
create table if not exists otel_traces_trace_id_ts
(
    TraceId String codec(ZSTD(1)),
    Start DateTime codec(Delta, ZSTD(1)),
    End DateTime codec(Delta, ZSTD(1)),
    inserted_at DateTime('UTC') materialized now() codec(Delta(4), ZSTD(1))
)
engine = MergeTree
partition by toDate(Start)
order by (TraceId, Start)
ttl toDateTime(if(dateDiff('day', Start, inserted_at) between -1 and /* raw_days */ 30, Start, inserted_at))
    + interval /* raw_days */ 30 day
settings index_granularity = 8192,
    ttl_only_drop_parts = 1
