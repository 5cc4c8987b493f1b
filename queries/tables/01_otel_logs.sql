-- One row per log record, as OpenTelemetry sends it.
-- Units: times in nanoseconds.
-- Source: the collector's clickhouse exporter, or `otel-costs local`. Columns and types are the exporter's
-- (v0.161.0); its attribute indexes are left out, because reports read the typed tables, and inserts are three times
-- as fast without them. A time that no clock can have meant (1970, 2299) does not decide how long a row is kept: its
-- arrival does. So it is in all tables.
create table if not exists otel_logs
(
    Timestamp DateTime64(9) codec(Delta(8), ZSTD(1)),
    TraceId String codec(ZSTD(1)),
    SpanId String codec(ZSTD(1)),
    TraceFlags UInt8,
    SeverityText LowCardinality(String) codec(ZSTD(1)),
    SeverityNumber UInt8,
    ServiceName LowCardinality(String) codec(ZSTD(1)),
    Body String codec(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String) codec(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String) codec(ZSTD(1)),
    ScopeName String codec(ZSTD(1)),
    ScopeVersion LowCardinality(String) codec(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    LogAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    EventName String codec(ZSTD(1)),
    inserted_at DateTime('UTC') materialized now() codec(Delta(4), ZSTD(1))
)
engine = MergeTree
partition by toDate(Timestamp)
order by (toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)
ttl toDateTime(if(dateDiff('day', Timestamp, inserted_at) between -1 and /* raw_days */ 30, Timestamp, inserted_at))
    + interval /* raw_days */ 30 day
settings index_granularity = 8192,
    ttl_only_drop_parts = 1
