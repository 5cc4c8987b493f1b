-- One row per gap in the numbers of a process's calls: calls that were made and whose records never arrived. A
-- process older than what is kept has no beginning to miss. What a killed process lost at its very end is behind the
-- last number that arrived: a later process on the same machine tells how far they went, and that counts like the
-- record of the call after them.
-- Units: times in UTC.
-- Source: missing_calls_at.
create or replace view missing_calls as
select
    process_id, -- identity of the process, 32 hex digits
    service,
    first_seq, -- number of the first call that is missing
    last_seq, -- number of the last call that is missing
    missing_count, -- how many calls are missing
    noticed_at, -- the five minutes, over by a quarter of an hour, in which a later call's record arrived
    first_time, -- when the first call of the process ended that arrived
    last_time -- when the last call of the process ended that arrived
from missing_calls_at(at = now64(3, 'UTC'))
