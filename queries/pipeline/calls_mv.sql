-- Fills calls from call_records, row by row.
create materialized view if not exists calls_mv $on_cluster to calls$local as
select *
from call_records$local
