-- One row per session that has calls or messages inserted since the sessions were last counted; thirty seconds more, for inserts under way then.
-- Units: times in UTC. `users` have new calls in it; first_time is the earliest of what is new.
-- prewhere: the optimizer would first read statistics of every day.
-- Source: calls, messages, session_totals (when it was last counted).
create or replace view changed_sessions $on_cluster as
with
    (select coalesce(max(counted_at), toDateTime64(0, 3, 'UTC')) - interval 30 second from session_totals) as counted
select
    session_id,
    groupUniqArray(n.user_id) as users,
    min(n.first_time) as first_time
from
(
    select session_id, user_id, min(start_time) as first_time
    from calls
    prewhere inserted_at > counted
    where session_id != ''
    group by session_id, user_id
    union all
    select session_id, '' as user_id, min(timestamp) as first_time
    from messages
    prewhere inserted_at > counted
    where session_id != ''
    group by session_id
) as n
group by session_id
