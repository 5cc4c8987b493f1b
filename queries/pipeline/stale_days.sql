-- One row per day (UTC) whose count by `dimensions` is not there, or may lack what arrived since; as stale_half_hours.
-- Parameters: dimensions, as in cost_days.
-- Units: none.
-- Source: call_arrivals, cost_days (when it was counted).
create or replace view stale_days as
select
    day,
    max(s.partition) as partition
from (
    select
        toDate32(toDateTime64(half_hour * 1800., 3, 'UTC')) as day,
        shard,
        a.day as partition,
        inserted_at,
        toDateTime64(0, 3, 'UTC') as counted_at
    from call_arrivals as a
    union all
    select
        day,
        shard,
        toDate(0) as partition,
        toDateTime64(0, 3, 'UTC') as inserted_at,
        counted_at
    from cost_days
    where dimensions = {dimensions:String}
) as s
group by day, shard
having max(s.inserted_at) > max(s.counted_at) - interval 30 second
