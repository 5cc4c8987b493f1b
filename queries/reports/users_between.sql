-- One row per user: those that cost most in [since, until), the most expensive first; then, if there are more, one
-- row of all the others, so that the rows add up.
-- Parameters: since and until (null: no bound); up_to, how many users have a row of their own (null: 20).
-- Units: as in the measures.
-- Source: owned_calls, read once.
create or replace view users_between as
with
    t -> ({since:Nullable(DateTime64(3, 'UTC'))} is null or t >= {since:Nullable(DateTime64(3, 'UTC'))})
        and ({until:Nullable(DateTime64(3, 'UTC'))} is null or t < {until:Nullable(DateTime64(3, 'UTC'))}) as within,
    users as (
        select
            c.user_id as user_id,
            uniqExactIf(c.session_id, c.session_id != '') as session_count,
            $measures
        from owned_calls as c
        where within(c.end_time)
        group by user_id
    ),
    ranked as (
        select
            *,
            row_number() over (order by cost_usd desc, user_id) > coalesce({up_to:Nullable(UInt64)}, 20) as cut
        from users
    )
select
    if(r.cut, null, r.user_id) as user_id, -- the user; empty: nobody's; null: all the others
    countIf(r.cut) as others, -- how many users the row adds up that have none of their own; 0 in all other rows
    if(others > 0, null, sum(r.session_count))
        as session_count, -- sessions in which the user had calls; null for the others, who may share some
    $measures_added
from ranked as r
group by user_id
order by user_id is null, cost_usd desc, user_id
