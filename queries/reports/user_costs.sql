-- One row per user and day (UTC).
-- Units: as in the measures.
-- Source: owned_calls.
create or replace view user_costs as
select
    toDate32(c.end_time) as day, -- day (UTC) on which the calls ended
    c.user_id as user_id,
    uniqExactIf(c.session_id, c.session_id != '') as session_count, -- sessions in which the user had calls
    $measures
from owned_calls as c
group by day, user_id
