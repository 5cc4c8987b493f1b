-- Fills calls, row by row.
-- Source: call_records.
create materialized view if not exists calls_mv to calls as
select *
from call_records
