-- Fills cost_days every minute with the days that are due. counted_at is when that began.
-- Source: day_recount.
create materialized view if not exists cost_days_mv refresh every 1 minute append to cost_days as
select
    *,
    now64(3, 'UTC') as counted_at
from day_recount
