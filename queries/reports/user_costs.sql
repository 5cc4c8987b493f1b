-- One row per user and day (UTC). Calls that are nobody's (owned_calls) have an empty user_id.
-- Units: money in US dollars, exact, the sum of what is known; unpriced_calls counts what is not; tokens disjoint, audio in seconds.
-- Source: owned_calls.
create or replace view user_costs as
select
    toDate32(c.end_time) as day,
    c.user_id as user_id,
    uniqExactIf(c.session_id, c.session_id != '') as session_count,
    $measures
from owned_calls as c
group by day, user_id
