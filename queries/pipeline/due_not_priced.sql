-- One row per half hour that not_priced_half_hours has to count again, as due_half_hours tells those of
-- cost_half_hours.
-- Units: none.
-- Source: call_arrivals, not_priced_half_hours (when it was counted).
create or replace view due_not_priced as
with arrived as (
    select
        half_hour,
        day,
        sum(a.row_count) as row_count,
        max(a.inserted_at) as inserted_at
    from call_arrivals as a
    group by half_hour, day
)
select
    half_hour,
    day
from (
    select
        a.half_hour as half_hour,
        a.day as day,
        sum(a.row_count) over (order by a.half_hour desc rows between unbounded preceding and 1 preceding) as before
    from arrived as a
    left join (
        select
            half_hour,
            max(counted_at) as counted_at
        from not_priced_half_hours
        group by half_hour
    ) as c on c.half_hour = a.half_hour
    where a.inserted_at > c.counted_at - interval 30 second
        and a.inserted_at < now64(3, 'UTC') - interval 30 second
        and a.day > today() - /* ledger_days */ 400 + 2
)
where before < 1000000
