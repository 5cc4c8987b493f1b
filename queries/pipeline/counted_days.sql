-- One row per day (UTC), what its calls are grouped by, and group, as it was counted last. Whether that lacks
-- something, stale_days tells; daily_costs and those like it are right in any case.
-- Units: as in the measures.
-- Source: cost_days.
create or replace view counted_days as
select
    dimensions,
    day,
    user_id,
    session_id, -- where the calls name no user, by nobody: the session
    kind,
    scenario,
    provider,
    model,
    operation,
    session_count, -- sessions that had calls
    sessions, -- by user, or nobody: hashes of the sessions
    $measure_names
from cost_days final
array join
    user_id,
    session_id,
    kind,
    scenario,
    provider,
    model,
    operation,
    session_count,
    sessions,
    $measure_names
-- The rows are few and large: without these, one core reads them all.
settings merge_tree_min_rows_for_concurrent_read = 1,
    merge_tree_min_bytes_for_concurrent_read = 1,
    merge_tree_min_read_task_size = 1
