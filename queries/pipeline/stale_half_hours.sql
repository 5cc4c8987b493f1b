-- One row per half hour whose count by `dimensions` is not there, or may lack what arrived since. Inserts may have
-- been under way when it was counted, so that thirty seconds before that are taken for later.
-- Parameters: dimensions, as in cost_half_hours.
-- Units: none.
-- Source: call_arrivals, cost_half_hours (when it was counted). Not joined: that takes longer to plan and to do.
create or replace view stale_half_hours as
select
    half_hour,
    max(s.day) as day
from (
    select
        half_hour,
        shard,
        day,
        inserted_at,
        toDateTime64(0, 3, 'UTC') as counted_at
    from call_arrivals
    union all
    select
        half_hour,
        shard,
        toDate(0) as day,
        toDateTime64(0, 3, 'UTC') as inserted_at,
        counted_at
    from cost_half_hours
    where dimensions = {dimensions:String}
) as s
group by half_hour, shard
having max(s.inserted_at) > max(s.counted_at) - interval 30 second
