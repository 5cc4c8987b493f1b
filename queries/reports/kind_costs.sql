-- One row per kind of session and day (UTC): conversation, creation, or a word of the application. Calls outside of any
-- session have an empty one.
-- Units: as in the measures.
-- Source: calls, the rows of billed_calls.
create or replace view kind_costs as
select
    toDate32(c.end_time) as day, -- day (UTC) on which the calls ended
    c.kind as kind,
    uniqExactIf(c.session_id, c.session_id != '') as session_count, -- sessions that had such calls
    $measures
from calls as c final
where not c.superseded
group by day, kind
