-- One row per day (UTC) that cost_days has to count again, as due_half_hours tells half hours.
-- Units: none.
-- Source: call_arrivals, cost_days (when it was counted).
create or replace view due_days as
with
    counted as (
        select
            day,
            min(s.counted_at) as counted_at,
            count() as sets
        from (
            select
                day,
                dimensions,
                max(counted_at) as counted_at
            from cost_days
            group by day, dimensions
        ) as s
        group by day
    ),
    arrived as (
        select
            toDate32(toDateTime64(half_hour * 1800., 3, 'UTC')) as day,
            any(a.day) as partition,
            sum(a.row_count) as row_count,
            max(a.inserted_at) as inserted_at
        from call_arrivals as a
        group by day
    )
select
    day,
    partition
from (
    select
        a.day as day,
        a.partition as partition,
        sum(a.row_count) over (order by a.day desc rows between unbounded preceding and 1 preceding) as before
    from arrived as a
    left join counted as c on c.day = a.day
    where (c.sets < 6 or a.inserted_at > c.counted_at - interval 30 second)
        and a.inserted_at < now64(3, 'UTC') - interval 30 second
        and a.partition > today() - /* ledger_days */ 400 + 2
)
where before < 1000000
