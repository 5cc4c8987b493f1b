-- One row per session that has a user: whose it is. Counted as it is asked: a user that becomes known later, or an
-- earlier one, counts at once.
-- Units: times in UTC.
-- Source: session_days.
create or replace view session_owners as
select
    session_id,
    argMin(d.user_id, (d.first_time, d.user_id))
        as user_id, -- the first user by time, of its calls and messages; of two at the same moment, the first by name
    min(d.first_time) as first_time -- when the session's first call or message with a user began
from session_days as d
where d.user_id != ''
    and session_id != ''
group by session_id
