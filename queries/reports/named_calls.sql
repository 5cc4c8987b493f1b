-- One row per billed call, with the user that it names. Reports that are not by user read it: owned_calls takes longer.
-- Units: as in calls; columns are as there.
-- Source: calls.
create or replace view named_calls as
select
    *,
    toInt32(floor(toUnixTimestamp64Milli(c.end_time) / 1800000)) as half_hour -- half hours since 1970 (UTC), of the end
from calls as c final
where not c.superseded
