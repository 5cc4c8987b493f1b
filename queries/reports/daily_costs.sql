-- One row per day (UTC).
-- Units: as in the measures.
-- Source: calls, the rows of billed_calls.
create or replace view daily_costs as
select
    toDate32(c.end_time) as day, -- day (UTC) on which the calls ended
    uniqExactIf(c.session_id, c.session_id != '') as session_count, -- sessions that had calls
    $measures
from calls as c final
where not c.superseded
group by day
