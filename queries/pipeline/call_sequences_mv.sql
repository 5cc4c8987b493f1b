-- Fills call_sequences: one row per process in each inserted block. A re-price is no new record.
-- Source: call_records.
create materialized view if not exists call_sequences_mv to call_sequences as
select
    process_id,
    service,
    toStartOfFiveMinutes(r.inserted_at) as arrived,
    groupBitmapState(r.call_seq) as seqs,
    min(r.end_time) as first_time,
    max(r.end_time) as last_time
from call_records as r
where r.call_seq > 0
    and not r.repriced
group by process_id, service, arrived
