-- Fills not_priced_half_hours every minute with the half hours that are due. counted_at is when that began.
-- Source: not_priced_recount.
create materialized view if not exists not_priced_half_hours_mv
refresh every 1 minute append to not_priced_half_hours as
select
    *,
    now64(3, 'UTC') as counted_at
from not_priced_recount
