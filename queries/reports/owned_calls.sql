-- One row per billed call, with the user whose call it is. All that says what a user spent begins here. The statement
-- has two halves, because calls lie by user: what is asked of one user reads that user's calls, and those that name
-- nobody.
-- Units: as in calls; columns are as there, but for user_id.
-- Source: calls, session_owners.
-- Column user_id: whose the call is: the user that it names, else the first that its session has (session_owners),
-- else nobody (empty)
create or replace view owned_calls as
select *
from calls final
where user_id != ''
    and not superseded
union all
select c.* replace (o.user_id as user_id)
from calls as c final
global left any join (
    select
        session_id,
        user_id
    from session_owners
    where session_id global in (select session_id from calls where user_id = '' and session_id != '')
) as o on c.session_id = o.session_id
where c.user_id = ''
    and not c.superseded
