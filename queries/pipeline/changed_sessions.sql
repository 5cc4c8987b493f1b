-- One row per session that has calls or messages inserted since the sessions were last counted, and in the thirty
-- seconds before that: inserts may have been under way then.
-- Units: none.
-- Source: session_days, session_totals (when it was last counted).
create or replace view changed_sessions as
with (select coalesce(max(counted_at), toDateTime64(0, 3, 'UTC')) - interval 30 second from session_totals) as counted
select session_id
from session_days as d
where d.inserted_at > counted
group by session_id
