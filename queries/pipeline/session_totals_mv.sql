-- Fills session_totals every ten seconds with the sessions that have changed. counted_at is when that began.
-- Source: session_recount.
create materialized view if not exists session_totals_mv refresh every 10 second append to session_totals as
select
    *,
    now64(3, 'UTC') as counted_at
from session_recount
