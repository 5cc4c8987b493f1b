-- One row per half hour that cost_half_hours has to count again: the newest first, as many as have a million calls.
-- Where records still arrive, and where calls are forgotten soon, there is nothing to be counted: reports read the
-- calls themselves.
-- Units: none.
-- Source: call_arrivals, cost_half_hours (when it was counted).
create or replace view due_half_hours as
with
    counted as (
        select
            half_hour,
            min(s.counted_at) as counted_at,
            count() as sets
        from (
            select
                half_hour,
                dimensions,
                max(counted_at) as counted_at
            from cost_half_hours
            group by half_hour, dimensions
        ) as s
        group by half_hour
    ),
    arrived as (
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
    left join counted as c on c.half_hour = a.half_hour
    where (c.sets < 21 or a.inserted_at > c.counted_at - interval 30 second)
        and a.inserted_at < now64(3, 'UTC') - interval 30 second
        and a.day > today() - /* ledger_days */ 400 + 2
)
where before < 1000000
