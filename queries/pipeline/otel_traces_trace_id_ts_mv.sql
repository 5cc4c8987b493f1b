-- Fills otel_traces_trace_id_ts: one row per trace in each inserted block of otel_traces.
create materialized view if not exists otel_traces_trace_id_ts_mv $on_cluster to otel_traces_trace_id_ts$local as
select
    TraceId,
    min(Timestamp) as Start,
    max(Timestamp) as End
from otel_traces$local
where TraceId != ''
group by TraceId
