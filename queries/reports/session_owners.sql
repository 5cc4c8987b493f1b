-- One row per session that has a user: whose it is, the first user that it has by time, of its calls and messages; of two at the same moment, the first by name.
-- Units: first_time in UTC, when the user was first there. Counted as it is asked: a user that becomes known later, or an earlier one, counts at once.
-- Source: session_days.
create or replace view session_owners as
select
    session_id,
    argMin(d.user_id, (d.first_time, d.user_id)) as user_id,
    min(d.first_time) as first_time
from session_days as d
where d.user_id != '' and session_id != ''
group by session_id
