-- Fills call_sequences with the last number that a process gave which has ended. It must never throw. Such a record
-- comes from a later process; service is that of the process that has ended, and Timestamp when its last call ended.
-- Source: otel_logs, the process records.
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
where 'otel_costs.process' in (EventName, a['event.name'])
    and last_seq > 0
