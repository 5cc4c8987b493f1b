-- Fills derived_calls: one row per copy of a job's call.
-- Source: call_records.
create materialized view if not exists derived_calls_mv to derived_calls as
select
    end_time,
    call_id,
    user_id,
    session_id,
    version,
    inserted_at
from call_records
where derived
    and not superseded
