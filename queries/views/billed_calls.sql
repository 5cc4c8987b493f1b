-- One row per billed call: the newest revision of it, whatever was delivered twice. Every report about money begins here.
-- Units: times in UTC; durations and audio in seconds; money in US dollars. null: unknown; cost_usd null: unpriced.
-- Source: calls.
create or replace view billed_calls $on_cluster as
select
    lower(hex(call_id)) as call_id,
    lower(hex(process_id)) as process_id,
    lower(hex(trace_id)) as trace_id,
    lower(hex(span_id)) as span_id,
    * except (call_id, process_id, trace_id, span_id)
from calls final
