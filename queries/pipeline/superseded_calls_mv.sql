-- Marks calls as superseded when a second owner looks at a job: the owner of the highest revision and earliest start
-- keeps the call, of equal ones the one with a session and a user. One row per owner that does not keep it; it stands
-- above that owner's best copy, and below a better one that may come. The order in which copies arrive does not
-- matter. Two that arrive at the same moment may miss each other: superseded_calls_sweep_mv finds those.
-- Source: call_records (the rows just inserted), derived_calls.
create materialized view if not exists superseded_calls_mv to calls as
with
    copies as (
        select
            end_time,
            call_id,
            user_id,
            session_id,
            version
        from call_records
        where derived
            and not superseded
        union all
        select
            end_time,
            call_id,
            user_id,
            session_id,
            version
        from derived_calls
        where (end_time, call_id) in (
            select
                end_time,
                call_id
            from call_records
            where derived
        )
    ),
    owners as (
        select
            end_time,
            call_id,
            user_id,
            session_id,
            max(version) as best
        from copies
        group by end_time, call_id, user_id, session_id
    )
select
    owner.5 as user_id,
    owner.4 as session_id,
    call_id,
    true as superseded,
    owner.1 + 1 as version,
    end_time as start_time,
    end_time
from (
    select
        end_time,
        call_id,
        arrayReverseSort(groupArray((best, session_id != '', user_id != '', session_id, user_id))) as ranked
    from owners
    group by end_time, call_id
)
array join arraySlice(ranked, 2) as owner
