-- Fills session_days: one row per session, user and day in each inserted block of calls; of superseded calls too,
-- because the user who looked at a job was in the session.
-- Source: calls.
create materialized view if not exists session_days_calls_mv to session_days as
select
    session_id,
    user_id,
    toDate(c.end_time) as day,
    max(c.inserted_at) as inserted_at,
    min(c.start_time) as first_time
from calls as c
where session_id != ''
group by session_id, user_id, day
