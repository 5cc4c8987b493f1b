-- One row per user: the `up_to` (20) that cost most in [since, until), the most expensive first; then, if there are more, one row of all the others: its
-- user_id is null, and `others` says how many they are (0 in all rows before it). So they add up. Parameters: since, until (null: no bound), up_to.
-- Units: money in US dollars, exact, the sum of what is known; unpriced_calls counts what is not; tokens disjoint, audio in seconds.
-- session_count is null for the others: a session may be of several users. Source: owned_calls, read once.
create or replace view users_between as
with
    t -> ({since:Nullable(DateTime64(3, 'UTC'))} is null or t >= {since:Nullable(DateTime64(3, 'UTC'))})
        and ({until:Nullable(DateTime64(3, 'UTC'))} is null or t < {until:Nullable(DateTime64(3, 'UTC'))}) as within,
    users as
    (
        select
            c.user_id as user_id,
            uniqExactIf(c.session_id, c.session_id != '') as session_count,
            $measures
        from owned_calls as c
        where within(c.end_time)
        group by user_id
    ),
    ranked as
    (
        select *, row_number() over (order by cost_usd desc, user_id) > coalesce({up_to:Nullable(UInt64)}, 20) as cut
        from users
    )
select
    if(r.cut, null, r.user_id) as user_id,
    countIf(r.cut) as others,
    if(others > 0, null, sum(r.session_count)) as session_count,
    $measures_added
from ranked as r
group by user_id
order by user_id is null, cost_usd desc, user_id
