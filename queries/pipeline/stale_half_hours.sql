-- One row per half hour whose count by `dimensions` is not there, or may lack what arrived since. Inserts may have
-- been under way when it was counted, so that thirty seconds before that are taken for later.
-- Parameters: dimensions, as in cost_half_hours.
-- Units: none.
-- Source: call_arrivals, cost_half_hours (when it was counted).
create or replace view stale_half_hours as
select
    a.half_hour as half_hour,
    a.day as day
from (
    select
        half_hour,
        day,
        shard,
        max(found.inserted_at) as inserted_at
    from call_arrivals as found
    group by half_hour, day, shard
) as a
left join (
    select
        half_hour,
        shard,
        max(found.counted_at) as counted_at
    from cost_half_hours as found
    where dimensions = {dimensions:String}
    group by half_hour, shard
) as c on c.half_hour = a.half_hour and c.shard = a.shard
where a.inserted_at > c.counted_at - interval 30 second
group by half_hour, day
