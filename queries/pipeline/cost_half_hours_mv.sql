-- Fills cost_half_hours every minute with the half hours that are due. counted_at is when that began.
-- Source: half_hour_recount.
create materialized view if not exists cost_half_hours_mv refresh every 1 minute append to cost_half_hours as
select
    *,
    now64(3, 'UTC') as counted_at
from half_hour_recount
