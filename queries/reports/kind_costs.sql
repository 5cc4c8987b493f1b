-- One row per kind of session and day (UTC): conversation, creation, or a word of the application. Calls outside of any
-- session have an empty one.
-- Units: as in the measures.
-- Source: counted_days, and named_calls on days of which it lacks something.
create or replace view kind_costs as
with (select groupArray((day, partition)) from stale_days(dimensions = 'kind')) as live
select
    day, -- day (UTC) on which the calls ended
    kind,
    session_count, -- sessions that had such calls
    $measure_names
from counted_days
where dimensions = 'kind'
    and day not in (select arrayJoin(live).1)
union all
select
    toDate32(c.end_time) as day,
    c.kind as kind,
    uniqExactIf(c.session_id, c.session_id != '') as session_count,
    $measures
from named_calls as c
where toDate(c.end_time) in (select arrayJoin(live).2)
    and day in (select arrayJoin(live).1)
group by day, kind
