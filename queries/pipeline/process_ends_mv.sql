-- Fills call_sequences from the records of processes that are gone: up to which number their calls went. It must never throw.
-- Such a record comes from a later process; service is that of the process that is gone, and Timestamp when its last call ended.
create materialized view if not exists process_ends_mv to call_sequences as
with LogAttributes as a
select
    toFixedString(substring(unhex(a['otel_costs.process.id']), 1, 16), 16) as process_id,
    coalesce(nullIf(a['service.name'], ''), ServiceName) as service,
    toStartOfFiveMinutes(now('UTC')) as arrived,
    Timestamp as first_time,
    Timestamp as last_time,
    toUInt64OrZero(a['otel_costs.process.last_seq']) as last_seq
from otel_logs
where 'otel_costs.process' in (EventName, a['event.name']) and last_seq > 0
