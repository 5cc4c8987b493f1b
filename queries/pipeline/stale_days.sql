-- One row per day (UTC) whose count by `dimensions` is not there, or may lack what arrived since; as stale_half_hours.
-- Parameters: dimensions, as in cost_days.
-- Units: none.
-- Source: call_arrivals, cost_days (when it was counted).
create or replace view stale_days as
select
    a.day as day,
    a.partition as partition
from (
    select
        toDate32(toDateTime64(half_hour * 1800., 3, 'UTC')) as day,
        any(found.day) as partition,
        shard,
        max(found.inserted_at) as inserted_at
    from call_arrivals as found
    group by day, shard
) as a
left join (
    select
        day,
        shard,
        max(found.counted_at) as counted_at
    from cost_days as found
    where dimensions = {dimensions:String}
    group by day, shard
) as c on c.day = a.day and c.shard = a.shard
where a.inserted_at > c.counted_at - interval 30 second
group by day, partition
