-- Fills calls from call_records, row by row.
create materialized view if not exists calls_mv to calls as
select *
from call_records
