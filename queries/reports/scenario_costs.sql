-- One row per scenario and day (UTC). Calls outside of any scenario have an empty one.
-- Units: as in the measures.
-- Source: calls, the rows of billed_calls.
create or replace view scenario_costs as
select
    toDate32(c.end_time) as day, -- day (UTC) on which the calls ended
    c.scenario as scenario,
    uniqExactIf(c.session_id, c.session_id != '') as session_count, -- sessions that had such calls
    $measures
from calls as c final
where not c.superseded
group by day, scenario
