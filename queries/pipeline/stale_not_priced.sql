-- One row per half hour whose count in not_priced_half_hours is not there, or may lack what arrived since; as
-- stale_half_hours.
-- Units: none.
-- Source: call_arrivals, not_priced_half_hours (when it was counted).
create or replace view stale_not_priced as
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
    from not_priced_half_hours
) as s
group by half_hour, shard
having max(s.inserted_at) > max(s.counted_at) - interval 30 second
