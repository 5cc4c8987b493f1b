-- One row per span, as OpenTelemetry sends it.
-- Units: times and durations in nanoseconds.
-- Source: the collector's clickhouse exporter, or `otel-costs local`. Columns and types are the exporter's
-- (v0.161.0), without its attribute indexes. Nothing about money reads this table: spans may be sampled away.
create table if not exists otel_traces
(
    Timestamp DateTime64(9) codec(Delta(8), ZSTD(1)),
    TraceId String codec(ZSTD(1)),
    SpanId String codec(ZSTD(1)),
    ParentSpanId String codec(ZSTD(1)),
    TraceState String codec(ZSTD(1)),
    SpanName LowCardinality(String) codec(ZSTD(1)),
    SpanKind LowCardinality(String) codec(ZSTD(1)),
    ServiceName LowCardinality(String) codec(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    ScopeName String codec(ZSTD(1)),
    ScopeVersion String codec(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    Duration UInt64 codec(ZSTD(1)),
    StatusCode LowCardinality(String) codec(ZSTD(1)),
    StatusMessage String codec(ZSTD(1)),
    Events Nested
    (
        Timestamp DateTime64(9),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ) codec(ZSTD(1)),
    Links Nested
    (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ) codec(ZSTD(1)),
    inserted_at DateTime('UTC') materialized now() codec(Delta(4), ZSTD(1))
)
engine = MergeTree
partition by toDate(Timestamp)
order by (ServiceName, SpanName, toDateTime(Timestamp))
ttl toDateTime(if(dateDiff('day', Timestamp, inserted_at) between -1 and /* raw_days */ 30, Timestamp, inserted_at))
    + interval /* raw_days */ 30 day
settings index_granularity = 8192,
    ttl_only_drop_parts = 1
