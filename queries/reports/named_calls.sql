-- One row per billed call, with the user that it names. Reports that are not by user read it: owned_calls takes longer.
-- Units: as in calls; columns are as there.
-- Source: calls.
create or replace view named_calls as
select *
from calls final
where not superseded
