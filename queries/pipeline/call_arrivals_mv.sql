-- Fills call_arrivals: one row per half hour in each inserted block of calls, of superseded calls too.
-- Source: calls.
create materialized view if not exists call_arrivals_mv to call_arrivals as
select
    toInt32(floor(toUnixTimestamp64Milli(c.end_time) / 1800000)) as half_hour,
    toDate(c.end_time) as day,
    count() as row_count,
    max(c.inserted_at) as inserted_at,
    min(c.inserted_at) as first_inserted_at
from calls as c
group by half_hour, day
