-- Marks calls as superseded, once a minute, where two owners' copies of a job were inserted at the same moment; as
-- superseded_calls_mv does.
-- Source: derived_calls, the jobs that were looked at in the last ten minutes.
create materialized view if not exists superseded_calls_sweep_mv refresh every 1 minute append to calls as
with
    owners as (
        select
            end_time,
            call_id,
            user_id,
            session_id,
            max(version) as best
        from derived_calls
        where (end_time, call_id) in (
            select
                end_time,
                call_id
            from derived_calls
            where inserted_at > now64(3) - interval 10 minute
        )
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
