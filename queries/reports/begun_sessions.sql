-- One row per session that a program has begun by telling us of it, as it was told last: what its calls get that are
-- told without it. It may have no call yet.
-- Units: times in UTC.
-- Source: session_starts.
create or replace view begun_sessions as
select
    session_id,
    user_id,
    kind,
    scenario,
    tags,
    told_at
from session_starts final
