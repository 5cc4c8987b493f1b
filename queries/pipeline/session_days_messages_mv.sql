-- Fills session_days: one row per session, user and day in each inserted block of messages.
-- Source: messages.
create materialized view if not exists session_days_messages_mv to session_days as
select
    session_id,
    user_id,
    toDate(m.timestamp) as day,
    max(m.inserted_at) as inserted_at,
    min(m.timestamp)::DateTime64(3, 'UTC') as first_time
from messages as m
where session_id != ''
group by session_id, user_id, day
